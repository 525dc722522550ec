// What all sessions and handshakes together hold in memory for their peers, and what happens above
// `limits.max_buffered_total`: no new handshakes, and the fullest sessions end. It looks, and moves no bytes.

import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { EndCause } from '../protocol/end-causes.ts';

/** How long one sum over all sessions is good for. */
const SWEEP_MS = 50;

/** Who may hold bytes for a slow peer. */
interface Side {
  readonly transport: { readonly held: number; readonly kept: number };
}

/** A session that can be made to end. `cause`: why it ends already. */
export interface Buffering {
  readonly session: { readonly cause: EndCause | null; readonly client: Side; readonly backend: Side };
  /** End it with `overload`; `bytes` is what it holds. */
  shed(bytes: number): void;
}

export class BufferWatch {
  /** Bytes of clients held until a 101: added and taken off as they come and go. */
  early = 0;
  private readonly wheel: TimerWheel;
  private readonly now: () => number;
  private readonly sessions: Iterable<Buffering>;
  private readonly alarm = new Alarm((now) => this.sweep(now));
  private bytesMax: number;
  private readonly peaks: { buffered: number };
  /** What the sessions held at the last look. */
  private held = 0;

  constructor(options: {
    readonly wheel: TimerWheel;
    readonly now: () => number;
    readonly sessions: Iterable<Buffering>;
    readonly bytesMax: number;
    /** The most that was held at a look is kept here. */
    readonly peaks: { buffered: number };
  }) {
    this.wheel = options.wheel;
    this.now = options.now;
    this.sessions = options.sessions;
    this.peaks = options.peaks;
    this.bytesMax = options.bytesMax;
    this.retune(options.bytesMax);
  }

  /** True while new handshakes are to be refused, and early bytes not to be read. At most SWEEP_MS old. */
  get isOver(): boolean {
    return this.held + this.early > this.bytesMax;
  }

  /** What is held right now; looks at every session. */
  total(): number {
    let bytes = this.early;
    for (const { session } of this.sessions) bytes += bytesOf(session);
    return bytes;
  }

  retune(bytesMax: number): void {
    this.bytesMax = bytesMax;
    if (bytesMax === Infinity) {
      this.held = 0;
      this.wheel.cancel(this.alarm);
    } else {
      this.wheel.schedule(this.alarm, this.now() + SWEEP_MS);
    }
  }

  private sweep(now: number): void {
    let held = 0;
    // Sessions that end are on their way out: shedding more does not make them faster.
    let leaving = 0;
    for (const { session } of this.sessions) {
      const bytes = bytesOf(session);
      held += bytes;
      if (session.cause !== null) leaving += bytes;
    }
    this.held = held;
    this.peaks.buffered = Math.max(this.peaks.buffered, held + this.early);
    const excess = held - leaving + this.early - this.bytesMax;
    if (excess > 0) this.shed(excess);
    this.wheel.schedule(this.alarm, now + SWEEP_MS);
  }

  /** End the fullest sessions, until what the others hold is within the limit. */
  private shed(excess: number): void {
    const full: { readonly one: Buffering; readonly bytes: number }[] = [];
    for (const one of this.sessions) {
      const bytes = one.session.cause === null ? bytesOf(one.session) : 0;
      if (bytes > 0) full.push({ one, bytes });
    }
    full.sort((a, b) => b.bytes - a.bytes);
    let left = excess;
    for (const { one, bytes } of full) {
      if (left <= 0) return;
      one.shed(bytes);
      left -= bytes;
    }
  }
}

function bytesOf(session: Buffering['session']): number {
  const { transport: client } = session.client;
  const { transport: backend } = session.backend;
  return client.held + client.kept + backend.held + backend.kept;
}
