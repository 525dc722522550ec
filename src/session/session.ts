// One client and one backend from the 101 to the end: all its timers, the first cause of its end, and the order of the
// Closes. It reads and writes no bytes itself; its two peers do.

import type { Clock } from '../limits/clock.ts';
import type { RateKey } from '../limits/rates.ts';
import { TimerEntry, type TimerWheel } from '../limits/timer-wheel.ts';
import type { Transport } from '../net/transport.ts';
import type { RouteMetrics } from '../observe/metrics.ts';
import { CloseCode } from '../protocol/close-codes.ts';
import { type CloseNotice, END_CAUSES, type EndCause, type EndCauseRow, type Side } from '../protocol/end-causes.ts';
import { VIOLATIONS, type ViolationRule } from '../protocol/violations.ts';
import { End } from './end.ts';
import { Flow } from './flow.ts';
import { policyForCompressed, rateOf, type SessionPolicy } from './policy.ts';

/**
 * How long the side that caused an end waits for its Close while the other side, which has got its own at once, may
 * still answer what was relayed before: replies to legal messages arrive, as they would without a proxy in between.
 */
const LAST_ANSWERS_MS = 200;
/** How long a ping that is due waits for a frame boundary before it is tried again. */
const PING_RETRY_MS = 100;

const RATE_RULE = { close: CloseCode.PolicyViolation } as const;
const INVALID_TEXT_RULE = { close: CloseCode.InvalidPayload, text: 'text not UTF-8', limit: null } as const;

/** Who is told of a session's end and of our own bugs, each at most once, and of every limit that was hit. */
export interface SessionOwner {
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
}

