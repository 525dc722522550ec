// One accepted connection until it is a session, refused or gone: reads the head, has it judged, opens the backend,
// answers. The only reader and closer of the client's transport until the session takes it.

import { TimerEntry } from '../limits/timer-wheel.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import { hintOfBytes } from '../protocol/hints.ts';
import { HeadStep, type RequestHead, RequestHeadParser } from '../protocol/http-head.ts';
import { buildRelayedRefusal } from '../protocol/refusal-body.ts';
import { buildRefusal, REFUSALS, type Refusal } from '../protocol/refusals.ts';
import { buildClientSwitch } from '../protocol/upgrade-response.ts';
import { unreachable } from '../unreachable.ts';
import type { RelayedRefusal } from '../upstream/backend-handshake.ts';
import type { Opened } from '../upstream/open-backend.ts';
import { type Admitted, admit } from './admission.ts';
import type { Arrival } from './arrival.ts';
import type { Edge } from './edge.ts';
import { Handshake } from './handshake.ts';
import { HandshakeRecord } from './handshake-record.ts';
import type { SlotOwner } from './handshake-slots.ts';
import { asksForHealth, healthAnswer } from './health.ts';
import { BARRED, type Barred, type PeerClaim, Seat } from './quotas.ts';
import { closedToNew } from './standing.ts';

/** After a refusal what still comes is read and dropped, so that the answer is not lost to a reset; at most this. */
const LINGER_MS = 2_000;
const LINGER_BYTES = 262_144;
/** Retry-After of our own refusals: random within this, so that all who were refused do not come back at once. */
const RETRY_AFTER_MAX_S = 5;

type State =
  | { readonly kind: 'reading'; parser: RequestHeadParser | null }
  | { readonly kind: 'opening'; readonly handshake: Handshake }
  | { readonly kind: 'lingering'; discarded: number }
  | { readonly kind: 'over' };

export interface ConnectionOptions {
  readonly edge: Edge;
  readonly arrival: Arrival;
  readonly transport: Transport;
  /** How it counts under the address of its peer. */
  readonly claim: PeerClaim;
  /** Why there is no room for it; null when there is. */
  readonly barred: Barred | null;
}

export class Connection extends TimerEntry implements TransportReader, SlotOwner {
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  private readonly edge: Edge;
  private readonly transport: Transport;
  private readonly barred: Barred | null;
  private readonly report: HandshakeRecord;
  private state: State;

  constructor(options: ConnectionOptions) {
    super();
    this.edge = options.edge;
    this.transport = options.transport;
    this.arrival = options.arrival;
    this.claim = options.claim;
    this.barred = options.barred;
    this.state = { kind: 'reading', parser: null };
    this.report = new HandshakeRecord(this.edge, this.arrival);
  }

  /** Begin to read its head; one for which there is no room may ask for health only. */
  read(): void {
    this.guarded(() => {
      const { edge, transport } = this;
      transport.reader = this;
      edge.wheel.schedule(this, this.arrival.at + edge.snapshot.config.timeouts.handshake);
    });
  }

  /** Another one without room takes its place. */
  cutOff(): void {
    this.guarded(() => {
      if (this.barred !== null && this.state.kind === 'reading') this.noteRejected(this.barred);
      this.close();
    });
  }

  /** There is no room for it: tell it so at once. */
  turnAway(): void {
    this.guarded(() => this.refuseBarred());
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.guarded(() => this.take(bytes, start, end));
  }

  onEnd(): void {
    // Its own FIN ends no answer that is still on its way: ours, which stands behind it, closes the connection.
    if (this.state.kind === 'lingering' && this.transport.pending > 0) return;
    this.guarded(() => this.onClientGone());
  }

  onLost(): void {
    this.guarded(() => this.onClientGone());
  }

  onTaken(): void {}

