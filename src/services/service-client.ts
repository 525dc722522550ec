// Asks a service over HTTP/1.1: one question at a time on each connection, which is dialed, with TLS where its URL says
// so, or waits since a question before. All of it has one deadline, nothing is followed, and what comes is bounded.

import type { ServiceUrl, TlsConfig } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from '../net/abort.ts';
import type { Dialer } from '../net/dial.ts';
import { DialError } from '../net/dial-error.ts';
import type { Transport } from '../net/transport.ts';
import { FieldWriter } from '../protocol/field-writer.ts';
import type { HeadField } from '../protocol/http-head.ts';
import { type Connection, IdleConnections } from './idle-connections.ts';
import { type Outcome, putQuestion } from './question.ts';

export interface ServiceAsk {
  readonly url: ServiceUrl;
  /** Null: the system's authorities. */
  readonly tls: TlsConfig | null;
  /** A POST, too, must change nothing: it is sent again where a connection of before was dead. */
  readonly method: 'GET' | 'POST';
  /** Besides Host; of one with several values each is a line. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | null;
  readonly bodyBytesMax: number;
  readonly timeoutMs: number;
  /** Others ask it soon: its connection is worth keeping for them, and one of theirs is taken. */
  readonly sharesConnections: boolean;
  readonly signal: AbortLike;
}

export interface ServiceAnswer {
  readonly status: number;
  /** Names in lower case; each line of a field is one value. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: Buffer;
}

/** Why there is no whole answer. `message`: for the log, it holds no bytes of a peer. */
export class ServiceError extends Error {
  readonly isAborted: boolean;

  constructor(message: string, isAborted = false) {
    super(message);
    this.name = 'ServiceError';
    this.isAborted = isAborted;
  }
}

interface ServiceMeans {
  readonly dialer: Pick<Dialer, 'dial'>;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

const HEAD_BYTES_MAX = 16 * 1024;
/** How long a connection serves: then a service that has moved, or has another certificate, is found again. */
const LIFE_MS = 60_000;

export class ServiceClient {
  private readonly means: ServiceMeans;
  private readonly idle: IdleConnections;

  constructor(means: ServiceMeans) {
    this.means = means;
    this.idle = new IdleConnections(means);
  }

  /**
   * Rejects with ServiceError, and with faults of our own. Nothing is left of it but a connection that waits for the
   * next question, for seconds.
   */
  async ask(ask: ServiceAsk): Promise<ServiceAnswer> {
    const deadline = this.means.clock.now() + ask.timeoutMs;
    if (ask.signal.aborted) throw new ServiceError('aborted', true);
    const request = requestOf(ask);
    const kept = ask.sharesConnections ? this.idle.take(peerOf(ask)) : null;
    if (kept !== null) {
      const outcome = await this.put(ask, request, kept, deadline);
      if (!wasClosing(outcome)) return answerOf(outcome);
    }
    const fresh = await this.dial(ask, deadline);
    return answerOf(await this.put(ask, request, fresh, deadline));
  }

  /** What waits for questions is gone, and nothing waits for them from now on. */
  close(): void {
    this.idle.close();
  }

  private async dial(ask: ServiceAsk, deadline: number): Promise<Connection> {
    const { dialer, clock } = this.means;
    const { signal } = ask;
    const now = clock.now();
    const peer = peerOf(ask);
    let transport: Transport;
    try {
      const own = { localAddress: null, preamble: null, timeoutMs: deadline - now, signal };
      transport = await dialer.dial({ ...peer, ...own });
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      throw new ServiceError(`${error.code} ${error.cause_code}`, error.code === 'aborted');
    }
    return { peer, transport, until: now + LIFE_MS };
  }

  private put(ask: ServiceAsk, request: Buffer, connection: Connection, deadline: number): Promise<Outcome> {
    return putQuestion({
      transport: connection.transport,
      wheel: this.means.wheel,
      request,
      deadline,
      signal: ask.signal,
      headBytesMax: HEAD_BYTES_MAX,
      bodyBytesMax: ask.bodyBytesMax,
      onFree: (forMs) => this.idle.give(connection, ask.sharesConnections ? forMs : 0),
    });
  }
}

function peerOf({ url, tls }: ServiceAsk): Connection['peer'] {
  return { endpoint: url.endpoint, tls };
}

function requestOf({ url, method, headers, body, sharesConnections }: ServiceAsk): Buffer {
  const writer = new FieldWriter(`${method} ${FieldWriter.visible(url.path)} HTTP/1.1`);
  writer.own('Host', url.authority);
  // RFC 9110 12.5.3: what is bounded is what is read, so nothing is unpacked.
  writer.own('Accept-Encoding', 'identity');
  for (const [name, values] of Object.entries(headers)) {
    for (const value of typeof values === 'string' ? [values] : values) writer.field(name, value);
  }
  if (!sharesConnections) writer.own('Connection', 'close');
  if (body === null) return writer.finish();
  const bytes = Buffer.from(body);
  writer.own('Content-Length', String(bytes.length));
  return writer.finish(bytes);
}

/**
 * A connection of before was closed by the service while the question was on its way, which it has not looked at: it
 * is asked once more. RFC 9110 15.5.9: some say so.
 */
function wasClosing(outcome: Outcome): boolean {
  return outcome.kind === 'none' ? outcome.wasDead : outcome.head.status === 408;
}

function answerOf(outcome: Outcome): ServiceAnswer {
  if (outcome.kind === 'none') throw new ServiceError(outcome.cause, outcome.fault === 'aborted');
  const { head, body, isCut } = outcome;
  if (isCut) throw new ServiceError('the answer was not whole');
  const headers = valuesByName(head.fields);
  if ((headers['content-encoding'] ?? []).some((value) => value.toLowerCase() !== 'identity'))
    throw new ServiceError('the answer was encoded');
  return { status: head.status, headers, body };
}

function valuesByName(fields: readonly HeadField[]): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null);
  for (const { lower, value } of fields) {
    const known = values[lower];
    if (known === undefined) values[lower] = [value];
    else known.push(value);
  }
  return values;
}