export class Session extends TimerEntry {
  readonly clock: Clock;
  /** Replaced by a reload. */
  policy: SessionPolicy;
  /** Counters and profile of its route. */
  readonly metrics: RouteMetrics;
  readonly client: End;
  readonly backend: End;
  /** Why it ends: the first cause, null while it lives. */
  cause: EndCause | null = null;
  /** The config key of the limit that ended it. */
  limit: string | null = null;
  /** True when a peer was cut off inside a frame. */
  midFrame = false;
  private readonly wheel: TimerWheel;
  private readonly owner: SessionOwner;
  private readonly deflate: boolean;
  /** The violation behind `cause`, if one is. */
  private rule: Pick<ViolationRule, 'close' | 'text' | 'limit'> | null = null;
  /** When the side at fault gets its Close, though the other has not answered. */
  private graceAt = Number.POSITIVE_INFINITY;
  private finished = false;
  /** True once a bug of ours was met; a second one ends everything at once. */
  private faulted = false;
  private lifetimeAt: number;
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
    this.lifetimeAt = this.clock.now() + this.policy.lifetimeMs * this.lifetimeShare;
    this.client = new End({ session: this, transport: options.client, isClient: true, deflate });
    this.backend = new End({ session: this, transport: options.backend, isClient: false, deflate });
    this.client.other = this.backend;
    this.backend.other = this.client;
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
    this.beginReading(backend);
    this.beginReading(client);
  }

  private beginReading(peer: End): void {
    // What was kept may have filled the other side already, or cost more than this one has.
    if (peer.gate.isClosed) return;
    peer.transport.resume();
    this.watch(peer);
  }

  /** True when a Close went both ways on both sides. */
  get isClean(): boolean {
    const { client, backend } = this;
    return (
      client.closeSent !== null &&
      client.closeReceived !== null &&
      backend.closeSent !== null &&
      backend.closeReceived !== null
    );
  }

  /**
   * End it for a cause that no byte of a peer shows. The client is told first, and its frames are still relayed until
   * its Close, its FIN or `timeouts.close`; then the backend is told.
   */
  end(cause: EndCause, options: { readonly limit?: string; readonly notice?: Partial<CloseNotice> } = {}): void {
    if (this.cause !== null) return;
    const now = this.clock.now();
    this.begin(cause, options.limit ?? null);
    this.asked = options.notice ?? null;
    this.client.askClose(now);
    this.settle(now);
  }

  /** Too much waits in all sessions together: this one gives back what it holds. Nobody is waited for. */
  shed(): void {
    if (this.cause !== null) return;
    const now = this.clock.now();
    this.begin('overload', 'max_buffered_total');
    this.closeAtBoundary(this.client, now);
    this.backend.askClose(now);
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
    this.client.retune(now);
    this.backend.retune(now);
    this.rearm(now);
  }

  /** Cut both sides off at once, whatever they are at. */
  cut(): void {
    if (this.finished) return;
    if (this.cause === null || this.cause === 'drain') this.begin('forced', null);
    this.client.cutOff();
    this.backend.cutOff();
    this.settle(this.clock.now());
  }

  /**
   * One of our own bugs, contained: both sides get 1011 where a frame boundary allows it. `torn` may lack the end of a
   * frame: the fault came up while more of it was relayed.
   */
  fail(error: unknown, torn: End | null = null): void {
    if (this.faulted) {
      this.cut();
      return;
    }
    this.faulted = true;
    this.owner.onSessionFault(this, error);
    const now = this.clock.now();
    if (this.cause === null) this.begin('internal_error', null);
    const peers = [this.client, this.backend];
    for (const peer of peers) peer.flow = Flow.Discard; // the state of its scanner is not to be trusted
    for (const peer of peers) this.closeAfterFault(peer, torn, now);
    this.settle(now);
  }

  private closeAfterFault(peer: End, torn: End | null, now: number): void {
    if (peer.gone) return;
    try {
      if (peer === torn || peer.other.isTorn || (peer.other.scanner.remaining > 0 && peer.closeSent === null)) {
        this.midFrame = true;
        peer.cutOff();
      } else {
        peer.askClose(now);
      }
    } catch {
      peer.cutOff(); // its Close fails too: nothing can be said to it any more
    }
    if (peer.gone) return;
    // Whatever the fault has left undone, this peer is not kept for longer.
    peer.dueAt = Math.min(peer.dueAt, now + this.policy.closeMs);
    this.arm(peer.dueAt);
  }

  /** `peer` has said its last: a Close, a FIN, a broken rule, or its connection is gone. */
  onPeerFinished(peer: End): void {
    const now = this.clock.now();
    if (this.cause === null) this.beginFor(peer, now);
    this.settle(now);
  }

  /** `peer` broke a rate: its frame is not relayed, or it is not read for a while. */
  onRateExceeded(peer: End, key: RateKey, isRepeated: boolean): void {
    if (!isRepeated) this.owner.onLimitHit(peer.side, key, rateOf(peer.policy, key));
  }

  blameRate(peer: End, key: RateKey): void {
    const now = this.clock.now();
    if (this.cause === null) {
      this.rule = { ...RATE_RULE, text: key, limit: key };
      this.blame(peer, peer.isClient ? 'client_rate' : 'backend_rate', key, now);
    } else {
      peer.other.askClose(now); // what follows a frame that is left out must not go on either
    }
    this.settle(now);
  }

  /** A text message of `peer` is no UTF-8. */
  onInvalidText(peer: End): void {
    const now = this.clock.now();
    if (this.cause === null) {
      this.rule = INVALID_TEXT_RULE;
      this.blame(peer, peer.isClient ? 'client_invalid_utf8' : 'backend_invalid_utf8', null, now);
    }
    this.settle(now);
  }

  /** `peer` answered a ping of ours after `ms`. */
  onPong(_peer: End, ms: number): void {
    this.metrics.pingRtt.observe(ms / 1000);
  }

  /** What `peer` is told by our own Close; null when it is only cut off. */
  noticeFor(peer: End): CloseNotice | null {
    if (this.cause === null) return null;
    const asked = peer.isClient ? this.asked : null;
    const row: EndCauseRow = END_CAUSES[this.cause];
    const notice = peer.isClient ? row.client : row.backend;
    if (notice === null) return null;
    const isAtFault = row.by === (peer.isClient ? 'client' : 'backend');
    let code = isAtFault && this.rule !== null ? this.rule.close : notice.code;
    if (peer.isClient) code = this.policy.closeCodes[this.cause] ?? code;
    // A limit is named to both sides; a broken rule only to the one that broke it.
    const text = this.rule !== null && (isAtFault || this.rule.limit !== null) ? this.rule.text : notice.text;
    return { code: asked?.code ?? code, text: asked?.text ?? text };
  }

  /** Do whatever is due now that something has changed. Idempotent. */
  settle(now: number): void {
    if (this.cause === null || this.finished) return;
    const { client, backend } = this;
    // Nothing more can be relayed to a peer whose other side is finished. Asking may cut one off, which finishes it.
    if (backend.isFinished) client.askClose(now);
    if (client.isFinished) backend.askClose(now);
    if (backend.isFinished) client.askClose(now);
    client.proceed(now);
    backend.proceed(now);
    if (client.gone && backend.gone) this.finish();
  }

  /** Make sure that the timer fires by `at`. */
  arm(at: number): void {
    if (at < this.dueAt && !this.finished) this.wheel.schedule(this, at);
  }

  /** See to it that the silence of `peer` is noticed when it is due, after times in which it did not count too. */
  watch(peer: End): void {
    if (this.cause === null) this.arm(Math.min(this.pongAt(peer), this.pingAt(peer)));
  }

  override onTimer(now: number): void {
    if (this.finished) return;
    try {
      this.checkDeadlines(now);
    } catch (error) {
      this.fail(error);
    }
    if (!this.finished) this.rearm(now);
  }

  private checkDeadlines(now: number): void {
    this.checkClose(this.client, now);
    this.checkClose(this.backend, now);
    this.checkStalls(this.client, now);
    this.checkStalls(this.backend, now);
    this.checkReading(this.client, now);
    this.checkReading(this.backend, now);
    if (this.cause === null && now >= this.idleAt()) this.end('idle', { limit: 'idle' });
    if (this.cause === null && now >= this.lifetimeAt) this.end('lifetime', { limit: 'lifetime' });
    if (now >= this.graceAt) {
      this.graceAt = Number.POSITIVE_INFINITY;
      this.client.askClose(now);
      this.backend.askClose(now);
    }
    this.settle(now);
  }

  private begin(cause: EndCause, limit: string | null): void {
    this.cause = cause;
    this.limit = limit;
    for (const peer of [this.client, this.backend]) peer.gate.release(this.clock.now());
  }

  /** The end that what `peer` did means. */
  private beginFor(peer: End, now: number): void {
    const violation = peer.scanner.violation;
    if (peer.closeReceived !== null) {
      this.begin(peer.isClient ? 'client_close' : 'backend_close', null);
    } else if (violation !== null) {
      const rule = VIOLATIONS[violation];
      this.rule = rule;
      if (rule.limit !== null) this.owner.onLimitHit(peer.side, rule.limit, peer.scanner.violationValue);
      this.blame(peer, peer.isClient ? `client_${rule.kind}` : `backend_${rule.kind}`, rule.limit, now);
    } else {
      this.begin(peer.isClient ? 'client_lost' : 'backend_lost', null);
      peer.cutOff();
    }
  }

  /** End it because of `culprit`: the other side is told at once, the culprit when that one has answered. */
  private blame(culprit: End, cause: EndCause, limit: string | null, now: number): void {
    this.begin(cause, limit);
    this.graceAt = now + LAST_ANSWERS_MS;
    this.arm(this.graceAt);
    // Asked here, while the culprit may still have a frame to finish; `settle` would take it for finished.
    culprit.other.askClose(now);
  }

  private checkClose(peer: End, now: number): void {
    if (now < peer.dueAt || peer.gone) return;
    const isUnanswered =
      peer.closeReceived === null && (this.cause === 'client_close' || this.cause === 'backend_close');
    peer.cutOff();
    // A relayed Close that nobody answers: there is no answer to relay either.
    if (isUnanswered) peer.other.cutOff();
  }

  private checkStalls(peer: End, now: number): void {
    if (peer.gone) return;
    if (now >= peer.backlog.stallAt(this.policy.writeStallMs)) {
      if (this.cause === null) this.begin(peer.isClient ? 'client_stalled' : 'backend_stalled', 'write_stall');
      peer.cutOff();
      return;
    }
    if (this.cause === null && now >= peer.backlog.slowAt(this.policy.slowReaderMs)) {
      this.begin(peer.isClient ? 'client_slow' : 'backend_slow', 'slow_reader');
      this.closeAtBoundary(peer, now);
      peer.other.askClose(now);
      return;
    }
    if (this.cause === null && now >= this.messageStallAt(peer)) {
      this.blame(peer, peer.isClient ? 'client_message_stall' : 'backend_message_stall', 'message_stall', now);
    }
  }

  /** The pauses and pings of one peer. */
  private checkReading(peer: End, now: number): void {
    if (peer.gone) return;
    if (peer.gate.heldUntil > 0 && now >= peer.gate.heldUntil) peer.gate.open(now);
    if (this.cause !== null) return;
    const { liveness } = peer;
    liveness.look(peer.lastByteAt, peer.other.scanner.dataBytes, now);
    if (now >= this.pongAt(peer)) {
      this.begin(peer.isClient ? 'client_pong_timeout' : 'backend_pong_timeout', 'pong');
      peer.cutOff();
    } else if (now >= this.pingAt(peer)) {
      liveness.ping(peer, now);
    }
  }

  /** When the silence of `peer` after a ping is too long. */
  private pongAt(peer: End): number {
    if (peer.transport.paused) return Number.POSITIVE_INFINITY;
    return peer.liveness.deadline(this.policy.pongMs);
  }

  /** When `peer` has been silent for so long that it is pinged. */
  private pingAt(peer: End): number {
    if (peer.transport.paused || peer.liveness.silentSince < Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return peer.lastByteAt + peer.policy.pingIntervalMs;
  }

  /** Close at a frame boundary, cut off within a frame: `peer` takes nothing that could be waited for. */
  private closeAtBoundary(peer: End, now: number): void {
    if (peer.other.relaysFrame) peer.cutOff();
    else peer.askClose(now);
  }

  private idleAt(): number {
    // What is not read for its rate cannot show that it is there; unless nothing else bounds how long it is not read.
    const isHeld = this.client.gate.heldUntil > 0 || this.backend.gate.heldUntil > 0;
    if (isHeld && this.policy.writeStallMs < Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return Math.max(this.client.lastByteAt, this.backend.lastByteAt) + this.policy.idleMs;
  }

  private messageStallAt(peer: End): number {
    if (!peer.isMidMessage || peer.transport.paused) return Number.POSITIVE_INFINITY;
    return peer.messageAt + this.policy.messageStallMs;
  }

  /**
   * Set the timer to the next deadline. Stalls are not armed when they begin, which would cost every read: it is enough
   * to look at least once per stall time, since one that begins after this look cannot be due before the next.
   */
  private rearm(now: number): void {
    const { client, backend, policy } = this;
    let at = now + Math.min(policy.messageStallMs, policy.writeStallMs, policy.slowReaderMs);
    for (const peer of [client, backend]) {
      if (peer.gone) continue;
      at = Math.min(at, peer.dueAt, peer.backlog.stallAt(policy.writeStallMs));
      if (peer.gate.heldUntil > 0) at = Math.min(at, peer.gate.heldUntil);
      if (this.cause !== null) continue;
      at = Math.min(at, this.messageStallAt(peer), peer.backlog.slowAt(policy.slowReaderMs), this.pongAt(peer));
      // An answer wakes nobody; one that comes after this look makes no ping due before the next.
      if (peer.liveness.silentSince < Number.POSITIVE_INFINITY) at = Math.min(at, now + peer.policy.pingIntervalMs);
      // A ping that could not go out yet is tried again soon.
      at = Math.min(at, Math.max(this.pingAt(peer), now + PING_RETRY_MS));
    }
    at = Math.min(at, this.graceAt);
    if (this.cause === null) at = Math.min(at, this.idleAt(), this.lifetimeAt);
    this.wheel.schedule(this, at);
  }

  private finish(): void {
    this.finished = true;
    this.wheel.cancel(this);
    this.owner.onSessionEnd(this);
  }
}
