// How many different things came under a key within the last minute, the same one counted once; exact at every moment.
// A bounded number of keys, and of things in all; the clock is an argument. It must not answer anybody.

const MINUTE_MS = 60_000;
/** Things remembered, of all keys together. */
const THINGS_MAX = 200_000;
/** Keys looked at with each new thing, whether they say nothing any more: the table shrinks again after a flood. */
const SWEEP_MAX = 2;

/** Things and when they came first, the oldest in front: one that comes again keeps its place. */
type Things = Map<number, number>;

export class DistinctRates {
  /** The key that got something least recently is in front; at most `keysMax`. */
  private readonly keys = new Map<string, Things>();
  private readonly keysMax: number;
  private perMinute: number;
  private things = 0;

  constructor(perMinute: number, keysMax: number) {
    this.perMinute = perMinute;
    this.keysMax = keysMax;
  }

  get size(): number {
    return this.keys.size;
  }

  /** Milliseconds until `key` has less than it may have; 0 when it has less now. */
  barredMs(key: string, now: number): number {
    const things = this.keys.get(key);
    if (things === undefined || things.size < this.perMinute) return 0;
    this.prune(key, things, now);
    let more = things.size - this.perMinute;
    if (more < 0) return 0;
    for (const at of things.values()) {
      if (more === 0) return at + MINUTE_MS - now;
      more -= 1;
    }
    return 0;
  }

  /** `thing`: any number that stands for it. */
  note(key: string, thing: number, now: number): void {
    if (this.perMinute === Number.POSITIVE_INFINITY) return;
    this.sweep(now);
    const things: Things = this.keys.get(key) ?? new Map();
    this.keys.delete(key);
    this.keys.set(key, things);
    this.prune(null, things, now);
    if (!things.has(thing)) {
      things.set(thing, now);
      this.things += 1;
    }
    // The newest key is the last one: it stays, with one thing at least.
    for (const [oldest, held] of this.keys) {
      if (this.keys.size <= this.keysMax && (this.things <= THINGS_MAX || oldest === key)) break;
      this.forget(oldest, held);
    }
  }

  /** What came before stays counted. */
  retune(perMinute: number): void {
    this.perMinute = perMinute;
    if (perMinute < Number.POSITIVE_INFINITY) return;
    this.keys.clear();
    this.things = 0;
  }

  private prune(key: string | null, things: Things, now: number): void {
    for (const [thing, at] of things) {
      if (now - at < MINUTE_MS) break;
      things.delete(thing);
      this.things -= 1;
    }
    if (key !== null && things.size === 0) this.keys.delete(key);
  }

  private sweep(now: number): void {
    let looks = SWEEP_MAX;
    for (const [key, things] of this.keys) {
      if (looks === 0) return;
      looks -= 1;
      this.prune(key, things, now);
    }
  }

  private forget(key: string, things: Things): void {
    this.keys.delete(key);
    this.things -= things.size;
  }
}
