// Drives a timer wheel. After a standstill of the whole process what is on its way to us is read before deadlines are
// looked at; but each waits for that once, so that standstills in a row hold none of them up for ever.

import type { TimerWheel } from './timer-wheel.ts';

/** Driven later than this, the process was stopped, or its event loop blocked. */
const ASLEEP_MS = 1_000;

export class WheelDriver {
  private readonly wheel: TimerWheel;
  private drivenAt: number;

  constructor(wheel: TimerWheel, now: number) {
    this.wheel = wheel;
    this.drivenAt = now;
  }

  /** To be called a few times a second, behind the reads of a turn of the event loop. */
  drive(now: number): void {
    const last = this.drivenAt;
    this.drivenAt = now;
    // What was due at the last drive already has had a whole turn since. What became due while nothing ran has not.
    this.wheel.advance(now - last > ASLEEP_MS ? last : now);
  }
}
