// One end of a session: the only reader, pauser and closer of its transport. It does what the close handshake towards
// its side (closing.ts) asks for, and has a relay for what that side sends. It decides no end; session.ts does.

import assert from 'node:assert/strict';
import type { Clock } from '../limits/clock.ts';
import type { RateKey } from '../limits/rates.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import type { CloseNotice, Side } from '../protocol/end-causes.ts';
import { closeFrame } from '../protocol/frame-writer.ts';
import type { Violation } from '../protocol/violations.ts';
import { Backlog } from './backlog.ts';
import {
  ClosingAction,
  ClosingEvent,
  closingStep,
  hasSaidClose,
  isFinished,
  isGone,
  OPEN,
  type Phase,
} from './closing.ts';
import type { RelaySession, RelaySink, RelaySource } from './direction.ts';
import { Liveness } from './liveness.ts';
import { Relay } from './relay.ts';

/** The session, as far as an end knows it. */
export interface EndSession extends RelaySession {
  readonly clock: Clock;
  /** True when a side was cut off inside a frame. */
  midFrame: boolean;
  /** What `side` is told by our own Close; null when it is only cut off. */
  noticeFor(side: Side): CloseNotice | null;
  /** Make sure that the timer fires by `at`. */
  arm(at: number): void;
  /** See to it that the silence of `end` is noticed when it is due. */
  watch(end: End): void;
  /** `end` has said its last: a Close or a FIN, or its connection is lost. */
  onFinished(end: End): void;
  onViolation(end: End, violation: Violation, value: number): void;
  onInvalidText(end: End): void;
  onRateBroken(end: End, key: RateKey): void;
  onLimitHit(side: Side, key: string, value: number): void;
  /** Do whatever is due now that something has changed. */
  settle(now: number): void;
  /** A bug of ours. `torn` may lack the end of a frame: the fault came up while more of it was relayed. */
  fail(error: unknown, torn: End | null): void;
}

interface EndOptions {
  readonly session: EndSession;
  readonly side: Side;
  readonly transport: Transport;
  readonly deflate: boolean;
}

export class End implements TransportReader, RelaySource, RelaySink {
  readonly side: Side;
  readonly transport: Transport;
  /** What this side sends, on its way to the other. */
  readonly relay: Relay;
  /** What waits to be taken by this side. */
  readonly backlog: Backlog;
  /** Pings of our own, and what is owed to us for a relayed one. */
  readonly liveness = new Liveness();
  /** Set once, right after construction: an end needs its counterpart and the counterpart needs it. */
  other!: End;
  /** Code of the Close written to this side (1005: it had none); null before. */
  closeSent: number | null = null;
  /** What its connection was lost by, such as ECONNRESET; null while it is there, or when it ended by FIN. */
  lostBy: string | null = null;
  /** It had all of `timeouts.close` for its answer to a Close, and gave none. */
  isUnanswered = false;
  /** When what the close handshake awaits is given up. */
  closeDueAt = Number.POSITIVE_INFINITY;
  private phase: Phase = OPEN;
  private readonly session: EndSession;

  constructor({ session, side, transport, deflate }: EndOptions) {
    this.side = side;
    this.transport = transport;
    this.session = session;
    const now = session.clock.now();
    this.backlog = new Backlog(transport, now);
    this.relay = new Relay({ session, source: this, deflate, now });
  }

  join(other: End): void {
    this.other = other;
    this.relay.join(other, other.relay);
  }

  get isClient(): boolean {
    return this.side === 'client';
  }

  /** Nothing that this side may still send counts: after its Close, its violation or a fault of ours too. */
  get isFinished(): boolean {
    return isFinished(this.phase);
  }

  /** Its connection is closed. */
  get isGone(): boolean {
    return isGone(this.phase);
  }

  /** Its Close came. */
  get hasClosed(): boolean {
    return hasSaidClose(this.phase);
  }

