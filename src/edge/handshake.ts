// One complete request from its checks to its session, whatever protocol it came by: checked, waiting for a turn, its
// backend opened, switched. It gives back what it holds when it is left; what the client is sent is its asker's affair.

import { Alarm } from '../limits/timer-wheel.ts';
import { Abort } from '../net/abort.ts';
import { clientKeyOf } from '../protocol/addresses/client-key.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { RelayedRefusal } from '../upstream/backend-handshake.ts';
import type { Opened, OpeningOutcome, OpeningProgress } from '../upstream/open-backend.ts';
import type { RoomWaiter } from '../upstream/room-queue.ts';
import { Asked, admit, type Check } from './admission.ts';
import { type Admitted, answerFields, answerProtocol, makeSession, openFor } from './admitted.ts';
import type { Arrival } from './arrival.ts';
import type { Asker } from './asker.ts';
import type { EdgeContext } from './context.ts';
import type { HandshakeRecord } from './handshake-record.ts';
import type { SlotOwner } from './handshake-slots.ts';
import { CHECKING, type HandshakeState, OVER, SWITCHED } from './handshake-state.ts';
import type { StepOwner } from './handshake-turns.ts';
import type { Holdings } from './holdings.ts';
import { BARRED, type Barred } from './quotas.ts';
import { noticeOf, noticeOfBackend } from './refusal-notice.ts';
import type { PeerClaim } from './seat.ts';
import type { SessionHost } from './session-record.ts';
import { closedToNew } from './snapshot.ts';

/** Of a client that waits for its turn no more is held: it is read only to see it leave. */
const WAITING_BYTES_MAX = 4_096;

export interface HandshakeContext extends EdgeContext, SessionHost {
  /** In their order. */
  readonly checks: readonly Check[];
}

export interface HandshakeOptions {
  readonly context: HandshakeContext;
  readonly asker: Asker;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  readonly record: HandshakeRecord;
}

export class Handshake implements SlotOwner, StepOwner, RoomWaiter {
  private readonly context: HandshakeContext;
  private readonly asker: Asker;
  private readonly record: HandshakeRecord;
  private readonly abort = new Abort();
  private readonly asked: Asked;
  /** When its head was complete: `timeouts.open` counts from there. */
  private readonly headAt: number;
  /** Made when there is something to wait for. */
  private alarm: Alarm | null = null;
  private state: HandshakeState = CHECKING;

  constructor(options: HandshakeOptions) {
    const { context, asker, arrival, claim, record } = options;
    this.context = context;
    this.asker = asker;
    this.record = record;
    this.headAt = context.clock.now();
    this.asked = new Asked({ context, arrival, claim, head: asker.head, record, signal: this.abort });
  }

  begin(): void {
    const { context, record, asked } = this;
    const { arrival, head } = asked;
    record.noteComplete(this.headAt);
    const rules = arrival.listener.rulesIn(context.snapshot);
    arrival.takeHead(head, rules);
    record.noteHead(head);
    arrival.takeClient(head, rules);
    if (context.headTurns.takeOne()) {
      this.check();
      return;
    }
    const waiter = context.headTurns.wait(this, clientKeyOf(arrival.client) ?? '', this.deadline);
    this.state = { kind: 'queued', waiter };
    this.awaitDeadline();
    this.holdEarly();
  }

  /** Its turn to be checked has come. */
  onStep(): void {
    this.guarded(() => {
      this.state = CHECKING;
      this.check();
    });
  }

  private check(): void {
    const verdict = admit(this.asked, this.context.checks);
    if (verdict instanceof Promise) this.awaitVerdict(verdict);
    else this.decide(verdict);
  }

  /** The client is gone. */
  clientLeft(): void {
    this.record.clientGone(true);
    this.leave();
  }

  /** With an answer of our own; what it holds goes back first. */
  refuse(refusal: Refusal): void {
    if (this.state.kind === 'over') return;
    const notice = noticeOf(this.asked, refusal);
    this.record.refused(refusal, this.asker.earlySize, notice?.code);
    this.leave();
    if (notice === null) this.asker.refuse(refusal);
    else this.asker.refuseOpen(notice);
  }

  /** Stop waiting for it: framegate is going down. */
  drain(): void {
    this.refuse({ slug: 'draining' });
  }

  /** Another config is in force: its deadlines and caps hold from now on. What else it says reaches the session. */
  retune(): void {
    if (this.state.kind === 'over') return;
    this.awaitDeadline();
    this.holdEarly();
    this.lookAgain();
  }

  /** Its route may be closed, or another upstream's: who has no turn yet is told now, or waits there. */
  lookAgain(): void {
    const { state } = this;
    if (state.kind === 'checking') this.refuseIfClosed();
    if (state.kind !== 'waiting' && state.kind !== 'parked') return;
    if (this.refuseIfClosed()) return;
    const { route, holdings } = state.admitted;
    if (holdings.waitsFor(route.upstream)) return;
    holdings.leaveTurn();
    this.goOn(state.admitted, state.progress);
  }

