// Where one direction of a session stands: what happens with the bytes of its source, whether that is read, and what is
// counted of it. The bytes themselves are relay.ts's. It decides no end.

import { DirectionRates, type RateKey } from '../limits/rates.ts';
import type { Transport } from '../net/transport.ts';
import type { RouteMetrics } from '../observe/metrics.ts';
import type { EndCause } from '../protocol/end-causes.ts';
import { FrameScanner, type ScannerLimits } from '../protocol/frame-scanner.ts';
import type { Violation } from '../protocol/violations.ts';
import type { Backlog } from './backlog.ts';
import type { Liveness } from './liveness.ts';
import type { SessionPolicy, SidePolicy } from './policy.ts';
import { type GatedRelay, ReadGate } from './read-gate.ts';
import type { Recorder } from './recorder.ts';
import { Traffic } from './traffic.ts';
import { Utf8Watcher } from './watchers/utf8.ts';
import type { Watcher } from './watchers/watcher.ts';

/** What happens with the bytes that one side sends: goes up, never down. */
export const Flow = {
  /** Frames that pass go on to the other end; so does a Close. */
  Relay: 0,
  /** Frames go on. A Close answers ours, and goes no further. */
  Answer: 1,
  /** Only the rest of the frame that is half relayed goes on: the other end gets our Close behind it. */
  Tail: 2,
  /** Nothing goes on; frames are still followed, to see the Close. */
  Watch: 3,
  /** Nothing goes on and nothing is looked at: after its Close (RFC 6455 5.5.1), its violation, or our fault. */
  Discard: 4,
} as const;
export type Flow = (typeof Flow)[keyof typeof Flow];

/** The session, as far as a relay knows it. */
export interface RelaySession {
  readonly policy: SessionPolicy;
  readonly metrics: RouteMetrics;
  /** Null: its frames are not recorded. */
  readonly recorder: Recorder | null;
  /** Why it ends; null while it lives. */
  readonly cause: EndCause | null;
}

/** Whose bytes are relayed. It is told what they mean. */
export interface RelaySource {
  readonly isClient: boolean;
  readonly transport: Transport;
  readonly liveness: Liveness;
  /** Its Close came. It may still have to be relayed: `onFinished` comes then. */
  onClose(now: number): void;
  /** It has said its last, and all of that has gone on which may. */
  onFinished(): void;
  /** It broke a rule of frames; `value` is what a limit was broken with. */
  onViolation(violation: Violation, value: number, now: number): void;
  onInvalidText(now: number): void;
  /** It went over a limit: the key, and the limit. */
  onLimitHit(key: RateKey, value: number): void;
  /** A rate demands its end. */
  onRateBroken(key: RateKey): void;
  /** It is not read until `until`. */
  onHeld(until: number): void;
  /** It is read again. */
  onResumed(): void;
  /** A bug of ours; `isInside`: more of a frame that is half relayed was at hand. */
  onFault(error: unknown, isInside: boolean): void;
}

/** To whom they go. */
export interface RelaySink {
  readonly transport: Transport;
  readonly backlog: Backlog;
  readonly liveness: Liveness;
  /** A Close with `code` was written to it, behind all else. */
  onCloseRelayed(code: number, now: number): void;
  /** The frame is complete behind which it gets our Close. */
  onTailEnd(now: number): void;
}

interface DirectionOptions {
  readonly session: RelaySession;
  readonly source: RelaySource;
  readonly deflate: boolean;
  readonly now: number;
}

export abstract class Direction implements GatedRelay {
  readonly scanner: FrameScanner;
  readonly transport: Transport;
  /** Whether the source is read. */
  readonly gate: ReadGate;
  readonly traffic: Traffic;
  /** When the last byte came, and the last byte of a data frame that belongs to an unfinished message. */
  lastByteAt: number;
  messageAt: number;
  /** True when the frame that is half relayed will never be completed, though its source is still there. */
  isTorn = false;
  protected flow: Flow = Flow.Relay;
  /** Set once, by `join`: to whom it goes, and the other direction. */
  protected sink!: RelaySink;
  protected back!: Direction;
  protected readonly session: RelaySession;
  protected readonly source: RelaySource;
  /** What its frames cost. Null until something costs: most sessions are limited in nothing but control frames. */
  protected rates: DirectionRates | null = null;
  protected watcher: Watcher | null = null;
  /** True while the payload of a dropped frame passes by. */
  protected skipping = false;
  /** The incomplete header or control frame at the end of the last read, at most SPILL_BYTES_MAX. */
  protected spill: Buffer | null = null;

