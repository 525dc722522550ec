// Distributions in fixed memory: buckets with chosen bounds for the exposition, and finer ones for questions about
// quantiles. Recording allocates nothing.

import type { Counted, DumpAsk } from './counted.ts';

/** Counts per upper bound, as a Prometheus histogram has them; the last bucket holds what is above every bound. */
export class Histogram implements Counted {
  readonly bounds: Float64Array;
  /** Not cumulative. Doubles: exact far beyond what 32 bits would hold. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  /** `bounds` ascend; histograms may share them. */
  constructor(bounds: Float64Array) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) index += 1; // the length was checked
    this.counts[index] = this.counts[index]! + 1; // there is one count more than bounds
    this.sum += value;
    this.count += 1;
  }

  dump({ inFull }: DumpAsk): unknown {
    return inFull && this.count > 0 ? [this.sum, ...this.counts] : undefined;
  }

  /** `dump`: of one with the same bounds. */
  addDump(dump: unknown): void {
    const [sum = 0, ...counts] = numbersIn(dump);
    this.sum += sum;
    for (const [index, count] of counts.entries()) {
      this.counts[index] = (this.counts[index] ?? 0) + count;
      this.count += count;
    }
  }
}

const SUB_BITS = 3;
const SUB_BUCKETS = 1 << SUB_BITS;
/** Whole numbers up to here have a bucket each. */
const EXACT_MAX = 2 * SUB_BUCKETS;
const EXACT_BITS = SUB_BITS + 1;
/** Values from 2^40 on share the last bucket. */
const VALUE_BITS = 40;
/** The first bucket of more than one number. */
const FIRST_SPLIT = EXACT_MAX + 1;
const BUCKETS = FIRST_SPLIT + (VALUE_BITS - EXACT_BITS) * SUB_BUCKETS;
const VALUE_MAX = 2 ** VALUE_BITS;
const INT_MAX = 2 ** 31 - 1;
const NONE = new Float64Array(0);

/** The quantiles that a distribution is told by, and the largest value seen, which is exact. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/**
 * Counts of whole numbers: up to 16 each its own, above that eight buckets per power of two. A bucket holds
 * `(lower, upper]`, so every power of two is an edge, and "how many were above 32 KiB" has an exact answer. A quantile
 * is at most an eighth too high. 2.4 KB once the first value came.
 */
export class LogLinearHistogram implements Counted {
  sum = 0;
  max = 0;
  private counts = NONE;

  /** `times`: how often it was seen. */
  record(value: number, times = 1): void {
    // Allocated late: most routes and directions of a large config never carry anything.
    if (this.counts.length === 0) this.counts = new Float64Array(BUCKETS);
    const index = bucketOf(value);
    this.counts[index] = this.counts[index]! + times; // bucketOf stays below BUCKETS
    this.sum += value * times;
    if (value > this.max) this.max = value;
  }

  /** Added up when asked for, which is rare, so that recording need not. */
  get count(): number {
    return this.counts.reduce((total, count) => total + count, 0);
  }

  /** Sum and largest, then index and count of each bucket that holds any: of 305 most hold none. */
  dump(): unknown {
    if (this.counts.length === 0) return undefined;
    const told = [this.sum, this.max];
    for (const [index, count] of this.counts.entries()) if (count > 0) told.push(index, count);
    return told;
  }

  addDump(dump: unknown): void {
    const [sum = 0, max = 0, ...buckets] = numbersIn(dump);
    if (this.counts.length === 0) this.counts = new Float64Array(BUCKETS);
    this.sum += sum;
    this.max = Math.max(this.max, max);
    for (let at = 0; at + 1 < buckets.length; at += 2) {
      const index = buckets[at] ?? 0;
      this.counts[index] = (this.counts[index] ?? 0) + (buckets[at + 1] ?? 0);
    }
  }

  /** One with the same values in it, to be recorded into. */
  copy(): LogLinearHistogram {
    const copy = new LogLinearHistogram();
    copy.sum = this.sum;
    copy.max = this.max;
    copy.counts = this.counts.slice();
    return copy;
  }

  /** The same values in the buckets of `bounds`; exact where these are powers of two. */
  inBounds(bounds: Float64Array): Histogram {
    const found = new Histogram(bounds);
    const { counts } = this;
    found.sum = this.sum;
    let index = 0;
    // One walk over the buckets, whatever the number of bounds: a scrape of a large config asks thousands of times.
    for (let at = 0; at <= bounds.length; at += 1) {
      const bound = bounds[at] ?? Number.POSITIVE_INFINITY;
      let within = 0;
      while (index < counts.length && (bound >= this.max || upperEdge(index) <= bound)) {
        within += counts[index] ?? 0;
        index += 1;
      }
      found.counts[at] = within;
      found.count += within;
    }
    return found;
  }

  /** The upper edge of the bucket in which the value of that rank is, never above `max`; 0 without values. */
  quantile(share: number): number {
    const { count } = this;
    if (count === 0) return 0;
    const rank = Math.max(1, Math.ceil(count * share));
    let seen = 0;
    for (let index = 0; index < this.counts.length; index += 1) {
      seen += this.counts[index] ?? 0;
      if (seen >= rank) return Math.min(upperEdge(index), this.max);
    }
    return this.max;
  }

  /** How many values were above `limit`. Exact where a bucket ends; elsewhere the bucket it falls into counts whole. */
  countAbove(limit: number): number {
    if (limit >= this.max) return 0;
    let above = 0;
    for (let index = this.counts.length - 1; index >= 0; index -= 1) {
      if (upperEdge(index) <= limit) return above;
      above += this.counts[index] ?? 0;
    }
    return above;
  }

  summary(): Summary {
    return {
      count: this.count,
      p50: this.quantile(0.5),
      p99: this.quantile(0.99),
      p999: this.quantile(0.999),
      max: this.max,
    };
  }
}

function numbersIn(dump: unknown): number[] {
  return Array.isArray(dump) ? dump.map(Number) : [];
}

/** Powers and divisions of doubles cost ten times what shifts do, so nearly every value takes the second branch. */
function bucketOf(value: number): number {
  if (!(value > EXACT_MAX)) return value > 0 ? Math.ceil(value) : 0;
  if (value <= INT_MAX) {
    // One less, so that a power of two is the last value of its bucket and not the first of the next.
    let whole = value | 0;
    if (whole === value) whole -= 1;
    const bits = 31 - Math.clz32(whole);
    return FIRST_SPLIT + ((bits - EXACT_BITS) << SUB_BITS) + (whole >> (bits - SUB_BITS)) - SUB_BUCKETS;
  }
  return value < VALUE_MAX ? largeBucketOf(value) : BUCKETS - 1;
}

function largeBucketOf(value: number): number {
  const whole = Math.ceil(value) - 1;
  const bits = Math.floor(Math.log2(whole));
  const sub = Math.floor(whole / 2 ** (bits - SUB_BITS)) - SUB_BUCKETS;
  return FIRST_SPLIT + (bits - EXACT_BITS) * SUB_BUCKETS + sub;
}

/** The largest value that falls into the bucket. */
function upperEdge(index: number): number {
  if (index <= EXACT_MAX) return index;
  if (index === BUCKETS - 1) return Number.POSITIVE_INFINITY;
  const above = index - FIRST_SPLIT;
  const bits = Math.floor(above / SUB_BUCKETS) + EXACT_BITS;
  return (SUB_BUCKETS + (above % SUB_BUCKETS) + 1) * 2 ** (bits - SUB_BITS);
}
