import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { GOOD_NAME, makeCertificates, type TestCertificates } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { type HarnessOptions, type RunningProxy, startProxy } from '../support/harness.ts';
import { type BackendOptions, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Response } from '../support/raw-peer.ts';
import { binary, closeFrame, text, upgradeRequest } from '../support/wire.ts';

type TlsInput = NonNullable<NonNullable<ConfigInput['upstreams']>[string]['tls']>;

let certs: TestCertificates;
beforeAll(async () => {
  certs = await makeCertificates();
});

/** A proxy whose only route goes to `url` with these tls settings. */
function proxyTo(url: string, tls: TlsInput | undefined, options: HarnessOptions = {}): Promise<RunningProxy> {
  const upstream = { targets: [{ name: 'secure', url }], ...(tls === undefined ? {} : { tls }) };
  const config = { routes: [{ name: 'test', upstream: 'pool' }], upstreams: { pool: upstream } };
  return startProxy({ ...config, timeouts: { connect: '1s' } }, options);
}

function secureBackend(identity: { cert: string; key: string }, more: BackendOptions['tls'] = {}): Promise<RawBackend> {
  return RawBackend.listen({ tls: { cert: identity.cert, key: identity.key, ...more } });
}

/** Opens a session and sends a text each way. */
async function talk(running: RunningProxy, backend: RawBackend): Promise<TLSSocket> {
  const client = await RawClient.connect(running.port);
  const opened = client.upgrade({ host: 'front.test' });
  const server = await backend.nextSession();
  expect((await opened).status).toBe(101);
  client.send(text('up', { mask: true }));
  expect((await server.nextFrame()).payload.toString()).toBe('up');
  server.send(text('down'));
  expect((await client.nextFrame()).payload.toString()).toBe('down');
  return server.socket as TLSSocket; // the backend was given TLS options
}

/** The answer to a handshake that does not open. */
async function refusal(running: RunningProxy): Promise<Response> {
  const client = await RawClient.connect(running.port);
  client.send(upgradeRequest());
  const response = await client.readResponse();
  client.end();
  await client.closed;
  return response;
}

/** What a refused handshake must look like: to the client without any detail, in the log with the cause. */
async function expectRefused(running: RunningProxy, status: number, error: string, cause: string | RegExp) {
  const response = await refusal(running);
  const requestId = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect([response.status, response.json()]).toEqual([status, { status, error, request_id: requestId }]);
  expect(response.head.raw).not.toMatch(/127\.0\.0\.1|localhost|backend\.test/);
  const line = await running.waitForLog('handshake.refused');
  expect(line).toMatchObject({
    level: 'warn',
    status,
    error,
    cause: typeof cause === 'string' ? cause : expect.stringMatching(cause),
    upstream: 'pool',
    target: 'secure',
    tries: 1,
    request_id: response.json().request_id,
  });
}

const at = (backend: RawBackend, host: string, scheme = 'wss') => `${scheme}://${host}:${backend.port}`;

describe('a certificate that is good', () => {
  test.each([
    ['localhost', 'wss'],
    ['127.0.0.1', 'wss'],
    ['localhost', 'https'],
  ])('for %s over %s: bytes go both ways', async (host, scheme) => {
    const backend = await secureBackend(certs.good);
    await talk(await proxyTo(at(backend, host, scheme), { ca: certs.ca }), backend);
  });

  test('tls.ca from a file, relative to the base directory', async () => {
    const baseDir = mkdtempSync(join(tmpdir(), 'framegate-'));
    atTestEnd(() => rmSync(baseDir, { recursive: true, force: true }));
    writeFileSync(join(baseDir, 'ca.pem'), certs.ca);
    const backend = await secureBackend(certs.good);
    await talk(await proxyTo(at(backend, 'localhost'), { ca: 'ca.pem' }, { baseDir }), backend);
  });

  test('RFC 6066 3: the host of the url is asked for by SNI, an address is not', async () => {
    for (const [host, expected] of [
      ['localhost', 'localhost'],
      ['127.0.0.1', false],
    ] as const) {
      const backend = await secureBackend(certs.good);
      const socket = await talk(await proxyTo(at(backend, host), { ca: certs.ca }), backend);
      expect(socket.servername).toBe(expected);
    }
  });

  test('server_name is asked for and verified instead of the host', async () => {
    const onlyForName = await certs.issue({ dns: [GOOD_NAME] });
    const backend = await secureBackend(onlyForName);
    const socket = await talk(
      await proxyTo(at(backend, '127.0.0.1'), { ca: certs.ca, server_name: GOOD_NAME }),
      backend,
    );
    expect(socket.servername).toBe(GOOD_NAME);
    const other = await secureBackend(onlyForName);
    const running = await proxyTo(at(other, 'localhost'), { ca: certs.ca, server_name: 'other.test' });
    await expectRefused(running, 502, 'backend_tls', 'ERR_TLS_CERT_ALTNAME_INVALID');
    expect(other.connections).toBe(0);
  });

  test('messages larger than any buffer arrive unchanged, and the end is clean', async () => {
    const backend = await secureBackend(certs.good);
    const running = await proxyTo(at(backend, 'localhost'), { ca: certs.ca });
    const client = await RawClient.connect(running.port);
    const opened = client.upgrade();
    const server = await backend.nextSession();
    expect((await opened).status).toBe(101);
    const bulk = Buffer.alloc(8 * 1_048_576, 'abcdefg');
    const frame = binary(bulk);
    server.send(frame);
    expect((await client.nextFrame()).bytes.equals(frame)).toBe(true);
    client.send(closeFrame(1000, 'done', { mask: true }));
    expect(await server.nextClose()).toEqual({ code: 1000, reason: 'done' });
    server.send(closeFrame(1000, 'done'));
    server.end();
    expect(await client.nextClose()).toEqual({ code: 1000, reason: 'done' });
    client.end();
    const fromBackend = { messages: 1, bytes: bulk.length };
    expect(await running.waitForLog('session.end')).toMatchObject({ clean: true, from_backend: fromBackend });
  });
});

