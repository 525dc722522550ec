// What a client may do to the connection that its requests without upgrade come by: whom it is served, in which order,
// and where it ends.

import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import type { BackendConnection } from '../support/raw-backend.ts';
import type { RawClient } from '../support/raw-client.ts';
import { frame, Opcode } from '../support/wire.ts';
import { expectEnd, type Gate, requestOf, sharedGate, startGate } from './harness.ts';
import { closeCleanly } from './pair.ts';

const config = (url: string, over: Partial<ConfigInput> = {}): Partial<ConfigInput> => ({
  log: { level: 'debug' },
  timeouts: { keep_alive: '5s', handshake: '2s' },
  routes: [
    { name: 'ws', match: { path: '/ws' }, upstream: url },
    { name: 'relaxed', match: { path: '/relaxed' }, upstream: url, relax: ['connection_token'] },
    { name: 'pages', match: { path: '/pages/*' }, http: url.replace('ws:', 'http:') },
  ],
  ...over,
});
const gate = sharedGate(config);

const get = (name: string, ...fields: readonly string[]) =>
  `${[`GET /pages/${name} HTTP/1.1`, 'Host: a', ...fields].join('\r\n')}\r\n\r\n`;
const upgradeTo = (path: string) => requestOf({ line: `GET ${path} HTTP/1.1` });
const early = frame({ opcode: Opcode.Text, payload: 'early', mask: true });

/** The next request at the backend, which must be the one for `name`. */
async function asked(at: Gate, name: string): Promise<BackendConnection> {
  at.dials += 1;
  const server = await at.backend.nextConnection();
  expect((await server.head()).split(' ')[1]).toBe(`/pages/${name}`);
  return server;
}

/** The answer to the next request: the client gets it whole. */
async function serves(at: Gate, client: RawClient, name: string): Promise<string> {
  const server = await asked(at, name);
  return answers(client, server, name);
}

async function answers(client: RawClient, server: BackendConnection, body: string): Promise<string> {
  server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const answer = await client.readResponse();
  expect([answer.status, answer.body.toString()]).toEqual([200, body]);
  return answer.head.field('connection') ?? '';
}

async function expectLast(client: RawClient, status: number, error: string): Promise<void> {
  const answer = await client.readResponse();
  expect([answer.status, answer.json().error]).toEqual([status, error]);
  await expectEnd(client);
}

test('H100: requests that come before their turn: one at a time, in their order', async () => {
  const client = await gate.connect();
  const names = Array.from({ length: 40 }, (_, i) => String(i));
  client.send(names.map((name) => get(name)).join(''), get('big', `X: ${'x'.repeat(7000)}`).repeat(300));
  const first = await asked(gate, '0');
  await gate.settled();
  expect(gate.backend.all.at(-1), 'nobody else was dialed').toBe(first);
  await answers(client, first, '0');
  for (const name of names.slice(1)) await serves(gate, client, name);
  await asked(gate, 'big');
  client.reset();
});

test.each([
  ['frames', early.toString('latin1')],
  ['an answer', 'HTTP/1.1 200 OK\r\n\r\n'],
])('H101: %s behind requests without an answer: those are answered, then it is 400', async (_, junk) => {
  const client = await gate.connect();
  client.send(Buffer.from(get('1') + get('2') + junk + get('never'), 'latin1'));
  await serves(gate, client, '1');
  await serves(gate, client, '2');
  await expectLast(client, 400, 'request_line');
});

test('H102: an upgrade behind a request without an answer waits for it, and its frames behind our 101', async () => {
  const client = await gate.connect();
  client.send(Buffer.from(get('1') + upgradeTo('/ws'), 'latin1'), early);
  const server = await asked(gate, '1');
  client.send(early);
  await gate.settled();
  expect(gate.backend.all.at(-1)).toBe(server);
  await answers(client, server, '1');
  gate.dials += 1;
  const socket = await gate.backend.nextConnection();
  await socket.accept();
  expect((await client.readHead()).status).toBe(101);
  for (let i = 0; i < 2; i += 1) expect((await socket.nextFrame()).payload.toString()).toBe('early');
  await closeCleanly({ client, server: socket });
});

test('H103: behind an upgrade that is refused nothing is served, whoever refuses it', async () => {
  const ours = await gate.connect();
  ours.send(get('1') + upgradeTo('/nowhere') + get('never'));
  await serves(gate, ours, '1');
  await expectLast(ours, 404, 'no_route');
  const theirs = await gate.connect();
  theirs.send(get('1') + upgradeTo('/ws') + get('never'));
  await serves(gate, theirs, '1');
  gate.dials += 1;
  const socket = await gate.backend.nextConnection();
  await socket.head();
  socket.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
  expect((await theirs.readResponse()).status).toBe(403);
  await expectEnd(theirs);
});

