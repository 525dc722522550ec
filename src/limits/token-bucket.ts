// One token bucket: how much may pass at once, and how fast room comes back. Whole-number arithmetic, so that what days
// of traffic add up to is exact. It owns no clock and decides nothing about what is over the limit.

/** Fractions of a token per second that are told apart: 0.2 is 200 of 1000. */
const FRACTION = 1000;
const MS_PER_SECOND = 1000;
/** The deepest debt that is counted: sums of whole numbers stay exact. No limit lets one frame cost as much. */
const DEBT_UNITS_MAX = 2 ** 52;

/**
 * Begins full. Tokens are counted in units so small that one millisecond adds a whole number of them, and the clock is
 * taken in whole milliseconds; nothing is ever rounded, up to 2^53 units (2 TiB in the bucket, or 9e9 messages).
 * A clock that jumps back adds nothing and starts again from there; one that jumps forward fills the bucket at most.
 * A rate of Infinity lets everything pass.
 */
export class TokenBucket {
  private level: number;
  private full: number;
  private perMs: number;
  private perToken: number;
  /** Whole milliseconds of the clock at which `level` was right. */
  private since: number;

  constructor(ratePerSecond: number, burst: number, now: number) {
    this.perToken = unitsPerToken(ratePerSecond);
    this.perMs = unitsPerMs(ratePerSecond, this.perToken);
    this.full = Math.round(burst * this.perToken);
    this.level = this.full;
    this.since = Math.floor(now);
  }

  /**
   * For bytes: passes while the bucket is not empty and is charged whole, which may leave a debt. What is refused is
   * not charged. An amount of 0 costs nothing and always passes.
   */
  take(amount: number, now: number): boolean {
    if (!this.isOpen(now) && amount > 0) return false;
    this.spend(amount);
    return true;
  }

  /** For counts: needs one whole token. What is refused is not charged. */
  takeOne(now: number): boolean {
    if (!this.hasOne(now)) return false;
    this.spend(1);
    return true;
  }

  /** Charge what passes in any case, such as the later fragments of a message that was let through. */
  charge(amount: number, now: number): void {
    this.refill(now);
    this.spend(amount);
  }

  /** What `take` would say, without charging. */
  isOpen(now: number): boolean {
    this.refill(now);
    return this.level > 0;
  }

  /** What `takeOne` would say, without charging. */
  hasOne(now: number): boolean {
    this.refill(now);
    return this.level >= this.perToken;
  }

  isFull(now: number): boolean {
    this.refill(now);
    return this.level >= this.full;
  }

  /** In tokens, what is gone from a full bucket; more than `burst` is a debt. */
  use(now: number): { readonly used: number; readonly burst: number } {
    this.refill(now);
    return { used: (this.full - this.level) / this.perToken, burst: this.full / this.perToken };
  }

  /** Milliseconds until `take` passes again, if nothing is charged until then; 0 when it would now. */
  debtMs(now: number): number {
    this.refill(now);
    return this.level > 0 ? 0 : Math.floor(-this.level / this.perMs) + 1;
  }

  /** Milliseconds until `takeOne` passes again, if nothing is charged until then; 0 when it would now. */
  tokenMs(now: number): number {
    this.refill(now);
    return this.level >= this.perToken ? 0 : Math.ceil((this.perToken - this.level) / this.perMs);
  }

  /**
   * A new rate and burst from now on. What was used stays used: tokens and debt are carried over one to one, tokens
   * up to the new burst. So no series of reloads hands out a token, and a reload of the same values changes nothing.
   */
  retune(ratePerSecond: number, burst: number, now: number): void {
    this.refill(now);
    const perToken = unitsPerToken(ratePerSecond);
    if (perToken !== this.perToken) this.level = Math.round((this.level / this.perToken) * perToken);
    this.perToken = perToken;
    this.perMs = unitsPerMs(ratePerSecond, perToken);
    this.full = Math.round(burst * perToken);
    if (this.level > this.full || this.full === Number.POSITIVE_INFINITY) this.level = this.full;
  }

  private refill(now: number): void {
    const tick = Math.floor(now);
    const elapsed = tick - this.since;
    // Neither branch is taken for what is no number, which leaves the bucket as it was.
    if (elapsed > 0) {
      const room = this.full - this.level;
      const gain = elapsed * this.perMs;
      // An inexact product is far beyond any room.
      this.level = gain < room ? this.level + gain : this.full;
      this.since = tick;
    } else if (elapsed < 0) {
      this.since = tick;
    }
  }

  private spend(amount: number): void {
    this.level = Math.max(this.level - amount * this.perToken, -DEBT_UNITS_MAX);
  }
}

/** Units in a token: one millisecond at a whole rate adds `rate` thousandths of one. */
function unitsPerToken(ratePerSecond: number): number {
  return Number.isInteger(ratePerSecond) || ratePerSecond === Number.POSITIVE_INFINITY
    ? MS_PER_SECOND
    : MS_PER_SECOND * FRACTION;
}

function unitsPerMs(ratePerSecond: number, perToken: number): number {
  const units = (ratePerSecond * perToken) / MS_PER_SECOND;
  // 0.29 x 1000 is 290 but for the last bit; a rate finer than thousandths stays as it is.
  const whole = Math.round(units);
  return Math.abs(units - whole) <= units * Number.EPSILON * 4 ? whole : units;
}
