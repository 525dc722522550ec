// One HTTP/1.1 request over a connection that was dialed for it, and its answer: bounded in bytes and time, without
// redirects. Nothing is pooled: the connection ends with it.

import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';
import type { AbortLike } from './abort.ts';
import { leave } from './leaving.ts';
import type { Transport } from './transport.ts';
import { TransportStream } from './transport-stream.ts';

interface HttpAsk {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** When the answer must be complete. */
  readonly deadline: number;
  readonly signal: AbortLike;
  /** GET, unless given. */
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  /** Its Host is one of them; of one with several values each is a line. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Null or absent: none. */
  readonly body?: string | null;
  readonly headBytesMax: number;
  /** What is longer is cut off there. */
  readonly bodyBytesMax: number;
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** The body is not all of it: it was too long, too late, or broke off. */
  readonly isCut: boolean;
  /** Resolves when nothing is left of the connection. */
  readonly left: Promise<void>;
}

type HttpFault = 'aborted' | 'late' | 'broken';

export class HttpError extends Error {
  readonly fault: HttpFault;
  /** As in `HttpAnswer`. */
  readonly left: Promise<void>;

  constructor(fault: HttpFault, cause: string, left: Promise<void>) {
    super(cause);
    this.name = 'HttpError';
    this.fault = fault;
    this.left = left;
  }
}

/** Rejects with HttpError; `transport` is over either way. */
export function askHttp(ask: HttpAsk): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => new HttpExchange(ask, resolve, reject).begin());
}

class HttpExchange {
  private readonly ask: HttpAsk;
  private readonly resolve: (answer: HttpAnswer) => void;
  private readonly reject: (error: HttpError) => void;
  private readonly stream: TransportStream;
  private readonly alarm = new Alarm(() => this.stop('late', 'not in time'));
  private readonly onAbort = () => this.stop('aborted', 'aborted');
  private sent: ClientRequest | null = null;
  private response: IncomingMessage | null = null;
  /** At most `bodyBytesMax`. */
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private isOver = false;

  constructor(ask: HttpAsk, resolve: (answer: HttpAnswer) => void, reject: (error: HttpError) => void) {
    this.ask = ask;
    this.resolve = resolve;
    this.reject = reject;
    this.stream = new TransportStream(ask.transport);
  }

  begin(): void {
    const { wheel, deadline, signal, method = 'GET', path, headers, body = null, headBytesMax } = this.ask;
    wheel.schedule(this.alarm, deadline);
    signal.addEventListener('abort', this.onAbort);
    if (signal.aborted) {
      this.onAbort();
      return;
    }
    const sent = request({
      createConnection: () => this.stream,
      method,
      path,
      headers: {
        ...headers,
        ...(body === null ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
        Connection: 'close',
      },
      setHost: false,
      maxHeaderSize: headBytesMax,
    });
    this.sent = sent;
    sent.on('response', (response) => this.take(response));
    // Nobody has asked for one, so it is no answer either.
    sent.on('upgrade', () => this.stop('broken', 'status 101'));
    sent.on('error', (error: NodeJS.ErrnoException) => this.stop('broken', error.code ?? error.message));
    sent.end(body ?? undefined);
  }

  private take(response: IncomingMessage): void {
    // RFC 9112 2.3: another major version means another framing.
    if (response.httpVersionMajor !== 1) {
      this.stop('broken', 'not HTTP/1');
      return;
    }
    this.response = response;
    response.on('data', (chunk: Buffer) => {
      const room = this.ask.bodyBytesMax - this.bytes;
      this.chunks.push(chunk.subarray(0, room));
      this.bytes += Math.min(chunk.length, room);
      if (chunk.length > room) this.answer(true);
    });
    response.on('end', () => this.answer(false));
    response.on('error', () => this.answer(true));
  }

  /** A status that has come counts, though its body did not. */
  private stop(fault: HttpFault, cause: string): void {
    if (this.isOver) return;
    if (this.response !== null && fault !== 'aborted') this.answer(true);
    else this.reject(new HttpError(fault, cause, this.leave()));
  }

  private answer(isCut: boolean): void {
    const { response } = this;
    if (this.isOver || response === null) return;
    const body = Buffer.concat(this.chunks);
    const { statusCode: status = 0, headers, rawHeaders } = response;
    this.resolve({ status, headers, rawHeaders, body, isCut, left: this.leave() });
  }

  private leave(): Promise<void> {
    const { transport, wheel, clock, signal } = this.ask;
    this.isOver = true;
    wheel.cancel(this.alarm);
    signal.removeEventListener('abort', this.onAbort);
    this.stream.takeBack();
    this.sent?.destroy();
    return leave({ transport, wheel, now: clock.now(), signal, afterPeer: false });
  }
}
