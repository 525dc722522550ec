// What is used of quotas that each key has of its own: a rate, and a number in a longer time, which runs from the first
// that is counted. In a table with a hard cap; the clock is an argument. It must not answer anybody.

import { TokenBucket } from './token-bucket.ts';

/** So many in so many milliseconds. */
interface LongQuota {
  readonly count: number;
  readonly every: number;
}

/** Entries looked at with each new one, in turn, whether they may be forgotten. */
const LOOKS_MAX = 8;

/** What one key has used. */
export class QuotaUse {
  private bucket: TokenBucket | null = null;
  private rate = Number.POSITIVE_INFINITY;
  private counted = 0;
  private beganAt = 0;
  private every = 0;

  /** Milliseconds until one more may pass at that rate, twice as many at once and one always; 0: it has passed now. */
  takeOne(rate: number, now: number): number {
    if (rate === Number.POSITIVE_INFINITY) {
      this.bucket = null;
      return 0;
    }
    const burst = Math.max(1, 2 * rate);
    this.bucket ??= new TokenBucket(rate, burst, now);
    if (rate !== this.rate) this.bucket.retune(rate, burst, now);
    this.rate = rate;
    return this.bucket.takeOne(now) ? 0 : this.bucket.tokenMs(now);
  }

  /** Milliseconds until one more may be counted; 0: it has been counted now. What is counted outlives a new quota. */
  countOne({ count, every }: LongQuota, now: number): number {
    this.every = every;
    if (this.isOver(now)) {
      this.beganAt = now;
      this.counted = 0;
    }
    if (this.counted >= count) return this.beganAt + every - now;
    this.counted += 1;
    return 0;
  }

  /** Whether it says no more than a new one would. */
  isIdle(now: number): boolean {
    return this.isOver(now) && (this.bucket === null || this.bucket.isFull(now));
  }

  private isOver(now: number): boolean {
    return this.counted === 0 || now >= this.beganAt + this.every;
  }
}

export class QuotaUses {
  /** At most entriesMax; idle ones go when others need room, and a few with each new one. */
  private readonly entries = new Map<string, QuotaUse>();
  private entriesMax: number;

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Null when there is no room for another: all are in use. */
  of(key: string, now: number): QuotaUse | null {
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    this.sweep(now);
    if (this.entries.size >= this.entriesMax) return null;
    const use = new QuotaUse();
    this.entries.set(key, use);
    return use;
  }

  retune(entriesMax: number): void {
    this.entriesMax = entriesMax;
  }

  /** The next few in turn: times differ, so the first of them need not be the first to be idle. */
  private sweep(now: number): void {
    let looks = Math.min(LOOKS_MAX, this.entries.size);
    for (const [key, use] of this.entries) {
      if (looks === 0) return;
      looks -= 1;
      this.entries.delete(key);
      if (!use.isIdle(now)) this.entries.set(key, use);
    }
  }
}
