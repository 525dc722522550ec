// One client's connection while it serves plain requests, one after the other: Node's HTTP server frames them, and this
// one waits for them, bounds them and ends the connection. It comes back from here for an upgrade. What a request may
// have is not judged here.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { TimerEntry } from '../../limits/timer-wheel.ts';
import type { Transport } from '../../net/transport.ts';
import type { RequestHead } from '../../protocol/http-head.ts';
import { asksForWebSocket } from '../../protocol/plain-request.ts';
import { buildRefusal, REFUSALS, type Refusal } from '../../protocol/refusals.ts';
import type { Arrival } from '../arrival.ts';
import type { HandshakeContext } from '../handshake.ts';
import { asksForHealth, healthAnswer } from '../health.ts';
import { LINGER_MS, Linger } from '../linger.ts';
import type { OpenConnection } from '../open-connection.ts';
import type { PeerClaim } from '../quotas.ts';
import { retryAfterSeconds } from '../retry-after.ts';
import { ClientStream, type StreamOwner } from './client-stream.ts';
import { headBytes, judgedHead } from './parsed-head.ts';
import type { PlainConnections } from './plain-connections.ts';
import { PlainExchange, type PlainPeer } from './plain-exchange.ts';
import { RequestRecord } from './request-record.ts';

/** Where it comes from, and goes back to. */
export interface PlainTable {
  readonly plain: PlainConnections<OpenConnection>;
  nextRequestId(): string;
  removeConnection(connection: OpenConnection): void;
  /** Node's server for heads of the size that the config in force allows. */
  serve(stream: ClientStream): void;
  /** `head` asks for a WebSocket; `rest` came behind it. The transport is nobody's. */
  upgrade(connection: PlainConnection, arrival: Arrival, head: RequestHead, rest: Buffer): void;
}

interface PlainOptions {
  readonly context: HandshakeContext;
  readonly table: PlainTable;
  readonly transport: Transport;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
}

/** What Node has read of one request. */
interface Incoming {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly awaitsContinue: boolean;
}

