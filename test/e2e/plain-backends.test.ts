// Backends of plain requests, however they are reached: what stands in front of the request, what it says of the path
// and the host, and the cookie that names a target.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { makeCertificates, type TestCertificates } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { startProxy } from '../support/harness.ts';
import { type BackendOptions, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';

type Upstream = NonNullable<ConfigInput['upstreams']>[string];

let certs: TestCertificates;

beforeAll(async () => {
  certs = await makeCertificates();
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What the backend got in front of its first request, and its head; what the client got. */
async function throughTo(listen: BackendOptions, urlOf: (backend: RawBackend) => string, upstream: Partial<Upstream>) {
  const backend = await RawBackend.listen(listen);
  const { port } = await startProxy({
    routes: [{ name: 'pages', match: { path: '/*' }, http: 'pages' }],
    upstreams: { pages: { targets: [{ name: 'one', url: urlOf(backend) }], ...upstream } },
  });
  const client = await RawClient.connect(port);
  client.send('GET /a?b HTTP/1.1\r\nHost: a.test\r\nCookie: framegate=spoofed; own=1\r\n\r\n');
  const connection = await backend.nextConnection();
  const bytes = await connection.readUntil((unread) => unread.includes('\r\n\r\n'));
  const request = bytes.toString('latin1');
  connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: own=2\r\n\r\nok');
  return { request, answer: await client.readResponse() };
}

test('over TLS, below the path of the url, with the host of the target', async () => {
  const { cert, key } = certs.good;
  const { request, answer } = await throughTo({ tls: { cert, key } }, ({ port }) => `https://localhost:${port}/base`, {
    tls: { ca: certs.ca },
    host: 'target',
  });
  expect(request).toMatch(/^GET \/base\/a\?b HTTP\/1\.1\r\nHost: localhost:\d+\r\n/);
  expect(answer.body.toString()).toBe('ok');
});

test('over a unix socket, below the path of the url, with a host of the config', async () => {
  const path = join(newFolder(), 's');
  const { request, answer } = await throughTo({ path }, () => `ws+unix:${path}:/base`, { host: 'inside' });
  expect(request).toMatch(/^GET \/base\/a\?b HTTP\/1\.1\r\nHost: inside\r\n/);
  expect(answer.body.toString()).toBe('ok');
});

test('behind a PROXY header, with the host of the client', async () => {
  const { request, answer } = await throughTo({}, ({ port }) => `http://127.0.0.1:${port}`, { proxy_protocol: 'v1' });
  expect(request).toMatch(
    /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nGET \/a\?b HTTP\/1\.1\r\nHost: a\.test\r\n/,
  );
  expect(answer.body.toString()).toBe('ok');
});

test('with a cookie that names the target beside its own, which backends do not see', async () => {
  const balance = { sticky: { cookie: 'framegate' } };
  const { request, answer } = await throughTo({}, ({ port }) => `http://127.0.0.1:${port}`, { balance });
  expect(request).toContain('\r\nCookie: own=1\r\n');
  expect(answer.head.all('set-cookie')).toEqual(['own=2', expect.stringMatching(/^framegate=/)]);
});
