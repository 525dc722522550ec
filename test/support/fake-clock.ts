// A clock that moves only when a test says so.

import type { Clock } from '../../src/limits/clock.ts';

export class FakeClock implements Clock {
  private time: number;

  constructor(start = 1_000_000) {
    this.time = start;
  }

  now(): number {
    return this.time;
  }

  advance(ms: number): void {
    this.time += ms;
  }
}
