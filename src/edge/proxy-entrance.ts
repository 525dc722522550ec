// One connection on a listener with `proxy_protocol`, until its PROXY header is whole: the only reader and closer of
// its transport until then. Who may send one was judged before; what it says is judged by whoever it is handed to.

import { TimerEntry } from '../limits/timer-wheel.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import {
  type ProxyHeader,
  ProxyHeaderParser,
  ProxyStep,
  type ProxyVersions,
} from '../protocol/proxy-header/proxy-header.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { Arrival } from './arrival.ts';
import type { EdgeContext } from './context.ts';
import { HandshakeRecord } from './handshake-record.ts';
import type { OpenConnection } from './open-connection.ts';
import type { PeerClaim } from './seat.ts';

/** What may ask for health begins so: GET, HEAD and OPTIONS, or a handshake record of TLS (RFC 8446 5.1). */
const PROBE_BEGINS = Buffer.from('GHO', 'latin1');
const TLS_BEGINS = Buffer.of(0x16);

/** What came, and where in it what follows begins. */
export interface Rest {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Who counts the open connections. */
export interface ProxyEntranceTable {
  /** Its header is whole. `leave` it, and take its transport over. */
  named(entrance: ProxyEntrance, header: ProxyHeader, rest: Rest): void;
  /** There is no header, but maybe a question for health. */
  unnamed(entrance: ProxyEntrance, rest: Rest): void;
  removeConnection(connection: OpenConnection): void;
}

interface EntranceOptions {
  readonly context: EdgeContext;
  readonly table: ProxyEntranceTable;
  readonly transport: Transport;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  readonly barred: Refusal | null;
  readonly versions: ProxyVersions;
}

export class ProxyEntrance extends TimerEntry implements TransportReader, OpenConnection {
  readonly transport: Transport;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  /** Why there is no room for it; null when there is. */
  readonly barred: Refusal | null;
  /** Seats are taken with a head. */
  readonly holdings = null;
  private readonly context: EdgeContext;
  private readonly table: ProxyEntranceTable;
  private readonly parser: ProxyHeaderParser;
  private hasSent = false;
  private isOver = false;

  constructor(options: EntranceOptions) {
    super();
    this.context = options.context;
    this.table = options.table;
    this.transport = options.transport;
    this.arrival = options.arrival;
    this.claim = options.claim;
    this.barred = options.barred;
    this.parser = new ProxyHeaderParser(options.versions);
  }

  begin(): void {
    this.transport.reader = this;
    this.retune();
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
    this.guarded(() => this.refuse(LATE_HEADER));
  }

  /** Stop waiting for it: framegate is going down. */
  drain(): void {
    if (!this.hasSent) this.close();
  }

  /** Another config is in force: its deadline holds from now on. */
  retune(): void {
    const { wheel, snapshot } = this.context;
    wheel.schedule(this, this.arrival.at + snapshot.config.timeouts.handshake);
  }

  lookAgain(): void {}

  /** Another one without room takes its place. */
  cutOff(): void {
    if (this.barred !== null) this.noteRejected(this.barred);
    this.close();
  }

  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.transport.destroy();
    this.context.wheel.cancel(this);
    this.table.removeConnection(this);
  }

  /** Somebody else has its transport. */
  leave(): void {
    this.isOver = true;
    this.context.wheel.cancel(this);
  }

  private take(bytes: Buffer, start: number, end: number): void {
    const { parser, table } = this;
    this.hasSent = true;
    const step = parser.feed(bytes, start, end);
    if (step === ProxyStep.NeedData) return;
    const rest = { bytes, start: parser.position, end };
    if (parser.header !== null) table.named(this, parser.header, rest);
    else if (parser.violation === 'absent' && this.mayBeProbe(bytes[start] ?? 0)) table.unnamed(this, rest);
    else this.refuse({ slug: 'proxy_header', cause: `PROXY header: ${parser.violation}` });
  }

  private mayBeProbe(first: number): boolean {
    return (this.arrival.listener.config.tls === null ? PROBE_BEGINS : TLS_BEGINS).includes(first);
  }

  /** Without an answer, which would go on to a client that has asked nothing, or to nobody who can read it. */
  private refuse(refusal: Refusal): void {
    const record = new HandshakeRecord(this.context, this.arrival);
    this.noteRejected(refusal);
    if (this.hasSent) record.refused(refusal, 0);
    else record.silent();
    this.close();
  }

  private noteRejected({ slug }: Refusal): void {
    this.context.metrics.listener(this.arrival.listenerName).rejected.add(slug);
  }

  private onClientGone(): void {
    new HandshakeRecord(this.context, this.arrival).clientGone(this.hasSent);
    this.close();
  }

  /** The way in from outside: a fault of ours ends this connection, and what it holds goes back. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.context.log.event('error', 'handshake.fault', { request_id: this.arrival.requestId, error: stack });
      this.close();
    }
  }
}

const LATE_HEADER: Refusal = { slug: 'handshake_timeout', cause: 'PROXY header' };
