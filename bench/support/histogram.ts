// Counts of durations in buckets that are at most 1.6 % wide, from a nanosecond up to minutes, in constant memory.
// Recording allocates nothing.

/** Buckets per power of two. */
const STEPS = 64;
const STEP_BITS = 6;
/** 2^38 ns are 275 s; what is longer counts as that. */
const LAST_POWER = 38;
const POWERS = LAST_POWER - STEP_BITS + 1;
/** From 2^30 ns on an integer is no small one any more. */
const LONG_POWER = 30;
const LONG_NS = 2 ** LONG_POWER;
const LONG_MAX = 2 ** (LAST_POWER - LONG_POWER) - 0.01;
const NS_PER_MS = 1e6;

export class Histogram {
  total = 0;
  private readonly counts = new Float64Array(STEPS * POWERS);

  record(ms: number): void {
    const at = bucketOf(ms * NS_PER_MS);
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.total += 1;
  }

  reset(): void {
    this.counts.fill(0);
    this.total = 0;
  }

  /** Milliseconds that the share `q` of all records does not exceed; NaN without records. */
  quantile(q: number): number {
    if (this.total === 0) return Number.NaN;
    const wanted = Math.max(1, Math.ceil(this.total * q));
    let seen = 0;
    for (let at = 0; at < this.counts.length; at++) {
      seen += this.counts[at] ?? 0;
      if (seen >= wanted) return middleOf(at) / NS_PER_MS;
    }
    return Number.NaN;
  }
}

/** Values below STEPS have a bucket each; above, each power of two has STEPS buckets of equal width. */
function bucketOf(ns: number): number {
  if (!(ns >= STEPS)) return Math.max(0, Math.floor(ns));
  // This runs for every message: shifts of small integers instead of logarithms.
  const isLong = ns >= LONG_NS;
  const value = isLong ? Math.min(ns / LONG_NS, LONG_MAX) * STEPS : ns;
  const whole = value | 0;
  const shift = 31 - Math.clz32(whole) - STEP_BITS;
  const power = isLong ? shift + LONG_POWER - STEP_BITS : shift;
  return (power + 1) * STEPS + (whole >> shift) - STEPS;
}

function middleOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const width = 2 ** (Math.floor(bucket / STEPS) - 1);
  return (STEPS + (bucket % STEPS) + 0.5) * width;
}