  constructor({ session, source, deflate, now }: DirectionOptions) {
    const { isClient } = source;
    this.session = session;
    this.source = source;
    this.transport = source.transport;
    this.scanner = new FrameScanner({ masked: isClient, deflate, limits: this.limits });
    this.lastByteAt = now;
    this.messageAt = now;
    this.traffic = new Traffic(session.metrics, isClient);
    this.gate = new ReadGate(this);
    this.retune(now);
  }

  /** Right after construction: an end needs its counterpart, and the counterpart needs it. */
  join(sink: RelaySink, back: Direction): void {
    this.sink = sink;
    this.back = back;
  }

  /** What the source may send, and how it is kept honest. */
  get policy(): SidePolicy {
    return this.source.isClient ? this.session.policy.client : this.session.policy.backend;
  }

  private get limits(): ScannerLimits {
    const { fromClient, fromBackend } = this.session.policy;
    return this.source.isClient ? fromClient : fromBackend;
  }

  /** The policy of the session is another one: sizes and UTF-8 count from the next message on, rates from now. */
  retune(now: number): void {
    const { policy } = this;
    const { rates } = policy;
    this.scanner.retune(this.limits);
    if (this.rates !== null) this.rates.retune(rates, now);
    else if (rates.messagesPerSecond < Infinity || rates.bytesPerSecond < Infinity) this.obtainRates(now);
    if (this.watcher !== null) this.watcher = this.watcher.retune(policy);
    else if (policy.validateUtf8) this.watcher = new Utf8Watcher(this.source.isClient);
  }

  /** True while the sink has only a part of a frame. */
  get isInside(): boolean {
    return this.flow <= Flow.Tail && this.scanner.remaining > 0 && !this.skipping;
  }

  /** What is used up of what it may send at once. */
  burstUses(now: number): ReturnType<DirectionRates['uses']> {
    return this.rates?.uses(now) ?? [];
  }

  /** True while a message, or the header of one, has begun and is not complete. */
  get isMidMessage(): boolean {
    return this.scanner.inMessage || this.scanner.remaining > 0 || this.spill !== null;
  }

  get sinkIsLow(): boolean {
    return this.sink.backlog.isLow(this.session.policy.bufferedBytesMax);
  }

  /** Only the rest of the frame that is half relayed goes on. */
  endAfterFrame(): void {
    this.flow = Flow.Tail;
  }

  /** Nothing more goes on. */
  endNow(): void {
    if (this.flow < Flow.Watch) this.flow = Flow.Watch;
  }

  /** The source has got our Close: its own is the answer. */
  awaitAnswer(): void {
    if (this.flow === Flow.Relay) this.flow = Flow.Answer;
  }

  /** Nothing of it is even looked at. */
  discard(): void {
    this.flow = Flow.Discard;
  }

  /** The source is read again after a pause. */
  onResumed(now: number): void {
    this.messageAt = now; // a message cannot stall while it is not read
    const { liveness } = this.source;
    if (this.lastByteAt >= liveness.silentSince) liveness.noteAlive();
    else liveness.noteResumed(now);
    this.source.onResumed();
  }

  /** The sink has taken something: `held` bytes still wait. It took `ms`; `backlogMs` since something waits. */
  onTaken(held: number, ms: number, backlogMs: number, now: number): void {
    this.traffic.noteTaken(held, ms, backlogMs);
    if (this.sinkIsLow) this.gate.open(now);
  }

  /** The source's connection is closed. */
  onSourceGone(now: number): void {
    this.traffic.noteGone(this.scanner, now);
  }

  /** The sink's connection is closed: nothing goes on, and nothing waits for it. */
  onSinkGone(now: number): void {
    this.endNow();
    this.traffic.noteBuffered(0);
    this.gate.readOn(now);
  }

  /** A ping is relayed to the source: its pong is free. */
  owePong(now: number): void {
    this.obtainRates(now).owePong();
  }

  protected obtainRates(now: number): DirectionRates {
    this.rates ??= new DirectionRates(this.policy.rates, now);
    return this.rates;
  }
}
