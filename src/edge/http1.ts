// A client that speaks HTTP/1.1, from accept until it is a session, refused or gone: its head is read, its handshake is
// answered. The only reader and closer of its transport until a session takes it; what it may have is not judged here.

import assert from 'node:assert/strict';
import { TimerEntry } from '../limits/timer-wheel.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import type { RequestHead, RequestHeadParser } from '../protocol/http-head.ts';
import { buildRelayedRefusal } from '../protocol/refusal-body.ts';
import { buildRefusal, REFUSALS, type Refusal } from '../protocol/refusals.ts';
import { buildClientSwitch, type ClientSwitch } from '../protocol/upgrade-response.ts';
import { unreachable } from '../unreachable.ts';
import type { RelayedRefusal } from '../upstream/backend-handshake.ts';
import type { Arrival } from './arrival.ts';
import type { Asker } from './asker.ts';
import { EarlyBytes } from './early-bytes.ts';
import { Handshake, type HandshakeContext } from './handshake.ts';
import { HandshakeRecord } from './handshake-record.ts';
import { healthAnswer } from './health.ts';
import { newHeadParser, readHead } from './http1-head.ts';
import { LINGER_MS, Linger } from './linger.ts';
import type { PeerClaim, Seat } from './quotas.ts';
import type { SessionRecord } from './session-record.ts';

/** Retry-After of our own refusals: random within this, so that all who were refused do not come back at once. */
const RETRY_AFTER_MAX_S = 5;

type State =
  | { readonly kind: 'reading'; parser: RequestHeadParser | null }
  | {
      readonly kind: 'asking';
      readonly handshake: Handshake;
      /** What came behind the head in the same read, until it is held. Valid during that read only. */
      rest: Buffer;
      /** Null until something is to be held. */
      early: EarlyBytes | null;
    }
  /** Our 101 may have gone out: nothing else can be answered. */
  | { readonly kind: 'switched'; readonly handshake: Handshake }
  | { readonly kind: 'lingering'; readonly linger: Linger }
  | { readonly kind: 'over' };

/** Who counts the open connections. */
export interface ConnectionTable {
  removeConnection(connection: Http1Connection): void;
  promote(connection: Http1Connection, record: SessionRecord): void;
}

export interface Http1Options {
  readonly context: HandshakeContext;
  readonly table: ConnectionTable;
  readonly transport: Transport;
  readonly arrival: Arrival;
  /** How it counts under the address of its peer. */
  readonly claim: PeerClaim;
  /** Why there is no room for it; null when there is. */
  readonly barred: Refusal | null;
}

export class Http1Connection extends TimerEntry implements TransportReader, Asker {
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
  get seat(): Seat | null {
    return this.state.kind === 'asking' ? this.state.handshake.seat : null;
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
    this.state = { kind: 'over' };
    try {
      if (state.kind === 'asking') state.early?.take();
      if (state.kind === 'asking' || state.kind === 'switched') state.handshake.leave();
      this.transport.destroy();
    } finally {
      if (state.kind === 'lingering') this.context.wheel.cancel(state.linger);
      this.context.wheel.cancel(this);
      this.table.removeConnection(this);
    }
  }

  get earlySize(): number {
    return this.state.kind === 'asking' ? (this.state.early?.size ?? 0) : 0;
  }

  hold(bytesMax: number): void {
    const { state } = this;
    if (state.kind !== 'asking') return;
    if (state.early === null) {
      const { rest } = state;
      state.early = new EarlyBytes(bytesMax, this.context.buffers);
      if (rest.length > 0) state.early.append(rest, 0, rest.length);
    }
    state.early.bytesMax = bytesMax;
    this.readOrHold(state.early);
  }

  accept(answer: ClientSwitch): Buffer | null {
    const { state } = this;
    assert(state.kind === 'asking', 'a handshake is accepted once');
    const response = buildClientSwitch(answer);
    const early = state.early?.take() ?? null;
    this.state = { kind: 'switched', handshake: state.handshake };
    this.transport.write(response, 0, response.length, true);
    return early;
  }

