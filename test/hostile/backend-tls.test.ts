import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Server, TLSSocket, TlsOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import {
  GOOD_NAME,
  type Identity,
  makeCertificates,
  otherCertificates,
  type TestCertificates,
} from '../support/certs.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { acceptFor, exampleKey, text, upgradeRequest } from '../support/wire.ts';
import { workerCount } from '../support/worker-fleet.ts';
import { closeCleanly, endLine } from './pair.ts';
import { earlyFrame, expectRefusedLine, headOf, switchLines, takeRefusal } from './refusal.ts';

let folder = '';
let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await makeCertificates();
  folder = mkdtempSync(path.join(tmpdir(), 'framegate-tls-'));
  writeFileSync(path.join(folder, 'ca.pem'), certificates.ca);
});

afterAll(() => rmSync(folder, { recursive: true }));

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string];

interface ProxyToTls {
  readonly tls?: UpstreamInput['tls'];
  readonly timeouts?: ConfigInput['timeouts'];
}

/** A proxy to the TLS port of `urls` on this machine, which must be `backend.test` unless `tls` says otherwise. */
function proxyTo(urls: readonly string[], options: ProxyToTls = {}): Promise<RunningProxy> {
  return startProxy(configTo(urls, options), { baseDir: folder });
}

function configTo(urls: readonly string[], options: ProxyToTls = {}): ConfigInput {
  const tls = { ca: 'ca.pem', server_name: GOOD_NAME, ...options.tls };
  return {
    listeners: anyPort,
    routes: [{ name: 'test', upstream: 'pool' }],
    upstreams: {
      pool: { targets: urls.map((url, i) => ({ name: `t${i}`, url })), balance: 'round_robin', tls },
    },
    timeouts: options.timeouts ?? {},
  };
}

async function tlsBackend(identity: Identity, more: TlsOptions = {}): Promise<RawBackend> {
  return RawBackend.listen({ tls: { cert: identity.cert, key: identity.key, ...more } });
}

/** A client's request, a frame glued to it, on its way. */
async function ask(running: RunningProxy): Promise<RawClient> {
  const client = await RawClient.connect(running.port);
  client.send(Buffer.concat([upgradeRequest({ path: '/chat?x=1' }), earlyFrame]));
  return client;
}

/** No request reached anybody, the client has its 502, and the log names the code of OpenSSL or of Node. */
async function expectRefusedTls(backend: RawBackend, running: RunningProxy, cause: unknown): Promise<void> {
  const client = await ask(running);
  const { head, body } = await takeRefusal(client, 502, 'backend_tls');
  expect(`${head.raw}${body}`).not.toMatch(/cert|127\.0\.0\.1|backend\.test/i);
  for (const connection of backend.all) expect(connection.received).toHaveLength(0);
  const spoilt = { status: 502, error: 'backend_tls', cause: cause as string };
  await expectRefusedLine(running, spoilt, { upstream: 'pool', target: 't0' });
}

async function expectSession(server: BackendConnection, client: RawClient, running: RunningProxy): Promise<void> {
  const request = await server.accept();
  expect((await client.readHead()).status).toBe(101);
  expect(request.field('via')).toMatch(/^1\.1 /);
  expect((await server.nextFrame()).bytes).toEqual(earlyFrame);
  server.send(text('down'));
  expect((await client.nextFrame()).payload.toString()).toBe('down');
  await closeCleanly({ client, server });
  expect(await endLine(running)).toMatchObject({ reason: 'client_close', clean: true });
}

const NO_NAMES = 'certificate has no subjectAltName (RFC 9525)';

