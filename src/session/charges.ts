// What the frames of one side are charged, and what that side owes: its rates, made with the first frame they concern.

import { DirectionRates, type RateKey, type RateLimits, RateVerdict } from '../limits/rates.ts';
import { type FrameScanner, Opcode } from '../protocol/frame-scanner.ts';

export class Charges {
  /** Null as long as nothing was charged: most sessions are limited in nothing but control frames. */
  private rates: DirectionRates | null = null;

  constructor(limits: RateLimits, now: number) {
    this.retune(limits, now);
  }

  /** True when a data frame may cost something: asked inline, for most sessions have no rates. */
  get active(): boolean {
    return this.rates !== null;
  }

  /** The rate behind the last verdict that was not Pass. */
  get exceeded(): RateKey {
    return this.rates?.exceeded ?? 'bytes_per_second';
  }

  /** The data frame whose header the scanner has just passed. */
  dataFrame(scanner: FrameScanner, now: number): RateVerdict {
    if (this.rates === null) return RateVerdict.Pass;
    return this.rates.dataFrame(scanner.opcode !== Opcode.Continuation, scanner.remaining, now);
  }

  /** A ping, or a pong that does not answer one of ours. */
  control(isPing: boolean, limits: RateLimits, now: number): RateVerdict {
    const rates = this.obtain(limits, now);
    return isPing ? rates.ping(now) : rates.pong(now);
  }

  /** A ping was relayed to this side: its pong is free. */
  owePong(limits: RateLimits, now: number): void {
    this.obtain(limits, now).owePong();
  }

  /** Milliseconds until the debt is paid. */
  pauseMs(now: number): number {
    return this.rates?.pauseMs(now) ?? 0;
  }

  retune(limits: RateLimits, now: number): void {
    if (this.rates !== null) this.rates.retune(limits, now);
    else if (limits.messagesPerSecond < Infinity || limits.bytesPerSecond < Infinity) this.obtain(limits, now);
  }

  private obtain(limits: RateLimits, now: number): DirectionRates {
    this.rates ??= new DirectionRates(limits, now);
    return this.rates;
  }
}
