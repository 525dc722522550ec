// What a drain of the process does to plain requests that are being answered. The clock is the test's.

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { connectWs } from './ws-pair.ts';

const SPREAD_MS = 4_000;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Answers with the type that the path names, and never to the end by itself. */
async function startStreams() {
  const answers = new Map<string, ServerResponse>();
  const server = createServer((request, response) => {
    const type = (request.url ?? '').slice(1);
    answers.set(`${request.method} ${type}`, response);
    if (type === 'late') return;
    response.writeHead(200, { 'Content-Type': type }).write('data: one\n\n');
    request.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTestEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const clock = new FakeClock();
  const running = await startProxy(
    {
      listeners: [{ name: 'test', address: '127.0.0.1:0' }],
      routes: [
        {
          name: 'streams',
          upstream: 'builtin:echo',
          http: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        },
      ],
      drain: { spread: '4s', timeout: '1m' },
      log: { level: 'debug' },
    },
    { clock },
  );
  const begin = async (method: string, type: string, version = '1.1') => {
    const client = await RawClient.connect(running.port);
    client.send(`${method} /${type} HTTP/${version}\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
    expect((await client.readHead()).status).toBe(200);
    return client;
  };
  const ask = async (method: string, type: string) => {
    const client = await begin(method, type);
    expect(String(await client.readUntil((bytes) => bytes.includes('\n\n\r\n')))).toBe('b\r\ndata: one\n\n\r\n');
    return client;
  };
  return { running, clock, answers, begin, ask };
}

test('event streams end over drain.spread, not as if they were whole; others may end by themselves', async () => {
  const { running, clock, answers, ask } = await startStreams();
  const streams = [await ask('GET', 'text/event-stream;charset=utf-8'), await ask('GET', 'Text/Event-Stream')];
  const others = [await ask('GET', 'text/plain'), await ask('POST', 'text/event-stream')];
  const session = await connectWs(running.port);
  const drained = running.proxy.drain();
  // The first is told at once.
  expect(await session.closed()).toMatchObject({ code: 1012 });
  clock.advance(SPREAD_MS + 100);
  for (const client of streams) {
    await client.ended;
    expect(client.unread.length).toBe(0);
  }
  expect(running.logsOf('http.request').map(({ status, error }) => [status, error])).toEqual([
    [200, 'draining'],
    [200, 'draining'],
  ]);
  for (const client of others) expect(client.finSeen).toBe(false);
  for (const name of ['GET text/plain', 'POST text/event-stream']) answers.get(name)?.end('last');
  for (const client of others) expect(String(await client.readToEnd())).toBe('4\r\nlast\r\n0\r\n\r\n');
  for (const client of [...streams, ...others]) client.end();
  await drained;
  expect(clock.now()).toBe(1_000_000 + SPREAD_MS + 100);
});

test('at drain.timeout what is under way is cut off, by RST where FIN would be its end, and told', async () => {
  const { running, clock, begin } = await startStreams();
  const framed = await begin('GET', 'text/plain');
  const unframed = await begin('GET', 'text/plain', '1.0');
  await unframed.readUntil((bytes) => bytes.includes('\n\n'));
  const drained = running.proxy.drain();
  // Workers hear of it in the next turn, and count from then on.
  await turn();
  clock.advance(60_100);
  await drained;
  expect(String(await framed.readToEnd())).not.toMatch(/0\r\n\r\n$/);
  const { error } = await unframed.closed;
  expect(error).toBe('ECONNRESET');
  expect(running.logsOf('http.request')).toMatchObject([
    { status: 200, error: 'draining' },
    { status: 200, error: 'draining' },
  ]);
});

test('an event stream that begins after the drain was told ends over drain.spread, too', async () => {
  const { running, clock, answers } = await startStreams();
  const client = await RawClient.connect(running.port);
  client.send('GET /late HTTP/1.1\r\nHost: a\r\n\r\n');
  while (!answers.has('GET late')) await turn();
  const drained = running.proxy.drain();
  await turn();
  answers.get('GET late')?.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: one\n\n');
  await client.readUntil((bytes) => bytes.includes('data: one'));
  clock.advance(SPREAD_MS + 100);
  await client.ended;
  client.end();
  await drained;
  expect(running.logsOf('http.request')).toMatchObject([{ status: 200, error: 'draining' }]);
});
