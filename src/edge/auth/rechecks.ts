// Open sessions that a service is asked about again, now and then: each in its own time, and of one method a few at
// once, so that thousands of sessions leave the service free for handshakes. It ends nobody itself.

import type { Clock } from '../../limits/clock.ts';
import { TimerEntry, type TimerWheel } from '../../limits/timer-wheel.ts';
import { Abort } from '../../net/abort.ts';
import type { AuthMethod, AuthVerdict, Grant, Kept } from './method.ts';

/** The earliest of an interval: who came together does not ask together for long. */
const EARLIEST = 0.75;

interface RecheckMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Those in force. */
  get(name: string): AuthMethod | undefined;
}

/** A session, as far as it is asked about. */
export interface Rechecked {
  /** The credential is worth nothing any more. */
  onRevoked(): void;
  /** It is good, until then: milliseconds since 1970. */
  onGood(until: number): void;
  onFault(error: unknown): void;
}

/** The sessions of one method that are being asked about, and those whose turn it is not yet. */
class Line {
  underWay = 0;
  /** In their order. At most one entry for each session. */
  readonly waiting = new Set<Recheck>();
}

export class Rechecks {
  readonly means: RecheckMeans;
  /** By method; one leaves when nobody is in it. */
  private readonly lines = new Map<string, Line>();

  constructor(means: RecheckMeans) {
    this.means = means;
  }

  /** Null: nobody asks again about it. */
  of({ auth, identity, kept }: Grant, session: Rechecked): Recheck | null {
    return kept === undefined ? null : new Recheck({ auth, identity, kept, session, rechecks: this });
  }

  enter(recheck: Recheck): void {
    const line = this.lines.get(recheck.auth) ?? new Line();
    this.lines.set(recheck.auth, line);
    line.waiting.add(recheck);
    this.next(recheck.auth, line);
  }

  /** It does not wait any more. */
  giveUp(recheck: Recheck): void {
    const line = this.lines.get(recheck.auth);
    if (line === undefined || !line.waiting.delete(recheck)) return;
    this.next(recheck.auth, line);
  }

  /** It was asked about. */
  leave({ auth }: Recheck): void {
    const line = this.lines.get(auth);
    if (line === undefined) return;
    line.underWay -= 1;
    this.next(auth, line);
  }

  private next(auth: string, line: Line): void {
    for (const recheck of line.waiting) {
      if (line.underWay >= (this.means.get(auth)?.rechecks?.atOnce ?? 1)) break;
      line.waiting.delete(recheck);
      line.underWay += 1;
      recheck.ask();
    }
    if (line.underWay === 0 && line.waiting.size === 0) this.lines.delete(auth);
  }
}

interface RecheckOptions {
  readonly auth: string;
  readonly identity: string | null;
  readonly kept: Kept;
  readonly session: Rechecked;
  readonly rechecks: Rechecks;
}

/** Of one session, from its beginning to its end. */
export class Recheck extends TimerEntry {
  readonly auth: string;
  private readonly options: RecheckOptions;
  /** What it is armed with; Infinity: it is not. */
  private everyMs = Number.POSITIVE_INFINITY;
  private abort: Abort | null = null;
  private isOver = false;

  constructor(options: RecheckOptions) {
    super();
    this.options = options;
    this.auth = options.auth;
  }

  /** It begins, or its method may say something else of it by now. */
  retune(): void {
    const everyMs = this.method?.rechecks?.everyMs ?? Number.POSITIVE_INFINITY;
    if (this.isOver || everyMs === this.everyMs) return;
    this.everyMs = everyMs;
    if (this.abort === null) this.arm();
  }

  stop(): void {
    const { rechecks } = this.options;
    this.isOver = true;
    rechecks.means.wheel.cancel(this);
    rechecks.giveUp(this);
    this.abort?.abort();
  }

  override onTimer(): void {
    this.options.rechecks.enter(this);
  }

  /** It is its turn. */
  ask(): void {
    const { kept, rechecks, session } = this.options;
    const abort = new Abort();
    this.abort = abort;
    const over = (then: () => void): void => {
      this.abort = null;
      rechecks.leave(this);
      if (!this.isOver) then();
    };
    const asked = this.method?.recheck?.(kept, abort) ?? Promise.resolve<AuthVerdict>(NOT_ASKED);
    asked.then(
      (verdict) => over(() => this.take(verdict)),
      (error: unknown) => over(() => session.onFault(error)),
    );
  }

  private take(verdict: AuthVerdict): void {
    const { identity, session } = this.options;
    if (isRevoked(verdict, identity)) {
      session.onRevoked();
      return;
    }
    if (verdict.kind === 'good') session.onGood(verdict.grant.expiresAt);
    this.arm();
  }

  private get method(): AuthMethod | undefined {
    return this.options.rechecks.means.get(this.auth);
  }

  private arm(): void {
    const { wheel, clock, random } = this.options.rechecks.means;
    wheel.schedule(this, clock.now() + this.everyMs * (EARLIEST + (1 - EARLIEST) * random()));
  }
}

const NOT_ASKED: AuthVerdict = { kind: 'unavailable', cause: 'not asked' };

/** Who cannot be asked, or is asked too much, has not said anything. Who is somebody else now is not who came in. */
function isRevoked(verdict: AuthVerdict, identity: string | null): boolean {
  switch (verdict.kind) {
    case 'good':
      return verdict.grant.identity !== identity;
    case 'bad':
      return true;
    case 'refused':
      return verdict.refusal.slug === 'unauthorized' || verdict.refusal.slug === 'scope_missing';
    case 'unavailable':
      return false;
  }
}
