// Requests that ask for no upgrade beside WebSockets on one listener: real clients, a real backend, raw bytes between.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { atTestEnd } from '../support/cleanup.ts';
import { startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers what it has got, as JSON. */
async function startPages(): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const seen: Seen = { method, url, headers, body: Buffer.concat(chunks).toString('latin1') };
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.end(JSON.stringify(seen));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTestEnd(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startBoth() {
  const pages = await startPages();
  return startProxy({
    routes: [
      { name: 'ws', match: { path: '/ws' }, upstream: 'builtin:echo' },
      { name: 'pages', match: { path: '/pages/*' }, http: pages },
      { name: 'both', match: { path: '/both' }, upstream: 'builtin:echo', http: pages },
    ],
  });
}

describe('plain requests', () => {
  test('go to http of their route with their method, target and body, and come back with all fields', async () => {
    const { port } = await startBoth();
    const url = `http://127.0.0.1:${port}/pages/a%20b?c=d`;
    const answer = await fetch(url, { method: 'DELETE', body: 'hello', headers: { 'x-own': 'kept' } });
    expect(answer.status).toBe(200);
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    const seen = (await answer.json()) as Seen;
    expect(seen).toMatchObject({ method: 'DELETE', url: '/pages/a%20b?c=d', body: 'hello' });
    expect(seen.headers).toMatchObject({ 'x-own': 'kept', 'x-real-ip': '127.0.0.1', connection: 'close' });
  });

  test.each([
    ['/ws', 426, 'upgrade_required'],
    ['/nowhere', 404, 'no_route'],
  ])('to %s, where none are served, get %i %s', async (path, status, error) => {
    const { port } = await startBoth();
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    expect([answer.status, await answer.json()]).toMatchObject([status, { error }]);
  });

  test('and a WebSocket come one after the other on one connection', async () => {
    const { port } = await startBoth();
    const client = await RawClient.connect(port);
    client.send('GET /both HTTP/1.1\r\nHost: a\r\n\r\n');
    const first = await client.readHead();
    expect(first.status).toBe(200);
    await client.readBytes(Number(first.field('content-length')));
    expect((await client.upgrade({ path: '/both' })).status).toBe(101);
  });

  test('a route for them alone is none for a WebSocket, and the log says why', async () => {
    const { port, logsOf } = await startBoth();
    const client = await RawClient.connect(port);
    expect((await client.upgrade({ path: '/pages/x' })).status).toBe(404);
    expect(logsOf('handshake.refused')).toMatchObject([{ error: 'no_route', cause: 'the route has no upstream' }]);
  });
});
