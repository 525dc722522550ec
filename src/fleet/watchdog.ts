// Ends workers that hang: those that have been silent for too long while this process ran itself. What it has not
// heard while it was stopped, or busy, is nobody's fault but its own.

/** A worker, as far as it may hang. */
interface Watched {
  /** Set to 0 by whoever hears of it. */
  silentMs: number;
  kill(reason: 'hung'): void;
}

export class Watchdog {
  private readonly hangMs: number;
  private readonly stepMs: number;
  private last: number;

  /** `stepMs`: how often it looks; no look counts for more than two of them. */
  constructor(options: { readonly hangMs: number; readonly stepMs: number; readonly now: number }) {
    this.hangMs = options.hangMs;
    this.stepMs = options.stepMs;
    this.last = options.now;
  }

  look(workers: Iterable<Watched>, now: number): void {
    const passed = Math.min(now - this.last, 2 * this.stepMs);
    this.last = now;
    for (const one of workers) {
      one.silentMs += passed;
      if (one.silentMs >= this.hangMs) one.kill('hung');
    }
  }
}
