// Requests without upgrade, and an upgrade behind them, on one connection: whatever carries it, and whoever vouches
// for its source.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { closeCleanly } from '../hostile/pair.ts';
import { v2 } from '../protocol/proxy-headers.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';

type Listener = NonNullable<ConfigInput['listeners']>[number];

let authority: Authority;
let server: Identity;
let device: Identity;
beforeAll(async () => {
  authority = await makeAuthority();
  server = await authority.issue({ dns: ['a.test'] });
  device = await authority.issue({ client: true, commonName: 'device' });
});

const tcp = { name: 'in', address: '127.0.0.1:0' };
const carriers: Record<string, () => { listener: Listener; tls?: object; before?: Buffer; realIp?: string }> = {
  TCP: () => ({ listener: tcp }),
  TLS: () => ({
    listener: { ...tcp, tls: { certificates: [server] } },
    tls: { ca: authority.ca, servername: 'a.test' },
  }),
  'TLS with a client certificate': () => ({
    listener: { ...tcp, tls: { certificates: [server], client_auth: 'require', client_ca: authority.ca } },
    tls: { ca: authority.ca, servername: 'a.test', ...device },
  }),
  'a PROXY header': () => ({
    listener: { ...tcp, proxy_protocol: 'v2', trusted_proxies: ['127.0.0.1'] },
    before: v2(),
    realIp: '192.0.2.9',
  }),
  'a unix socket': () => {
    const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
    atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
    return { listener: { name: 'in', address: `unix:${join(folder, 'in.sock')}` } };
  },
};

test.each(Object.keys(carriers))('by %s: two requests, one of them with a body, and a session', async (name) => {
  const { listener, tls, before, realIp } = carriers[name]?.() ?? { listener: tcp };
  const backend = await RawBackend.listen();
  const { proxy } = await startProxy({
    listeners: [listener],
    routes: [{ name: 'all', upstream: backend.url, http: backend.url.replace('ws:', 'http:') }],
  });
  const address = proxy.address();
  const client = await RawClient.connect(typeof address === 'string' ? address : address.port, tls ? { tls } : {});
  if (before !== undefined) client.send(before);

  const body = Buffer.alloc(300_000, 'b');
  client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const path of ['/1', '/2']) {
    const asked = await backend.nextConnection();
    const request = await asked.request();
    expect([request.line, request.field('x-real-ip')]).toEqual([
      `${path === '/1' ? 'GET' : 'POST'} ${path} HTTP/1.1`,
      realIp ?? (name === 'a unix socket' ? undefined : '127.0.0.1'),
    ]);
    if (path === '/2') expect((await asked.readBytes(body.length)).equals(body)).toBe(true);
    asked.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`, body);
    const answer = await client.readResponse();
    expect([answer.status, answer.head.field('connection')]).toEqual([200, undefined]);
    expect(answer.body.equals(body)).toBe(true);
    if (path === '/1') client.send(`POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`, body);
  }

  const answer = client.upgrade({ path: '/3' });
  const session = await backend.nextSession();
  expect((await answer).status).toBe(101);
  client.sendFrame({ opcode: 2, payload: body });
  expect((await session.nextFrame()).payload.equals(body)).toBe(true);
  await closeCleanly({ client, server: session });
});
