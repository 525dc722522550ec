// Targets that are found while framegate runs, by a real name server and over real sockets.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { type Identity, makeCertificates } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { DnsServer } from '../support/dns-server.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { askAdmin, until } from './operating.ts';
import { connectWs, type Inbox, WsBackend } from './ws-pair.ts';

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string];
type DnsInput = NonNullable<NonNullable<UpstreamInput['discover']>['dns']>;

const SERVICE = '_ws._tcp.chat.test';

function config(dns: DnsInput, upstream: UpstreamInput = {}): ConfigInput {
  const app: UpstreamInput = { discover: { dns }, allow_addresses: ['127.0.0.0/8'], ...upstream };
  return {
    listeners: anyPort,
    admin: { address: '127.0.0.1:0' },
    routes: [{ name: 'chat', upstream: 'app' }],
    upstreams: { app },
    drain: { spread: '0s' },
  };
}

/** A service whose servers come and go. */
class Pool {
  readonly dns: DnsServer;
  readonly backends: WsBackend[] = [];

  constructor(dns: DnsServer) {
    this.dns = dns;
    dns.addresses('backend.test', '127.0.0.1');
  }

  static async of(count: number): Promise<Pool> {
    const pool = new Pool(await DnsServer.listen());
    await pool.scale(count);
    return pool;
  }

  async scale(count: number): Promise<void> {
    while (this.backends.length < count) this.backends.push(await WsBackend.listen());
    const ports = this.backends.slice(0, count).map(({ url }) => new URL(url).port);
    const records = ports.map((port) => ({ type: 'SRV', data: `0 0 ${port} backend.test` }) as const);
    this.dns.on('SRV', SERVICE, { records });
  }

  get settings(): DnsInput {
    return { name: SERVICE, type: 'srv', every: '1s', servers: [this.dns.address] };
  }
}

interface TargetShown {
  readonly name: string;
  readonly sessions: number;
  readonly sessions_total: number;
}

async function targets(running: RunningProxy): Promise<readonly TargetShown[]> {
  const { json } = await askAdmin(running, 'GET /api/v1/upstreams');
  return (json as { upstreams: { targets: TargetShown[] }[] }).upstreams[0]?.targets ?? []; // of the admin listener
}

async function untilTargets(running: RunningProxy, clock: FakeClock, count: number): Promise<void> {
  await until(`${count} targets`, async () => {
    clock.advance(1_200);
    return (await targets(running)).length === count;
  });
}

async function echoes(client: Inbox, message: string): Promise<void> {
  client.socket.send(message);
  // Time goes on so fast that there are pings.
  await until(message, () => client.all.some(({ kind }) => kind === 'text' || kind === 'close'));
  expect(client.all.filter(({ kind }) => kind !== 'ping')).toEqual([{ kind: 'text', data: Buffer.from(message) }]);
}

function echoAll(backend: WsBackend): void {
  for (const { socket } of backend.sessions) {
    socket.removeAllListeners('message');
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  }
}

