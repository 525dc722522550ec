// One client and one backend from the 101 to the end: the first cause of its end, the order of the Closes, and one
// finish. It reads and writes no bytes itself; its two ends do. When something is due, deadlines.ts says.

import assert from 'node:assert/strict';
import type { Clock } from '../limits/clock.ts';
import type { RateKey } from '../limits/rates.ts';
import { TimerEntry, type TimerWheel } from '../limits/timer-wheel.ts';
import type { Transport } from '../net/transport.ts';
import type { RouteMetrics } from '../observe/metrics.ts';
import { CloseCode } from '../protocol/close-codes.ts';
import { type CloseNotice, END_CAUSES, type EndCause, type EndCauseRow, type Side } from '../protocol/end-causes.ts';
import { VIOLATIONS, type Violation, type ViolationRule } from '../protocol/violations.ts';
import { fireDue, nextLook, silenceAt, type TimedSession } from './deadlines.ts';
import { End, type EndSession } from './end.ts';
import { policyForCompressed, type SessionPolicy } from './policy.ts';
import { Recorder } from './recorder.ts';
import type { SessionTerm } from './term.ts';

/**
 * How long the side that caused an end waits for its Close while the other side, which has got its own at once, may
 * still answer what was relayed before: replies to legal messages arrive, as they would without a proxy in between.
 */
const LAST_ANSWERS_MS = 200;

const RATE_RULE = { close: CloseCode.PolicyViolation } as const;
const INVALID_TEXT_RULE = { close: CloseCode.InvalidPayload, text: 'text not UTF-8', limit: null } as const;

/** Who is told of a session's end and of our own bugs, each at most once, and of every limit that was hit. */
export interface SessionOwner {
  /** It has a cause to end, its first. Once, before `onSessionEnd`. */
  onSessionEnding(session: Session): void;
  onSessionEnd(session: Session): void;
  onSessionFault(session: Session, error: unknown): void;
  /** `side` went over a limit: its config key, and what it came to, or the rate it went over. At every hit. */
  onLimitHit(side: Side, limit: string, value: number): void;
}

export interface SessionOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly policy: SessionPolicy;
  readonly owner: SessionOwner;
  readonly client: Transport;
  readonly backend: Transport;
  /** True when permessage-deflate was agreed on. */
  readonly deflate: boolean;
  /** Counters and profile of its route. */
  readonly metrics: RouteMetrics;
  /** Of its credential; null: it has none. */
  readonly term?: SessionTerm | null;
}

export class Session extends TimerEntry implements EndSession, TimedSession {
  readonly clock: Clock;
  /** Replaced by a reload. */
  policy: SessionPolicy;
  /** Counters and profile of its route. */
  readonly metrics: RouteMetrics;
  readonly term: SessionTerm | null;
  /** Of the frames of both sides; null: they are not recorded. */
  recorder: Recorder | null = null;
  readonly client: End;
  readonly backend: End;
  /** Why it ends: the first cause, null while it lives. */
  cause: EndCause | null = null;
  /** The config key of the limit that ended it. */
  limit: string | null = null;
  /** True when a side was cut off inside a frame. */
  midFrame = false;
  /** When the side at fault gets its Close, though the other has not answered. */
  graceAt = Number.POSITIVE_INFINITY;
  lifetimeAt: number;
  private readonly wheel: TimerWheel;
  private readonly owner: SessionOwner;
  private readonly deflate: boolean;
  /** The rule of frames behind `cause`, and what a limit was broken with; null: none is. */
  broken: { readonly violation: Violation; readonly value: number } | null = null;
  private rule: Pick<ViolationRule, 'close' | 'text' | 'limit'> | null = null;
  private finished = false;
  /** True once a bug of ours was met; a second one ends everything at once. */
  private faulted = false;
  /** Spread, so that sessions which began together, or met a reload together, do not end together. */
  private readonly lifetimeShare = 0.9 + 0.1 * Math.random();
  /** What an operator asked to be told, instead of the cause's own words. */
  private asked: Partial<CloseNotice> | null = null;

  constructor(options: SessionOptions) {
    super();
    this.clock = options.clock;
    this.wheel = options.wheel;
    this.owner = options.owner;
    const { deflate, metrics } = options;
    this.deflate = deflate;
    this.policy = deflate ? policyForCompressed(options.policy) : options.policy;
    this.metrics = metrics;
    this.term = options.term ?? null;
    this.lifetimeAt = this.clock.now() + this.policy.lifetimeMs * this.lifetimeShare;
    this.retuneRecorder();
    this.client = new End({ session: this, side: 'client', transport: options.client, deflate });
    this.backend = new End({ session: this, side: 'backend', transport: options.backend, deflate });
    this.client.join(this.backend);
    this.backend.join(this.client);
  }