  override onTimer(): void {
    this.guarded(() => {
      const { state } = this;
      if (state.kind === 'reading') this.refuseLateHead(state.parser);
      else if (state.kind !== 'opening') this.close();
      else if (state.handshake.isWaiting) this.bar(BARRED.turnTooLate);
      else this.giveUpOpening();
    });
  }

  /** What it has taken of the limits; null before its head was let in. */
  get seat(): Seat | null {
    return this.state.kind === 'opening' ? this.state.handshake.holdings.seat : null;
  }

  /** Stop waiting for this handshake: framegate is going down. */
  drain(): void {
    this.guarded(() => {
      if (this.state.kind === 'opening') this.refuse({ slug: 'draining' });
      else if (this.state.kind === 'reading' && this.state.parser === null) this.close();
    });
  }

  /** Another config is in force: its deadlines hold from now on. */
  retune(): void {
    this.guarded(() => {
      const { edge, state } = this;
      const { handshake } = edge.snapshot.config.timeouts;
      if (state.kind === 'reading') edge.wheel.schedule(this, this.arrival.at + handshake);
      if (state.kind !== 'opening') return;
      edge.wheel.schedule(this, state.handshake.deadline);
      state.handshake.retune();
      this.readOrHold(state.handshake);
      this.lookAgain();
    });
  }

  /** Its route may be closed, or another upstream's: who waits for a turn is told now, or waits there. */
  lookAgain(): void {
    this.guarded(() => {
      const { edge, state } = this;
      if (state.kind !== 'opening' || !state.handshake.isWaiting) return;
      const closed = closedToNew(edge.snapshot, { route: state.handshake.admitted.route, target: null });
      if (closed !== null) this.refuse({ slug: 'draining', cause: closed });
      else if (state.handshake.followRoute(this)) this.dial(state.handshake);
    });
  }

  /** Cut it off, whatever it is at. */
  close(): void {
    const { edge, state } = this;
    if (state.kind === 'over') return;
    this.state = { kind: 'over' };
    try {
      if (state.kind === 'opening') state.handshake.leave();
      this.transport.destroy();
    } finally {
      edge.wheel.cancel(this);
      edge.removeConnection(this);
    }
  }

  /** The one way into a connection from outside: a fault of ours ends this handshake, and what it holds goes back. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fault(error);
    }
  }

  private fault(error: unknown): void {
    const { edge, arrival, state } = this;
    const isAnswered = state.kind === 'lingering' || (state.kind === 'opening' && state.handshake.isSwitched);
    try {
      edge.log.event('error', 'handshake.fault', { request_id: arrival.requestId, error: stackOf(error) });
      if (isAnswered) this.close();
      else this.refuse({ slug: 'internal_error' });
    } catch {
      this.close(); // nothing can be said any more
    }
  }

  private take(bytes: Buffer, start: number, end: number): void {
    const { state } = this;
    switch (state.kind) {
      case 'reading':
        // With its first byte: who says nothing costs no parser, and has no caps of an older config.
        state.parser ??= this.newParser();
        this.readHead(state.parser, bytes, start, end);
        return;
      case 'opening':
        state.handshake.early.append(bytes, start, end);
        this.readOrHold(state.handshake);
        return;
      case 'lingering':
        state.discarded += end - start;
        if (state.discarded > LINGER_BYTES) this.close();
        return;
      case 'over':
        return;
      default:
        unreachable(state);
    }
  }

  /** Answer with a refusal of our own, then half-close and linger. */
  refuse(refusal: Refusal): void {
    if (this.state.kind === 'lingering' || this.state.kind === 'over') return;
    this.report.refused(refusal, this.discardedEarlyBytes());
    const { slug, fields = [] } = refusal;
    const retryAfter = String(1 + Math.floor(Math.random() * RETRY_AFTER_MAX_S));
    const own = 'retryAfter' in REFUSALS[slug] ? [['Retry-After', retryAfter] as const] : [];
    this.answer(buildRefusal(slug, this.arrival.requestId, [...fields, ...own]));
  }

