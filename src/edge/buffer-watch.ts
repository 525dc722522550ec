// What all sessions, plain requests and handshakes together hold in memory for their peers, and what happens above
// `limits.max_buffered_total`: no new handshakes, and the fullest sessions and requests end. It moves no bytes.

import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';

/** How long one sum over all sessions is good for. */
const SWEEP_MS = 50;

/** A session or a connection of plain requests, which can be made to end. */
export interface Buffering {
  /** Memory that it takes for slow peers. */
  readonly bufferedBytes: number;
  /** It is on its way out already. */
  readonly isEnding: boolean;
  /** End it with `overload`, for that limit; `bytes` is what it holds. */
  shed(bytes: number, limit: MemoryLimit): void;
}

/** The limits that end who holds the most. */
export type MemoryLimit = 'max_buffered_total' | 'max_memory';

export class BufferWatch {
  /** Bytes of clients held until a 101: added and taken off as they come and go. */
  early = 0;
  private readonly wheel: TimerWheel;
  private readonly now: () => number;
  private readonly holders: readonly Iterable<Buffering>[];
  private readonly alarm = new Alarm((now) => this.sweep(now));
  private bytesMax: number;
  private readonly peaks: { buffered: number };
  /** What they held at the last look. */
  private held = 0;

  constructor(options: {
    readonly wheel: TimerWheel;
    readonly now: () => number;
    readonly holders: readonly Iterable<Buffering>[];
    readonly bytesMax: number;
    /** The most that was held at a look is kept here. */
    readonly peaks: { buffered: number };
  }) {
    this.wheel = options.wheel;
    this.now = options.now;
    this.holders = options.holders;
    this.peaks = options.peaks;
    this.bytesMax = options.bytesMax;
    this.retune(options.bytesMax);
  }

  /** True while new handshakes are to be refused, and early bytes not to be read. At most SWEEP_MS old. */
  get isOver(): boolean {
    return this.held + this.early > this.bytesMax;
  }

  /** What is held right now; looks at every one of them. */
  total(): number {
    let bytes = this.early;
    for (const holders of this.holders) for (const { bufferedBytes } of holders) bytes += bufferedBytes;
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
    // Those that end are on their way out: shedding more does not make them faster.
    let leaving = 0;
    for (const holders of this.holders) {
      for (const { bufferedBytes, isEnding } of holders) {
        held += bufferedBytes;
        if (isEnding) leaving += bufferedBytes;
      }
    }
    this.held = held;
    this.peaks.buffered = Math.max(this.peaks.buffered, held + this.early);
    const excess = held - leaving + this.early - this.bytesMax;
    if (excess > 0) this.shed(excess, 'max_buffered_total');
    this.wheel.schedule(this.alarm, now + SWEEP_MS);
  }

  /** Memory is short by `bytes`: the fullest end, until what these and all that are ending hold comes to that. */
  relieve(bytes: number): void {
    let left = bytes;
    for (const holders of this.holders) {
      for (const { bufferedBytes, isEnding } of holders) if (isEnding) left -= bufferedBytes;
    }
    this.shed(left, 'max_memory');
  }

  /** End the fullest, until it is `excess` less. */
  private shed(excess: number, limit: MemoryLimit): void {
    const full: { readonly one: Buffering; readonly bytes: number }[] = [];
    for (const holders of this.holders) {
      for (const one of holders) {
        const bytes = one.isEnding ? 0 : one.bufferedBytes;
        if (bytes > 0) full.push({ one, bytes });
      }
    }
    full.sort((a, b) => b.bytes - a.bytes);
    let left = excess;
    for (const { one, bytes } of full) {
      if (left <= 0) return;
      one.shed(bytes, limit);
      left -= bytes;
    }
  }
}
