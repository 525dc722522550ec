// Ending sessions one after the other over a time, so that their clients do not all come back at once. It decides no
// cause and ends nobody itself.

import type { SessionRecord } from '../edge/session-record.ts';
import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';

interface Timing {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** From 0 to below 1. */
  random?(): number;
}

/**
 * Calls `end` for each of `records`, evenly over `spreadMs` and each a random half step off its place; the first at
 * once. `end` is asked to see for itself whether that session still has to go.
 */
export class Spread {
  /** True when every session had its turn, or nothing more is to be done. */
  isOver = false;
  private readonly timing: Timing;
  private readonly records: readonly SessionRecord[];
  private readonly end: (record: SessionRecord) => void;
  private readonly alarm = new Alarm((now) => this.advance(now));
  private readonly startedAt: number;
  private readonly stepMs: number;
  private nextIndex = 0;
  private nextAt: number;

  constructor(timing: Timing, records: readonly SessionRecord[], spreadMs: number, end: (one: SessionRecord) => void) {
    this.timing = timing;
    this.records = records;
    this.end = end;
    this.startedAt = timing.clock.now();
    this.stepMs = records.length === 0 ? 0 : spreadMs / records.length;
    this.nextAt = this.startedAt;
    this.advance(this.startedAt);
  }

  /** Whoever had no turn yet gets none. */
  cancel(): void {
    this.isOver = true;
    this.timing.wheel.cancel(this.alarm);
  }

  private advance(now: number): void {
    const { random = Math.random } = this.timing;
    while (!this.isOver && this.nextAt <= now) {
      const record = this.records[this.nextIndex];
      if (record === undefined) {
        this.isOver = true;
        return;
      }
      this.nextIndex += 1;
      this.nextAt = this.startedAt + (this.nextIndex + random() - 0.5) * this.stepMs;
      this.end(record);
    }
    if (!this.isOver) this.timing.wheel.schedule(this.alarm, this.nextAt);
  }
}