  private newParser(): RequestHeadParser {
    const { limits } = this.edge.snapshot.config;
    return new RequestHeadParser({
      headBytesMax: limits.max_head_size,
      targetBytesMax: limits.max_target_size,
      fieldsMax: limits.max_header_fields,
    });
  }

  private readHead(parser: RequestHeadParser, bytes: Buffer, start: number, end: number): void {
    const step = parser.feed(bytes, start, end);
    if (step === HeadStep.NeedData) return;
    if (step === HeadStep.Violation || parser.head === null) {
      this.noteHead(parser);
      this.refuse({ slug: parser.violation ?? 'request_line', cause: hintOfBytes(parser, bytes, start, end) });
      return;
    }
    const head = this.arrival.listener.read(parser.head);
    if (this.answersHealth(head)) return;
    if (this.barred !== null) {
      this.refuseBarred();
      return;
    }
    this.report.noteComplete(this.edge.clock.now());
    this.noteHead(head);
    const admitted = admit(head, { edge: this.edge, report: this.report, arrival: this.arrival });
    if ('slug' in admitted) this.refuse(admitted);
    else this.enter(admitted, bytes.subarray(parser.position, end));
  }

  /** A probe is neither routed nor counted nor logged. */
  private answersHealth(head: RequestHead): boolean {
    const { edge } = this;
    const path = this.arrival.listener.config.health_path;
    if (path === null || !asksForHealth(head, path)) return false;
    this.answer(healthAnswer(head.method, !edge.draining && !edge.refusing));
    return true;
  }

  /** Rates and caps, asked last: what is refused for anything else takes nothing of them. */
  private enter(admitted: Admitted, rest: Buffer): void {
    const { edge, arrival, claim } = this;
    const { route } = admitted;
    if (edge.refusing || route.draining) {
      this.refuse({ slug: 'draining' });
      return;
    }
    const seat = edge.buffers.isOver
      ? BARRED.overload
      : edge.quotas.enter(arrival.client, route, edge.clock.now(), claim);
    if (seat instanceof Seat) {
      this.open(admitted, seat, rest);
      return;
    }
    this.bar(seat);
  }

  private refuseBarred(): void {
    if (this.barred === null) return;
    this.noteRejected(this.barred);
    this.refuse(this.barred);
  }

  private noteRejected({ slug }: Barred): void {
    this.edge.metrics.listener(this.arrival.listenerName).rejected.add(slug);
  }

  private bar(barred: Barred): void {
    this.report.noteLimit(barred.cause);
    this.refuse(barred);
  }

  private open(admitted: Admitted, seat: Seat, rest: Buffer): void {
    const { edge, arrival, transport, report } = this;
    const handshake = new Handshake({ edge, arrival, client: transport, report, admitted, seat });
    this.state = { kind: 'opening', handshake };
    edge.wheel.schedule(this, handshake.deadline);
    if (rest.length > 0) handshake.early.append(rest, 0, rest.length);
    if (handshake.takeTurn(this)) this.dial(handshake);
    else this.readOrHold(handshake);
  }

  /** It has waited until it may be one of the handshakes under way. */
  onTurn(): void {
    this.guarded(() => {
      if (this.state.kind !== 'opening') return;
      const { handshake } = this.state;
      // A drain or a reload may have come by meanwhile.
      const closed = closedToNew(this.edge.snapshot, { route: handshake.admitted.route, target: null });
      if (closed === null) this.dial(handshake);
      else this.refuse({ slug: 'draining', cause: closed });
    });
  }

  onPushedOut(): void {
    this.guarded(() => this.bar(BARRED.pushedOut));
  }

  private dial(handshake: Handshake): void {
    this.readOrHold(handshake);
    this.openAndSettle(handshake).catch((error: unknown) => this.fault(error));
  }

