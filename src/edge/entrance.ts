// A connection before its head: what a listener speaks first. It reads the ClientHello and has TLS made of it, and
// hands over who then speaks HTTP. The only reader and closer of its transport until then; every stage has the same
// deadline, and whoever waits in one counts as a connection from accept on.

import { TimerEntry } from '../limits/timer-wheel.ts';
import type { TlsFacts, TlsFault } from '../net/secure-accept.ts';
import type { TlsTerms } from '../net/server-tls.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import { clientKeyOf } from '../protocol/addresses/client-key.ts';
import { buildRefusal, type Refusal } from '../protocol/refusals.ts';
import { type AlertName, buildAlert } from '../protocol/tls/alerts.ts';
import { type ClientHello, ClientHelloReader, HelloStep } from '../protocol/tls/client-hello.ts';
import { unreachable } from '../unreachable.ts';
import type { Arrival } from './arrival.ts';
import type { EdgeContext } from './context.ts';
import { HandshakeRecord } from './handshake-record.ts';
import { LINGER_MS, Linger } from './linger.ts';
import type { OpenConnection } from './open-connection.ts';
import type { PeerClaim } from './seat.ts';
import type { TlsClaim } from './tls-turns.ts';

type State =
  /** Not one byte yet. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'hello'; readonly reader: ClientHelloReader }
  /** For its turn to begin with TLS. It is not read. */
  | { readonly kind: 'waiting'; readonly claim: TlsClaim }
  /** OpenSSL has the connection. */
  | { readonly kind: 'securing'; readonly claim: TlsClaim; readonly giveUp: () => void }
  | { readonly kind: 'lingering' }
  /** Handed over, or gone. */
  | { readonly kind: 'over' };

/** Who counts the open connections. */
export interface EntranceTable {
  /** `entrance` is over: its client speaks HTTP on `transport`. */
  proceed(entrance: Entrance, transport: Transport): void;
  removeConnection(connection: OpenConnection): void;
}

interface EntranceOptions {
  readonly context: EdgeContext;
  readonly table: EntranceTable;
  readonly transport: Transport;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  /** Why there is no room for it; null when there is. It is told behind TLS. */
  readonly barred: Refusal | null;
}

export class Entrance extends TimerEntry implements TransportReader, OpenConnection {
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  readonly barred: Refusal | null;
  readonly holdings = null;
  private readonly context: EdgeContext;
  private readonly table: EntranceTable;
  private transport: Transport;
  private state: State = SILENT;

  constructor(options: EntranceOptions) {
    super();
    this.context = options.context;
    this.table = options.table;
    this.transport = options.transport;
    this.arrival = options.arrival;
    this.claim = options.claim;
    this.barred = options.barred;
  }

  begin(): void {
    this.transport.reader = this;
    this.awaitDeadline();
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.guarded(() => {
      if (this.state.kind === 'silent') this.takeFirst(bytes, start, end);
      else if (this.state.kind === 'hello') this.readHello(this.state.reader, bytes, start, end);
    });
  }

  onEnd(): void {
    this.guarded(() => this.onClientGone());
  }

  onLost(): void {
    this.guarded(() => this.onClientGone());
  }

  onTaken(): void {}

  /** `timeouts.handshake` is over, or the time to read what comes behind an answer. */
  override onTimer(): void {
    this.guarded(() => {
      const { state } = this;
      if (state.kind === 'silent') {
        this.context.metrics.listener(this.arrival.listenerName).rejected.add('handshake_timeout');
        new HandshakeRecord(this.context, this.arrival).silent();
      } else if (state.kind !== 'lingering') this.note('timeout', state.kind);
      this.close();
    });
  }

  drain(): void {
    if (this.state.kind === 'silent') this.guarded(() => this.close());
  }

  retune(): void {
    if (this.state.kind !== 'lingering') this.guarded(() => this.awaitDeadline());
  }

  lookAgain(): void {}

  cutOff(): void {
    this.guarded(() => {
      const { metrics } = this.context;
      if (this.barred !== null) metrics.listener(this.arrival.listenerName).rejected.add(this.barred.slug);
      this.close();
    });
  }

  close(): void {
    const { state } = this;
    if (state.kind === 'over') return;
    this.leave();
    try {
      if (state.kind === 'securing') state.giveUp();
      this.transport.destroy();
    } finally {
      this.table.removeConnection(this);
    }
  }

  private takeFirst(bytes: Buffer, start: number, end: number): void {
    if (isLetter(bytes[start] ?? 0)) {
      this.note('plain_http', '');
      new HandshakeRecord(this.context, this.arrival).refused(PLAIN_HTTP, 0);
      this.answer(buildRefusal(PLAIN_HTTP.slug, this.arrival.requestId));
      return;
    }
    const reader = new ClientHelloReader();
    this.state = { kind: 'hello', reader };
    this.readHello(reader, bytes, start, end);
  }

