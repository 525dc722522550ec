// Who comes to a listener with `redirect_http`: sent to https, by what was judged, and nowhere else.

import { describe, expect, test } from 'vitest';
import { makeCertificates } from '../support/certs.ts';
import { startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Response } from '../support/raw-peer.ts';
import { type Bytes, requestOf } from './harness.ts';

const certs = await makeCertificates();
const tls = { certificates: [{ cert: certs.good.cert, key: certs.good.key }] };
const address = '127.0.0.1:0';

async function start(trusted_proxies: readonly string[] = []) {
  const backend = await RawBackend.listen();
  const running = await startProxy({
    trusted_proxies: [...trusted_proxies],
    listeners: [
      { name: 'plain', address, redirect_http: true, health_path: '/healthz' },
      { name: 'first', address, tls },
      { name: 'second', address, tls },
    ],
    routes: [
      { name: 'one', match: { hosts: ['one.test', '[::1]'], listeners: ['first'] }, upstream: backend.url },
      { name: 'two', match: { hosts: ['two.test', '*.two.test'], listeners: ['second'] }, http: backend.url },
      // Nobody gets there: the listener sends all away.
      { name: 'here', match: { hosts: ['here.test'], listeners: ['plain'] }, http: backend.url },
    ],
    log: { level: 'debug' },
  });
  const portOf = (name: string): number => {
    const bound = running.proxy.address(name);
    return typeof bound === 'string' ? 0 : bound.port;
  };
  const ask = async (bytes: Bytes): Promise<Response> => {
    const client = await RawClient.connect(running.port);
    client.send(bytes);
    const head = await client.readHead();
    const body = await client.readToEnd();
    return { head, status: head.status, body, json: () => JSON.parse(body.toString()) };
  };
  return { ...running, portOf, ask, dials: () => backend.connections };
}

const plain = (line: string, host: string, ...fields: string[]): string =>
  `${[`${line}`, `Host: ${host}`, ...fields].join('\r\n')}\r\n\r\n`;