  get isOver(): boolean {
    return this.state.kind === 'over';
  }

  /** What it has taken of the limits; null before it was let in. */
  get holdings(): Holdings | null {
    return this.asked.holdings;
  }

  /** It becomes nothing: stop what is under way and give everything back. */
  leave(): void {
    const { state } = this;
    if (state.kind === 'over') return;
    this.state = OVER;
    if (state.kind === 'queued') this.context.headTurns.leave(state.waiter);
    this.cancelDeadline();
    try {
      this.abort.abort();
    } finally {
      this.asked.holdings?.release();
    }
  }

  /** `timeouts.open` is over. */
  private onDeadline(): void {
    const { state } = this;
    const refusal = state.kind === 'opening' ? state.progress.refusal : null;
    if (refusal !== null) this.relay(refusal);
    else if (state.kind === 'queued' || state.kind === 'waiting') this.bar(BARRED.turnTooLate);
    else if (state.kind === 'parked') this.refuseParked(state.admitted);
    else {
      if (state.kind === 'opening') this.blameTarget(state.admitted, state.progress);
      this.refuse({ slug: 'backend_timeout', cause: 'open' });
    }
  }

  /** The target that had the larger part of `timeouts.open` to itself has not answered in time. */
  private blameTarget({ arrival, holdings }: Admitted, { askedAt }: OpeningProgress): void {
    const now = this.context.clock.now();
    if (2 * (now - askedAt) < now - this.headAt) return;
    holdings.target?.watch?.answeredBadly(arrival.client, holdings.trial);
  }

  /** It has waited until it may be one of the handshakes under way. */
  onTurn(): void {
    this.guarded(() => {
      // A drain or a reload may have come by meanwhile.
      const { state } = this;
      if (state.kind !== 'waiting' && state.kind !== 'parked') return;
      if (!this.refuseIfClosed()) this.open(state.admitted, state.progress);
    });
  }

  onParked(): void {
    this.guarded(() => {
      const { state } = this;
      if (state.kind === 'waiting') this.setParked(state.admitted, state.progress);
    });
  }

  onRefused(refusal: Refusal, limit: string | null): void {
    this.guarded(() => {
      if (this.state.kind === 'over') return;
      if (limit !== null) this.record.noteLimit(limit);
      this.refuse(refusal);
    });
  }

  /** It has waited until a target has room, and takes its turn again. */
  onRoom(): void {
    this.guarded(() => {
      const { state } = this;
      if (state.kind === 'parked' && !this.refuseIfClosed()) this.goOn(state.admitted, state.progress);
    });
  }

  onPushedOut(): void {
    this.guarded(() => this.bar(BARRED.pushedOut));
  }

  /** The way in for all but the asker: a fault of ours ends this handshake, and what it holds goes back. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.asker.fail(error);
    }
  }

  private awaitDeadline(): void {
    this.alarm ??= new Alarm(() => this.guarded(() => this.onDeadline()));
    this.context.wheel.schedule(this.alarm, this.deadline);
  }

  private cancelDeadline(): void {
    if (this.alarm !== null) this.context.wheel.cancel(this.alarm);
  }

  /** By the config in force. */
  private get deadline(): number {
    const since = this.asked.holdings?.parkedSince ?? null;
    return since === null ? this.openDeadline : Math.min(this.openDeadline, this.roomDeadline(since));
  }

  /** By the queue of the upstream that its route has now. */
  private roomDeadline(since: number): number {
    const upstream = this.asked.chosen?.route.upstream;
    return since + (upstream?.config.queue.timeout ?? Number.POSITIVE_INFINITY);
  }

  private get openDeadline(): number {
    return this.headAt + (this.asked.chosen?.route.config ?? this.context.snapshot.config).timeouts.open;
  }

  private awaitVerdict(verdict: Promise<Refusal | null>): void {
    this.awaitDeadline();
    this.holdEarly();
    verdict.then(
      // Refused or gone meanwhile: nobody waits for it.
      (refusal) => this.guarded(() => this.state.kind === 'checking' && this.decide(refusal)),
      (error: unknown) => this.asker.fail(error),
    );
  }

  private decide(refusal: Refusal | null): void {
    if (refusal === null) this.enter(this.asked.admitted());
    else this.refuse(refusal);
  }

  private enter(admitted: Admitted): void {
    const { slots } = this.context;
    const progress: OpeningProgress = { target: null, tries: 0, askedAt: 0, refusal: null };
    this.state = { kind: 'waiting', admitted, progress };
    // Asked again: the last check may have taken its time.
    const obstacle = slots.obstacleTo(admitted.route.upstream, admitted.holdings.seat.key);
    if (obstacle !== null) this.bar({ slug: 'too_many_handshakes', cause: obstacle });
    else this.goOn(admitted, progress);
  }

