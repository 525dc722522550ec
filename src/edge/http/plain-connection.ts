// One client's connection while it serves plain requests, one after the other: `RequestReader` finds them, and this one
// waits for them, bounds them and ends the connection. It comes back from here for an upgrade. What a request may have
// is not judged here.

import { TimerEntry } from '../../limits/timer-wheel.ts';
import type { Transport, TransportReader } from '../../net/transport.ts';
import type { RequestHead } from '../../protocol/http-head.ts';
import { asksForWebSocket } from '../../protocol/plain-request.ts';
import type { Refusal, RefusalSlug } from '../../protocol/refusals.ts';
import type { JudgedRequest } from '../../protocol/request-place.ts';
import type { Arrival } from '../arrival.ts';
import type { Buffering, MemoryLimit } from '../buffer-watch.ts';
import type { HandshakeContext } from '../handshake.ts';
import { healthAnswer } from '../health.ts';
import { redirectOf } from '../https-redirect.ts';
import { LINGER_MS, Linger } from '../linger.ts';
import type { OpenConnection } from '../open-connection.ts';
import type { PeerClaim } from '../seat.ts';
import { PlainExchange } from './plain-exchange.ts';
import type { PlainPeer } from './plain-peer.ts';
import type { PlainTable } from './plain-table.ts';
import { refusedRequest } from './refused-request.ts';
import { type RequestOwner, RequestReader } from './request-reader.ts';

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