  private readHello(reader: ClientHelloReader, bytes: Buffer, start: number, end: number): void {
    const step = reader.feed(bytes, start, end);
    if (step === HelloStep.NeedData) return;
    const { hello, violation } = reader;
    const terms = hello === null ? (violation ?? 'decode_error') : this.termsFor(hello);
    if (terms === null) this.fail('other', 'reload');
    else if (typeof terms === 'string') this.alert(terms);
    else this.awaitTurn(terms, reader.takeBytes());
  }

  /** How it is answered, or the alert that refuses it; null when its listener speaks TLS no more since a reload. */
  private termsFor(hello: ClientHello): TlsTerms | AlertName | null {
    const { arrival, context } = this;
    arrival.serverName = hello.serverName;
    return context.snapshot.tls.get(arrival.listener.config.name)?.answer(hello) ?? null;
  }

  private awaitTurn(terms: TlsTerms, read: Buffer): void {
    const { arrival, context } = this;
    this.transport.pause();
    const deadline = arrival.at + context.snapshot.config.timeouts.handshake;
    const claim = context.tlsTurns.ask(clientKeyOf(arrival.peer) ?? '', deadline, (turn) =>
      this.guarded(() => this.secure(turn, read, terms)),
    );
    if (claim.state === 'waiting') this.state = { kind: 'waiting', claim };
  }

  /** Its turn has come. */
  private secure(claim: TlsClaim, read: Buffer, terms: TlsTerms): void {
    const { context, transport } = this;
    // Its turn is given back by what it is, also when what follows throws.
    this.state = { kind: 'waiting', claim };
    const giveUp = context.carrier.acceptSecure(transport, read, {
      terms,
      onSecure: (secure, facts) =>
        this.guarded(() => (terms.isChallenge ? this.onProved(secure) : this.onSecure(secure, facts))),
      onFailed: (fault, code) => this.guarded(() => this.fail(fault, code)),
    });
    this.state = { kind: 'securing', claim, giveUp };
  }

  private onSecure(transport: Transport, facts: TlsFacts): void {
    const { arrival, context } = this;
    this.note(facts.isResumed ? 'resumed' : 'ok', '');
    const metrics = context.metrics.listener(arrival.listenerName);
    metrics.tlsHandshakeDuration.observe((context.clock.now() - arrival.at) / 1000);
    arrival.tls = facts;
    this.leave();
    this.table.proceed(this, transport);
  }

  /** RFC 8737 3: nothing is said over it. */
  private onProved(transport: Transport): void {
    this.note('challenge', '');
    this.transport = transport;
    this.answer(NOTHING);
  }

  private onClientGone(): void {
    if (this.state.kind !== 'silent' && this.state.kind !== 'lingering') this.note('other', 'ECONNRESET');
    this.close();
  }

  private alert(name: AlertName): void {
    this.note(name === 'unrecognized_name' ? 'unknown_name' : 'other', name);
    this.answer(buildAlert(name));
  }

  private fail(fault: TlsFault, code: string): void {
    this.note(fault, code);
    this.close();
  }

  /** The last bytes that this client gets. */
  private answer(bytes: Buffer): void {
    const { context } = this;
    this.leave();
    this.state = LINGERING;
    new Linger(this.transport, () => this.guarded(() => this.close())).answer(bytes);
    context.wheel.schedule(this, context.clock.now() + LINGER_MS);
  }

  /** Nothing of it waits any more. */
  private leave(): void {
    const { state, context } = this;
    this.state = OVER;
    context.wheel.cancel(this);
    switch (state.kind) {
      case 'waiting':
      case 'securing':
        context.tlsTurns.leave(state.claim);
        return;
      case 'silent':
      case 'hello':
      case 'lingering':
      case 'over':
        return;
      default:
        unreachable(state);
    }
  }

  private awaitDeadline(): void {
    if (this.state.kind === 'over') return;
    const { wheel, snapshot } = this.context;
    wheel.schedule(this, this.arrival.at + snapshot.config.timeouts.handshake);
  }

  /** How its TLS went. `code`: OpenSSL's, the system's, our alert, or where it was too late. */
  private note(result: TlsResult, code: string): void {
    const { context, arrival } = this;
    context.metrics.listener(arrival.listenerName).tlsHandshakes.add(result);
    if (GOOD.has(result) || !context.log.enabled('debug')) return;
    context.log.event('debug', 'tls.failed', {
      listener: arrival.listenerName,
      peer: arrival.peer,
      result,
      cause: code === '' ? undefined : code,
      ms: Math.round(context.clock.now() - arrival.at),
    });
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

type TlsResult = 'ok' | 'resumed' | 'challenge' | 'plain_http' | 'timeout' | 'unknown_name' | TlsFault;

const GOOD: ReadonlySet<TlsResult> = new Set(['ok', 'resumed', 'challenge']);
const NOTHING = Buffer.alloc(0);
const SILENT: State = { kind: 'silent' };
const LINGERING: State = { kind: 'lingering' };
const OVER: State = { kind: 'over' };
const PLAIN_HTTP: Refusal = { slug: 'plain_http' };

/** No record of TLS begins with one, and every request of HTTP/1.1 does. */
function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}