  /** Take over both transports. `clientBytes` and `backendBytes` came with or before the 101 and are relayed first. */
  start(clientBytes: Buffer | null, backendBytes: Buffer | null): void {
    const { client, backend } = this;
    client.transport.reader = client;
    backend.transport.reader = backend;
    this.rearm(this.clock.now());
    // Kept bytes are owned by nobody else, but the relay may treat them as any read.
    if (backendBytes !== null) backend.onBytes(backendBytes, 0, backendBytes.length);
    if (clientBytes !== null) client.onBytes(clientBytes, 0, clientBytes.length);
    backend.start();
    client.start();
  }

  /** True when a Close went both ways on both sides. */
  get isClean(): boolean {
    return this.client.isClean && this.backend.isClean;
  }

  // What an owner asks for.

  /**
   * End it for a cause that no byte of a peer shows. The client is told first, and its frames are still relayed until
   * its Close, its FIN or `timeouts.close`; then the backend is told.
   */
  end(cause: EndCause, options: { readonly limit?: string; readonly notice?: Partial<CloseNotice> } = {}): void {
    if (this.cause !== null) return;
    const now = this.clock.now();
    this.begin(cause, options.limit ?? null, now);
    this.asked = options.notice ?? null;
    this.client.askClose(now);
    this.settle(now);
  }

  /** Too much memory is taken, by that limit: this one gives back what it holds. Nobody is waited for. */
  shed(limit: string): void {
    if (this.cause !== null) return;
    const now = this.clock.now();
    this.dismiss(this.client, 'overload', limit, now);
    this.settle(now);
  }

  /** New limits and timeouts: sizes and rates from the next frame, the rest from now. */
  retune(asked: SessionPolicy): void {
    if (this.finished) return;
    const policy = this.deflate ? policyForCompressed(asked) : asked;
    const now = this.clock.now();
    if (policy.lifetimeMs !== this.policy.lifetimeMs) {
      this.lifetimeAt = now + policy.lifetimeMs * this.lifetimeShare;
    }
    this.policy = policy;
    this.retuneRecorder();
    this.client.retune(now);
    this.backend.retune(now);
    this.rearm(now);
  }

  /** Its term is another one. */
  renew(): void {
    if (!this.finished) this.rearm(this.clock.now());
  }

  /** Cut both sides off at once, whatever they are at. */
  cut(): void {
    if (this.finished) return;
    const now = this.clock.now();
    if (this.cause === null || this.cause === 'drain') this.begin('forced', null, now);
    this.client.cutOff(now);
    this.backend.cutOff(now);
    this.settle(now);
  }

  /** One of our own bugs, contained: both sides get 1011 where a frame boundary allows it. */
  fail(error: unknown, torn: End | null = null): void {
    if (this.faulted) {
      this.cut();
      return;
    }
    this.faulted = true;
    this.owner.onSessionFault(this, error);
    const now = this.clock.now();
    const { client, backend } = this;
    if (this.cause === null) this.begin('internal_error', null, now);
    client.discard(now);
    backend.discard(now);
    client.closeAfterFault(client === torn, now);
    backend.closeAfterFault(backend === torn, now);
    this.settle(now);
  }

  // What its ends tell.

  onFinished(end: End): void {
    const now = this.clock.now();
    if (this.cause === null && end.hasClosed) this.begin(`${end.side}_close`, null, now);
    else if (this.cause === null) this.drop(end, `${end.side}_lost`, null, now);
    this.settle(now);
  }

  onViolation(end: End, violation: Violation, value: number): void {
    const now = this.clock.now();
    if (this.cause === null) {
      const rule = VIOLATIONS[violation];
      this.rule = rule;
      this.broken = { violation, value };
      if (rule.limit !== null) this.owner.onLimitHit(end.side, rule.limit, value);
      this.blame(end, `${end.side}_${rule.kind}`, rule.limit, now);
    }
    this.settle(now);
  }

  onRateBroken(end: End, key: RateKey): void {
    const now = this.clock.now();
    if (this.cause === null) {
      this.rule = { ...RATE_RULE, text: key, limit: key };
      this.blame(end, `${end.side}_rate`, key, now);
    } else {
      end.other.askClose(now); // what follows a frame that is left out must not go on either
    }
    this.settle(now);
  }