  become(session: SessionRecord): void {
    this.table.promote(this, session);
    this.state = { kind: 'over' };
  }

  refuse({ slug, fields = [] }: Refusal): void {
    const retryAfter = String(1 + Math.floor(Math.random() * RETRY_AFTER_MAX_S));
    const own = 'retryAfter' in REFUSALS[slug] ? [['Retry-After', retryAfter] as const] : [];
    this.answer(buildRefusal(slug, this.arrival.requestId, [...fields, ...own]));
  }

  relay(refusal: RelayedRefusal): void {
    this.answer(buildRelayedRefusal(refusal));
  }

  fail(error: unknown): void {
    const { arrival, state } = this;
    try {
      const { log } = this.context;
      log.event('error', 'handshake.fault', { request_id: arrival.requestId, error: stackOf(error) });
      if (state.kind === 'reading') this.refuseHead(INTERNAL_ERROR);
      else if (state.kind === 'asking' && !state.handshake.isOver) state.handshake.refuse(INTERNAL_ERROR);
      else this.close();
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
        assert(state.early !== null, 'a handshake that goes on after its head holds what comes');
        state.early.append(bytes, start, end);
        this.readOrHold(state.early);
        return;
      case 'switched':
      case 'lingering':
      case 'over':
        return;
      default:
        unreachable(state);
    }
  }

  private readHead(parser: RequestHeadParser, bytes: Buffer, start: number, end: number): void {
    const { context } = this;
    const read = readHead({ parser, listener: this.arrival.listener, bytes, start, end });
    if (read === null) return;
    if (read.kind === 'bad') {
      this.noteHead(parser);
      this.refuseHead(read.refusal);
      // A probe is neither routed nor counted nor logged.
    } else if (read.kind === 'probe') this.answer(healthAnswer(read.method, !context.draining && !context.refusing));
    else if (this.barred !== null) this.refuseBarred();
    else this.ask(read.head, bytes.subarray(read.restAt, end));
  }

  private ask(head: RequestHead, rest: Buffer): void {
    const { context, arrival, claim, record } = this;
    const handshake = new Handshake({ context, asker: this, arrival, claim, head, record });
    const state: State = { kind: 'asking', handshake, rest, early: null };
    this.state = state;
    context.wheel.cancel(this);
    handshake.begin();
    state.rest = NOTHING;
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
  private answer(bytes: Buffer): void {
    const { context, state } = this;
    const linger = new Linger(this.transport, () => this.guarded(() => this.close()));
    this.state = { kind: 'lingering', linger };
    if (state.kind === 'asking') state.early?.take();
    linger.answer(bytes);
    context.wheel.cancel(this);
    context.wheel.schedule(linger, context.clock.now() + LINGER_MS);
  }

  private onClientGone(): void {
    const { state } = this;
    if (state.kind === 'reading') {
      if (state.parser !== null) this.noteHead(state.parser);
      this.record.clientGone(state.parser !== null);
    } else if (state.kind === 'asking') state.handshake.clientLeft();
    this.close();
  }

  /** Once it has sent enough it is not read until it is a session or refused; `timeouts.open` bounds that. */
  private readOrHold(early: EarlyBytes): void {
    if (early.isFull || this.context.buffers.isOver) this.transport.pause();
    else this.transport.resume();
  }

  /** A head that is as complete as it will be. */
  private noteHead(head: Pick<RequestHead, 'target' | 'fields'>): void {
    this.arrival.takeHead(head, this.context.snapshot.trusted);
    this.record.noteHead(head);
  }
}

const NOTHING = Buffer.alloc(0);
const INTERNAL_ERROR: Refusal = { slug: 'internal_error' };
const LATE_HEAD: Refusal = { slug: 'handshake_timeout' };

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
