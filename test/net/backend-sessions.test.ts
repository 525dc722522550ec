import { createServer } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TlsConfig } from '../../src/config/types.ts';
import { GOOD_NAME, makeCertificates, type TestCertificates } from '../support/certs.ts';
import { Bench, listen, tcp } from '../support/dial-bench.ts';
import { handshake, keptSessions, listenTls, resumed } from '../support/tls-sessions.ts';

const HOUR_MS = 3_600_000;
let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await makeCertificates();
});

function tlsConfig(change: Partial<TlsConfig> = {}): TlsConfig {
  return { ca: Buffer.from(certificates.ca), cert: null, key: null, server_name: null, verify: true, ...change };
}

describe('sessions of backends', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: the next connection resumes the last session', async (maxVersion) => {
    const port = await listenTls(certificates.good, { maxVersion });
    const tls = tlsConfig();
    expect(await resumed(new Bench(), port, tls, tls, tls)).toEqual([false, true, true]);
  });

  test('one that the backend does not know any more is replaced by a new one', async () => {
    const server = createServer(certificates.good, (socket) => socket.end(`${socket.isSessionReused()}`));
    const port = await listen(server);
    const bench = new Bench();
    const tls = tlsConfig();
    expect(await resumed(bench, port, tls)).toEqual([false]);
    server.setTicketKeys(Buffer.alloc(48, 7));
    expect(await resumed(bench, port, tls, tls)).toEqual([false, true]);
  });

  test('one with which a handshake failed is not offered again', async () => {
    let refuses = false;
    const server = createServer(certificates.good, (socket) => socket.end(`${socket.isSessionReused()}`));
    server.prependListener('connection', (socket) => {
      if (refuses) socket.destroy();
    });
    const port = await listen(server);
    const bench = new Bench();
    const tls = tlsConfig();
    expect(await resumed(bench, port, tls, tls)).toEqual([false, true]);
    refuses = true;
    expect((await bench.failure(tcp(port, GOOD_NAME, true), { tls })).code).toBe('backend_tls');
    refuses = false;
    expect(await resumed(bench, port, tls, tls)).toEqual([false, true]);
  });

  test('without verification they are resumed too, for an hour', async () => {
    const port = await listenTls(certificates.expired);
    const bench = new Bench();
    const tls = tlsConfig({ verify: false });
    expect(await resumed(bench, port, tls, tls)).toEqual([false, true]);
    bench.wallOffset = HOUR_MS;
    expect(await resumed(bench, port, tls)).toEqual([false]);
  });
});

describe('what is kept', () => {
  test('of several sessions the last, and none before the handshake is over', () => {
    const { connect, offered } = keptSessions();
    connect('a', handshake([60]), 'one', 'two');
    expect(offered('a')).toBe('two');
    expect(offered('b')).toBe(null);
  });

  test('for 256 backends; the one whose session is oldest makes room', () => {
    const { connect, offered } = keptSessions();
    for (let i = 0; i < 256; i++) connect(`${i}`, handshake([60]), 'x');
    connect('0', handshake([60]), 'y');
    connect('256', handshake([60]), 'x');
    expect([offered('0'), offered('1'), offered('2'), offered('256')]).toEqual(['y', null, 'x', 'x']);
  });
});