const unsaid = (path: string) => requestOf({ line: `GET ${path} HTTP/1.1`, omit: ['connection'] });

test('H105: an upgrade that Connection does not name is 400, as for the first of a connection', async () => {
  const client = await gate.connect();
  client.send(get('1') + unsaid('/ws') + get('never'));
  await serves(gate, client, '1');
  await expectLast(client, 400, 'connection_token');
});

test('H105: where the route allows it it goes on, and what is behind it are frames', async () => {
  const client = await gate.connect();
  client.send(Buffer.from(get('1') + unsaid('/relaxed'), 'latin1'), early);
  await serves(gate, client, '1');
  gate.dials += 1;
  const socket = await gate.backend.nextConnection();
  await socket.accept();
  expect((await client.readHead()).status).toBe(101);
  expect((await socket.nextFrame()).payload.toString()).toBe('early');
  await closeCleanly({ client, server: socket });
});

test('H106: connections that wait for their next request keep no session out, nor another request', async () => {
  const full = await startGate((url) => config(url, { limits: { max_sessions: 4 } }));
  const idle = [await full.connect(), await full.connect()];
  for (const client of idle) {
    client.send(get('1'));
    await serves(full, client, '1');
  }
  const next = await full.connect();
  next.send(get('2'));
  const server = await asked(full, '2');
  await idle[0]?.closed;
  await answers(next, server, '2');
  const sessions = [];
  for (let i = 0; i < 4; i += 1) sessions.push(await full.opens(upgradeTo('/ws'), { target: '/ws' }));
  for (const client of [idle[1], next]) await client?.closed;
  const late = await full.connect();
  late.send(get('3'));
  await expectLast(late, 503, 'too_many_sessions');
  for (const pair of sessions) await closeCleanly(pair);
});

test('H106: they hold half of all places: when all of them are busy one more request is 503', async () => {
  const full = await startGate((url) => config(url, { limits: { max_sessions: 4 } }));
  const busy = [await full.connect(), await full.connect()];
  for (const client of busy) client.send(get('1'));
  const servers = [await asked(full, '1'), await asked(full, '1')];
  const late = await full.connect();
  late.send(get('2'));
  await expectLast(late, 503, 'too_many_sessions');
  const line = await full.tap.waitFor('http.request', ({ error }) => error === 'too_many_sessions');
  expect(line).toMatchObject({ status: 503, cause: 'max_sessions', method: 'GET' });
  await closeCleanly(await full.opens(upgradeTo('/ws'), { target: '/ws' }));
  for (const [i, client] of busy.entries()) await answers(client, servers[i] as BackendConnection, 'ok');
});

test('H107: a later head that drips in is 408 at timeouts.handshake from its first byte', async () => {
  const slow = await startGate(config);
  const client = await slow.connect();
  client.send(get('1'));
  await serves(slow, client, '1');
  slow.clock.advance(4_000);
  client.send('GET /pages/');
  await slow.settled();
  slow.clock.advance(1_900);
  client.send('2 HTTP');
  await slow.settled();
  expect(client.unread.length).toBe(0);
  slow.clock.advance(101);
  await expectLast(client, 408, 'handshake_timeout');
});

test('H107: one that never comes: closed at timeouts.keep_alive, without a byte', async () => {
  const slow = await startGate(config);
  const client = await slow.connect();
  client.send(get('1'));
  await serves(slow, client, '1');
  await slow.settled();
  // One without a byte goes before: deadlines that are due have been met.
  const silent = await slow.connect();
  await slow.settled();
  slow.clock.advance(4_900);
  await silent.closed;
  await slow.settled();
  expect(client.finSeen).toBe(false);
  slow.clock.advance(101);
  expect([(await client.closed).fin, client.unread.length]).toEqual([true, 0]);
});

test.each(['fin', 'rst'])('H109: a client that leaves by %s takes what it asked for along', async (how) => {
  const client = await gate.connect();
  client.send(get(how) + get('never'));
  const server = await asked(gate, how);
  if (how === 'fin') client.end();
  else client.reset();
  await server.ended;
  const line = await gate.tap.waitFor('http.request', ({ path }) => path === `/pages/${how}`);
  expect(line).toMatchObject({ method: 'GET', error: 'client_gone' });
  await gate.settled();
});
