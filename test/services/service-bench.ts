// A client for services on a clock of its own, and the plainest services.

import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { expect } from 'vitest';
import { parseServiceUrl } from '../../src/config/auth-texts.ts';
import type { TlsConfig } from '../../src/config/types.ts';
import { type ServiceAnswer, type ServiceAsk, ServiceClient, ServiceError } from '../../src/services/service-client.ts';
import { GOOD_NAME } from '../support/certs.ts';
import { Bench, listen } from '../support/dial-bench.ts';

export const OK = 'HTTP/1.1 200 OK\r\n';
export const NO_TLS: TlsConfig = { ca: null, cert: null, key: null, server_name: null, verify: true };

export class ServiceBench {
  readonly bench = new Bench();
  readonly clock = this.bench.clock;
  readonly wheel = this.bench.wheel;
  readonly abort = this.bench.abort;
  readonly client = new ServiceClient({ dialer: this.bench.dialer, clock: this.clock, wheel: this.wheel });

  ask(url: string, own: Partial<ServiceAsk> = {}): Promise<ServiceAnswer> {
    const parsed = parseServiceUrl(url);
    if ('problem' in parsed) throw new Error(parsed.problem);
    return this.client.ask({
      url: parsed.value,
      tls: null,
      method: 'GET',
      headers: {},
      body: null,
      bodyBytesMax: 65_536,
      timeoutMs: 1_000,
      sharesConnections: true,
      signal: this.abort.signal,
      ...own,
    });
  }

  pass(ms: number): void {
    this.bench.pass(ms);
  }
}

/** Why there was no answer; nothing of it waits for anything then. */
export async function failureOf(bench: ServiceBench, asked: Promise<ServiceAnswer>): Promise<ServiceError> {
  const error = await asked.then(
    ({ status }) => new Error(`it answered ${status}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ServiceError)) throw error;
  expect(bench.wheel.size).toBe(0);
  return error;
}

export interface Service {
  readonly url: string;
  /** All that came, of all connections. */
  text(): string;
  connections(): number;
  /** When every connection so far is gone. */
  gone(): Promise<void>;
  /** The next connection has said something. */
  heard(): Promise<void>;
}

/** Says `answer` to each whole head, or that once. `at`: how many came before, on all connections together. */
export async function serve(
  answer: string | ((socket: Socket, at: number) => void),
  tls?: TlsOptions,
): Promise<Service> {
  const sockets: Socket[] = [];
  const closed: Promise<void>[] = [];
  const texts: string[] = [];
  const listeners = new Set<() => void>();
  let asked = 0;
  const take = (socket: Socket): void => {
    const at = sockets.push(socket) - 1;
    closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
    socket.on('error', () => {});
    texts[at] = '';
    socket.on('data', (chunk: Buffer) => {
      const before = headsIn(texts[at]);
      texts[at] += chunk.toString('latin1');
      for (let heads = headsIn(texts[at]) - before; heads > 0; heads -= 1) {
        asked += 1;
        if (typeof answer === 'string') socket.end(answer, 'latin1');
        else answer(socket, asked - 1);
        for (const listener of listeners) listener();
      }
    });
  };
  const server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
  const port = await listen(server);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${GOOD_NAME}:${port}/ask?a=b`,
    text: () => texts.join(''),
    connections: () => sockets.length,
    gone: async () => void (await Promise.all(closed)),
    heard: () => new Promise((resolve) => listeners.add(() => resolve())),
  };
}

function headsIn(text = ''): number {
  return text.split('\r\n\r\n').length - 1;
}