  /** To its backend, now or when its turn comes. */
  private goOn(admitted: Admitted, progress: OpeningProgress): void {
    this.state = { kind: 'waiting', admitted, progress };
    const isOpen = this.takeTurn(admitted);
    this.awaitDeadline();
    if (isOpen) this.open(admitted, progress);
    else this.holdEarly();
  }

  /** True when it may go on at once; else `onTurn` says when. */
  private takeTurn({ route, holdings, request, arrival, grant }: Admitted): boolean {
    const { upstream } = route;
    return holdings.takeTurn({
      owner: this,
      upstream,
      key: holdings.seat.key,
      openMs: route.config.timeouts.open,
      balanceKey: () => upstream.keyOf({ request, clientAddress: arrival.client, holder: grant }),
    });
  }

  private open(admitted: Admitted, progress: OpeningProgress): void {
    if (admitted.holdings.mustPark(admitted.route.upstream)) {
      this.park(admitted, progress);
      return;
    }
    this.state = { kind: 'opening', admitted, progress };
    this.record.noteOpening(progress);
    this.holdEarly();
    openFor(admitted, this.context, { client: this.asker.transport, signal: this.abort, progress }).then(
      (outcome) => this.guarded(() => this.settle(outcome)),
      (error: unknown) => this.asker.fail(error),
    );
  }

  /** No target has room, or others have waited for it for longer. */
  private park(admitted: Admitted, progress: OpeningProgress): void {
    const { holdings, route } = admitted;
    const obstacle = holdings.park(route.upstream, this);
    if (obstacle === 'max_waiting_handshakes') this.bar({ slug: 'too_many_handshakes', cause: obstacle });
    else if (obstacle !== null) this.refuse({ slug: 'no_target', cause: obstacle, targets: route.upstream.noRoom });
    else this.setParked(admitted, progress);
  }

  private setParked(admitted: Admitted, progress: OpeningProgress): void {
    this.state = { kind: 'parked', admitted, progress };
    this.awaitDeadline();
    this.holdEarly();
  }

  private refuseParked({ route: { upstream }, holdings: { parkedSince } }: Admitted): void {
    const isOverdue = parkedSince !== null && this.roomDeadline(parkedSince) <= this.openDeadline;
    const cause = isOverdue ? 'queue.timeout' : 'open';
    this.refuse({ slug: 'no_target', cause, targets: upstream.noRoom });
  }

  private settle(outcome: OpeningOutcome): void {
    const { state } = this;
    // Refused or gone meanwhile: what was opened for it has been given back.
    if (state.kind !== 'opening') return;
    if (outcome.kind === 'opened') this.beginSession(state.admitted, outcome);
    else if (outcome.kind === 'refused') this.relay(outcome);
    else if (outcome.kind === 'full') this.park(state.admitted, state.progress);
    else if (outcome.error !== 'aborted') {
      this.refuse({ slug: outcome.error, cause: outcome.cause, targets: outcome.targets });
    }
  }

  /** The session gets everything in one go; until then a fault gives it back. */
  private beginSession(admitted: Admitted, opened: Opened): void {
    const { asker, asked, context, record } = this;
    const { request, holdings } = admitted;
    // What was decided when the head came may hold no longer.
    if (this.refuseIfClosed(opened)) return;
    const { extensions, leftover } = opened.answer;
    const protocol = answerProtocol(admitted, opened);
    const fields = answerFields(admitted, opened);
    const session = makeSession(admitted, opened, asker.transport, context);
    this.cancelDeadline();
    const early = asker.accept({ key: request.key, protocol, extensions, fields });
    this.state = SWITCHED;
    asker.become(session);
    holdings.keepPeerClaim(asked.claim);
    this.state = OVER;
    session.begin(early, leftover, () => record.opened(opened));
  }

  private relay(refusal: RelayedRefusal): void {
    const notice = noticeOfBackend(this.asked, refusal);
    this.record.backendRefused(refusal.status, this.asker.earlySize, notice?.code);
    this.leave();
    if (notice === null) this.asker.relay(refusal);
    else this.asker.refuseOpen(notice);
  }

  private bar(barred: Barred): void {
    if (this.state.kind === 'over') return;
    this.record.noteLimit(barred.cause);
    this.refuse(barred);
  }

  /** Whether it was refused: its route, the target of what was `opened`, or its credential is no good any more. */
  private refuseIfClosed(opened: Opened | null = null): boolean {
    const { chosen, grant, judgedAt } = this.asked;
    if (chosen === null) return false;
    const { route } = chosen;
    const refusal = closedToNew(this.context.snapshot, { route, target: opened?.target ?? null, grant, judgedAt });
    if (refusal !== null) this.refuse(refusal);
    return refusal !== null;
  }

  private holdEarly(): void {
    const { max_early_bytes } = (this.asked.chosen?.route.config ?? this.context.snapshot.config).limits;
    const bytesMax = this.state.kind === 'opening' ? max_early_bytes : Math.min(max_early_bytes, WAITING_BYTES_MAX);
    this.asker.hold(bytesMax);
  }
}
