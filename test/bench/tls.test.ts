// The generator over TLS: it asks for one suite and takes no other, knows what was resumed, and loses no byte.

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { EchoLoad } from '../../bench/load/echo-load.ts';
import { type HandshakePlan, runHandshakes } from '../../bench/load/handshakes.ts';
import { Storm } from '../../bench/load/storm.ts';
import { faultOfTls, type TlsPlan } from '../../bench/load/tls.ts';
import { WireMaker } from '../../bench/load/wire.ts';
import { makeCertificate } from '../../bench/support/certificate.ts';
import { CERTIFICATE_KINDS, type CertificateKind } from '../../bench/support/certificate-kinds.ts';

type Pair = Awaited<ReturnType<typeof makeCertificate>>;
const pairs = new Map<CertificateKind, Pair>();
const MODERN: TlsPlan = { certificate: 'ecdsa', version: '1.3' };

beforeAll(async () => {
  for (const kind of CERTIFICATE_KINDS) pairs.set(kind, await makeCertificate(kind));
}, 60_000);

/** Echoes messages; gives its port. */
async function echoServer(kind: CertificateKind = 'ecdsa', options: TlsOptions = {}): Promise<number> {
  const server: Server = createServer({ ...pairs.get(kind), ...options });
  const echo = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const http = await import('node:http');
  const upgrades = http.createServer();
  upgrades.on('upgrade', (request, socket, head) => {
    echo.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => {});
      client.on('message', (message, isBinary) => client.send(message, { binary: isBinary }));
    });
  });
  server.on('secureConnection', (socket) => upgrades.emit('connection', socket));
  server.on('tlsClientError', () => {});
  onTestFinished(() => {
    for (const client of echo.clients) client.terminate();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A server that listens on a port has an address of this form.
  return (server.address() as AddressInfo).port;
}

function makers(): [string, WireMaker][] {
  const plain = new WireMaker();
  Object.defineProperty(plain, 'base', { value: null });
  return [
    ['the handle', new WireMaker()],
    ['streams', plain],
  ];
}

describe.each(makers())('over %s', (_, maker) => {
  test.each([64, 70_000])('echoes of %i bytes come back whole, four at a time', async (payloadBytes) => {
    const port = await echoServer();
    const plan = { host: '127.0.0.1', port, path: '/', connections: 3, payloadBytes, inFlight: 4, tls: MODERN };
    const load = new EchoLoad(maker, plan, false);
    onTestFinished(() => load.close());
    await load.open();
    const found = await load.run({ warmupMs: 20, measureMs: 200, pids: [], rate: null });
    expect(found.echoes).toBeGreaterThan(3);
  });

  test('clients that come back have their tickets taken', async () => {
    const port = await echoServer();
    const storm = new Storm(maker, { host: '127.0.0.1', port, path: '/', clients: 40, tls: MODERN });
    onTestFinished(() => storm.cut());
    await storm.arm();
    storm.cut();
    const found = await storm.comeBack();
    expect(found).toMatchObject({ clients: 40, resumed: 40 });
    expect(found.allInMs).toBeGreaterThanOrEqual(found.lastHelloMs);
    expect(found.lastHelloMs).toBeGreaterThan(0);
  });
});

test('a window that is begun and ended by hand counts what came between', async () => {
  const port = await echoServer();
  const plan = { host: '127.0.0.1', port, path: '/', connections: 2, payloadBytes: 64, inFlight: 1, tls: MODERN };
  const load = new EchoLoad(new WireMaker(), plan, true);
  onTestFinished(() => load.close());
  await load.open();
  const stop = load.watch({ warmupMs: 0, measureMs: 0, pids: [], rate: 500 });
  const storm = new Storm(new WireMaker(), { host: '127.0.0.1', port, path: '/', clients: 10, tls: MODERN });
  onTestFinished(() => storm.cut());
  await storm.arm();
  const found = await stop();
  expect(found.echoes).toBeGreaterThan(0);
  expect(found.seconds).toBeGreaterThan(0);
});

test('what a server does not take up again is not counted as resumed', async () => {
  const port = await echoServer('ecdsa', { secureOptions: 0x4000, maxVersion: 'TLSv1.2' }); // SSL_OP_NO_TICKET
  const tls: TlsPlan = { certificate: 'ecdsa', version: '1.2' };
  const storm = new Storm(new WireMaker(), { host: '127.0.0.1', port, path: '/', clients: 1, tls });
  onTestFinished(() => storm.cut());
  await storm.arm();
  storm.cut();
  await expect(storm.comeBack()).resolves.toMatchObject({ resumed: 0 });
});

describe.each(CERTIFICATE_KINDS)('with a certificate of %s', (certificate) => {
  const common = { host: '127.0.0.1', path: '/', concurrency: 2, warmupMs: 10, pids: [] };

  test.each(['1.3', '1.2'] as const)('TLS %s: handshakes are full, or resumed', async (version) => {
    const plan = { ...common, port: await echoServer(certificate), tls: { certificate, version } };
    const full = await handshakesOf(plan);
    expect(full.handshakes).toBeGreaterThan(0);
    expect(full.resumed).toBe(0);
    const resumed = await handshakesOf({ ...plan, resume: true });
    expect(resumed.handshakes).toBeGreaterThan(0);
    expect(resumed.resumed).toBe(resumed.handshakes);
  });
});

/** A machine that does something else has time for none in a short while: then it gets a longer one. */
async function handshakesOf(plan: Omit<HandshakePlan, 'measureMs'>): ReturnType<typeof runHandshakes> {
  for (let measureMs = 150; ; measureMs *= 4) {
    const found = await runHandshakes(new WireMaker(), { ...plan, measureMs });
    if (found.handshakes > 0 || measureMs > 2_000) return found;
  }
}

test('a server of another version fails the run', async () => {
  const port = await echoServer('ecdsa', { maxVersion: 'TLSv1.2' });
  const plan = { host: '127.0.0.1', port, path: '/', connections: 1, payloadBytes: 64, inFlight: 1, tls: MODERN };
  await expect(new EchoLoad(new WireMaker(), plan, false).open()).rejects.toThrow(/alert|version/i);
});

describe('what was negotiated', () => {
  const suite = { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', group: 'X25519', resumed: false };
  const old = { protocol: 'TLSv1.2', cipher: 'ECDHE-RSA-AES128-GCM-SHA256', group: 'X25519', resumed: false };

  test('is the one suite that clients ask for', () => {
    expect(faultOfTls(MODERN, suite)).toBeNull();
    expect(faultOfTls({ certificate: 'rsa', version: '1.2' }, old)).toBeNull();
    expect(faultOfTls({ certificate: 'rsa', version: '1.2' }, { ...old, group: undefined, resumed: true })).toBeNull();
  });

  test.each([
    [MODERN, { ...suite, cipher: 'TLS_AES_256_GCM_SHA384' }],
    [MODERN, { ...suite, group: 'prime256v1' }],
    [MODERN, { ...suite, group: undefined, resumed: true }],
    [MODERN, { ...suite, protocol: null }],
    [MODERN, old],
    [{ certificate: 'ecdsa', version: '1.2' } as const, old],
  ])('is a fault otherwise', (plan, found) => {
    expect(faultOfTls(plan, found)).toContain('expected');
  });
});