export class PlainConnection
  extends TimerEntry
  implements OpenConnection, TransportReader, RequestOwner, PlainPeer, Buffering
{
  readonly transport: Transport;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  readonly holdings = null;
  private readonly context: HandshakeContext;
  private readonly table: PlainTable;
  private readonly reader: RequestReader;
  private state: State = 'head';
  /** When the first byte of the next head came; when it became idle. */
  private since: number;
  private served = 0;
  private exchange: PlainExchange | null = null;
  private isDrained = false;

  constructor(options: PlainOptions) {
    super();
    this.context = options.context;
    this.table = options.table;
    this.transport = options.transport;
    this.arrival = options.arrival;
    this.claim = options.claim;
    this.since = options.arrival.at;
    this.reader = new RequestReader(this, this.context, this.arrival.listener);
  }

  /** With its first request, whose head was read; `rest` came behind it. */
  begin(head: RequestHead, rest: Buffer): void {
    this.guarded(() => {
      this.arm();
      this.transport.reader = this;
      this.reader.begin(head, rest);
    });
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    try {
      this.reader.take(bytes, start, end);
    } catch (error) {
      this.onFault(error);
    }
  }

  onEnd(): void {
    this.guarded(() => {
      this.exchange?.clientLeft();
      this.close();
    });
  }

  onLost(): void {
    this.onEnd();
  }

  onTaken(): void {
    this.exchange?.clientTook();
  }

  onHeadBegins(at: number): void {
    this.state = 'head';
    this.since = at;
    this.table.plain.setIdle(this, false);
    this.arm();
  }

  onHead(head: RequestHead, rest: Buffer): boolean {
    if (asksForWebSocket(head.fields)) {
      this.goBack(head, rest);
      return false;
    }
    const moved = redirectOf(head, this.arrival, this.context);
    if (moved !== null) {
      this.refuse(moved.refusal, head, moved.request);
      return false;
    }
    const { context } = this;
    const arrival = this.nextArrival();
    this.served += 1;
    this.state = 'busy';
    context.wheel.cancel(this);
    this.exchange = new PlainExchange({ context, peer: this, arrival, head });
    this.exchange.begin();
    return !this.isDone;
  }

  onContent(bytes: Buffer, start: number, end: number): void {
    this.exchange?.takeBody(bytes, start, end);
  }

  onContentRead(isWhole: boolean): void {
    this.exchange?.onBodyRead(isWhole);
  }

  /** It is neither routed nor counted nor logged. */
  onProbe(method: string): void {
    const { draining, refusing } = this.context;
    this.linger(healthAnswer(method, !draining && !refusing));
  }

  onChallenge(answer: Buffer): void {
    this.linger(answer);
  }

  onBadHead(refusal: Refusal): void {
    this.refuse(refusal);
  }

  onBadBody(slug: RefusalSlug): void {
    this.exchange?.refuse({ slug });
  }

  get isInBody(): boolean {
    return this.reader.isInBody;
  }

  openBody(): void {
    this.reader.openBody();
  }

  holdBody(isHeld: boolean): void {
    this.reader.holdBody(isHeld);
  }

  override onTimer(): void {
    this.guarded(() => {
      if (this.state === 'head') this.refuse(LATE_HEAD);
      else this.close();
    });
  }

  drain(spreadMs: number): void {
    this.guarded(() => {
      this.isDrained = true;
      if (this.state === 'idle') this.close();
      else this.exchange?.drain(spreadMs);
    });
  }

  retune(): void {
    this.guarded(() => {
      if (this.state === 'idle' && this.isSpent) this.close();
      else if (this.state === 'idle' || this.state === 'head') this.arm();
      this.exchange?.retune();
    });
  }

  /** A request that has passed its checks goes on; the next one finds what is in force then. */
  lookAgain(): void {}

  cutOff(): void {
    this.close();
  }

  reset(): void {
    this.transport.reset();
    this.close();
  }

  /** `why`: of a request that is under way. */
  close(why: RefusalSlug = 'draining'): void {
    if (this.state === 'over') return;
    this.state = 'over';
    try {
      this.exchange?.cut(why);
      this.transport.destroy();
    } finally {
      this.forget();
      this.table.removeConnection(this);
    }
  }

  get isLast(): boolean {
    return this.isSpent;
  }

  get bufferedBytes(): number {
    return this.transport.held + this.transport.kept + (this.exchange?.bufferedBytes ?? 0);
  }

  get isEnding(): boolean {
    return this.isDone;
  }

  shed(_bytes: number, limit: MemoryLimit): void {
    this.guarded(() => this.exchange?.shed(limit));
  }

  /** With an answer of our own, or the end of one that was relayed: the last bytes of this connection. */
  endWith(bytes: Buffer): void {
    this.linger(bytes);
  }

  /** The exchange is over, its answer written. */
  onExchangeOver(isLast: boolean): void {
    this.guarded(() => {
      this.exchange = null;
      if (this.state !== 'busy') return;
      if (isLast || this.isSpent) {
        this.linger(NOTHING);
        return;
      }
      this.state = 'idle';
      this.since = this.context.clock.now();
      this.table.plain.setIdle(this, true);
      this.arm();
      this.reader.goOn();
    });
  }

  onFault(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.context.log.event('error', 'request.fault', { request_id: this.arrival.requestId, error: text });
    this.close('internal_error');
  }

  private get isDone(): boolean {
    return this.state === 'lingering' || this.state === 'over';
  }

  /** No request behind the present one is served. */
  private get isSpent(): boolean {
    const { max_requests_per_connection: most } = this.context.snapshot.config.limits;
    const hasServedAll = typeof most === 'number' && this.served >= most;
    return hasServedAll || this.isDrained || this.context.draining || this.arrival.listener.isGone;
  }

  /** Of the request that is read, or would have been. */
  private nextArrival(): Arrival {
    if (this.served === 0) return this.arrival;
    const at = this.state === 'head' ? this.since : this.context.clock.now();
    return this.arrival.again(at, this.table.nextRequestId());
  }

  private goBack(head: RequestHead, rest: Buffer): void {
    const arrival = this.nextArrival();
    this.state = 'over';
    this.forget();
    this.table.upgrade(this, arrival, head, rest);
  }

  /** There is no exchange for it. */
  private refuse(refusal: Refusal, head: RequestHead | null = null, request: JudgedRequest | null = null): void {
    const { context } = this;
    const arrival = this.nextArrival();
    this.linger(refusedRequest({ context, arrival, head, refusal, request }));
  }

  /** The last bytes that the client gets. */
  private linger(bytes: Buffer): void {
    const { context } = this;
    this.state = 'lingering';
    this.exchange?.leave();
    this.exchange = null;
    this.forget();
    new Linger(this.transport, () => this.guarded(() => this.close())).answer(bytes);
    context.wheel.schedule(this, context.clock.now() + LINGER_MS);
  }

  private forget(): void {
    this.context.wheel.cancel(this);
    this.table.plain.leave(this);
    this.reader.stop();
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