/** Requests that came before the answers to those in front of them: browsers send none. */
const PIPELINED_MAX = 16;

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
  private readonly stream: ClientStream;
  private state: State = 'head';
  /** When the first byte of the next head came. */
  private headAt: number;
  /** The first head, which has passed our parser; null when it has been served. */
  private first: RequestHead | null = null;
  private served = 0;
  private exchange: PlainExchange | null = null;
  /** At most PIPELINED_MAX. */
  private readonly waiting: Incoming[] = [];
  /** With the present answer it closes. */
  private isClosing = false;

  constructor(options: PlainOptions) {
    super();
    this.context = options.context;
    this.table = options.table;
    this.transport = options.transport;
    this.arrival = options.arrival;
    this.claim = options.claim;
    this.headAt = options.arrival.at;
    this.stream = new ClientStream(this.transport, this);
  }

  /** With its first request, whose head was read; `rest` came behind it. */
  begin(head: RequestHead, rest: Buffer): void {
    this.guarded(() => {
      this.first = head;
      this.awaitNext();
      this.table.serve(this.stream);
      this.stream.push(headBytes(head));
      // Copied: it outlives the read buffer.
      if (rest.length > 0) this.stream.push(Buffer.from(rest));
    });
  }

  onRequest(message: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    this.guarded(() => {
      const incoming = { message, response, awaitsContinue };
      if (this.state === 'lingering' || this.state === 'over') return;
      if (this.exchange === null) this.take(incoming);
      else if (this.waiting.length < PIPELINED_MAX) this.waiting.push(incoming);
      // RFC 9112 9.3.2: what is not answered before the connection closes is sent again.
      else this.isClosing = true;
    });
  }

  onUpgrade(message: IncomingMessage, rest: Buffer): void {
    this.guarded(() => {
      if (this.state === 'lingering' || this.state === 'over') return;
      const arrival = this.nextArrival();
      const head = this.headOf(message);
      if (typeof head === 'string') this.refuse(arrival, { slug: head });
      else if (this.exchange !== null)
        this.close(); // an upgrade behind a request without an answer
      else if (asksForWebSocket(head.fields)) this.goBack(arrival, head, rest);
      else this.refuse(arrival, { slug: 'method_refused' });
    });
  }

  onBroken(code: string): void {
    this.guarded(() => {
      if (this.state === 'lingering' || this.state === 'over') return;
      const slug = code === 'HPE_HEADER_OVERFLOW' ? 'head_too_large' : 'http_syntax';
      const refusal = { slug, cause: code } as const;
      if (this.exchange !== null) this.exchange.refuse(refusal);
      else this.refuse(this.nextArrival(), refusal);
    });
  }

  onClientBytes(): void {
    if (this.state !== 'idle') return;
    this.state = 'head';
    this.headAt = this.context.clock.now();
    this.table.plain.setIdle(this, false);
    this.awaitNext();
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
    if (this.state === 'lingering' || this.state === 'over') return;
    this.guarded(() => {
      this.exchange?.lastAnswerOut();
      this.linger(NOTHING);
    });
  }

  override onTimer(): void {
    this.guarded(() => {
      if (this.state === 'head') this.refuse(this.nextArrival(), LATE_HEAD);
      else this.close();
    });
  }

  drain(): void {
    this.guarded(() => {
      this.isClosing = true;
      if (this.state === 'idle') this.close();
    });
  }

  retune(): void {
    this.guarded(() => {
      if (this.state === 'idle' || this.state === 'head') this.awaitNext();
      this.exchange?.retune();
    });
  }

  lookAgain(): void {}

  cutOff(): void {
    this.close();
  }

  close(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    try {
      this.exchange?.leave();
      this.stream.takeBack();
      this.transport.destroy();
      this.stream.destroy();
    } finally {
      this.forget();
      this.table.removeConnection(this);
    }
  }

  /** The present answer is the last one. */
  get isLast(): boolean {
    const { max_requests_per_connection: most } = this.context.snapshot.config.limits;
    return this.isClosing || this.context.draining || (typeof most === 'number' && this.served >= most);
  }

  /** With an answer of our own, the last of this connection. */
  refuseExchange(arrival: Arrival, refusal: Refusal, method: string): void {
    this.answer(refusalBytes(refusal, arrival.requestId), method);
  }

  /** Bytes between the head of a request and its answer. */
  sayInterim(bytes: Buffer): void {
    this.stream.write(bytes);
  }

  /** The exchange is over, its answer written. */
  onExchangeOver(): void {
    this.guarded(() => {
      this.exchange = null;
      if (this.state !== 'busy') return;
      const next = this.waiting.shift();
      if (next !== undefined) {
        this.take(next);
        return;
      }
      if (this.isClosing) {
        this.linger(NOTHING);
        return;
      }
      this.state = 'idle';
      this.table.plain.setIdle(this, true);
      this.awaitNext();
    });
  }

  onFault(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.context.log.event('error', 'request.fault', { request_id: this.arrival.requestId, error: text });
    this.close();
  }

  private take({ message, response, awaitsContinue }: Incoming): void {
    const { context } = this;
    const arrival = this.nextArrival();
    this.served += 1;
    this.state = 'busy';
    context.wheel.cancel(this);
    this.table.plain.setIdle(this, false);
    const head = this.headOf(message);
    if (typeof head === 'string') this.refuse(arrival, { slug: head });
    else if (this.isProbe(head)) this.answer(healthAnswer(head.method, !context.draining && !context.refusing));
    else if (asksForWebSocket(head.fields)) this.refuse(arrival, { slug: 'connection_token' });
    else {
      this.exchange = new PlainExchange({ context, peer: this, arrival, head, message, response, awaitsContinue });
      this.exchange.begin();
    }
  }

  private isProbe(head: RequestHead): boolean {
    const { health_path } = this.arrival.listener.config;
    return health_path !== null && asksForHealth(head, health_path);
  }

  /** The first has passed our parser before. */
  private headOf(message: IncomingMessage): RequestHead | keyof typeof REFUSALS {
    const { first } = this;
    this.first = null;
    if (first !== null) return first;
    const head = judgedHead(message, this.context.snapshot.config.limits);
    return typeof head === 'string' ? head : this.arrival.listener.read(head);
  }

  private nextArrival(): Arrival {
    if (this.served === 0) return this.arrival;
    return this.arrival.again(this.headAt, this.table.nextRequestId());
  }

  private goBack(arrival: Arrival, head: RequestHead, rest: Buffer): void {
    this.state = 'over';
    this.stream.takeBack();
    this.stream.destroy();
    this.forget();
    this.table.upgrade(this, arrival, head, rest);
  }

  /** There is no exchange for it. */
  private refuse(arrival: Arrival, refusal: Refusal): void {
    new RequestRecord(this.context, arrival).refused(refusal);
    this.answer(refusalBytes(refusal, arrival.requestId));
  }

  private answer(bytes: Buffer, method = ''): void {
    // RFC 9110 9.3.2: HEAD gets no content.
    this.linger(method === 'HEAD' ? bytes.subarray(0, bytes.indexOf('\r\n\r\n') + 4) : bytes);
  }

  private linger(bytes: Buffer): void {
    const { context } = this;
    this.state = 'lingering';
    this.exchange?.leave();
    this.exchange = null;
    this.stream.takeBack();
    this.forget();
    new Linger(this.transport, () => this.guarded(() => this.close())).answer(bytes);
    context.wheel.schedule(this, context.clock.now() + LINGER_MS);
  }

  private forget(): void {
    this.context.wheel.cancel(this);
    this.table.plain.leave(this);
    this.waiting.length = 0;
  }

  private awaitNext(): void {
    const { wheel, snapshot, clock } = this.context;
    const { keep_alive, handshake } = snapshot.config.timeouts;
    wheel.schedule(this, this.state === 'idle' ? clock.now() + keep_alive : this.headAt + handshake);
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

function refusalBytes({ slug, fields = [], retryAfter }: Refusal, requestId: string): Buffer {
  const own =
    'retryAfter' in REFUSALS[slug] ? [['Retry-After', String(retryAfter ?? retryAfterSeconds())] as const] : [];
  return buildRefusal(slug, requestId, [...fields, ...own]);
}