describe('certificates of backends', () => {
  const rows: [string, (c: TestCertificates) => Identity | Promise<Identity>, string][] = [
    ['expired', (c) => c.expired, 'CERT_HAS_EXPIRED'],
    ['not yet valid', (c) => c.notYetValid, 'CERT_NOT_YET_VALID'],
    ['for another name', (c) => c.wrongName, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['self-signed', (c) => c.selfSigned, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['with a NUL in its name', (c) => c.issue({ dns: [`${GOOD_NAME}\0.evil.test`] }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['with a wildcard for all', (c) => c.issue({ dns: ['*', '*.test'] }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['for the address only', (c) => c.issue({ ip: ['127.0.0.1'] }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['for clients', (c) => c.client, 'INVALID_PURPOSE'],
    ['for a common name only', (c) => c.issue({ commonName: GOOD_NAME }), NO_NAMES],
    [
      'for a common name and an address',
      (c) => c.issue({ commonName: GOOD_NAME, ip: ['127.0.0.1'] }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
  ];

  test.each(rows)('B18: RFC 9525 6: one that is %s is 502 backend_tls, tried once', async (_name, make, cause) => {
    const backend = await tlsBackend(await make(certificates));
    await expectRefusedTls(backend, await proxyTo([backend.url]), cause);
  });

  test.each(rows)('B18: one that is %s passes only where verify is false', async (_name, make) => {
    const backend = await tlsBackend(await make(certificates));
    const running = await proxyTo([backend.url], { tls: { verify: false } });
    const client = await ask(running);
    await expectSession(await backend.nextConnection(), client, running);
  });

  test('B18: RFC 9525 6.1: a good one passes, for the configured name, with SNI', async () => {
    const names: (string | false)[] = [];
    const backend = await tlsBackend(certificates.good, {
      SNICallback: (name, done) => {
        names.push(name);
        done(null);
      },
    });
    const running = await proxyTo([backend.url]);
    const client = await ask(running);
    await expectSession(await backend.nextConnection(), client, running);
    expect(names).toEqual([GOOD_NAME]);
  });

  test("B18: RFC 9525 6.1: the name of the URL counts, not the client's Host", async () => {
    const backend = await tlsBackend(await certificates.issue({ dns: ['framegate.test'] }));
    await expectRefusedTls(
      backend,
      await proxyTo([`wss://localhost:${backend.port}`], { tls: { ca: 'ca.pem' } }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  });

  test('B18: an authority that is not configured is not trusted', async () => {
    const backend = await tlsBackend((await otherCertificates()).good);
    await expectRefusedTls(backend, await proxyTo([backend.url]), 'CERT_SIGNATURE_FAILURE');
  });

  test('B18: TLS 1.1 is refused, TLS 1.2 passes', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const backend = await tlsBackend(certificates.good, old);
    await expectRefusedTls(backend, await proxyTo([backend.url]), expect.stringMatching(/^ERR_SSL_/));
    const good = await tlsBackend(certificates.good, { maxVersion: 'TLSv1.2' });
    const running = await proxyTo([good.url]);
    const client = await ask(running);
    await expectSession(await good.nextConnection(), client, running);
  });

  test('B18: a target with a bad certificate leaves the session to the next one, and the log says why', async () => {
    const bad = await tlsBackend(certificates.expired);
    const good = await tlsBackend(certificates.good);
    const running = await proxyTo([bad.url, good.url]);
    const client = await ask(running);
    await expectSession(await good.nextConnection(), client, running);
    const line = await running.waitForLog('target.dial_failed');
    expect(line).toMatchObject({ level: 'warn', upstream: 'pool', target: 't0', cause: 'CERT_HAS_EXPIRED' });
    expect(running.logsOf('handshake.refused')).toHaveLength(0);
  });
});

/** Every connection is a session at once. */
function acceptAll(backend: RawBackend): { stop(): void } {
  let isOver = false;
  const next = async (): Promise<void> => {
    while (!isOver) await backend.nextSession();
  };
  next().catch(() => {});
  return {
    stop: () => {
      isOver = true;
    },
  };
}

describe('E26: the certificate of a backend expires', () => {
  test('E26: its sessions stay, new ones go to the others, and it is ejected', async () => {
    const old = await tlsBackend(certificates.good);
    const well = await tlsBackend(certificates.good);
    const running = await proxyTo([old.url, well.url]);
    const client = await ask(running);
    const server = await old.nextSession();
    expect((await client.readHead()).status).toBe(101);
    const { cert, key } = certificates.expired;
    (old.server as Server).setSecureContext({ cert, key });
    const accepting = acceptAll(well);
    const seen: number[] = [];
    for (let at = 0; at < 20; at += 1) seen.push((await (await ask(running)).readHead()).status);
    accepting.stop();
    // Three retries are within the budget of so few, and the first five see its certificate.
    expect([seen.filter((status) => status !== 101), seen.slice(12)]).toEqual([[502, 502], Array(8).fill(101)]);
    expect(await running.waitForLog('target.down')).toMatchObject({ target: 't0', why: 'passive' });
    expect(await running.waitForLog('handshake.refused')).toMatchObject({
      error: 'backend_tls',
      cause: 'CERT_HAS_EXPIRED',
    });
    server.send(text('still here'));
    expect((await client.nextFrame()).payload.toString()).toBe('still here');
  });
});

describe('TLS sessions of backends', () => {
  /** Whether each connection to `backend` resumed a session. */
  function watchResumed(backend: RawBackend): boolean[] {
    const resumed: boolean[] = [];
    backend.server.on('secureConnection', (socket: TLSSocket) => resumed.push(socket.isSessionReused()));
    return resumed;
  }

  async function openAndClose(backend: RawBackend, running: RunningProxy): Promise<void> {
    const client = await ask(running);
    const server = await backend.nextConnection();
    await server.accept();
    await client.readHead();
    await server.nextFrame();
    await closeCleanly({ client, server });
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'B43: %s: resumed for as long as the settings stay',
    async (maxVersion) => {
      const backend = await tlsBackend(certificates.good, { maxVersion });
      const resumed = watchResumed(backend);
      const running = await proxyTo([backend.url]);
      for (let i = 0; i < 3 * workerCount; i++) await openAndClose(backend, running);
      // Each worker has sessions of its own.
      expect(resumed).toEqual([...Array(workerCount).fill(false), ...Array(2 * workerCount).fill(true)]);
    },
  );

  test('B43: another CA, or another name, by a reload: 502, though the backend would resume', async () => {
    const backend = await tlsBackend(certificates.good);
    const resumed = watchResumed(backend);
    const running = await proxyTo([backend.url]);
    await openAndClose(backend, running);
    writeFileSync(path.join(folder, 'other-ca.pem'), (await otherCertificates()).ca);
    for (const tls of [{ ca: 'other-ca.pem' }, { server_name: 'no.test' }]) {
      expect(await running.proxy.reload(configTo([backend.url], { tls }))).toMatchObject({ ok: true });
      await takeRefusal(await ask(running), 502, 'backend_tls');
    }
    expect(await running.proxy.reload(configTo([backend.url]))).toMatchObject({ ok: true });
    await openAndClose(backend, running);
    expect(resumed).not.toContain(true);
  });
});

describe('what does not speak TLS', () => {
  const readyMade = headOf(...switchLines(exampleKey));

  test.each([
    ['a ready-made 101', readyMade],
    ['a ready-made 101 and a frame', `${readyMade}${text('canary')}`],
    ['a banner', '220 canary\r\n'],
    ['a refusal', headOf('HTTP/1.1 400 Bad Request', 'Content-Length: 0')],
  ])('B19: plaintext on the TLS port is 502: %s, sent at once', async (_name, answer) => {
    const backend = await RawBackend.listen();
    backend.server.on('connection', (socket) => socket.write(answer));
    const running = await proxyTo([`wss://127.0.0.1:${backend.port}`]);
    const client = await ask(running);
    await takeRefusal(client, 502, 'backend_tls');
    const server = await backend.nextConnection();
    await server.closed;
    // A ClientHello, and perhaps an alert: no byte of the request.
    expect(server.received.subarray(0, 2).toString('hex')).toBe('1603');
    expect(server.received.toString('latin1')).not.toMatch(/GET|Sec-WebSocket|early/);
    const cause = expect.stringMatching(/^ERR_SSL_/);
    const spoilt = { status: 502, error: 'backend_tls', cause: cause as string };
    await expectRefusedLine(running, spoilt, { upstream: 'pool', target: 't0' });
  });

  test('B19: plaintext that answers the key it never saw opens nothing: the 101 of another port', async () => {
    const backend = await RawBackend.listen();
    const running = await proxyTo([`wss://127.0.0.1:${backend.port}`]);
    const client = await ask(running);
    const server = await backend.nextConnection();
    await server.receivedBytes(1);
    server.send(headOf('HTTP/1.1 101 x', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${acceptFor(exampleKey)}`));
    await takeRefusal(client, 502, 'backend_tls');
    await server.closed;
  });

  test('B20: TCP accept, then silence instead of TLS, is 504 after timeouts.connect', async () => {
    const backend = await RawBackend.listen();
    const begun = performance.now();
    const running = await proxyTo([`wss://127.0.0.1:${backend.port}`], { timeouts: { connect: '200ms' } });
    const client = await ask(running);
    await takeRefusal(client, 504, 'backend_timeout');
    expect(performance.now() - begun).toBeGreaterThan(190);
    const server = await backend.nextConnection();
    await server.closed;
    expect(server.received.toString('latin1')).not.toMatch(/GET|early/);
    const spoilt = { status: 504, error: 'backend_timeout', cause: 'ETIMEDOUT' };
    await expectRefusedLine(running, spoilt, { upstream: 'pool', target: 't0' });
  });

  test('B20: TLS that is up and then silent is 504 after timeouts.upgrade', async () => {
    const backend = await tlsBackend(certificates.good);
    const running = await proxyTo([backend.url], { timeouts: { upgrade: '200ms' } });
    const client = await ask(running);
    const server = await backend.nextConnection();
    await takeRefusal(client, 504, 'backend_timeout');
    await server.closed;
    expect(server.received.indexOf('\r\n\r\n')).toBe(server.received.length - 4);
  });
});
