// The longest time for which the event loop was held up, since it was last asked.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** How often it is looked at; every reading is at least as long. */
const RESOLUTION_MS = 10;
const NANOS = 1e6;

export class LoopLag {
  private readonly delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.delays.enable();
  }

  stop(): void {
    this.delays.disable();
  }

  /** Milliseconds, and begins anew. */
  take(): number {
    const { delays } = this;
    const lag = delays.count === 0 ? 0 : delays.max / NANOS - RESOLUTION_MS;
    delays.reset();
    return Math.max(0, lag);
  }
}
