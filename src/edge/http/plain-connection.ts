// One client's connection while it serves plain requests, one after the other: Node's HTTP server frames them, and this
// one waits for them, bounds them and ends the connection. It comes back from here for an upgrade. What a request may
// have is not judged here.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { TimerEntry } from '../../limits/timer-wheel.ts';
import type { Transport } from '../../net/transport.ts';
import type { RequestHead } from '../../protocol/http-head.ts';
import { asksForWebSocket, judgePlainRequest } from '../../protocol/plain-request.ts';
import type { Refusal, RefusalSlug } from '../../protocol/refusals.ts';
import { unreachable } from '../../unreachable.ts';
import type { Arrival } from '../arrival.ts';
import type { HandshakeContext } from '../handshake.ts';
import { asksForHealth, healthAnswer } from '../health.ts';
import { LINGER_MS, Linger } from '../linger.ts';
import type { OpenConnection } from '../open-connection.ts';
import type { PeerClaim } from '../quotas.ts';
import { refusalBytes } from '../refusal-bytes.ts';
import { ClientStream, type StreamOwner } from './client-stream.ts';
import { framingBytes, judgedHead } from './parsed-head.ts';
import { PlainExchange, type PlainPeer } from './plain-exchange.ts';
import { brokenBy, type Incoming, PlainLine } from './plain-line.ts';
import type { PlainTable } from './plain-table.ts';
import { refusedRequest } from './refused-request.ts';

interface PlainOptions {
  readonly context: HandshakeContext;
  readonly table: PlainTable;
  readonly transport: Transport;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
}

type State =
  /** For the next head: not a byte of it came yet. */
  | 'idle'
  | 'head'
  | 'busy'
  /** The last answer is out, and what still comes is dropped. */
  | 'lingering'
  | 'over';

export class PlainConnection extends TimerEntry implements OpenConnection, StreamOwner, PlainPeer {
  readonly transport: Transport;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  readonly holdings = null;
  private readonly context: HandshakeContext;
  private readonly table: PlainTable;
  private stream: ClientStream;
  private state: State = 'head';
  /** When the first byte of the next head came; when it became idle. */
  private since: number;
  /** The first head, which has passed our parser; null when it has been served. */
  private first: RequestHead | null = null;
  private served = 0;
  private current: Incoming | null = null;
  private exchange: PlainExchange | null = null;
  private readonly line = new PlainLine();
  /** Since when there is a part of a head behind what came whole; one in the same read as those is not seen. */
  private partAt: number | null = null;
  private isDrained = false;

  constructor(options: PlainOptions) {
    super();
    this.context = options.context;
    this.table = options.table;
    this.transport = options.transport;
    this.arrival = options.arrival;
    this.claim = options.claim;
    this.since = options.arrival.at;
    this.stream = new ClientStream(this.transport, this);
  }

  /** With its first request, whose head was read; `rest` came behind it. */
  begin(head: RequestHead, rest: Buffer): void {
    this.guarded(() => this.feed(head, rest));
  }

  onRequest(message: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    this.guarded(() => {
      const { line } = this;
      if (this.isDone) return;
      const at = this.state === 'head' ? this.since : this.context.clock.now();
      this.partAt = null;
      const incoming = { message, response, awaitsContinue, at };
      if (this.state !== 'busy') this.take(incoming);
      else line.add(incoming);
      if (line.behind !== null) this.stream.deafen();
    });
  }

  onUpgrade(message: IncomingMessage, rest: Buffer): void {
    this.guarded(() => {
      const { line, stream } = this;
      if (this.isDone || line.behind !== null) return;
      // Node has taken its listener away with which it tells an answer that there is room again.
      stream.on('drain', () => this.current?.response.emit('drain'));
      stream.holdBack();
      const head = this.headOf(message);
      line.behind = { kind: 'switch', head: typeof head === 'string' ? { slug: head } : head, rest };
      if (this.state !== 'busy') this.goBehind();
    });
  }

  onBroken(code: string): void {
    this.guarded(() => {
      const { line, exchange } = this;
      if (this.isDone) return;
      this.stream.deafen();
      if (line.behind !== null) {
        line.hasMore = true;
        return;
      }
      const refusal = brokenBy(code);
      if (line.isEmpty && exchange !== null && this.current?.message.complete === false) exchange.refuse(refusal);
      else {
        line.break(refusal);
        if (this.state !== 'busy' && line.behind !== null) this.goBehind();
      }
    });
  }

