// What the frames of one side cost and what that means, in whole thousandths: rates are whole numbers here, so a
// millisecond adds exactly `rate` of them. Written from the description of the config keys, importing nothing of src/.

export interface Rates {
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  readonly controlFramesPerSecond: number;
  readonly controlFrameBurst: number;
  readonly onExceeded: 'close' | 'pause' | 'drop';
}

const THOUSAND = 1000;

class Bucket {
  level: number;
  private rate: number;
  private burst: number;
  private at: number;

  constructor(rate: number, burst: number, now: number) {
    this.rate = rate;
    this.burst = burst;
    this.level = burst * THOUSAND;
    this.at = now;
  }

  refill(now: number): this {
    this.level = Math.min(this.burst * THOUSAND, this.level + (now - this.at) * this.rate);
    this.at = now;
    return this;
  }

  retune(rate: number, burst: number, now: number): this {
    this.refill(now);
    this.rate = rate;
    this.burst = burst;
    this.level = Math.min(this.level, burst * THOUSAND);
    return this;
  }

  /** Whole milliseconds until something is in it. */
  debtMs(now: number): number {
    this.refill(now);
    let ms = Math.max(0, Math.floor(-this.level / this.rate));
    while (this.level + ms * this.rate <= 0) ms += 1;
    return ms;
  }
}

export class ReferenceRates {
  /** The config key of the rate that was exceeded last. */
  exceeded = '';
  /** Pings relayed to this side that it has not answered: their pongs are free. */
  private pongsOwed = 0;
  private rates: Rates;
  private messages: Bucket | null = null;
  private bytes: Bucket | null = null;
  private controls: Bucket | null = null;
  private dropping = false;
  /** Nothing was counted yet: a reload begins with a full bucket for control frames. */
  private isUnused = true;

  constructor(rates: Rates, now: number) {
    this.rates = rates;
    this.retune(rates, now);
  }

  retune(rates: Rates, now: number): void {
    this.rates = rates;
    if (this.isUnused) this.controls = null;
    this.messages = retuned(this.messages, rates.messagesPerSecond, rates.messageBurst, now);
    this.bytes = retuned(this.bytes, rates.bytesPerSecond, rates.byteBurst, now);
    this.controls = retuned(this.controls, rates.controlFramesPerSecond, rates.controlFrameBurst, now);
    // What is to be counted for data frames is counted from now on.
    if (this.messages !== null || this.bytes !== null) this.isUnused = false;
  }

  owePong(): void {
    this.isUnused = false;
    this.pongsOwed += 1;
  }

  dataFrame(begins: boolean, payloadBytes: number, now: number): 'pass' | 'close' | 'pause' | 'drop' {
    if (begins) this.dropping = false;
    if (this.dropping) return 'drop';
    const tooManyMessages = begins && this.messages !== null && this.messages.refill(now).level < THOUSAND;
    const tooManyBytes = payloadBytes > 0 && this.bytes !== null && this.bytes.refill(now).level <= 0;
    const over = tooManyMessages || tooManyBytes;
    if (over) this.exceeded = tooManyMessages ? 'messages_per_second' : 'bytes_per_second';
    const { onExceeded } = this.rates;
    if (over && onExceeded === 'close') return 'close';
    if (over && onExceeded === 'drop' && begins) {
      this.dropping = true;
      return 'drop';
    }
    if (begins && this.messages !== null) this.messages.refill(now).level -= THOUSAND;
    if (this.bytes !== null) this.bytes.refill(now).level -= payloadBytes * THOUSAND;
    return over && onExceeded === 'pause' ? 'pause' : 'pass';
  }

  /** False: it is one too many. */
  controlFrame(isPing: boolean, now: number): boolean {
    this.isUnused = false;
    if (!isPing && this.pongsOwed > 0) {
      this.pongsOwed -= 1;
      return true;
    }
    if (this.controls === null) return true;
    if (this.controls.refill(now).level < THOUSAND) {
      this.exceeded = 'control_frames_per_second';
      return false;
    }
    this.controls.level -= THOUSAND;
    return true;
  }

  debtMs(now: number): number {
    return Math.max(this.messages?.debtMs(now) ?? 0, this.bytes?.debtMs(now) ?? 0);
  }
}

function retuned(bucket: Bucket | null, rate: number, burst: number, now: number): Bucket | null {
  if (rate === Number.POSITIVE_INFINITY) return null;
  return bucket === null ? new Bucket(rate, burst, now) : bucket.retune(rate, burst, now);
}
