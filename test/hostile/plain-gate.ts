// A proxy in front of a backend that keeps every byte, and what came of one hostile plain request: as the first of its
// connection, as a later one, and byte by byte.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConfigInput, createProxy, type Proxy as Framegate } from '../../src/proxy.ts';
import type { PlainMessage } from '../reference/plain-request.ts';
import { LogTap } from '../support/log-tap.ts';
import { PlainBackend } from '../support/plain-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { transportMode } from '../support/transport-mode.ts';
import { workersOf } from '../support/worker-fleet.ts';
import { expectEnd } from './harness.ts';

/** Where in a connection a request stands, and how it comes. */
export const PLACES = ['first', 'later', 'first, bytewise', 'later, bytewise'] as const;
export type Place = (typeof PLACES)[number];

export interface Outcome {
  /** `200`, `400 content_length`. */
  readonly answer: string;
  /** What the backend got, and nothing else. */
  readonly seen: readonly PlainMessage[];
}

/** Fields besides Host, as lines; the body behind them. */
export interface PlainSpec {
  readonly line?: string;
  readonly host?: string | null;
  readonly fields?: readonly string[];
  readonly body?: string;
}

export function plain({ line = 'GET /both HTTP/1.1', host = 'a', fields = [], body = '' }: PlainSpec = {}): string {
  return `${[line, ...(host === null ? [] : [`Host: ${host}`]), ...fields].join('\r\n')}\r\n\r\n${body}`;
}

/** A POST whose body comes in these chunks, as they are. */
export function chunks(text: string, ...fields: string[]): string {
  return plain({ line: 'POST /both HTTP/1.1', fields: ['Transfer-Encoding: chunked', ...fields], body: text });
}

const WARM_UP = plain();

export class PlainGate {
  private readonly config: (backendUrl: string) => Partial<ConfigInput>;
  private readonly tap = new LogTap();
  private proxy: Framegate | null = null;
  private startedBackend: PlainBackend | null = null;
  port = 0;

  constructor(config: (backendUrl: string) => Partial<ConfigInput> = () => ({})) {
    this.config = config;
  }

  get backend(): PlainBackend {
    if (this.startedBackend === null) throw new Error('not started');
    return this.startedBackend;
  }

  async start(): Promise<void> {
    this.startedBackend = await PlainBackend.listen();
    const { url } = this.startedBackend;
    const both = { name: 'both', match: { path: '/*' }, upstream: 'builtin:echo', http: url };
    const listeners = [{ name: 'test', address: '127.0.0.1:0' }];
    const options = { transport: transportMode, log: this.tap, ...workersOf({ log: this.tap }) };
    this.proxy = createProxy({ listeners, routes: [both], ...this.config(url) }, options);
    await this.proxy.start();
    const address = this.proxy.address();
    this.port = typeof address === 'string' ? 0 : address.port;
  }

  async stop(): Promise<void> {
    await this.proxy?.stop();
    await this.startedBackend?.close();
    expect(
      this.tap.lines.filter(({ level }) => level === 'error'),
      'faults of the proxy itself',
    ).toEqual([]);
  }

  /** `request` at its place, and the first answer to it; `isWhole`: the backend gets whole requests only. */
  async ask(request: string, place: Place, isWhole = true): Promise<Outcome & { readonly client: RawClient }> {
    const client = await RawClient.connect(this.port);
    if (place.startsWith('later')) {
      client.send(WARM_UP);
      expect((await client.readResponse()).status).toBe(200);
    }
    const before = this.backend.connections;
    if (place.endsWith('bytewise')) await client.sendBytewise(request);
    else client.send(request);
    const answer = await client.readResponse();
    const error = answer.status < 400 ? '' : ` ${String(answer.json().error)}`;
    const seen = isWhole ? this.backend.messagesFrom(before) : [];
    return { answer: `${answer.status}${error}`, seen, client };
  }

  /** The same refusal everywhere, then FIN, and no backend has heard of it. */
  async refuses(request: string, refusal: string): Promise<void> {
    for (const place of PLACES) {
      const { answer, seen, client } = await this.ask(request, place);
      expect([place, answer, seen]).toEqual([place, refusal, []]);
      await expectEnd(client);
    }
  }

  /** The same one request at the backend everywhere, and the connection goes on behind it. */
  async passes(request: string, check: (message: PlainMessage) => void): Promise<void> {
    for (const place of PLACES) {
      const { answer, seen, client } = await this.ask(request, place);
      expect([place, answer, seen.length]).toEqual([place, '200', 1]);
      for (const message of seen) check(message);
      client.send(WARM_UP);
      expect((await client.readResponse()).status, 'the next one').toBe(200);
      client.destroy();
    }
  }
}

export function sharedPlainGate(config?: (backendUrl: string) => Partial<ConfigInput>): PlainGate {
  const gate = new PlainGate(config);
  beforeAll(() => gate.start());
  afterAll(() => gate.stop());
  return gate;
}

export type RefusedPlain = readonly [name: string, requests: readonly string[], refusal: string];

export function refusedTests(gate: PlainGate, rows: readonly RefusedPlain[]): void {
  for (const [name, requests, refusal] of rows) {
    test(name, async () => {
      for (const request of requests) await gate.refuses(request, refusal);
    });
  }
}
