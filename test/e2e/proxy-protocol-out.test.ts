// PROXY headers that targets get: to the byte, and as nginx and HAProxy read them where they are installed.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { feedAll, v1 } from '../protocol/proxy-headers.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';
import { CheckedBackend } from '../support/checked-backend.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { connectWs } from './ws-pair.ts';

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string];

function proxyTo(chat: UpstreamInput, more: Partial<ConfigInput> = {}, baseDir = '.'): Promise<RunningProxy> {
  const routes = [{ name: 'test', upstream: 'chat' }];
  return startProxy({ listeners: anyPort, routes, upstreams: { chat }, ...more }, { baseDir });
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('to the byte', () => {
  const ends = (running: RunningProxy, client: RawClient) =>
    `127.0.0.1 127.0.0.1 ${client.socket.localPort} ${running.port}`;

  /** What the backend of a client gets in front of the request. */
  async function seen(running: RunningProxy, backend: RawBackend, client: RawClient, ...fields: string[]) {
    const answered = client.upgrade(fields.length === 0 ? {} : { headers: [['X-Forwarded-For', fields.join(', ')]] });
    const server = await backend.nextConnection();
    const bytes = await server.readUntil((unread) => unread.includes('\r\n\r\n', 16), 'a header and a head');
    client.destroy();
    await answered.catch(() => {});
    const parsed = feedAll([bytes], 'any');
    if (!('header' in parsed)) throw new Error(`no header: ${JSON.stringify(parsed)}`);
    expect(parsed.rest.toString('latin1')).toMatch(/^GET /);
    expect(running.logsOf('handshake.fault')).toEqual([]);
    return { header: parsed.header, text: bytes.subarray(0, bytes.length - parsed.rest.length).toString('latin1') };
  }

  test('v1: the client with its port, and where it came in, in front of the request', async () => {
    const backend = await RawBackend.listen();
    const running = await proxyTo({ targets: [{ url: backend.url }], proxy_protocol: 'v1' });
    const client = await RawClient.connect(running.port);
    const expected = `PROXY TCP4 ${ends(running, client)}\r\n`;
    expect((await seen(running, backend, client)).text).toBe(expected);
  });

  test.each(['v1', 'v2'] as const)('%s: a client that a field names has no port', async (proxy_protocol) => {
    const backend = await RawBackend.listen();
    const trusted_proxies = ['127.0.0.1'];
    const running = await proxyTo({ targets: [{ url: backend.url }], proxy_protocol }, { trusted_proxies });
    const client = await RawClient.connect(running.port);
    const { header } = await seen(running, backend, client, '2001:db8::9');
    expect(header).toMatchObject({
      source: { address: '2001:db8::9', port: 0 },
      destination: { address: '127.0.0.1', port: running.port },
    });
  });

  test('what a PROXY header said of source and destination goes on', async () => {
    const backend = await RawBackend.listen();
    const running = await proxyTo(
      { targets: [{ url: backend.url }], proxy_protocol: 'v2' },
      { trusted_proxies: ['127.0.0.1'], listeners: [{ address: '127.0.0.1:0', proxy_protocol: 'v1' }] },
    );
    const client = await RawClient.connect(running.port);
    client.send(v1('TCP4 192.0.2.9 198.51.100.7 4000 443'));
    expect((await seen(running, backend, client)).header).toMatchObject({
      source: { address: '192.0.2.9', port: 4_000 },
      destination: { address: '198.51.100.7', port: 443 },
    });
  });

  test('of a client on a unix socket it is UNKNOWN, to a target on one as well', async () => {
    const folder = newFolder();
    const backend = await RawBackend.listen({ path: join(folder, 'backend.sock') });
    const address = join(folder, 'gate.sock');
    const running = await proxyTo(
      { targets: [{ url: backend.url }], proxy_protocol: 'v1' },
      { listeners: [{ address: `unix:${address}` }] },
    );
    const client = await RawClient.connect(address);
    expect((await seen(running, backend, client)).text).toBe('PROXY UNKNOWN\r\n');
  });

  test('over TLS from the client the port is that of its connection, too', async () => {
    const authority = await makeAuthority();
    const identity = await authority.issue({ dns: ['a.test'] });
    const backend = await RawBackend.listen();
    const listeners = [{ address: '127.0.0.1:0', tls: { certificates: [identity] } }];
    const running = await proxyTo({ targets: [{ url: backend.url }], proxy_protocol: 'v1' }, { listeners });
    const client = await RawClient.connect(running.port, { tls: { ca: authority.ca, servername: 'a.test' } });
    const expected = `PROXY TCP4 ${ends(running, client)}\r\n`;
    expect((await seen(running, backend, client)).text).toBe(expected);
  });

  test('builtin:echo gets none, and works', async () => {
    const running = await proxyTo({ targets: [{ url: 'builtin:echo' }], proxy_protocol: 'v2' });
    const client = await connectWs(running.port);
    client.socket.send('x');
    expect(await client.next()).toMatchObject({ kind: 'text' });
  });
});

/** A port of this machine for what listens on a unix socket: every byte goes on as it is. */
async function portFor(path: string): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const inner = connect({ path, allowHalfOpen: true });
    for (const one of [socket, inner]) one.on('error', () => {});
    socket.pipe(inner).pipe(socket);
    socket.on('close', () => inner.destroy());
    inner.on('close', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTestEnd(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Each passes TLS behind a PROXY header on to `backend`, and says in X-Seen what the header was. */
const PROGRAMS = {
  nginx: {
    config: (folder: string, backend: string) => `daemon off;
pid ${folder}/nginx.pid;
error_log stderr crit;
worker_processes 1;
events { worker_connections 64; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${folder}/${one};`).join(' ')}
  server {
    listen unix:${folder}/in.sock ssl proxy_protocol;
    ssl_certificate ${folder}/both.pem;
    ssl_certificate_key ${folder}/both.pem;
    set $ports "$proxy_protocol_port $proxy_protocol_server_port";
    location / {
      proxy_pass http://${backend};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header X-Seen "$proxy_protocol_addr $proxy_protocol_server_addr $ports";
    }
  }
}
`,
    args: (folder: string, file: string) => ['-p', folder, '-e', 'stderr', '-c', file],
    version: '-v',
    /** It knows nobody then. */
    ofItself: /^\s*$/,
  },
  haproxy: {
    config: (folder: string, backend: string) => `global
  maxconn 64
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind unix@${folder}/in.sock accept-proxy ssl crt ${folder}/both.pem
  http-request set-header X-Seen "%[src] %[dst] %[src_port] %[dst_port]"
  default_backend out
backend out
  server out ${backend}
`,
    args: (_folder: string, file: string) => ['-db', '-q', '-f', file],
    version: '-v',
    ofItself: /^\s*(?:\S*\s+)?0?\s*0?\s*$/,
  },
} as const;

describe('as others read it', () => {
  let authority: Authority;
  let identity: Identity;
  beforeAll(async () => {
    authority = await makeAuthority();
    identity = await authority.issue({ dns: ['a.test'] });
  });

  for (const name of ['nginx', 'haproxy'] as const) {
    const program = PROGRAMS[name];
    const isHere = spawnSync(name, [program.version]).status === 0;
    if (!isHere) process.stderr.write(`${name} is not installed: it reads no PROXY header of ours\n`);

    test.runIf(isHere).each(['v1', 'v2'] as const)(
      `${name} understands %s before TLS, of sessions and of checks`,
      async (version) => {
        const folder = newFolder();
        const backend = await CheckedBackend.listen();
        writeFileSync(join(folder, 'both.pem'), `${identity.cert}\n${identity.key}`);
        writeFileSync(join(folder, 'ca.pem'), authority.ca);
        const file = join(folder, 'program.conf');
        writeFileSync(file, program.config(folder, new URL(backend.url).host));
        const child: ChildProcess = spawn(name, program.args(folder, file), { stdio: ['ignore', 'ignore', 'pipe'] });
        let complaints = '';
        child.stderr?.on('data', (chunk) => {
          complaints += chunk;
        });
        const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
        atTestEnd(async () => {
          child.kill('SIGTERM');
          await ended;
        });
        const inside = join(folder, 'in.sock');
        await expect
          .poll(
            () =>
              RawClient.connect(inside).then(
                (one) => one.destroy() ?? true,
                () => complaints,
              ),
            { timeout: 10_000 },
          )
          .toBe(true);
        const active = { type: 'websocket', interval: '100ms', fall: 1 } as const;
        const running = await proxyTo(
          {
            targets: [{ name: 'a', url: `wss://127.0.0.1:${await portFor(inside)}` }],
            proxy_protocol: version,
            tls: { ca: 'ca.pem', server_name: 'a.test' },
            health: { active },
          },
          { trusted_proxies: ['127.0.0.1'] },
          folder,
        );
        const isCheck = (fields: (typeof backend.upgrades)[number]) => fields['user-agent'] === 'framegate-check';
        await expect.poll(() => backend.upgrades.filter(isCheck).length, { timeout: 10_000 }).toBeGreaterThan(1);
        const client = await connectWs(running.port);
        client.socket.send('through both');
        expect(await client.next()).toMatchObject({ data: Buffer.from('through both') });
        await connectWs(running.port, { headers: { 'X-Forwarded-For': '192.0.2.9' } });
        await connectWs(running.port, { headers: { 'X-Forwarded-For': '2001:db8::9' } });
        const [own, v4, v6] = backend.upgrades.filter((one) => !isCheck(one)).map((one) => String(one['x-seen']));
        const [, , ownPort] = own?.split(' ') ?? [];
        expect(own).toBe(`127.0.0.1 127.0.0.1 ${ownPort} ${running.port}`);
        expect(Number(ownPort)).toBeGreaterThan(1_023);
        // Port 0 is none to both.
        expect(v4).toBe(`192.0.2.9 127.0.0.1  ${running.port}`);
        expect(v6).toMatch(/^2001:db8::9 (?:::ffff:)?127\.0\.0\.1 {2}\d+$/);
        for (const { 'x-seen': seen } of backend.upgrades.filter(isCheck))
          expect(String(seen ?? '')).toMatch(program.ofItself);
        expect(running.logsOf('target.down')).toEqual([]);
      },
    );
  }
});
