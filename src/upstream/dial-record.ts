// What the last dials of a target came to: since when they fail, and whether it is to be seen as down. It changes
// nothing about who gets sessions. The clock is an argument.

/** A failure is news for so long; after that somebody has to try anew. */
const NEWS_MS = 10_000;

export class DialRecord {
  private succeededAt = Number.NEGATIVE_INFINITY;
  private failedAt = Number.NEGATIVE_INFINITY;
  private since: number | null = null;

  succeeded(now: number): void {
    this.succeededAt = now;
    this.since = null;
  }

  /** For a reason that lies with the target or the way to it. */
  failed(now: number): void {
    this.failedAt = now;
    this.since ??= now;
  }

  /** Of the first failure after the last success; null when the last dial succeeded, or there was none. */
  get failingSince(): number | null {
    return this.since;
  }

  /** There was a dial in the last 10 s, and all of them failed. */
  isDown(now: number): boolean {
    return now - this.failedAt < NEWS_MS && now - this.succeededAt >= NEWS_MS;
  }
}
