// A handshake that a scripted backend spoils: what the client must get, what the backend may see, and the log line.

import { expect } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Response } from '../support/raw-peer.ts';
import { acceptFor, exampleKey, text, upgradeRequest } from '../support/wire.ts';
import type { PairOptions } from './pair.ts';

/** What every test client sends behind its head: none of it may reach a backend that does not switch. */
export const earlyFrame: Buffer = text('early', { mask: true });

export interface Attempt {
  readonly running: RunningProxy;
  readonly backend: RawBackend;
  readonly client: RawClient;
  readonly server: BackendConnection;
  /** The key that the backend's answer must fit. */
  readonly key: string;
}

export interface HandshakeOptions extends PairOptions {
  /** Keys of an upstream block for the backend; without it the route has a URL. */
  readonly upstream?: Partial<NonNullable<ConfigInput['upstreams']>[string]>;
}

/** A client's request, with a frame glued to it, has reached the backend, which has not answered. */
export async function beginHandshake(options: HandshakeOptions = {}): Promise<Attempt> {
  const backend = await RawBackend.listen();
  const { route, config, upstream } = options;
  const own = { own: { targets: [{ url: backend.url }], ...upstream } };
  const running = await startProxy(
    upstream === undefined
      ? oneRoute(backend.url, route, config)
      : oneRoute('own', route, { ...config, upstreams: own }),
  );
  const client = await RawClient.connect(running.port);
  client.send(Buffer.concat([upgradeRequest({ path: '/chat?x=1', headers: options.request ?? {} }), earlyFrame]));
  const server = await backend.nextConnection();
  const request = await server.request();
  return { running, backend, client, server, key: request.field('sec-websocket-key') ?? '' };
}

/** Lines of a head, each with its CRLF, and the empty line. */
export function headOf(...lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The lines of a valid 101 for `key`, to be spoilt. */
export function switchLines(key: string = exampleKey): string[] {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptFor(key)}`,
  ];
}

/** Takes a refusal of our own: its exact form, then FIN and nothing more. */
export async function takeRefusal(client: RawClient, status: number, error: string): Promise<Response> {
  const response = await client.readResponse();
  const { request_id } = response.json();
  expect(response.json()).toEqual({ status, error, request_id: expect.stringMatching(/^[0-9a-f]{32}$/) });
  const retry = status === 429 || status === 503 ? [['Retry-After', expect.stringMatching(/^[1-5]$/)]] : [];
  expect(response.head.fields).toEqual([
    ...retry,
    ['Content-Type', 'application/json'],
    ['Content-Length', String(response.body.length)],
    ['Connection', 'close'],
    ['Cache-Control', 'no-store'],
  ]);
  expect(response.status).toBe(status);
  expect(String(request_id)).not.toBe('');
  await client.ended;
  expect(client.unread).toHaveLength(0);
  client.end();
  await client.closed;
  return response;
}

export interface Spoilt {
  readonly status: number;
  readonly error: string;
  readonly cause: string;
}

/** The line of the only refused handshake, whole. */
export async function expectRefusedLine(
  running: RunningProxy,
  { status, error, cause }: Spoilt,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const line = await running.waitForLog('handshake.refused');
  expect(line).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    level: status >= 500 ? 'warn' : 'info',
    event: 'handshake.refused',
    status,
    error,
    listener: 'test',
    client: '127.0.0.1',
    host: 'framegate.test',
    path: '/chat',
    route: 'test',
    upstream: expect.any(String),
    target: expect.any(String),
    tries: 1,
    cause,
    discarded_early_bytes: earlyFrame.length,
    request_id: expect.any(String),
    ms: expect.any(Number),
    ...more,
  });
  expect(running.logsOf('handshake.refused')).toHaveLength(1);
  expect(running.logsOf('session.open')).toHaveLength(0);
  expect(running.logsOf('session.end')).toHaveLength(0);
}

/** The backend saw one request head and no byte more, and its connection is over. */
export async function expectOneRequest(attempt: Pick<Attempt, 'backend' | 'server'>): Promise<void> {
  const { backend, server } = attempt;
  await server.closed;
  expect(server.received.indexOf('\r\n\r\n')).toBe(server.received.length - 4);
  expect(backend.connections).toBe(1);
}

export type SpoiltOptions = Omit<HandshakeOptions, 'answer'>;

/** A backend whose answer is no valid one: 502, nothing of it reflected, one request, one log line. */
export async function expectSpoilt(
  answer: string | Buffer | ((key: string) => string | Buffer),
  cause: string,
  options: SpoiltOptions = {},
): Promise<void> {
  const attempt = await beginHandshake(options);
  const { client, server, running, key } = attempt;
  server.send(typeof answer === 'function' ? answer(key) : answer);
  const { head, body } = await takeRefusal(client, 502, 'backend_handshake');
  expect(`${head.raw}${body}`).not.toMatch(/canary/i);
  await expectOneRequest(attempt);
  await expectRefusedLine(running, { status: 502, error: 'backend_handshake', cause });
}