describe('a certificate that is not', () => {
  const faults = [
    ['expired', 'CERT_HAS_EXPIRED'],
    ['notYetValid', 'CERT_NOT_YET_VALID'],
    ['wrongName', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['selfSigned', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ] as const;

  test.each(faults)('%s: 502 backend_tls, and no byte of a request is sent', async (name, cause) => {
    const backend = await secureBackend(certs[name]);
    const running = await proxyTo(at(backend, 'localhost'), { ca: certs.ca, server_name: GOOD_NAME });
    await expectRefused(running, 502, 'backend_tls', cause);
    for (const { bytesReceived } of backend.all) expect(bytesReceived).toBe(0);
  });

  test('of a CA that the system does not know: 502, tls.ca is not optional then', async () => {
    const backend = await secureBackend(certs.good);
    await expectRefused(await proxyTo(at(backend, 'localhost'), undefined), 502, 'backend_tls', /^UNABLE_TO_/);
  });

  test.each(faults)('%s with verify: false is accepted', async (name) => {
    const backend = await secureBackend(certs[name]);
    await talk(await proxyTo(at(backend, 'localhost'), { verify: false }), backend);
  });

  test('a target that fails so is retried on the next one', async () => {
    const [bad, good] = await Promise.all([secureBackend(certs.expired), secureBackend(certs.good)]);
    const targets = [
      { name: 'bad', url: at(bad, 'localhost') },
      { name: 'good', url: at(good, 'localhost') },
    ];
    const running = await startProxy({
      routes: [{ upstream: 'pool' }],
      upstreams: { pool: { targets, balance: 'round_robin', tls: { ca: certs.ca } } },
    });
    await talk(running, good);
    expect(await running.waitForLog('target.dial_failed')).toMatchObject({ target: 'bad', cause: 'CERT_HAS_EXPIRED' });
  });
});

describe('client certificates', () => {
  const demanding = () =>
    secureBackend(certs.good, { ca: certs.ca, requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2' });

  test('tls.cert and tls.key are shown to a backend that asks', async () => {
    const backend = await secureBackend(certs.good, { ca: certs.ca, requestCert: true, rejectUnauthorized: true });
    const { cert, key } = certs.client;
    const socket = await talk(await proxyTo(at(backend, 'localhost'), { ca: certs.ca, cert, key }), backend);
    expect(socket.authorized).toBe(true);
  });

  test('without one, a backend that demands it gets no request (TLS 1.2)', async () => {
    const running = await proxyTo(at(await demanding(), 'localhost'), { ca: certs.ca });
    await expectRefused(running, 502, 'backend_tls', /^ERR_SSL_.*ALERT/);
  });

  test('without one, TLS 1.3 says so only behind the handshake: 502 all the same', async () => {
    const backend = await secureBackend(certs.good, { ca: certs.ca, requestCert: true, rejectUnauthorized: true });
    const running = await proxyTo(at(backend, 'localhost'), { ca: certs.ca });
    await expectRefused(running, 502, 'backend_tls', /^ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED$/);
    expect(backend.connections).toBe(0);
  });
});

describe('no TLS on the port', () => {
  test('a plaintext server that answers at once: 502 backend_tls', async () => {
    const backend = await RawBackend.listen();
    const running = await proxyTo(at(backend, 'localhost'), { ca: certs.ca });
    const refused = expectRefused(running, 502, 'backend_tls', /^ERR_SSL_/);
    const connection = await backend.nextConnection();
    connection.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    await refused;
    // Nothing but the start of a TLS handshake reached it.
    expect(connection.received.subarray(0, 2).toString('hex')).toBe('1603');
    expect(connection.received.includes('GET ')).toBe(false);
  });

  test('a server that hangs up on the TLS handshake: 502 backend_tls', async () => {
    const backend = await RawBackend.listen();
    const running = await proxyTo(at(backend, 'localhost'), { ca: certs.ca });
    const refused = expectRefused(running, 502, 'backend_tls', 'ECONNRESET');
    (await backend.nextConnection()).destroy();
    await refused;
  });

  test('a server that says nothing: 504 backend_timeout after timeouts.connect', async () => {
    const backend = await RawBackend.listen();
    const running = await proxyTo(at(backend, '127.0.0.1'), { ca: certs.ca });
    await expectRefused(running, 504, 'backend_timeout', 'ETIMEDOUT');
  });

  test('the other way round, plaintext to a TLS port: 502, a bad answer or none', async () => {
    const backend = await secureBackend(certs.good);
    const running = await proxyTo(at(backend, '127.0.0.1', 'ws'), undefined);
    expect((await refusal(running)).json()).toMatchObject({ status: 502, error: 'backend_handshake' });
  });
});
