// One connection by HTTP/1.1, from accept until it is a session, refused or gone: reads its head, sends its last bytes.
// The only reader and closer of its transport until a session takes it; what it may have is not judged here.

import { TimerEntry } from '../limits/timer-wheel.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import type { RequestHead, RequestHeadParser } from '../protocol/http-head.ts';
import { asksForWebSocket } from '../protocol/plain-request.ts';
import type { Refusal } from '../protocol/refusals.ts';
import { unreachable } from '../unreachable.ts';
import type { Arrival } from './arrival.ts';
import { EarlyBytes } from './early-bytes.ts';
import { Handshake, type HandshakeContext } from './handshake.ts';
import { HandshakeRecord } from './handshake-record.ts';
import { healthAnswer } from './health.ts';
import type { Holdings } from './holdings.ts';
import { refusedRequest } from './http/refused-request.ts';
import { type AnswersClient, Http1Asker, newHeadParser, readHead } from './http1.ts';
import { type Redirect, redirectOf } from './https-redirect.ts';
import { LINGER_MS, Linger } from './linger.ts';
import type { OpenConnection } from './open-connection.ts';
import { refusalBytes } from './refusal-bytes.ts';
import type { PeerClaim } from './seat.ts';
import type { SessionRecord } from './session-record.ts';

type State =
  | { readonly kind: 'reading'; parser: RequestHeadParser | null }
  | { readonly kind: 'asking'; readonly asker: Http1Asker; readonly handshake: Handshake }
  | { readonly kind: 'lingering' }
  | { readonly kind: 'over' };

/** Who counts the open connections. */
export interface ConnectionTable {
  removeConnection(connection: OpenConnection): void;
  promote(connection: Http1Connection, record: SessionRecord): void;
  /** What it asked for is served, with all that comes behind it; or why not. The transport is another one's then. */
  goPlain(connection: Http1Connection, head: RequestHead, rest: Buffer): Refusal | null;
}

interface Http1Options {
  readonly context: HandshakeContext;
  readonly table: ConnectionTable;
  readonly transport: Transport;
  readonly arrival: Arrival;
  /** How it counts under the address of its peer. */
  readonly claim: PeerClaim;
  /** Why there is no room for it; null when there is. */
  readonly barred: Refusal | null;
}

export class Http1Connection extends TimerEntry implements TransportReader, AnswersClient, OpenConnection {
  readonly transport: Transport;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  private readonly context: HandshakeContext;
  private readonly table: ConnectionTable;
  private readonly barred: Refusal | null;
  private readonly record: HandshakeRecord;
  private state: State = { kind: 'reading', parser: null };

  constructor(options: Http1Options) {
    super();
    this.context = options.context;
    this.table = options.table;
    this.transport = options.transport;
    this.arrival = options.arrival;
    this.claim = options.claim;
    this.barred = options.barred;
    this.record = new HandshakeRecord(this.context, this.arrival);
  }

  /** Begin to read its head; one for which there is no room may ask for health only. */
  read(): void {
    this.guarded(() => {
      this.transport.reader = this;
      this.awaitHead();
    });
  }

  /** There is no room for it: tell it so at once. */
  turnAway(): void {
    this.guarded(() => this.refuseBarred());
  }

  /** Another one without room takes its place. */
  cutOff(): void {
    this.guarded(() => {
      if (this.state.kind === 'reading') this.noteRejected(this.barred);
      this.close();
    });
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.guarded(() => this.take(bytes, start, end));
  }

  onEnd(): void {
    this.guarded(() => this.onClientGone());
  }

  onLost(): void {
    this.guarded(() => this.onClientGone());
  }

  onTaken(): void {}

  override onTimer(): void {
    this.guarded(() => {
      if (this.state.kind === 'reading') this.refuseLateHead(this.state.parser);
      else this.close();
    });
  }

  /** What it has taken of the limits; null before its head was let in. */
  get holdings(): Holdings | null {
    return this.state.kind === 'asking' ? this.state.handshake.holdings : null;
  }