describe('a name whose servers come and go', () => {
  test('2 to 4: the next sessions go to the new ones; to 1: those there are stay, the next go to the one', async () => {
    const clock = new FakeClock();
    const pool = await Pool.of(2);
    const running = await startProxy(config(pool.settings, { hold: '10s' }), { clock });
    await untilTargets(running, clock, 2);
    const clients = [await connectWs(running.port), await connectWs(running.port)];
    await pool.scale(4);
    await untilTargets(running, clock, 4);
    for (let at = 0; at < 2; at += 1) clients.push(await connectWs(running.port));
    expect((await targets(running)).map(({ sessions }) => sessions)).toEqual([1, 1, 1, 1]);
    await pool.scale(1);
    const before = clock.now();
    await untilTargets(running, clock, 1);
    expect(clock.now() - before).toBeGreaterThanOrEqual(10_000);
    for (const backend of pool.backends) echoAll(backend);
    for (const [at, client] of clients.entries()) await echoes(client, `still here ${at}`);
    for (let at = 0; at < 3; at += 1) await connectWs(running.port);
    expect([pool.backends.map(({ sessions }) => sessions.length), running.logsOf('session.end')]).toEqual([
      [4, 1, 1, 1],
      [],
    ]);
  });

  test('answers that are samples of a pool add up to all of it', async () => {
    const clock = new FakeClock();
    const dns = await DnsServer.listen();
    const all = Array.from({ length: 6 }, (_, at) => `127.0.0.${at + 1}`);
    let turn = 0;
    dns.on('AAAA', 'pool.test', {});
    dns.on('A', 'pool.test', () => {
      turn += 1;
      const sample = all.filter((_, at) => (at + turn) % 3 === 0);
      return { records: sample.map((data) => ({ type: 'A', ttl: 0, data })) };
    });
    const settings: DnsInput = { name: 'pool.test', port: 9, every: '1s', servers: [dns.address] };
    const running = await startProxy(config(settings, { hold: '1h' }), { clock });
    await untilTargets(running, clock, 6);
    const enough = turn + 20;
    await until('it was asked often', async () => {
      clock.advance(1_200);
      expect(await targets(running)).toHaveLength(6);
      return turn >= enough;
    });
  });

  test('a name that cannot be told at the start: 503 until it can; once told, once when it is over', async () => {
    const clock = new FakeClock();
    const pool = await Pool.of(1);
    pool.dns.on('SRV', SERVICE, { rcode: 'SERVFAIL' });
    const running = await startProxy(config(pool.settings), { clock });
    expect(await running.waitForLog('discovery.failed')).toMatchObject({
      upstream: 'app',
      source: 'dns',
      error: 'ESERVFAIL',
      name: SERVICE,
      targets: 0,
    });
    await expect(connectWs(running.port)).rejects.toThrow('503');
    expect(running.logsOf('handshake.refused')).toMatchObject([{ error: 'no_target', cause: 'none is known' }]);
    await pool.scale(1);
    await untilTargets(running, clock, 1);
    await connectWs(running.port);
    expect(running.logs.filter(({ event }) => String(event).startsWith('discovery'))).toMatchObject([
      { event: 'discovery.failed' },
      { event: 'discovery.ok' },
    ]);
  });

  test('the last good answer is kept through any failure, and its age is shown', async () => {
    const clock = new FakeClock();
    const pool = await Pool.of(1);
    const running = await startProxy(config(pool.settings, { hold: '0s' }), { clock });
    await untilTargets(running, clock, 1);
    const replies = [{ rcode: 'SERVFAIL' }, { rcode: 'NXDOMAIN' }, { raw: Buffer.from('x') }, { records: [] }] as const;
    for (const reply of replies) {
      const asked = pool.dns.asked.length;
      pool.dns.on('SRV', SERVICE, reply);
      await until('it was asked twice more', () => {
        clock.advance(1_200);
        return pool.dns.asked.length > asked + 3;
      });
      await connectWs(running.port);
    }
    const { body } = await askAdmin(running, 'GET /metrics');
    expect(body).toContain('framegate_discovery_targets{upstream="app"} 1\n');
    expect(Number(/discovery_errors_total\{upstream="app"\} (\d+)/.exec(body)?.[1])).toBeGreaterThanOrEqual(4);
    const last = Number(/discovery_last_success_timestamp_seconds\{upstream="app"\} ([\d.e+]+)/.exec(body)?.[1]);
    // It is older than the clock went on since.
    expect(Date.now() / 1_000 - last).toBeGreaterThan(4);
    expect(running.logsOf('discovery.failed')).toHaveLength(1);
  });
});

test('a reload of how they are found keeps targets, sessions and counters, also while nobody answers', async () => {
  const clock = new FakeClock();
  const pool = await Pool.of(2);
  const running = await startProxy(config(pool.settings), { clock });
  await untilTargets(running, clock, 2);
  const clients = [await connectWs(running.port), await connectWs(running.port)];
  pool.dns.on('SRV', SERVICE, { never: true });
  const before = await targets(running);
  const next = config({ ...pool.settings, every: '5s' }, { hold: '5s', balance: 'round_robin' });
  const reloaded = await running.proxy.reload(next);
  expect(reloaded).toMatchObject({ ok: true });
  expect((await targets(running)).map(({ name, sessions_total }) => [name, sessions_total])).toEqual(
    before.map(({ name, sessions_total }) => [name, sessions_total]),
  );
  for (const backend of pool.backends) echoAll(backend);
  for (const client of clients) await echoes(client, 'still here');
});

