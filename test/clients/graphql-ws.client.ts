// graphql-ws at both ends: subprotocol graphql-transport-ws, operations, pings, its close codes, and how it retries.

import { buildSchema } from 'graphql';
import { type Client, type ClientOptions, createClient } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { Gate, type GateOptions } from './gate.ts';
import { Inbox } from './inbox.ts';
import { httpServer, jsonText } from './servers.ts';
import { shortLived, tokenFor } from './tokens.ts';

const LARGE = 700_000;

const schema = buildSchema(`
  type Query { echo(text: String!): String! }
  type Subscription { count(to: Int!): Int! forever: Int! }
`);

async function* count({ to }: { to: number }): AsyncGenerator<{ count: number }> {
  for (let i = 0; i < to; i += 1) yield { count: i };
}

async function* forever(): AsyncGenerator<{ forever: number }> {
  yield { forever: 1 };
  await new Promise(() => {});
}

async function start(options: GateOptions = {}): Promise<Gate> {
  const { server, port } = await httpServer();
  const sockets = new WebSocketServer({ server, path: '/graphql', maxPayload: 2 * LARGE });
  const roots = { query: { echo: ({ text }: { text: string }) => text }, subscription: { count, forever } };
  const onConnect = ({ connectionParams }: { connectionParams?: Readonly<Record<string, unknown>> | undefined }) =>
    connectionParams?.token === 'secret';
  useServer({ schema, roots, onConnect }, sockets);
  return Gate.before(port, options);
}

interface Started {
  readonly client: Client;
  /** `connected PROTOCOL`, `closed CODE REASON`, `ping`, `pong`. */
  readonly events: Inbox<string>;
}

function connect(gate: Gate, options: Partial<ClientOptions> = {}): Started {
  const events = new Inbox<string>();
  const client = createClient({
    url: gate.url('/graphql'),
    webSocketImpl: WebSocket,
    connectionParams: { token: 'secret' },
    retryAttempts: 1_000,
    // By default it gives up at the first attempt that fails, since an error event comes before the close event.
    shouldRetry: () => true,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 30)),
    onNonLazyError: () => {},
    ...options,
  });
  client.on('connected', (socket) => events.put(`connected ${(socket as WebSocket).protocol}`));
  client.on('closed', (event) => {
    const { code, reason } = event as CloseEvent;
    events.put(`closed ${code} ${reason}`);
  });
  client.on('ping', (received) => events.put(received ? 'ping' : 'ping sent'));
  client.on('pong', (received) => events.put(received ? 'pong' : 'pong sent'));
  // After a restart framegate ends before the client does, which is on its way to it again then.
  atTestEnd(() => Promise.resolve(client.dispose()).catch(() => {}));
  return { client, events };
}

interface CloseEvent {
  readonly code: number;
  readonly reason: string;
}

function echo(client: Client, text: string): Promise<unknown> {
  const query = 'query ($text: String!) { echo(text: $text) }';
  return new Promise((resolve, reject) => {
    client.subscribe<{ echo: string }>(
      { query, variables: { text } },
      { next: ({ data }) => resolve(data?.echo), error: reject, complete: () => {} },
    );
  });
}