  /** Stop waiting for it: framegate is going down. */
  drain(): void {
    this.guarded(() => {
      if (this.state.kind === 'asking') this.state.handshake.drain();
      else if (this.state.kind === 'reading' && this.state.parser === null) this.close();
    });
  }

  /** Another config is in force: its deadlines hold from now on. */
  retune(): void {
    this.guarded(() => {
      if (this.state.kind === 'reading') this.awaitHead();
      else if (this.state.kind === 'asking') this.state.handshake.retune();
    });
  }

  /** What its handshake goes to may be closed, or another one. */
  lookAgain(): void {
    this.guarded(() => {
      if (this.state.kind === 'asking') this.state.handshake.lookAgain();
    });
  }

  /** Cut it off, whatever it is at. */
  close(): void {
    const { state } = this;
    if (state.kind === 'over') return;
    this.state = OVER;
    try {
      if (state.kind === 'asking') {
        state.asker.early.take();
        state.handshake.leave();
      }
      this.transport.destroy();
    } finally {
      this.context.wheel.cancel(this);
      this.table.removeConnection(this);
    }
  }

  become(session: SessionRecord): void {
    this.table.promote(this, session);
    this.state = OVER;
  }

  refuse(refusal: Refusal): void {
    this.answer(refusalBytes(refusal, this.arrival.requestId));
  }

  /** A fault of ours: it is told, when nothing was answered yet. */
  fail(error: unknown): void {
    const { arrival, state } = this;
    try {
      const { log } = this.context;
      log.event('error', 'handshake.fault', { request_id: arrival.requestId, error: stackOf(error) });
      if (state.kind === 'reading') this.refuseHead(INTERNAL_ERROR);
      else if (state.kind !== 'asking' || state.asker.isAccepted || state.handshake.isOver) this.close();
      else state.handshake.refuse(INTERNAL_ERROR);
    } catch {
      this.close(); // nothing can be said any more
    }
  }

  /** The way in from outside: a fault of ours ends this connection, and what it holds goes back. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }

  private awaitHead(): void {
    const { wheel, snapshot } = this.context;
    wheel.schedule(this, this.arrival.at + snapshot.config.timeouts.handshake);
  }

  private take(bytes: Buffer, start: number, end: number): void {
    const { state } = this;
    switch (state.kind) {
      case 'reading':
        // With its first byte: who says nothing costs no parser, and has no caps of an older config.
        state.parser ??= newHeadParser(this.context.snapshot.config.limits);
        this.readHead(state.parser, bytes, start, end);
        return;
      case 'asking':
        state.asker.early.add(bytes, start, end);
        return;
      case 'lingering':
      case 'over':
        return;
      default:
        unreachable(state);
    }
  }

  private readHead(parser: RequestHeadParser, bytes: Buffer, start: number, end: number): void {
    const { context } = this;
    const { live } = context.snapshot;
    const read = readHead({ parser, live, listener: this.arrival.listener, bytes, start, end });
    if (read === null) return;
    if (read.kind === 'bad') {
      this.noteHead(parser);
      this.refuseHead(read.refusal);
      // A probe is neither routed nor counted nor logged.
    } else if (read.kind === 'probe') this.answer(healthAnswer(read.method, !context.draining && !context.refusing));
    else if (read.kind === 'challenge') this.answer(read.answer);
    else this.takeHead(read.head, bytes.subarray(read.restAt, end));
  }

  private takeHead(head: RequestHead, rest: Buffer): void {
    const { context, arrival, barred } = this;
    const isPlain = context.snapshot.servesHttp && !asksForWebSocket(head.fields);
    const moved = barred === null ? redirectOf(head, arrival, context) : null;
    if (moved !== null) this.sendAway(head, moved);
    else if (barred === null && isPlain) this.goPlain(head, rest);
    else if (barred === null) this.ask(head, rest);
    else if (isPlain) {
      this.noteRejected(barred);
      this.refuseRequest(head, barred);
    } else this.refuseBarred();
  }

  /** It is served elsewhere, or not at all. */
  private sendAway(head: RequestHead, { refusal, request }: Redirect): void {
    const { context, arrival } = this;
    if (!asksForWebSocket(head.fields)) {
      this.answer(refusedRequest({ context, arrival, head, refusal, request }));
      return;
    }
    this.noteHead(head);
    this.refuseHead(refusal);
  }

