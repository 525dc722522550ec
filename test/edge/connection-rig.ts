// An edge that serves plain requests: clients and backends in memory, the clock in the test's hands.

import { expect } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { Rig } from './rig.ts';

export const PAGES = 'HTTP/1.1 200 OK';
const ROUTES = [
  { name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo' },
  { name: 'pages', match: { path: '/*' }, http: 'http://192.0.2.1:1' },
];

export const get = (path = '/', ...fields: readonly string[]): Buffer =>
  Buffer.from(`${[`GET ${path} HTTP/1.1`, 'Host: a', ...fields].join('\r\n')}\r\n\r\n`, 'latin1');

export class ConnectionRig extends Rig {
  readonly config: Partial<ConfigInput>;
  private answered = 0;

  constructor(config: Partial<ConfigInput> = {}, sessionsMax = 100) {
    const whole = { routes: ROUTES, ...config };
    super(whole, sessionsMax);
    this.config = whole;
  }

  /** The next backend connection, once its request is there; its text. */
  async asked(): Promise<MemoryTransport> {
    const at = this.answered;
    await this.until(() => (this.backends[at]?.receivedBytes ?? 0) > 0);
    this.answered += 1;
    return this.backends[at] as MemoryTransport; // waited for
  }

  /** The next request is answered, in full. */
  async serve(body = 'ok'): Promise<MemoryTransport> {
    const backend = await this.asked();
    say(backend, `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    return backend;
  }

  /** A connection whose first request was answered: it is idle. */
  async idle(address = ''): Promise<MemoryTransport> {
    const client = this.connect(get(), address);
    await this.serve();
    await this.gets(client, 'ok');
    await this.turns(3);
    return client;
  }

  /** `text` is the end of what the client has got. */
  async gets(client: MemoryTransport, text: string): Promise<void> {
    await this.until(() => client.received.toString('latin1').endsWith(text));
  }

  sends(client: MemoryTransport, ...chunks: readonly Buffer[]): void {
    client.send(...chunks);
    client.pump();
  }

  /** The status lines that a client has got, in order. */
  statuses(client: MemoryTransport): string[] {
    return (
      client.received
        .toString('latin1')
        .match(/HTTP\/1\.1 \d{3}(?= )/g)
        ?.map((line) => line.slice(9)) ?? []
    );
  }

  requests(): unknown[][] {
    return this.tap.lines
      .filter(({ event }) => event === 'http.request')
      .map(({ status, error, cause }) => [status, error, cause].filter((one) => one !== undefined));
  }

  /** Nothing of any connection is left. */
  atRest(): void {
    expect([this.edge.open, this.edge.plain.size, this.edge.plain.idleOnes.length, this.wheel.size]).toEqual([
      0, 0, 0, 0,
    ]);
    expect(this.edge.metrics.process.httpRequestsOpen).toBe(0);
    expect(this.listener[1]).toBe(0);
  }
}

export function say(peer: MemoryTransport, text: string): void {
  peer.send(Buffer.from(text, 'latin1'));
  peer.pump();
}