  onInvalidText(end: End): void {
    const now = this.clock.now();
    if (this.cause === null) {
      this.rule = INVALID_TEXT_RULE;
      this.blame(end, `${end.side}_invalid_utf8`, null, now);
    }
    this.settle(now);
  }

  onLimitHit(side: Side, key: string, value: number): void {
    this.owner.onLimitHit(side, key, value);
  }

  noticeFor(side: Side): CloseNotice | null {
    if (this.cause === null) return null;
    const isClient = side === 'client';
    const asked = isClient ? this.asked : null;
    const row: EndCauseRow = END_CAUSES[this.cause];
    const notice = row[side];
    if (notice === null) return null;
    const isAtFault = row.by === side;
    let code = isAtFault && this.rule !== null ? this.rule.close : notice.code;
    if (isClient) code = this.policy.closeCodes[this.cause] ?? code;
    // A limit is named to both sides; a broken rule only to the one that broke it.
    const own = this.cause === 'overload' && this.limit !== null ? this.limit : notice.text;
    const text = this.rule !== null && (isAtFault || this.rule.limit !== null) ? this.rule.text : own;
    return { code: asked?.code ?? code, text: asked?.text ?? text };
  }

  /** Do whatever is due now that something has changed. Idempotent. */
  settle(now: number): void {
    if (this.cause === null || this.finished) return;
    const { client, backend } = this;
    // Nothing more can be relayed to an end whose other side is finished. Asking may cut one off, which finishes it.
    if (backend.isFinished) client.askClose(now);
    if (client.isFinished) backend.askClose(now);
    if (backend.isFinished) client.askClose(now);
    client.proceed(now);
    backend.proceed(now);
    if (client.isGone && backend.isGone) this.finish();
  }

  arm(at: number): void {
    if (at < this.dueAt && !this.finished) this.wheel.schedule(this, at);
  }

  /** Also after times in which its silence did not count. */
  watch(end: End): void {
    if (this.cause === null) this.arm(silenceAt(this, end));
  }

  // What its deadlines ask for.

  override onTimer(now: number): void {
    if (this.finished) return;
    try {
      fireDue(this, now);
      this.settle(now);
    } catch (error) {
      this.fail(error);
    }
    if (!this.finished) this.rearm(now);
  }

  /** The other side is told at once, the culprit when that one has answered. */
  blame(culprit: End, cause: EndCause, limit: string | null, now: number): void {
    this.begin(cause, limit, now);
    this.graceAt = now + LAST_ANSWERS_MS;
    this.arm(this.graceAt);
    // Asked here, while the culprit may still have a frame to finish; `settle` would take it for finished.
    culprit.other.askClose(now);
  }

  drop(end: End, cause: EndCause, limit: string | null, now: number): void {
    if (this.cause === null) this.begin(cause, limit, now);
    end.cutOff(now);
  }

  dismiss(end: End, cause: EndCause, limit: string, now: number): void {
    this.begin(cause, limit, now);
    end.closeAtBoundary(now);
    end.other.askClose(now);
  }

  giveUp(end: End, now: number): void {
    end.isUnanswered = end.closeSent !== null && !end.isFinished;
    const isUnanswered = !end.hasClosed && (this.cause === 'client_close' || this.cause === 'backend_close');
    end.cutOff(now);
    // A relayed Close that nobody answers: there is no answer to relay either.
    if (isUnanswered) end.other.cutOff(now);
  }

  endGrace(now: number): void {
    this.graceAt = Number.POSITIVE_INFINITY;
    this.client.askClose(now);
    this.backend.askClose(now);
  }

  private begin(cause: EndCause, limit: string | null, now: number): void {
    assert(this.cause === null || cause === 'forced', 'a session ends for its first cause');
    const isFirst = this.cause === null;
    this.cause = cause;
    this.limit = limit;
    if (isFirst) this.owner.onSessionEnding(this);
    this.client.release(now);
    this.backend.release(now);
  }

  private retuneRecorder(): void {
    const { recordedFrames: frames } = this.policy;
    if (frames === (this.recorder?.frames ?? 0)) return;
    this.recorder = frames === 0 ? null : (this.recorder?.resized(frames) ?? new Recorder(frames));
  }

  private rearm(now: number): void {
    this.wheel.schedule(this, nextLook(this, now));
  }

  private finish(): void {
    assert(!this.finished, 'a session finishes once');
    this.finished = true;
    this.wheel.cancel(this);
    this.owner.onSessionEnd(this);
  }
}