  /** An upgrade behind other requests. */
  goOn(head: RequestHead, rest: Buffer): void {
    this.guarded(() => {
      this.transport.reader = this;
      this.transport.resume();
      this.takeHead(head, rest);
    });
  }

  private goPlain(head: RequestHead, rest: Buffer): void {
    const { context, table } = this;
    context.wheel.cancel(this);
    const { state } = this;
    this.state = OVER;
    const refusal = table.goPlain(this, head, rest);
    if (refusal === null) return;
    this.state = state;
    this.refuseRequest(head, refusal);
  }

  private ask(head: RequestHead, rest: Buffer): void {
    const { context, transport, arrival, claim, record } = this;
    const early = new EarlyBytes(transport, context.buffers, rest);
    const asker = new Http1Asker(this, head, early);
    const handshake = new Handshake({ context, asker, arrival, claim, record });
    this.state = { kind: 'asking', asker, handshake };
    context.wheel.cancel(this);
    handshake.begin();
    early.forgetRest();
  }

  private refuseBarred(): void {
    if (this.barred === null) return;
    this.noteRejected(this.barred);
    this.refuseHead(this.barred);
  }

  private noteRejected(refusal: Refusal | null): void {
    if (refusal !== null) this.context.metrics.listener(this.arrival.listenerName).rejected.add(refusal.slug);
  }

  /** Without a handshake: there is no complete head, or no room for it. */
  private refuseHead(refusal: Refusal): void {
    this.record.refused(refusal, 0);
    this.refuse(refusal);
  }

  /** There is no room for what asks for no upgrade: a request was refused, and no handshake. */
  private refuseRequest(head: RequestHead, refusal: Refusal): void {
    const { context, arrival } = this;
    this.answer(refusedRequest({ context, arrival, head, refusal, limit: refusal.cause }));
  }

  private refuseLateHead(parser: RequestHeadParser | null): void {
    if (parser !== null) {
      this.noteHead(parser);
      this.refuseHead(LATE_HEAD);
      return;
    }
    // Not one byte came: there is no request to answer.
    this.noteRejected(LATE_HEAD);
    this.record.silent();
    this.answer(NOTHING);
  }

  /** Send the last bytes this client gets, then FIN, then drop what still comes. */
  answer(bytes: Buffer): void {
    this.linger().answer(bytes);
  }

  /** It has a WebSocket whose only frame is our Close: the FIN waits for its own. */
  sayClose(bytes: Buffer): void {
    const early = this.state.kind === 'asking' ? this.state.asker.early.takeAll() : null;
    this.linger().sayClose(bytes, early);
  }

  private linger(): Linger {
    const { context, state } = this;
    const linger = new Linger(this.transport, () => this.guarded(() => this.close()));
    this.state = LINGERING;
    if (state.kind === 'asking') state.asker.early.take();
    context.wheel.schedule(this, context.clock.now() + LINGER_MS);
    return linger;
  }

  private onClientGone(): void {
    const { state } = this;
    if (state.kind === 'reading') {
      if (state.parser !== null) this.noteHead(state.parser);
      this.record.clientGone(state.parser !== null);
    } else if (state.kind === 'asking') state.handshake.clientLeft();
    this.close();
  }

  /** A head that is as complete as it will be. */
  private noteHead(head: Pick<RequestHead, 'target' | 'fields'>): void {
    this.arrival.takeHead(head, this.arrival.listener.rulesIn(this.context.snapshot));
    this.record.noteHead(head);
  }
}

const LINGERING: State = { kind: 'lingering' };
const OVER: State = { kind: 'over' };
const NOTHING = Buffer.alloc(0);
const INTERNAL_ERROR: Refusal = { slug: 'internal_error' };
const LATE_HEAD: Refusal = { slug: 'handshake_timeout' };

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
