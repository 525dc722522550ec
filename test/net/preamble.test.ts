import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { TlsConfig } from '../../src/config/types.ts';
import type { Transport } from '../../src/net/transport.ts';
import { GOOD_NAME, makeCertificates, type TestCertificates } from '../support/certs.ts';
import { Bench, listen, readAll, tcp } from '../support/dial-bench.ts';

const PREAMBLE = Buffer.from('PROXY UNKNOWN\r\n', 'latin1');

let certificates: TestCertificates;

beforeAll(async () => {
  certificates = await makeCertificates();
});

/** What `size` bytes of a connection are; nothing behind them is read. */
function front(socket: Socket, size: number): Promise<string> {
  return new Promise((resolve) => {
    const attempt = () => {
      const bytes: Buffer | null = socket.read(size);
      if (bytes === null) return;
      socket.off('readable', attempt);
      resolve(bytes.toString('latin1'));
    };
    socket.on('readable', attempt);
    attempt();
  });
}

function nextSocket(server: Server): Promise<Socket> {
  return new Promise((resolve) => server.once('connection', (socket) => resolve(socket.on('error', () => {}))));
}

/** What is sent comes back. */
async function expectEcho(transport: Transport): Promise<void> {
  const text = readAll(transport);
  transport.write(Buffer.from('hello'), 0, 5, true);
  transport.end();
  expect(await text).toBe('hello');
}

describe('the first bytes of a connection', () => {
  test('over plain TCP and a unix socket they come first, and nothing else with them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const onTcp = createServer({ allowHalfOpen: true });
    const onUnix = createServer({ allowHalfOpen: true });
    const port = await listen(onTcp);
    const path = join(folder, 'x.sock');
    await new Promise<void>((resolve) => onUnix.listen(path, resolve));
    onTestFinished(() => void onUnix.close());
    for (const [server, endpoint] of [
      [onTcp, tcp(port)],
      [onUnix, { kind: 'unix', path, base: '' }],
    ] as const) {
      const came = nextSocket(server);
      const transport = await new Bench().dial(endpoint, { preamble: PREAMBLE });
      const socket = await came;
      expect(await front(socket, PREAMBLE.length)).toBe(PREAMBLE.toString('latin1'));
      socket.pipe(socket);
      await expectEcho(transport);
    }
  });

  test('over TLS they come before its handshake, whose certificate is verified as ever', async () => {
    const server = createServer({ allowHalfOpen: true }, async (socket) => {
      socket.on('error', () => {});
      seen.push(await front(socket, PREAMBLE.length));
      const secureContext = createSecureContext(certificates.good);
      const secure = new TLSSocket(socket, { isServer: true, secureContext });
      secure.on('error', () => {});
      secure.pipe(secure);
    });
    const seen: string[] = [];
    const port = await listen(server);
    const tls: TlsConfig = { ca: null, cert: null, key: null, server_name: null, verify: true };
    const trusted = { ...tls, ca: Buffer.from(certificates.ca) };
    const bench = new Bench();
    for (let round = 0; round < 2; round += 1) {
      const transport = await bench.dial(tcp(port, GOOD_NAME, true), { tls: trusted, preamble: PREAMBLE });
      await expectEcho(transport);
    }
    const fault = await bench.failure(tcp(port, GOOD_NAME, true), { tls, preamble: PREAMBLE });
    expect(fault.code).toBe('backend_tls');
    const wrongName = { ...trusted, server_name: 'other.test' };
    expect((await bench.failure(tcp(port, GOOD_NAME, true), { tls: wrongName, preamble: PREAMBLE })).code).toBe(
      'backend_tls',
    );
    expect(seen).toEqual(Array(4).fill(PREAMBLE.toString('latin1')));
  });

  test('a peer that never begins TLS: nothing of it is left at the deadline', async () => {
    const server = createServer({ allowHalfOpen: true });
    const port = await listen(server);
    const came = nextSocket(server);
    const bench = new Bench();
    const failed = bench.failure(tcp(port, GOOD_NAME, true), { preamble: PREAMBLE, timeoutMs: 1_000 });
    const socket = await came;
    expect(await front(socket, PREAMBLE.length)).toBe(PREAMBLE.toString('latin1'));
    await front(socket, 5);
    bench.pass(1_100);
    expect((await failed).code).toBe('backend_timeout');
    socket.resume();
    await new Promise((resolve) => socket.once('end', resolve));
    socket.destroy();
  });

  test('one that hangs up in the middle of TLS: backend_tls', async () => {
    const server = createServer(async (socket) => {
      socket.on('error', () => {});
      await front(socket, PREAMBLE.length + 5);
      socket.destroy();
    });
    const port = await listen(server);
    expect((await new Bench().failure(tcp(port, GOOD_NAME, true), { preamble: PREAMBLE })).code).toBe('backend_tls');
  });
});