  onClientBytes(): void {
    if (this.state === 'idle') {
      this.state = 'head';
      this.since = this.context.clock.now();
      this.table.plain.setIdle(this, false);
      this.arm();
    } else if ((this.line.newest ?? this.current)?.message.complete === true) {
      this.partAt ??= this.context.clock.now();
    }
  }

  onClientGone(): void {
    this.guarded(() => {
      this.exchange?.clientLeft();
      this.close();
    });
  }

  onClientTook(): void {
    this.exchange?.clientTook();
  }

  onLastAnswer(): void {
    // An exchange is told by itself that its answer is written.
    if (!this.isDone && this.exchange === null) this.guarded(() => this.linger(NOTHING));
  }

  onStreamGone(): void {
    // It has not told why.
    if (!this.isDone) this.guarded(() => this.refuse({ slug: 'http_syntax' }));
  }

  override onTimer(): void {
    this.guarded(() => {
      if (this.state === 'head') this.refuse(LATE_HEAD);
      else this.close();
    });
  }

  drain(): void {
    this.guarded(() => {
      this.isDrained = true;
      if (this.state === 'idle') this.close();
    });
  }

  retune(): void {
    this.guarded(() => {
      if (this.state === 'idle' && this.isEnding) this.close();
      else if (this.state === 'idle' || this.state === 'head') this.arm();
      this.exchange?.retune();
    });
  }

  /** A request that has passed its checks goes on; the next one finds what is in force then. */
  lookAgain(): void {}

  cutOff(): void {
    this.close();
  }

  close(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    try {
      this.exchange?.leave();
      this.stream.release();
      this.transport.destroy();
    } finally {
      this.forget();
      this.table.removeConnection(this);
    }
  }

  get isLast(): boolean {
    return this.isEnding || (this.line.isEmpty && this.line.behind?.kind === 'surplus');
  }

  /** With an answer of our own, the last of this connection. */
  refuseExchange(arrival: Arrival, refusal: Refusal, method: string): void {
    this.linger(refusalBytes(refusal, arrival.requestId, method));
  }

  /** Bytes between the head of a request and its answer. */
  sayInterim(bytes: Buffer): void {
    this.stream.write(bytes);
  }

  /** The exchange is over, its answer written. */
  onExchangeOver(): void {
    this.guarded(() => {
      this.exchange = null;
      this.current = null;
      if (this.state !== 'busy') return;
      // Node ends the stream where it has said so, or the client has.
      if (this.stream.writableEnded || this.isEnding) {
        this.linger(NOTHING);
        return;
      }
      const next = this.line.next();
      if (next !== null) this.take(next);
      else if (this.line.behind !== null) this.goBehind();
      else this.awaitNext();
    });
  }

  onFault(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.context.log.event('error', 'request.fault', { request_id: this.arrival.requestId, error: text });
    this.close();
  }

  private get isDone(): boolean {
    return this.state === 'lingering' || this.state === 'over';
  }

  /** No request behind the present one is served. */
  private get isEnding(): boolean {
    const { max_requests_per_connection: most } = this.context.snapshot.config.limits;
    const isSpent = typeof most === 'number' && this.served >= most;
    return isSpent || this.isDrained || this.context.draining || this.arrival.listener.isGone;
  }

  /** A head of which Node gets what frames its request. */
  private feed(head: RequestHead, rest: Buffer): void {
    const wrong = judgePlainRequest(head);
    if (typeof wrong === 'string') {
      this.refuse({ slug: wrong }, head);
      return;
    }
    this.state = 'head';
    this.first = head;
    this.arm();
    this.table.serve(this.stream);
    this.stream.push(framingBytes(head));
    // Copied: it outlives the read buffer.
    if (rest.length > 0) this.stream.push(Buffer.from(rest));
  }