describe('graphql-ws', () => {
  test('queries are answered over its subprotocol, large ones too', async () => {
    const { client, events } = connect(await start());
    expect(await echo(client, 'é')).toBe('é');
    expect(await events.next()).toBe('connected graphql-transport-ws');
    const text = jsonText(LARGE);
    expect((await echo(client, text)) === text).toBe(true);
  });

  test('a subscription delivers every item in order and completes', async () => {
    const { client } = connect(await start());
    const items: unknown[] = [];
    for await (const { data } of client.iterate({ query: 'subscription { count(to: 300) }' })) items.push(data?.count);
    expect(items).toEqual(Array.from({ length: 300 }, (_, i) => i));
  });

  test('its pings are answered through, and the session lives on them', async () => {
    const { client, events } = connect(await start(), { keepAlive: 30, lazy: false });
    for (let i = 0; i < 3; i += 1) await events.until((event) => event === 'pong');
    expect(await echo(client, 'alive')).toBe('alive');
  });

  test('codes of its own protocol arrive', async () => {
    const gate = await start();
    const { client, events } = connect(gate, { connectionParams: { token: 'wrong' }, retryAttempts: 0 });
    await expect(echo(client, 'x')).rejects.toMatchObject({ code: 4403, reason: 'Forbidden' });
    expect(await events.next()).toBe('closed 4403 Forbidden');
    expect(await gate.sessionEnd()).toMatchObject({ by: 'backend', reason: 'backend_close', clean: true });
    const bare = new WebSocket(gate.url('/graphql'));
    const refused = new Promise((resolve) => bare.once('close', (code, why) => resolve([code, String(why)])));
    expect(await refused).toEqual([4406, 'Subprotocol not acceptable']);
  });

  test('a subscription outlives 1012 at a restart, 1001 and 503: it is begun anew', async () => {
    const gate = await start();
    const { client, events } = connect(gate);
    const items = new Inbox<unknown>();
    const faults = new Inbox<unknown>();
    const sink = { next: ({ data }: { data?: unknown }) => items.put(data), error: faults.put, complete: () => {} };
    client.subscribe({ query: 'subscription { forever }' }, sink);
    expect(await items.next()).toEqual({ forever: 1 });
    await gate.restart();
    expect(await events.until((event) => event.startsWith('closed'))).toBe('closed 1012 server restart');
    expect(await items.next()).toEqual({ forever: 1 });
    await gate.closeAll(1001, 'away');
    await events.until((event) => event === 'closed 1001 away');
    expect(await items.next()).toEqual({ forever: 1 });
    await gate.drain();
    await events.until((event) => event === 'closed 1012 server restart');
    await gate.refusal(503);
    await gate.undrain();
    expect(await items.next()).toEqual({ forever: 1 });
    expect(await Promise.race([faults.next(), echo(client, 'no fault')])).toBe('no fault');
  });

  test('a subscription outlives the end of its credential: 3000, and it comes with a new one', async () => {
    const gate = await start(shortLived('query:token'));
    const url = () => gate.url(`/graphql?token=${tokenFor(1)}`);
    // As it does by default.
    const { client, events } = connect(gate, { url, shouldRetry: (cause) => 'code' in (cause as object) });
    const items = new Inbox<unknown>();
    const sink = { next: ({ data }: { data?: unknown }) => items.put(data), error: () => {}, complete: () => {} };
    client.subscribe({ query: 'subscription { forever }' }, sink);
    for (let time = 0; time < 2; time += 1) {
      expect(await items.next()).toEqual({ forever: 1 });
      expect(await events.until((event) => event.startsWith('closed'))).toBe('closed 3000 credential expired');
    }
    expect(await items.next()).toEqual({ forever: 1 });
    const ended = { auth: 'users', identity: 'ada', by: 'proxy', close_code_client: 3000 };
    expect(await gate.sessionEnd((line) => line.reason === 'credential_expired')).toMatchObject(ended);
  });

  test('by default one attempt that gets 503 ends it for good', async () => {
    const gate = await start();
    const { client, events } = connect(gate, { shouldRetry: (cause) => 'code' in (cause as object) });
    const failed = new Promise((resolve) => {
      const sink = { next: () => gate.drain(), error: resolve, complete: () => {} };
      client.subscribe({ query: 'subscription { forever }' }, sink);
    });
    expect(await failed).toMatchObject({ message: 'Unexpected server response: 503' });
    expect(await events.until((event) => event.startsWith('closed'))).toBe('closed 1012 server restart');
  });

  test('1011 ends it for good', async () => {
    const gate = await start();
    const { client } = connect(gate);
    const failed = new Promise((resolve) => {
      const sink = { next: () => gate.closeAll(1011, 'fault'), error: resolve, complete: () => {} };
      client.subscribe({ query: 'subscription { forever }' }, sink);
    });
    expect(await failed).toMatchObject({ code: 1011, reason: 'fault' });
  });
});
