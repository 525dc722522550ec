// When a plain request is overdue: one entry in the wheel, which looks at what is waited for then. Nothing is armed for
// a byte. What becomes of it is its owner's affair.

import type { Timeouts } from '../../config/types.ts';
import type { Clock } from '../../limits/clock.ts';
import { Alarm, type TimerWheel } from '../../limits/timer-wheel.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { Overdue, PlainRelay } from './plain-relay.ts';

interface Means {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

interface DeadlineOwner {
  readonly relay: PlainRelay | null;
  readonly timeouts: Timeouts;
  /** Not relayed in time. */
  onOpenLate(now: number): void;
  onOverdue(what: Overdue): void;
  onFault(error: unknown): void;
}

/** How a request ends by what did not go on: by a refusal, or cut where an answer has begun. */
interface Late {
  readonly end: Refusal | 'write_stall' | 'idle';
  readonly blamesTarget: boolean;
}

export const LATE: Readonly<Record<Overdue, Late>> = {
  body: { end: { slug: 'body_timeout', cause: 'body' }, blamesTarget: false },
  backend_stall: { end: { slug: 'backend_timeout', cause: 'write_stall' }, blamesTarget: true },
  response: { end: { slug: 'backend_timeout', cause: 'response' }, blamesTarget: true },
  client_stall: { end: 'write_stall', blamesTarget: false },
  idle: { end: 'idle', blamesTarget: false },
};

export class PlainDeadlines {
  readonly headAt: number;
  private readonly means: Means;
  private readonly owner: DeadlineOwner;
  private readonly alarm = new Alarm((now) => this.look(now));

  constructor(means: Means, owner: DeadlineOwner) {
    this.means = means;
    this.owner = owner;
    this.headAt = means.clock.now();
  }

  /** A stall that begins between two looks is not due before the next. */
  arm(): void {
    const { means, owner } = this;
    const lookAt = owner.relay === null ? Number.POSITIVE_INFINITY : means.clock.now() + owner.timeouts.write_stall;
    means.wheel.schedule(this.alarm, Math.min(this.deadline, lookAt));
  }

  stop(): void {
    this.means.wheel.cancel(this.alarm);
  }

  private look(now: number): void {
    const { owner } = this;
    try {
      // What went on since then puts it off: the wheel is not asked for each byte.
      if (this.deadline > now) this.arm();
      else if (owner.relay === null) owner.onOpenLate(now);
      else owner.onOverdue(owner.relay.deadline(owner.timeouts).what);
    } catch (error) {
      owner.onFault(error);
    }
  }

  private get deadline(): number {
    const { relay, timeouts } = this.owner;
    return relay === null ? this.headAt + timeouts.open : relay.deadline(timeouts).at;
  }
}