  private take(incoming: Incoming): void {
    const { context } = this;
    const { message, response, awaitsContinue } = incoming;
    const arrival = this.nextArrival(incoming.at);
    this.served += 1;
    this.state = 'busy';
    this.current = incoming;
    context.wheel.cancel(this);
    this.table.plain.setIdle(this, false);
    const head = this.headOf(message);
    if (typeof head === 'string') this.refuse({ slug: head });
    else if (this.isProbe(head)) this.linger(healthAnswer(head.method, !context.draining && !context.refusing));
    else if (asksForWebSocket(head.fields)) this.switchUnsaid(head);
    else {
      this.exchange = new PlainExchange({ context, peer: this, arrival, head, message, response, awaitsContinue });
      this.exchange.begin();
    }
  }

  /** Its Connection does not say so: Node reads on, and what it finds behind that head is no request. */
  private switchUnsaid(head: RequestHead): void {
    const { line } = this;
    line.behind = { kind: 'switch', head, rest: NOTHING };
    line.hasMore ||= !line.isEmpty;
    queueMicrotask(() => this.guarded(() => this.goBehind()));
  }

  /** All requests in front are answered. */
  private goBehind(): void {
    const { behind, hasMore } = this.line;
    if (this.isDone || behind === null) return;
    switch (behind.kind) {
      case 'surplus':
        this.linger(NOTHING);
        return;
      case 'broken':
        this.refuse(behind.refusal);
        return;
      case 'switch':
        if ('slug' in behind.head) this.refuse(behind.head);
        else if (hasMore) this.refuse({ slug: 'connection_token' }, behind.head);
        else this.switchTo(behind.head, behind.rest);
        return;
      default:
        unreachable(behind);
    }
  }

  private switchTo(head: RequestHead, rest: Buffer): void {
    const arrival = this.nextArrival(this.context.clock.now());
    const all = Buffer.concat([rest, this.stream.release()]);
    this.line.clear();
    if (asksForWebSocket(head.fields)) {
      this.state = 'over';
      this.forget();
      this.table.upgrade(this, arrival, head, all);
    } else {
      // RFC 9110 7.8: any other protocol is not offered here, so the request is one like all.
      this.stream = new ClientStream(this.transport, this);
      this.since = arrival.at;
      this.feed(head, all);
    }
  }

  private isProbe(head: RequestHead): boolean {
    const { health_path } = this.arrival.listener.config;
    return health_path !== null && asksForHealth(head, health_path);
  }

  /** The first has passed our parser before. */
  private headOf(message: IncomingMessage): RequestHead | RefusalSlug {
    const { first } = this;
    this.first = null;
    if (first !== null) return first;
    const head = judgedHead(message, this.context.snapshot.config.limits);
    return typeof head === 'string' ? head : this.arrival.listener.read(head);
  }

  private nextArrival(at: number): Arrival {
    if (this.served === 0) return this.arrival;
    return this.arrival.again(at, this.table.nextRequestId());
  }

  /** There is no exchange for it. */
  private refuse(refusal: Refusal, head: RequestHead | null = null): void {
    const { context } = this;
    const arrival = this.nextArrival(this.state === 'head' ? this.since : context.clock.now());
    this.linger(refusedRequest({ context, arrival, head, refusal }));
  }

  /** The last bytes that the client gets. */
  private linger(bytes: Buffer): void {
    const { context } = this;
    this.state = 'lingering';
    this.exchange?.leave();
    this.exchange = null;
    this.current = null;
    this.stream.release();
    this.forget();
    new Linger(this.transport, () => this.guarded(() => this.close())).answer(bytes);
    context.wheel.schedule(this, context.clock.now() + LINGER_MS);
  }

  private forget(): void {
    this.context.wheel.cancel(this);
    this.table.plain.leave(this);
    this.line.clear();
  }

  /** Until the next head: a part of it may be there. */
  private awaitNext(): void {
    this.state = this.partAt === null ? 'idle' : 'head';
    this.since = this.partAt ?? this.context.clock.now();
    this.table.plain.setIdle(this, this.state === 'idle');
    this.arm();
  }

  private arm(): void {
    const { keep_alive, handshake } = this.context.snapshot.config.timeouts;
    this.context.wheel.schedule(this, this.since + (this.state === 'idle' ? keep_alive : handshake));
  }

  /** The way in from outside: a fault of ours ends this connection, and what it holds goes back. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onFault(error);
    }
  }
}

const NOTHING = Buffer.alloc(0);
const LATE_HEAD: Refusal = { slug: 'handshake_timeout' };
