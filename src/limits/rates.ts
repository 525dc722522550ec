// The rates of one direction of one session: messages, bytes and control frames, judged on frame headers. It says what
// has to happen to a frame; doing it, and timing a pause, is the session's.

import { TokenBucket } from './token-bucket.ts';

/** What happens when messages or bytes come too fast. */
type RatePolicy = 'close' | 'pause' | 'drop';

/** Per second; Infinity is `off`. Bursts of a rate that is off mean nothing. */
export interface RateLimits {
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  readonly controlFramesPerSecond: number;
  readonly controlFrameBurst: number;
  readonly onExceeded: RatePolicy;
}

/** The config keys of the limits, which is what logs, metrics and reason texts name. */
export type RateKey = 'messages_per_second' | 'bytes_per_second' | 'control_frames_per_second';

interface BurstUse {
  readonly key: RateKey;
  readonly used: number;
  readonly burst: number;
}

export const RateVerdict = {
  Pass: 0,
  /** End the session; the frame does not go on. */
  Close: 1,
  /** The frame goes on; then this peer is not read for `pauseMs`. */
  Pause: 2,
  /** The frame does not go on, and no other frame of its message will. */
  Drop: 3,
} as const;
export type RateVerdict = (typeof RateVerdict)[keyof typeof RateVerdict];

/** More pongs than any peer owes: where counting stops. */
const PONGS_OWED_MAX = 2 ** 30;

/** A bucket exists only for a rate that is set: an idle session stays small. */
export class DirectionRates {
  /** The limit behind the last verdict that was not Pass. */
  exceeded: RateKey = 'messages_per_second';

  private messages: TokenBucket | null = null;
  private bytes: TokenBucket | null = null;
  private controls: TokenBucket | null = null;
  private onExceeded: RatePolicy;
  /** The current message is being dropped. */
  private isDropping = false;
  /** Pings that went to this peer and whose pongs are free. */
  private pongsOwed = 0;

  constructor(limits: RateLimits, now: number) {
    this.onExceeded = limits.onExceeded;
    this.retune(limits, now);
  }

  /** Judge the header of a data frame. `begins`: it is the first frame of its message. */
  dataFrame(begins: boolean, payloadBytes: number, now: number): RateVerdict {
    if (this.messages === null && this.bytes === null && !this.isDropping) return RateVerdict.Pass;
    if (begins) this.isDropping = false;
    else if (this.isDropping) return RateVerdict.Drop;
    const isOver = this.isOver(begins, payloadBytes, now);
    if (isOver && this.onExceeded === 'close') return RateVerdict.Close;
    // A message is dropped whole or not at all: what follows its first frame adds debt, which the next message meets.
    if (isOver && this.onExceeded === 'drop' && begins) {
      this.isDropping = true;
      return RateVerdict.Drop;
    }
    if (begins) this.messages?.charge(1, now);
    this.bytes?.charge(payloadBytes, now);
    return isOver && this.onExceeded === 'pause' ? RateVerdict.Pause : RateVerdict.Pass;
  }

  /** Judge a ping that this peer sent. Over the rate it is Close, whatever the policy. */
  ping(now: number): RateVerdict {
    if (this.controls === null || this.controls.takeOne(now)) return RateVerdict.Pass;
    this.exceeded = 'control_frames_per_second';
    return RateVerdict.Close;
  }

  /** Judge a pong that this peer sent and that answers no ping of ours: free when it is owed. */
  pong(now: number): RateVerdict {
    if (this.pongsOwed === 0) return this.ping(now);
    this.pongsOwed -= 1;
    return RateVerdict.Pass;
  }

  /** True while a ping that was relayed to this peer is not answered. */
  get owesPong(): boolean {
    return this.pongsOwed > 0;
  }

  /** A ping of the other peer was relayed to this one: it owes a pong (RFC 6455 5.5.2). */
  owePong(): void {
    if (this.pongsOwed < PONGS_OWED_MAX) this.pongsOwed += 1;
  }

  /** Milliseconds until the debt is paid: how long a peer that exceeded a rate is not read under `pause`. */
  pauseMs(now: number): number {
    return Math.max(this.messages?.debtMs(now) ?? 0, this.bytes?.debtMs(now) ?? 0);
  }

  /** What is used up of the burst of each rate that is set, a debt included. */
  uses(now: number): readonly BurstUse[] {
    const use = (key: RateKey, bucket: TokenBucket | null) => (bucket === null ? [] : [{ key, ...bucket.use(now) }]);
    return [
      ...use('messages_per_second', this.messages),
      ...use('bytes_per_second', this.bytes),
      ...use('control_frames_per_second', this.controls),
    ];
  }

  /** New limits from now on. What was used stays used; a rate that was off begins with a full bucket. */
  retune(limits: RateLimits, now: number): void {
    this.onExceeded = limits.onExceeded;
    this.messages = retuned(this.messages, limits.messagesPerSecond, limits.messageBurst, now);
    this.bytes = retuned(this.bytes, limits.bytesPerSecond, limits.byteBurst, now);
    this.controls = retuned(this.controls, limits.controlFramesPerSecond, limits.controlFrameBurst, now);
  }

  private isOver(begins: boolean, payloadBytes: number, now: number): boolean {
    if (begins && this.messages !== null && !this.messages.hasOne(now)) {
      this.exceeded = 'messages_per_second';
      return true;
    }
    // An empty frame costs no bytes, so that an empty last fragment never meets the debt of the ones before it.
    if (payloadBytes === 0 || this.bytes === null || this.bytes.isOpen(now)) return false;
    this.exceeded = 'bytes_per_second';
    return true;
  }
}

function retuned(bucket: TokenBucket | null, rate: number, burst: number, now: number): TokenBucket | null {
  if (rate === Number.POSITIVE_INFINITY) return null;
  if (bucket === null) return new TokenBucket(rate, burst, now);
  bucket.retune(rate, burst, now);
  return bucket;
}
