// PROXY headers before TLS, and as HAProxy writes them where it is installed; test/hostile has those made by hand.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import { ssl, v1, v2, withChecksum } from '../protocol/proxy-headers.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { Opcode, parseHead } from '../support/wire.ts';

const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;
if (!hasHaproxy) process.stderr.write('haproxy is not installed: its PROXY headers are not tried\n');

/** HAProxy on a unix socket, whose path it gives. */
async function startHaproxy(folder: string, server: string): Promise<string> {
  const socket = join(folder, 'in.sock');
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  maxconn 64
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen in
  bind unix@${socket} accept-proxy
  ${server}
`,
  );
  const child: ChildProcess = spawn('haproxy', ['-db', '-q', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  atTestEnd(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await expect
    .poll(() => RawClient.connect(socket).then((one) => one.destroy() ?? true, String), { timeout: 10_000 })
    .toBe(true);
  return socket;
}

test.runIf(hasHaproxy).each([
  ['v1', 'send-proxy'],
  ['v2', 'send-proxy-v2'],
  ['v2', 'send-proxy-v2-ssl'],
  ['v2', 'send-proxy-v2 proxy-v2-options ssl,cert-cn,authority,crc32c,unique-id'],
  ['any', 'send-proxy'],
  ['any', 'send-proxy-v2'],
] as const)(
  'proxy_protocol: %s understands %s of HAProxy, for IPv4, IPv6 and its own checks',
  async (versions, option) => {
    const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
    atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
    const backend = await RawBackend.listen();
    const address = join(folder, 'gate.sock');
    const listeners = [{ name: 'gate', address: `unix:${address}`, proxy_protocol: versions }];
    const running = await startProxy(oneRoute(backend.url, {}, { listeners, trusted_proxies: ['unix'] }));
    const socket = await startHaproxy(
      folder,
      `server gate unix@${address} ${option} check check-send-proxy inter 100ms`,
    );
    // HAProxy takes the word of whoever comes first, as it would of a balancer in front of it.
    for (const [family, source] of [
      ['TCP4', '192.0.2.9'],
      ['TCP6', '2001:db8::9'],
    ] as const) {
      const client = await RawClient.connect(socket);
      client.send(`PROXY ${family} ${source} ${source} 4000 443\r\n`);
      const answered = client.upgrade();
      const server = await backend.nextSession();
      expect((await answered).status).toBe(101);
      expect(parseHead(await server.head()).fields).toContainEqual(['X-Forwarded-For', source]);
      client.sendFrame({ opcode: Opcode.Text, payload: 'through both' });
      expect((await server.nextFrame()).payload.toString()).toBe('through both');
    }
    expect(running.logsOf('handshake.refused')).toEqual([]);
  },
);

describe('before TLS', () => {
  const header = v1('TCP4 192.0.2.9 198.51.100.7 4000 443');
  const PROBE = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';
  let authority: Authority;
  let identity: Identity;
  beforeAll(async () => {
    authority = await makeAuthority();
    identity = await authority.issue({ dns: ['a.test'] });
  });

  async function start(): Promise<{ port: number; backend: RawBackend }> {
    const backend = await RawBackend.listen();
    const tls = { certificates: [identity] };
    const listener = {
      name: 'gate',
      address: '127.0.0.1:0',
      proxy_protocol: 'any' as const,
      health_path: '/healthz',
      tls,
    };
    const config = { listeners: [listener], trusted_proxies: ['127.0.0.1'] };
    return { port: (await startProxy(oneRoute(backend.url, {}, config))).port, backend };
  }

  /** TLS whose ClientHello goes out in one write behind `first`. */
  async function secure(port: number, first: Buffer): Promise<RawClient> {
    const plain = connect(port, '127.0.0.1');
    const socket = connectTls({ socket: prefixed(plain, first), ca: authority.ca, servername: 'a.test' });
    const client = new RawClient(socket);
    atTestEnd(() => {
      client.destroy();
      plain.destroy();
    });
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return client;
  }

  test.each([
    ['version 1', header],
    ['version 2', withChecksum({ tlvs: [ssl(1)] })],
    ['64 KiB of TLVs', v2({ tlvs: [{ type: 0xea, value: Buffer.alloc(65_000, 0x16) }] })],
  ])('%s and the ClientHello in one write: the client is the source, and it came by https', async (_what, bytes) => {
    const { port, backend } = await start();
    const client = await secure(port, bytes);
    const answered = client.upgrade();
    const server = await backend.nextSession();
    expect((await answered).status).toBe(101);
    const { fields } = parseHead(await server.head());
    expect(fields).toContainEqual(['X-Forwarded-For', '192.0.2.9']);
    expect(fields).toContainEqual(['X-Forwarded-Proto', 'https']);
    client.sendFrame({ opcode: Opcode.Text, payload: 'behind both' });
    expect((await server.nextFrame()).payload.toString()).toBe('behind both');
  });

  test('a trusted peer without a header is answered its health_path, and nothing else', async () => {
    const { port } = await start();
    const probe = await secure(port, Buffer.alloc(0));
    probe.send(PROBE);
    expect((await probe.readResponse()).status).toBe(200);
    const client = await secure(port, Buffer.alloc(0));
    expect((await client.upgrade()).status).toBe(400);
    expect((await client.readToEnd()).toString()).toContain('"proxy_header"');
  });

  test('plain HTTP behind a header is told that TLS is spoken here, without one it is closed', async () => {
    const { port } = await start();
    const told = await RawClient.connect(port);
    told.send(header, PROBE);
    expect((await told.readToEnd()).toString()).toContain('this port speaks TLS');
    const closed = await RawClient.connect(port);
    closed.send(PROBE);
    await closed.closed;
    expect(closed.received).toHaveLength(0);
  });
});

function prefixed(plain: Socket, first: Buffer): Duplex {
  let before = first;
  const duplex = new Duplex({
    read: () => void plain.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      plain.write(Buffer.concat([before, chunk]), done);
      before = Buffer.alloc(0);
    },
    final: (done) => void plain.end(done),
  });
  plain.on('data', (chunk) => void duplex.push(chunk));
  plain.on('end', () => void duplex.push(null));
  plain.on('error', (error) => void duplex.destroy(error));
  return duplex;
}