  /** A Close went both ways. */
  get isClean(): boolean {
    return this.closeSent !== null && this.hasClosed;
  }

  // What its transport tells.

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.relay.read(bytes, start, end, this.session.clock.now());
  }

  onEnd(): void {
    try {
      this.take(ClosingEvent.Fin, this.session.clock.now());
      this.session.onFinished(this);
    } catch (error) {
      this.session.fail(error, null);
    }
  }

  onLost(error: Error & { readonly code?: unknown }): void {
    this.lostBy = String(error.code ?? 'lost');
    this.cutOff(this.session.clock.now());
    this.onEnd();
  }

  onTaken(): void {
    try {
      this.noteTaken(this.session.clock.now());
    } catch (error) {
      this.session.fail(error, null);
    }
  }

  private noteTaken(now: number): void {
    const { backlog, liveness, phase } = this;
    const { pending, held } = this.transport;
    const { progressAt } = backlog;
    backlog.progressAt = now;
    liveness.takenAt = now;
    this.other.relay.onTaken(held, now - progressAt, now - backlog.since, now);
    if (pending > 0) return;
    liveness.noteFlushed(now);
    this.session.watch(this);
    this.take(ClosingEvent.Taken, now);
    if (this.phase !== phase) this.session.settle(now);
  }

  // What its relay tells of the bytes that came.

  onClose(now: number): void {
    this.take(ClosingEvent.Close, now);
  }

  onFinished(): void {
    this.session.onFinished(this);
  }

  onViolation(violation: Violation, value: number, now: number): void {
    this.take(ClosingEvent.Broken, now);
    this.session.onViolation(this, violation, value);
  }

  onInvalidText(now: number): void {
    this.take(ClosingEvent.Broken, now);
    this.session.onInvalidText(this);
  }

  onLimitHit(key: RateKey, value: number): void {
    this.session.onLimitHit(this.side, key, value);
  }

  onRateBroken(key: RateKey): void {
    this.session.onRateBroken(this, key);
  }

  onHeld(until: number): void {
    this.session.arm(until);
  }

  onResumed(): void {
    this.session.watch(this);
  }

  onFault(error: unknown, isInside: boolean): void {
    this.session.fail(error, isInside ? this.other : null);
  }

  // What the other side's relay tells of the bytes that go to this one.

  onCloseRelayed(code: number, now: number): void {
    this.closeSent = code;
    this.take(ClosingEvent.Relayed, now);
  }

  onTailEnd(now: number): void {
    this.take(ClosingEvent.Ask, now);
    this.session.settle(now); // the other side may have nothing to answer any more
  }

  // What the session asks for.

  retune(now: number): void {
    this.relay.retune(now);
  }

  /** The session ends: nobody is held for a rate any more. */
  release(now: number): void {
    this.relay.gate.release(now);
  }

  /** Read, unless what came before has filled the other side already, or cost more than this one has. */
  start(): void {
    if (this.relay.gate.isClosed) return;
    this.transport.resume();
    this.session.watch(this);
  }

  /**
   * Tell it the end by our Close: now if the last frame relayed to it is complete, else behind that frame. When the
   * rest of that frame can never come, it is cut off: nothing else is true any more. What was told is told once.
   */
  askClose(now: number): void {
    const { relay, isFinished } = this.other;
    const isInside = relay.isInside;
    if (relay.isTorn || (isInside && isFinished)) this.take(ClosingEvent.AskTorn, now);
    else this.take(isInside ? ClosingEvent.AskInside : ClosingEvent.Ask, now);
  }

  /** Close at a frame boundary, cut off within a frame: this side takes nothing that could be waited for. */
  closeAtBoundary(now: number): void {
    if (this.other.relay.isInside) this.cutOff(now);
    else this.askClose(now);
  }

  /** Whatever follows from what has happened to either end was done: go on with the end of the TCP connection. */
  proceed(now: number): void {
    this.take(ClosingEvent.Settled, now);
  }

  /** Close the connection to this side at once. */
  cutOff(now: number): void {
    this.take(ClosingEvent.Cut, now);
  }

  /** A bug of ours: the state of its scanner is not to be trusted. */
  discard(now: number): void {
    this.relay.discard();
    this.take(ClosingEvent.Broken, now);
  }

  /** After `discard` of both: tell it, if it is at a boundary for certain. `isTorn`: it is not. */
  closeAfterFault(isTorn: boolean, now: number): void {
    if (this.isGone) return;
    const source = this.other.relay;
    try {
      if (isTorn || source.isTorn || (source.scanner.remaining > 0 && this.closeSent === null)) {
        this.session.midFrame = true;
        this.cutOff(now);
      } else {
        this.askClose(now);
      }
    } catch {
      this.cutOff(now); // its Close fails too: nothing can be said to it any more
    }
    if (this.isGone) return;
    // Whatever the fault has left undone, this side is not kept for longer.
    this.closeDueAt = Math.min(this.closeDueAt, now + this.session.policy.closeMs);
    this.session.arm(this.closeDueAt);
  }

  /** Ping a silent side, if one may go to it now; else it is tried again. */
  ping(now: number): void {
    const { transport, liveness } = this;
    if (this.closeSent !== null || transport.pending > 0) return;
    if (liveness.relayedServes(now) || this.other.relay.isInside) return;
    const frame = liveness.frame(now, !this.isClient);
    this.backlog.begin(now);
    transport.write(frame, 0, frame.length, true);
    if (transport.pending === 0) liveness.noteFlushed(now);
  }

  /** One step of the close handshake. What a write throws leaves it where it was. */
  private take(event: ClosingEvent, now: number): void {
    const step = closingStep(this.phase, event);
    assert(step !== null, 'only what can happen in a phase happens in it');
    const { next, actions } = step;
    if ((actions & ClosingAction.Hold) !== 0) this.other.relay.endAfterFrame();
    if ((actions & ClosingAction.Write) !== 0 && !this.writeClose(now)) {
      this.take(ClosingEvent.Cut, now);
      return;
    }
    this.phase = next;
    if (actions !== 0) this.act(actions, now);
  }

  private act(actions: number, now: number): void {
    if ((actions & ClosingAction.StopTimer) !== 0) this.closeDueAt = Number.POSITIVE_INFINITY;
    if ((actions & ClosingAction.StartTimer) !== 0) {
      this.closeDueAt = now + this.session.policy.closeMs;
      this.session.arm(this.closeDueAt);
    }
    const isFin = (actions & ClosingAction.Fin) !== 0 || (this.isClient && (actions & ClosingAction.FinToClient) !== 0);
    if (isFin) this.transport.end();
    if ((actions & ClosingAction.Destroy) !== 0) this.destroy(now);
    const mayBeTaken = (actions & ClosingAction.Look) !== 0 && this.transport.pending === 0;
    if (mayBeTaken) this.take(ClosingEvent.Taken, now);
  }

  /** False: there is nothing to say. */
  private writeClose(now: number): boolean {
    const { transport, other } = this;
    const notice = this.session.noticeFor(this.side);
    if (notice === null) return false;
    other.relay.endNow();
    const frame = closeFrame({ code: notice.code, reason: notice.text, masked: !this.isClient });
    if (transport.pending === 0) this.backlog.begin(now);
    transport.write(frame, 0, frame.length, true);
    this.closeSent = notice.code;
    this.relay.awaitAnswer();
    // Nothing is sent behind a Close, so what the other side still says is only read, whatever the pressure was.
    other.relay.gate.readOn(now);
    return true;
  }

  private destroy(now: number): void {
    const source = this.other.relay;
    if (source.isTorn || source.isInside) this.session.midFrame = true;
    this.relay.onSourceGone(now);
    this.transport.destroy();
    source.onSinkGone(now);
  }
}
