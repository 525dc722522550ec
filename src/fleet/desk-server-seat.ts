// What the primary holds for one handshake of a worker, and later for its session: the steps of `edge/handshake` from
// its limits to its target, asked for by messages. The worker keeps the deadlines, and says when it is over.

import type { SlotDesk, SlotOwner } from '../edge/handshake-slots.ts';
import type { Holdings } from '../edge/holdings.ts';
import { BARRED } from '../edge/quotas.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { NotChosen, TargetAsk } from '../upstream/choose-target.ts';
import type { RoomWaiter } from '../upstream/room-queue.ts';
import { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Answer, Choice, Turn } from './desk-messages.ts';

/** Who has it, and hears of it. */
export interface SeatOwner {
  readonly slots: SlotDesk;
  /** Empty: of who has tried no target. */
  readonly untried: ReadonlySet<Target>;
  answer(message: Answer): void;
  /** It has been refused: nothing is held for it any more. */
  forget(seat: WorkerSeat): void;
  move(seat: WorkerSeat): void;
  /** A fault of ours. `ask`: what waits for an answer. */
  fail(seat: WorkerSeat, ask: number | null, error: unknown): void;
}

/** The last question about a turn that is not answered, or was by its target. */
interface AskedTurn {
  readonly ask: number;
  readonly upstream: Upstream;
  readonly turn: Turn;
}

export class WorkerSeat implements SlotOwner, RoomWaiter {
  readonly id: number;
  readonly holdings: Holdings;
  /** When it became a session. */
  startedAt = 0;
  private readonly owner: SeatOwner;
  private asked: AskedTurn | null = null;
  private isSession = false;
  private isOver = false;
  private hasCause = false;

  constructor(id: number, owner: SeatOwner, holdings: Holdings) {
    this.id = id;
    this.owner = owner;
    this.holdings = holdings;
  }

  get target(): Target | null {
    return this.holdings.target;
  }

  /** As a session, for who moves them. */
  get session(): this {
    return this;
  }

  /** Null while nothing is known to end it. */
  get cause(): string | null {
    return this.hasCause ? 'ending' : null;
  }

  /** The worker is told, and it counts as ending from now on. */
  end(): void {
    this.beginEnd();
    this.owner.move(this);
  }

  /** A later one takes the place of the one before. */
  turn(ask: number, upstream: Upstream, turn: Turn): void {
    this.unturn();
    this.asked = { ask, upstream, turn };
    const obstacle = this.owner.slots.obstacleTo(upstream, this.holdings.seat.key);
    if (obstacle === null) this.goOn();
    else this.bar({ slug: 'too_many_handshakes', cause: obstacle }, obstacle);
  }

  unturn(): void {
    this.asked = null;
    this.holdings.leaveTurn();
    this.holdings.leaveTarget();
  }

  private goOn(): void {
    const { asked, holdings } = this;
    if (asked === null) return;
    const { upstream, turn } = asked;
    const isOpen = holdings.takeTurn({
      owner: this,
      upstream,
      key: holdings.seat.key,
      openMs: turn[2],
      balanceKey: () => turn[1],
    });
    if (isOpen) this.open(asked);
  }

  private open(asked: AskedTurn): void {
    const { ask, upstream, turn } = asked;
    if (this.holdings.mustPark(upstream)) {
      this.park(asked);
      return;
    }
    const chosen = this.try({ upstream, tried: this.owner.untried, key: turn[1], isRetry: false });
    if (chosen instanceof Target) {
      this.asked = null;
      this.owner.answer(['go', ask, chosen.name, this.holdings.trial]);
    } else if (chosen.kind === 'none') {
      this.bar({ slug: 'no_target', cause: chosen.cause, targets: chosen.targets }, null);
    } else {
      this.park(asked);
    }
  }

  private park(asked: AskedTurn): void {
    const { ask, upstream } = asked;
    const obstacle = this.holdings.park(upstream, this);
    if (obstacle === null) this.owner.answer(['parked', ask, upstream.noRoom]);
    else if (obstacle === 'queue.size')
      this.bar({ slug: 'no_target', cause: obstacle, targets: upstream.noRoom }, null);
    else this.bar({ slug: 'too_many_handshakes', cause: obstacle }, obstacle);
  }

  onTurn(): void {
    this.guarded(() => {
      if (this.asked !== null) this.open(this.asked);
    });
  }

  onRoom(): void {
    this.guarded(() => this.goOn());
  }

  onPushedOut(): void {
    this.guarded(() => this.bar(BARRED.pushedOut, BARRED.pushedOut.cause));
  }

  /** The primary's own desk answers at once. */
  onParked(): void {}

  onRefused(): void {}

  /** A dial has failed, or its route has another upstream than its turn was for. */
  choose(ask: number, upstream: Upstream, choice: Choice): void {
    const [, key, names, isRetry] = choice;
    // Who waits for room there goes first.
    const isFull = !isRetry && upstream.queue.isBusy;
    const chosen: Target | NotChosen = isFull
      ? { kind: 'full' }
      : this.try({ upstream, tried: targetsOf(upstream, names), key, isRetry });
    if (chosen instanceof Target) this.owner.answer(['go', ask, chosen.name, this.holdings.trial]);
    else this.owner.answer(['none', ask, chosen, upstream.noRoom]);
  }

  private try(ask: TargetAsk): Target | NotChosen {
    return chosenNow(this.holdings.choose(ask));
  }

  becomeSession(now: number): void {
    if (this.isSession) return;
    this.isSession = true;
    this.startedAt = now;
    this.asked = null;
    this.holdings.becomeSession();
  }

  beginEnd(): void {
    this.hasCause = true;
    this.holdings.beginEnd();
  }

  /** Idempotent. */
  release(): void {
    this.asked = null;
    this.isOver = true;
    this.holdings.release();
  }

  private bar(refusal: Refusal, limit: string | null): void {
    const ask = this.asked?.ask;
    if (ask === undefined) return;
    this.owner.answer(['barred', ask, refusal, limit]);
    this.owner.forget(this);
  }

  private guarded(step: () => void): void {
    try {
      if (!this.isOver) step();
    } catch (error) {
      this.owner.fail(this, this.asked?.ask ?? null, error);
    }
  }
}

/** Those that are still there. */
export function targetsOf(upstream: Upstream, names: readonly string[]): ReadonlySet<Target> {
  const targets = new Set<Target>();
  for (const name of names) {
    const target = upstream.target(name);
    if (target !== undefined) targets.add(target);
  }
  return targets;
}

/** The primary chooses by itself. */
export function chosenNow(answer: Target | NotChosen | Promise<Target | NotChosen>): Target | NotChosen {
  if (answer instanceof Promise) throw new Error('the desk of the primary answers at once');
  return answer;
}