describe('a file of targets', () => {
  /** A pool of which the file lists the first ones. */
  class FilePool {
    readonly path: string;
    readonly backends: WsBackend[] = [];
    readonly dir = mkdtempSync(join(tmpdir(), 'fg-'));

    constructor() {
      this.path = join(this.dir, 'targets.json');
      atTestEnd(() => rmSync(this.dir, { recursive: true }));
    }

    async scale(count: number): Promise<void> {
      while (this.backends.length < count) this.backends.push(await WsBackend.listen());
      const listed = this.backends.slice(0, count).map(({ url }, at) => ({ name: `t${at}`, url }));
      writeFileSync(`${this.path}.new`, JSON.stringify(listed));
      renameSync(`${this.path}.new`, this.path);
    }

    config(upstream: UpstreamInput = {}): ConfigInput {
      const base = config({ name: 'unused.test' }, upstream);
      return { ...base, upstreams: { app: { discover: { file: { path: this.path } }, ...upstream } } };
    }
  }

  async function untilCount(running: RunningProxy, clock: FakeClock, count: number): Promise<void> {
    await until(`${count} targets`, async () => {
      clock.advance(50);
      return (await targets(running)).length === count;
    });
  }

  test('1 to 4 to 2: new ones are used at once; sessions of those that are gone end at their pace', async () => {
    const clock = new FakeClock();
    const pool = new FilePool();
    await pool.scale(1);
    const running = await startProxy(pool.config({ drain: { spread: '8s' } }), { clock });
    await untilCount(running, clock, 1);
    const clients = [await connectWs(running.port)];
    await pool.scale(4);
    await untilCount(running, clock, 4);
    for (let at = 1; at < 16; at += 1) clients.push(await connectWs(running.port));
    expect((await targets(running)).map(({ name, sessions }) => [name, sessions])).toEqual(
      ['t0', 't1', 't2', 't3'].map((name) => [name, 4]),
    );
    await pool.scale(2);
    await untilCount(running, clock, 2);
    const ended = () => running.logsOf('session.end').length;
    clock.advance(3_000);
    await until('some have ended', () => ended() >= 2);
    expect(ended()).toBeLessThan(8);
    await until('all of them have', () => {
      clock.advance(50);
      return ended() === 8;
    });
    const reasons = running.logsOf('session.end').map(({ reason, target, close_code_client, clean }) => ({
      ...{ reason, target, close_code_client, clean },
    }));
    expect(reasons).toEqual(
      Array(8).fill({
        reason: 'target_removed',
        target: expect.stringMatching(/^t[23]$/),
        close_code_client: 1012,
        clean: true,
      }),
    );
    expect(clients.filter(({ all }) => all.some(({ kind }) => kind === 'close'))).toHaveLength(8);
  });

  test('one that is broken, or gone, keeps the last good list; the place of the fault is told', async () => {
    const clock = new FakeClock();
    const pool = new FilePool();
    await pool.scale(1);
    const running = await startProxy(pool.config(), { clock });
    await untilCount(running, clock, 1);
    writeFileSync(pool.path, '- name: t0\n  url: ftp://nowhere\n');
    await until('it is told', () => {
      clock.advance(50);
      return running.logsOf('discovery.failed').length > 0;
    });
    expect(running.logsOf('discovery.failed')).toMatchObject([
      {
        level: 'warn',
        upstream: 'app',
        source: 'file',
        error: 'invalid',
        file: pool.path,
        problems: [{ line: 2, column: 8, path: '[0].url' }],
        targets: 1,
      },
    ]);
    await connectWs(running.port);
    rmSync(pool.path);
    clock.advance(5_000);
    await connectWs(running.port);
    await pool.scale(2);
    await untilCount(running, clock, 2);
    expect(running.logsOf('discovery.ok')).toMatchObject([{ upstream: 'app', source: 'file' }]);
    expect(running.logsOf('discovery.failed')).toHaveLength(1);
  });

  test('one that is not there at the start: 503 until it is; variables are those of the process', async () => {
    const clock = new FakeClock();
    const pool = new FilePool();
    const running = await startProxy(pool.config(), { clock, env: { BACKEND_PORT: '9' } });
    expect(await running.waitForLog('discovery.failed')).toMatchObject({ error: 'ENOENT', targets: 0 });
    await expect(connectWs(running.port)).rejects.toThrow('503');
    writeFileSync(pool.path, `- url: "ws://127.0.0.1:\${BACKEND_PORT}"\n`);
    await untilCount(running, clock, 1);
    expect((await targets(running))[0]?.name).toBe('127.0.0.1:9');
  });
});

describe('TLS and Host', () => {
  /** A backend with that certificate, found as backend.test. */
  async function secure(identity: Identity, ca: string, more: UpstreamInput['tls'] = {}) {
    const backend = await RawBackend.listen({ tls: { cert: identity.cert, key: identity.key } });
    const dns = await DnsServer.listen();
    dns.addresses('backend.test', '127.0.0.1');
    const dir = mkdtempSync(join(tmpdir(), 'fg-'));
    atTestEnd(() => rmSync(dir, { recursive: true }));
    writeFileSync(join(dir, 'ca.pem'), ca);
    const clock = new FakeClock();
    const settings: DnsInput = { name: 'backend.test', port: backend.port, scheme: 'wss', servers: [dns.address] };
    const upstream: UpstreamInput = { host: 'target', tls: { ca: join(dir, 'ca.pem'), ...more } };
    const running = await startProxy(config(settings, upstream), { clock });
    await untilTargets(running, clock, 1);
    return { backend, running };
  }

  test('go by the name that was looked up: its certificate is good, Host is name and port', async () => {
    const { ca, good } = await makeCertificates();
    const { backend, running } = await secure(good, ca);
    const client = await RawClient.connect(running.port);
    const opened = client.upgrade({ host: 'front.test' });
    const head = await (await backend.nextSession()).request();
    expect((await opened).status).toBe(101);
    expect(head.field('host')).toBe(`backend.test:${backend.port}`);
    expect(backend.all[0]?.socket).toMatchObject({ servername: 'backend.test' });
  });

  test('a certificate for another name is refused, unless tls.server_name says that name', async () => {
    const { ca, wrongName } = await makeCertificates();
    const { running } = await secure(wrongName, ca);
    await expect(connectWs(running.port)).rejects.toThrow('502');
    expect(running.logsOf('handshake.refused')).toMatchObject([{ error: 'backend_tls' }]);
    const named = await secure(wrongName, ca, { server_name: 'other.test' });
    const opened = connectWs(named.running.port);
    await named.backend.nextSession();
    await opened;
  });
});
