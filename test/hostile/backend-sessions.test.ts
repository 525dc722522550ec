import type { DetailedPeerCertificate } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TlsConfig } from '../../src/config/types.ts';
import { GOOD_NAME, makeCertificates, otherCertificates, type TestCertificates } from '../support/certs.ts';
import { Bench, readAll, tcp } from '../support/dial-bench.ts';
import { handshake, keptSessions, listenTls, resumed } from '../support/tls-sessions.ts';

const HOUR_MS = 3_600_000;
let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await makeCertificates();
});

function tlsConfig(change: Partial<TlsConfig> = {}): TlsConfig {
  return { ca: Buffer.from(certificates.ca), cert: null, key: null, server_name: null, verify: true, ...change };
}

describe('B43: a session never stands for a proof that its settings do not ask for, or that is over', () => {
  test('B43: settings of another block share nothing, equal or not', async () => {
    const port = await listenTls(certificates.good);
    const bench = new Bench();
    const unverified = tlsConfig({ verify: false });
    expect(await resumed(bench, port, unverified, tlsConfig(), tlsConfig(), unverified)).toEqual([
      false,
      false,
      false,
      true,
    ]);
    const other = tlsConfig({ ca: Buffer.from((await otherCertificates()).ca) });
    for (const tls of [other, null]) {
      expect((await bench.failure(tcp(port, GOOD_NAME, true), { tls })).code).toBe('backend_tls');
    }
  });

  test('B43: another name is verified anew, though the backend would resume', async () => {
    const port = await listenTls(certificates.good);
    const bench = new Bench();
    const tls = tlsConfig();
    expect(await resumed(bench, port, tls)).toEqual([false]);
    expect((await bench.failure(tcp(port, 'no.test', true), { tls })).cause_code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await readAll(await bench.dial(tcp(port, '127.0.0.1', true), { tls }))).toBe('false');
  });

  test('B43: another port is another backend, though it could resume', async () => {
    const ticketKeys = Buffer.alloc(48, 7);
    const port = await listenTls(certificates.good, { ticketKeys });
    const other = await listenTls(certificates.expired, { ticketKeys });
    const bench = new Bench();
    const tls = tlsConfig();
    expect(await resumed(bench, port, tls, tls)).toEqual([false, true]);
    expect((await bench.failure(tcp(other, GOOD_NAME, true), { tls })).cause_code).toBe('CERT_HAS_EXPIRED');
  });

  test.each([
    ['its certificate', 'leaf', 600_000],
    ['an hour', 'good', HOUR_MS],
  ] as const)('B43: no longer than %s lasts', async (_what, which, lasts) => {
    // X.509 counts in seconds.
    const end = Math.floor(Date.now() / 1000) * 1000 + 600_000;
    const leaf = await certificates.issue({ dns: [GOOD_NAME], notAfter: new Date(end) });
    const port = await listenTls(which === 'leaf' ? leaf : certificates.good);
    const bench = new Bench();
    const tls = tlsConfig();
    await resumed(bench, port, tls);
    bench.wallOffset = lasts - 30_000;
    expect(await resumed(bench, port, tls)).toEqual([true]);
    bench.wallOffset = lasts;
    expect(await resumed(bench, port, tls)).toEqual([false]);
  });

  test('B43: a clock that was set back ends them', async () => {
    const port = await listenTls(certificates.good);
    const bench = new Bench();
    const tls = tlsConfig();
    expect(await resumed(bench, port, tls)).toEqual([false]);
    bench.wallOffset = -60_000;
    expect(await resumed(bench, port, tls, tls)).toEqual([false, true]);
  });

  test.each([
    ['the leaf', [10, 20, 30]],
    ['one between', [20, 10, 30]],
    ['the root', [20, 30, 10]],
  ])('B43: until the first certificate of the chain ends: %s', (_which, minutes) => {
    const { connect, offered } = keptSessions();
    connect('a', handshake(minutes), 'one');
    expect(offered('a', 9.99)).toBe('one');
    expect(offered('a', 10)).toBe(null);
  });

  test('B43: a certificate whose end cannot be read is not relied upon', () => {
    const { connect, offered } = keptSessions();
    connect('a', { ...handshake([60]), getPeerCertificate: () => ({}) as DetailedPeerCertificate }, 'one');
    expect(offered('a')).toBe(null);
  });

  test('B43: what a resumed connection brings lasts no longer than what it resumed', () => {
    const { connect, offered } = keptSessions();
    connect('a', handshake([600]), 'one');
    expect(offered('a', 40)).toBe('one');
    connect('a', handshake([600], true), 'two');
    expect(offered('a', 59.99)).toBe('two');
    expect(offered('a', 60)).toBe(null);
  });
});