describe('H83: a listener with redirect_http', () => {
  test('H83: sends to the listener with TLS that has a route for the Host, the target as it came', async () => {
    const { ask, portOf } = await start();
    const targets = ['/', '/a%20b;c?d=%2F/../x&e=//evil.test', '/?https://evil.test', '/@evil.test', '/a?b\\c'];
    for (const target of targets) {
      const { head, status } = await ask(plain(`GET ${target} HTTP/1.1`, 'one.test'));
      expect([status, head.field('location')]).toEqual([308, `https://one.test:${portOf('first')}${target}`]);
    }
    const locationFor = async (host: string, target = '/x') =>
      (await ask(plain(`GET ${target} HTTP/1.1`, host))).head.field('location');
    const second = portOf('second');
    expect(await locationFor('TWO.test.:80')).toBe(`https://two.test:${second}/x`);
    expect(await locationFor('a.b.two.test:8080')).toBe(`https://a.b.two.test:${second}/x`);
    expect(await locationFor('[::1]')).toBe(`https://[::1]:${portOf('first')}/x`);
    expect(await locationFor('one.test', 'http://one.test/y?z')).toBe(`https://one.test:${portOf('first')}/y?z`);
  });

  test.each([
    ['a Host of nobody', plain('GET / HTTP/1.1', 'evil.test'), '404 no_route'],
    ['a Host of a route of this listener alone', plain('GET / HTTP/1.1', 'here.test'), '404 no_route'],
    ['one with user information', plain('GET / HTTP/1.1', 'one.test@evil.test'), '400 host'],
    ['two of them', plain('GET / HTTP/1.1', 'evil.test', 'Host: one.test'), '400 host'],
    ['an authority that is another one', plain('GET http://evil.test/ HTTP/1.1', 'one.test'), '400 authority'],
    ['a path that is an authority to browsers', plain('GET //evil.test HTTP/1.1', 'one.test'), '400 double_slash'],
    ['the same with a backslash', plain('GET /\\evil.test HTTP/1.1', 'one.test'), '400 target_char'],
    ['a path that climbs', plain('GET /a/../b HTTP/1.1', 'one.test'), '400 dot_segment'],
    ['a tunnel', plain('CONNECT one.test:443 HTTP/1.1', 'one.test'), '405 method_refused'],
    [
      'a body of two lengths',
      plain('POST / HTTP/1.1', 'one.test', 'Content-Length: 1', 'Transfer-Encoding: chunked'),
      '400 transfer_encoding',
    ],
  ])('H83: %s is no place to be sent to', async (_, bytes, refusal) => {
    const { ask, dials } = await start();
    const { head, status, json } = await ask(bytes);
    expect([`${status} ${json().error}`, head.field('location')]).toEqual([refusal, undefined]);
    expect(dials()).toBe(0);
  });

  test('H83: sends away whatever is asked, and no backend hears of it', async () => {
    const { ask, dials, logsOf, portOf } = await start();
    const to = `https://one.test:${portOf('first')}/x`;
    const bodies = [];
    for (const bytes of [
      plain('HEAD /x HTTP/1.1', 'one.test'),
      plain('GET /x HTTP/1.0', 'one.test'),
      `${plain('POST /x HTTP/1.1', 'one.test', 'Content-Length: 3')}abc${plain('GET /y HTTP/1.1', 'one.test')}`,
      requestOf({ line: 'GET /x HTTP/1.1', omit: ['host'], fields: ['Host: one.test'] }),
    ]) {
      const { head, status, body } = await ask(bytes);
      expect([status, head.field('location'), head.field('connection')]).toEqual([308, to, 'close']);
      bodies.push(body.length === 0 ? '' : JSON.parse(body.toString()).error);
    }
    expect(bodies).toEqual(['', 'https_only', 'https_only', 'https_only']);
    expect(dials()).toBe(0);
    expect(logsOf('http.request').map(({ status, method, host }) => `${status} ${method} ${host}`)).toEqual([
      '308 HEAD one.test',
      '308 GET one.test',
      '308 POST one.test',
    ]);
    expect(logsOf('handshake.refused')).toMatchObject([{ status: 308, error: 'https_only' }]);
  });

  test('H83: a Host of nobody is told in the log', async () => {
    const { ask, logsOf } = await start();
    await ask(plain('GET /x HTTP/1.1', 'evil.test'));
    const cause = 'no listener with tls has a route for this Host';
    expect(logsOf('http.request')).toMatchObject([{ error: 'no_route', host: 'evil.test', cause }]);
  });

  test('H83: judges by the rules of plain requests also where no route has http', async () => {
    const listeners = [
      { name: 'plain', address, redirect_http: true },
      { name: 'tls', address, tls },
    ];
    const { port } = await startProxy({ listeners, routes: [{ upstream: 'builtin:echo' }] });
    const client = await RawClient.connect(port);
    client.send(plain('POST //evil.test HTTP/1.1', 'one.test'));
    expect((await client.readHead()).status).toBe(400);
  });

  test('H83: answers for its health', async () => {
    const { ask } = await start();
    expect((await ask(plain('GET /healthz HTTP/1.1', 'evil.test'))).status).toBe(200);
    expect((await ask(plain('GET /healthz/ HTTP/1.1', 'one.test'))).status).toBe(308);
  });

  test.each([
    [['127.0.0.1'], 'https', 404],
    [['127.0.0.1'], 'http', 308],
    [[], 'https', 308],
  ])(
    'H83: sends nobody away who came by TLS to a trusted proxy: of %j, which says %s',
    async (trusted, proto, status) => {
      const { ask } = await start(trusted);
      // What is not sent away is for a route of the listener itself, and that has none for this Host.
      expect((await ask(plain('GET / HTTP/1.1', 'one.test', `X-Forwarded-Proto: ${proto}`))).status).toBe(status);
    },
  );

  test('H83: is one for connections that are open when a reload says so', async () => {
    const backend = await RawBackend.listen();
    const config = (redirect_http: boolean) => ({
      listeners: [
        { name: 'plain', address, redirect_http },
        { name: 'first', address, tls },
      ],
      routes: [{ name: 'one', http: backend.url }],
    });
    const { proxy, port } = await startProxy(config(false));
    const clients = [await RawClient.connect(port), await RawClient.connect(port)];
    for (const client of clients) {
      client.send(plain('GET / HTTP/1.1', 'one.test'));
      const served = await backend.nextConnection();
      await served.readHead();
      served.send('HTTP/1.1 204 No Content\r\n\r\n');
      expect((await client.readHead()).status).toBe(204);
    }
    await proxy.reload(config(true));
    clients[0]?.send(plain('GET / HTTP/1.1', 'one.test'));
    clients[1]?.send(requestOf());
    for (const client of clients) expect((await client.readHead()).status).toBe(308);
  });
});
