// Asks a service over HTTP: dials it, with TLS where its URL says so, sends one request, and reads one answer. All of
// it has one deadline, nothing is followed or pooled, and what comes is bounded.

import type { ServiceUrl, TlsConfig } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import { Abort, type AbortLike } from './abort.ts';
import type { Dialer } from './dial.ts';
import { DialError } from './dial-error.ts';
import { askHttp, HttpError } from './http-client.ts';

export interface ServiceAsk {
  readonly url: ServiceUrl;
  /** Null: the system's authorities. */
  readonly tls: TlsConfig | null;
  readonly method: 'GET' | 'POST';
  /** Besides Host; of one with several values each is a line. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | null;
  readonly bodyBytesMax: number;
  readonly timeoutMs: number;
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

export class ServiceClient {
  private readonly means: ServiceMeans;

  constructor(means: ServiceMeans) {
    this.means = means;
  }

  /** Rejects with ServiceError and nothing else. Nothing is left open behind it. */
  async ask(ask: ServiceAsk): Promise<ServiceAnswer> {
    const whole = new Abort();
    const onAbort = () => whole.abort();
    ask.signal.addEventListener('abort', onAbort);
    if (ask.signal.aborted) onAbort();
    try {
      return await this.askWithin(ask, whole);
    } catch (error) {
      if (error instanceof DialError)
        throw new ServiceError(`${error.code} ${error.cause_code}`, error.code === 'aborted');
      if (error instanceof HttpError) throw new ServiceError(error.message, error.fault === 'aborted');
      throw error;
    } finally {
      ask.signal.removeEventListener('abort', onAbort);
      // Its answer is read, or there is none: whoever goes on sending, or does not close, is not waited for.
      whole.abort();
    }
  }

  private async askWithin(ask: ServiceAsk, signal: AbortLike): Promise<ServiceAnswer> {
    const { dialer, clock, wheel } = this.means;
    const { url, tls, timeoutMs } = ask;
    const { endpoint } = url;
    const deadline = clock.now() + timeoutMs;
    const transport = await dialer.dial({ endpoint, tls, localAddress: null, preamble: null, timeoutMs, signal });
    const { status, rawHeaders, body, isCut } = await askHttp({
      transport,
      clock,
      wheel,
      deadline,
      signal,
      method: ask.method,
      path: url.path,
      // RFC 9110 12.5.3: what is bounded is what is read, so nothing is unpacked.
      headers: { Host: url.authority, 'Accept-Encoding': 'identity', ...ask.headers },
      body: ask.body,
      headBytesMax: HEAD_BYTES_MAX,
      bodyBytesMax: ask.bodyBytesMax,
    });
    if (isCut) throw new ServiceError('the answer was not whole');
    const headers = valuesByName(rawHeaders);
    if ((headers['content-encoding'] ?? []).some((value) => value.toLowerCase() !== 'identity'))
      throw new ServiceError('the answer was encoded');
    return { status, headers, body };
  }
}

function valuesByName(raw: readonly string[]): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null);
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]?.toLowerCase() ?? '';
    const known = values[name];
    if (known === undefined) values[name] = [raw[index + 1] ?? ''];
    else known.push(raw[index + 1] ?? '');
  }
  return values;
}