  private async openAndSettle(handshake: Handshake): Promise<void> {
    const outcome = await handshake.open();
    // Refused or gone meanwhile: what was opened for it has been given back.
    if (this.state.kind !== 'opening' || this.state.handshake !== handshake) return;
    if (outcome.kind === 'opened') this.beginSession(handshake, outcome);
    else if (outcome.kind === 'refused') this.relayRefusal(outcome);
    else if (outcome.error !== 'aborted') this.refuse({ slug: outcome.error, cause: outcome.cause });
  }

  /** The session gets everything in one go; until then this connection owns it, and a fault gives it back. */
  private beginSession(handshake: Handshake, opened: Opened): void {
    const { edge, transport, report } = this;
    const { request, route } = handshake.admitted;
    // What was decided when the head came may hold no longer.
    const closed = closedToNew(edge.snapshot, { route, target: opened.target });
    if (closed !== null) {
      this.refuse({ slug: 'draining', cause: closed });
      return;
    }
    const { protocol, extensions, fields, leftover } = opened.answer;
    const response = buildClientSwitch({ key: request.key, protocol, extensions, fields });
    const record = handshake.makeSession(opened);
    const early = handshake.early.take();
    edge.wheel.cancel(this);
    handshake.isSwitched = true;
    transport.write(response, 0, response.length, true);
    edge.promote(this, record);
    handshake.holdings.keepPeerClaim(this.claim);
    this.state = { kind: 'over' };
    record.begin(early, leftover, () => report.opened(opened));
  }

  private relayRefusal(refusal: RelayedRefusal): void {
    this.report.backendRefused(refusal.status, this.discardedEarlyBytes());
    this.answer(buildRelayedRefusal(refusal));
  }

  /** `timeouts.open` is over. */
  private giveUpOpening(): void {
    const refusal = this.state.kind === 'opening' ? this.state.handshake.refusalSoFar : null;
    if (refusal === null) this.refuse({ slug: 'backend_timeout', cause: 'open' });
    else this.relayRefusal(refusal);
  }

  private refuseLateHead(parser: RequestHeadParser | null): void {
    if (parser !== null) {
      this.noteHead(parser);
      this.refuse({ slug: 'handshake_timeout' });
      return;
    }
    // Not one byte came: there is no request to answer.
    this.edge.metrics.listener(this.arrival.listenerName).rejected.add('handshake_timeout');
    this.report.silent();
    this.answer(NOTHING);
  }

  /** Send the last bytes this client gets, then FIN, then drop what still comes. */
  private answer(bytes: Buffer): void {
    const { edge, transport } = this;
    const { state } = this;
    this.state = { kind: 'lingering', discarded: 0 };
    if (state.kind === 'opening') state.handshake.leave();
    transport.reader = this;
    if (bytes.length > 0) transport.write(bytes, 0, bytes.length, true);
    transport.end();
    transport.resume();
    edge.wheel.schedule(this, edge.clock.now() + LINGER_MS);
  }

  private onClientGone(): void {
    const { state } = this;
    const parser = state.kind === 'reading' ? state.parser : null;
    if (parser !== null) this.noteHead(parser);
    if (state.kind === 'reading') this.report.clientGone(parser !== null);
    if (state.kind === 'opening') this.report.clientGone(true);
    this.close();
  }

  /** Once it has sent enough it is not read until it is a session or refused; `timeouts.open` bounds that. */
  private readOrHold(handshake: Handshake): void {
    if (handshake.hasSentEnough || this.edge.buffers.isOver) this.transport.pause();
    else this.transport.resume();
  }

  private noteHead(head: Pick<RequestHead, 'target' | 'fields'>): void {
    this.arrival.takeHead(head, this.edge.snapshot.trusted);
    this.report.noteHead(head);
  }

  private discardedEarlyBytes(): number {
    return this.state.kind === 'opening' ? this.state.handshake.early.size : 0;
  }
}

const NOTHING = Buffer.alloc(0);

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
