import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { deadUrl } from '../support/dead.ts';
import { anyPort, oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { exampleKey, parseHead, type UpgradeRequestSpec } from '../support/wire.ts';
import { workerCount } from '../support/worker-fleet.ts';
import { connectWs, type Inbox, WsBackend } from './ws-pair.ts';

type Pairs = readonly (readonly [string, string])[];

/** A directory of its own, for unix sockets; gone when the test ends. */
function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Sends an upgrade request and gives what the backend received of it. */
async function received(
  request: UpgradeRequestSpec,
  route: Parameters<typeof oneRoute>[1] = {},
  config: Partial<ConfigInput> = {},
): Promise<{ line: string; fields: Pairs; port: number; connection: BackendConnection; client: RawClient }> {
  const backend = await RawBackend.listen();
  const running = await startProxy(oneRoute(backend.url, route, config));
  const client = await RawClient.connect(running.port);
  const answered = client.upgrade(request);
  const connection = await backend.nextSession();
  expect((await answered).status).toBe(101);
  const { line, fields } = parseHead(await connection.head());
  return { line, fields, port: running.port, connection, client };
}

const fieldOf = (fields: Pairs, name: string) => fields.find(([one]) => one === name)?.[1];

describe('what the backend receives', () => {
  test('the fields of the client in their order, with case, duplicates and bytes, then ours', async () => {
    const own: Pairs = [
      ['COOKIE', 'a=1; b="two"'],
      ['Origin', 'https://app.example.com'],
      ['authorization', 'Bearer abc.def.ghi'],
      ['X-Twice', 'one'],
      ['x-twice', 'two'],
      ['X-Latin', 'caf\u00e9'],
      ['User-Agent', 'framegate test'],
      ['X-Empty', ''],
      ['Accept-Language', 'de, en;q=0.5'],
    ];
    const path = '/chat/R%C3%B6m?token=a%2Fb&x={y}|z';
    const { line, fields, port } = await received({ path, host: 'Chat.Example.com:8443', headers: own });
    expect(line).toBe(`GET ${path} HTTP/1.1`);
    const requestId = fieldOf(fields, 'X-Request-ID') ?? '';
    const via = fieldOf(fields, 'Via') ?? '';
    expect(requestId).toMatch(/^[0-9a-f]{32}$/);
    expect(via).toMatch(/^1\.1 [0-9a-f]{16}$/);
    expect(fields).toEqual([
      ['Host', 'Chat.Example.com:8443'],
      ...own,
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Key', exampleKey],
      ['Sec-WebSocket-Version', '13'],
      ['X-Real-IP', '127.0.0.1'],
      ['X-Forwarded-For', '127.0.0.1'],
      ['X-Forwarded-Proto', 'http'],
      ['X-Forwarded-Host', 'Chat.Example.com:8443'],
      ['X-Forwarded-Port', String(port)],
      ['X-Request-ID', requestId],
      ['Via', via],
    ]);
  });

  const claims: Pairs = [
    ['X-Forwarded-For', '203.0.113.9'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', 'public.example.com'],
    ['X-Forwarded-Port', '443'],
    ['X-Request-ID', 'from-the-edge.1'],
    ['X-Real-IP', '203.0.113.9'],
    ['Forwarded', 'for=203.0.113.9'],
  ];

  test('X-Forwarded-* and X-Request-ID of a peer that is not trusted are replaced', async () => {
    const { fields, port } = await received({ headers: claims }, {}, { trusted_proxies: ['192.0.2.0/24'] });
    const texts = fields.map(([name, value]) => `${name}: ${value}`);
    expect(texts.join('\n')).not.toMatch(/203\.0\.113\.9|public\.example|from-the-edge|Forwarded: for/);
    expect(fieldOf(fields, 'X-Forwarded-For')).toBe('127.0.0.1');
    expect(fieldOf(fields, 'X-Forwarded-Port')).toBe(String(port));
    expect(fieldOf(fields, 'X-Request-ID')).toMatch(/^[0-9a-f]{32}$/);
  });

  test('of a trusted proxy they are kept, and it is appended to X-Forwarded-For', async () => {
    const { fields } = await received({ headers: claims }, {}, { trusted_proxies: ['127.0.0.0/8'] });
    const seen = (name: string) => fields.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
    expect(seen('x-forwarded-for')).toEqual(['203.0.113.9, 127.0.0.1']);
    expect(seen('x-real-ip')).toEqual(['203.0.113.9']);
    expect(seen('x-forwarded-proto')).toEqual(['https']);
    expect(seen('x-forwarded-host')).toEqual(['public.example.com']);
    expect(seen('x-forwarded-port')).toEqual(['443']);
    expect(seen('x-request-id')).toEqual(['from-the-edge.1']);
    // The other spelling of who the client is: it is not read, so it is not passed on either.
    expect(seen('forwarded')).toEqual([]);
  });

  test.each([
    ['client', 'front.example.com'],
    ['target', /^127\.0\.0\.1:\d+$/],
    ['inner.example.com', 'inner.example.com'],
  ])('Host with host: %s', async (host, expected) => {
    const backend = await RawBackend.listen();
    const running = await startProxy({
      ...oneRoute('pool'),
      upstreams: { pool: { targets: [{ url: backend.url }], host } },
    });
    const client = await RawClient.connect(running.port);
    client.upgrade({ host: 'front.example.com' }).catch(() => {});
    const request = await (await backend.nextConnection()).request();
    expect(request.field('host')).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected));
    expect(request.field('x-forwarded-host')).toBe('front.example.com');
  });
});

test("what the client's 101 holds: ours, then the backend's other fields in order", async () => {
  const backend = await RawBackend.listen();
  const running = await startProxy(oneRoute(backend.url));
  const client = await RawClient.connect(running.port);
  const answered = client.upgrade();
  await backend.nextSession([
    ['Set-Cookie', 'sid=1; HttpOnly'],
    ['Server', 'backend/1'],
    ['set-cookie', 'theme=dark'],
    ['Content-Length', '0'],
    ['Keep-Alive', 'timeout=5'],
    ['X-Node', 'a'],
  ]);
  expect((await answered).fields).toEqual([
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
    ['Set-Cookie', 'sid=1; HttpOnly'],
    ['Server', 'backend/1'],
    ['set-cookie', 'theme=dark'],
    ['X-Node', 'a'],
  ]);
});

describe('routes', () => {
  test.each([
    ['/chat', '/ws'],
    ['/chat/', '/ws/'],
    ['/chat/a/b?c=d', '/ws/a/b?c=d'],
    ['/chat?x', '/ws?x'],
  ])('rewrite /chat/* to /ws/*: %s is %s at the backend', async (path, expected) => {
    const { line } = await received({ path }, { match: { path: '/chat/*' }, rewrite: '/ws/*' });
    expect(line).toBe(`GET ${expected} HTTP/1.1`);
  });

  test('the base path of a target stands before the path', async () => {
    const backend = await RawBackend.listen();
    const running = await startProxy(oneRoute(`${backend.url}/base`));
    const client = await RawClient.connect(running.port);
    client.upgrade({ path: '/x?y=z' }).catch(() => {});
    expect((await (await backend.nextConnection()).request()).line).toBe('GET /base/x?y=z HTTP/1.1');
  });

  test('by host: the exact one, then *., then any; what matches none is 404', async () => {
    const names = ['exact', 'wild', 'any'] as const;
    const backends = await Promise.all(names.map(() => RawBackend.listen()));
    const [exact, wild, any] = backends.map(({ url }) => url) as [string, string, string];
    const running = await startProxy({
      listeners: anyPort,
      routes: [
        { name: 'any', match: { path: '/any/*' }, upstream: any },
        { name: 'wild', match: { hosts: ['*.example.com'] }, upstream: wild },
        { name: 'exact', match: { hosts: ['a.example.com'] }, upstream: exact },
      ],
      log: { session_open: 'info' },
    });
    const routeOf = async (host: string, path: string) => {
      const client = await RawClient.connect(running.port);
      const answered = client.upgrade({ host, path });
      const at = names.indexOf(path.slice(1) as (typeof names)[number]);
      if (at >= 0) await backends[at]?.nextSession();
      return (await answered).status;
    };
    expect(await routeOf('a.example.com', '/exact')).toBe(101);
    expect(await routeOf('A.EXAMPLE.com.:80', '/exact')).toBe(101);
    expect(await routeOf('b.example.com', '/wild')).toBe(101);
    expect(await routeOf('x.y.example.com', '/wild')).toBe(101);
    expect(await routeOf('other.test', '/any')).toBe(101);
    expect(await routeOf('example.com', '/nowhere')).toBe(404);
    const refused = await running.waitForLog('handshake.refused');
    expect(refused).toMatchObject({ error: 'no_route', host: 'example.com', path: '/nowhere' });
    const opened = running.logsOf('session.open').map(({ route }) => route);
    expect(opened).toEqual(['exact', 'exact', 'wild', 'wild', 'any']);
  });

  test('builtin:echo sends back messages, pings and Closes', async () => {
    const running = await startProxy(oneRoute('builtin:echo'));
    const client = await connectWs(running.port, { protocols: ['a', 'b'] });
    expect(client.socket.protocol).toBe('a');
    client.socket.send('hello');
    client.socket.send(Buffer.from([1, 2, 3]));
    client.socket.ping('p');
    client.socket.send('frag', { fin: false });
    client.socket.send('ments');
    expect(await client.take(4)).toEqual([
      { kind: 'text', data: Buffer.from('hello') },
      { kind: 'binary', data: Buffer.from([1, 2, 3]) },
      { kind: 'pong', data: Buffer.from('p') },
      { kind: 'text', data: Buffer.from('fragments') },
    ]);
    client.socket.close(4001, 'enough');
    expect(await client.closed()).toEqual({ code: 4001, reason: 'enough' });
    expect(await running.waitForLog('session.end')).toMatchObject({ by: 'client', clean: true });
  });
});

describe('unix sockets', () => {
  test('a listener and a backend on paths, with the mode asked for', async () => {
    const directory = newDirectory();
    const backend = await WsBackend.listen({}, join(directory, 'backend.sock'));
    const path = join(directory, 'front.sock');
    const running = await startProxy({
      listeners: [{ name: 'local', address: `unix:${path}`, mode: '0600' }],
      routes: [{ upstream: `${backend.url}:/base` }],
    });
    expect(running.proxy.address()).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const client = await connectWs(path, { path: '/x' });
    const server = await backend.next();
    expect(server.request.url).toBe('/base/x');
    client.socket.send('over paths');
    expect(await server.inbox.next()).toEqual({ kind: 'text', data: Buffer.from('over paths') });
    await running.stop();
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });

  test('a path without a listener is a backend that cannot be reached', async () => {
    const running = await startProxy(oneRoute(`ws+unix:${join(newDirectory(), 'nobody.sock')}`));
    const client = await RawClient.connect(running.port);
    expect((await client.upgrade()).status).toBe(502);
    const refused = await running.waitForLog('handshake.refused');
    expect(refused).toMatchObject({ error: 'backend_unreachable', cause: 'ENOENT' });
  });
});

interface Pool {
  readonly running: RunningProxy;
  /** Opens a session and tells which target has it. */
  open(): Promise<number>;
  /** Ends a session on that target, and waits until its slot is free. */
  close(target: number): Promise<void>;
}

async function startPool(
  weights: readonly number[],
  upstream: Omit<NonNullable<ConfigInput['upstreams']>[string], 'targets'>,
): Promise<Pool> {
  const backends = await Promise.all(weights.map(() => WsBackend.listen()));
  const targets = backends.map(({ url }, at) => ({ name: `t${at}`, url, weight: weights[at] ?? 1 }));
  const running = await startProxy({ ...oneRoute('pool'), upstreams: { pool: { ...upstream, targets } } });
  const counts = () => backends.map(({ sessions }) => sessions.length);
  const clients: { readonly at: number; readonly client: Inbox }[] = [];
  return {
    running,
    open: async () => {
      const before = counts();
      const client = await connectWs(running.port);
      const at = counts().findIndex((count, target) => count > (before[target] ?? 0));
      clients.push({ at, client });
      return at;
    },
    close: async (target) => {
      const [found] = clients.splice(
        clients.findIndex(({ at }) => at === target),
        1,
      );
      const before = new Set(running.logsOf('session.end'));
      found?.client.socket.close(1000);
      await running.waitForLog('session.end', (line) => !before.has(line));
    },
  };
}

describe('targets', () => {
  test('round_robin gives sessions by weight, smoothly', async () => {
    const pool = await startPool([3, 1], { balance: 'round_robin' });
    const turns: number[] = [];
    while (turns.length < 8) turns.push(await pool.open());
    expect(turns).toEqual([0, 0, 1, 0, 0, 0, 1, 0]);
  });

  test('least_sessions gives the next session to where the fewest are open', async () => {
    const pool = await startPool([1, 1], { balance: 'least_sessions' });
    const turns = [await pool.open(), await pool.open(), await pool.open(), await pool.open()];
    // Whoever is level takes turns: of each two, each gets one.
    expect([turns.slice(0, 2).sort(), turns.slice(2).sort()]).toEqual([
      [0, 1],
      [0, 1],
    ]);
    await pool.close(1);
    await pool.close(1);
    expect([await pool.open(), await pool.open()]).toEqual([1, 1]);
  });

  test('a dial that fails is tried on the next target, and logged', async () => {
    const backend = await WsBackend.listen();
    const targets = [
      { name: 'dead', url: deadUrl },
      { name: 'alive', url: backend.url },
    ];
    const running = await startProxy({
      ...oneRoute('pool'),
      upstreams: { pool: { targets, balance: 'round_robin' } },
      log: { session_open: 'info' },
    });
    await connectWs(running.port);
    expect(await running.waitForLog('target.dial_failed')).toMatchObject({
      level: 'warn',
      upstream: 'pool',
      target: 'dead',
      cause: 'ECONNREFUSED',
    });
    expect(await running.waitForLog('session.open')).toMatchObject({ upstream: 'pool', target: 'alive' });
  });

  test('retries: 0 tries one target; the log says which and why', async () => {
    const backend = await WsBackend.listen();
    const targets = [
      { name: 'dead', url: deadUrl },
      { name: 'alive', url: backend.url },
    ];
    const running = await startProxy({
      ...oneRoute('pool'),
      upstreams: { pool: { targets, balance: 'round_robin', retries: 0 } },
    });
    await expect(connectWs(running.port)).rejects.toThrow(/502/);
    expect(await running.waitForLog('handshake.refused')).toMatchObject({
      error: 'backend_unreachable',
      target: 'dead',
      tries: 1,
      cause: 'ECONNREFUSED',
    });
    expect(running.logsOf('target.dial_failed')).toEqual([]);
  });

  test('max_sessions of every target reached: 503 no_target, and room again when a session ends', async () => {
    const backend = await WsBackend.listen();
    const targets = [{ name: 'one', url: backend.url, max_sessions: 1 }];
    const running = await startProxy({ ...oneRoute('pool'), upstreams: { pool: { targets } } });
    const first = await connectWs(running.port);
    await expect(connectWs(running.port)).rejects.toThrow(/503/);
    expect(await running.waitForLog('handshake.refused')).toMatchObject({ error: 'no_target', upstream: 'pool' });
    first.socket.close(1000);
    await running.waitForLog('session.end');
    await connectWs(running.port);
  });

  test('local_addresses: dials leave from each in turn', async () => {
    const backend = await RawBackend.listen();
    const running = await startProxy({
      ...oneRoute('pool'),
      upstreams: { pool: { targets: [{ url: backend.url }], local_addresses: ['127.0.0.2', '127.0.0.3'] } },
    });
    for (let i = 0; i < 3 * workerCount; i += 1) {
      const client = await RawClient.connect(running.port);
      const answered = client.upgrade();
      await backend.nextSession();
      expect((await answered).status).toBe(101);
    }
    // Each worker has turns of its own.
    const turns = ['127.0.0.2', '127.0.0.3', '127.0.0.2'].flatMap((address) => Array(workerCount).fill(address));
    expect(backend.all.map(({ socket }) => socket.remoteAddress)).toEqual(turns);
  });
});

describe('drain', () => {
  test('1012 to every client, then 1001 to the backends; nothing new is accepted; none is cut', async () => {
    const backend = await WsBackend.listen();
    const running = await startProxy(oneRoute(backend.url, {}, { drain: { spread: '0s' } }));
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectWs(running.port)));
    const result = await running.proxy.drain();
    expect(result).toEqual({ closed: 20, cut: 0 });
    for (const client of clients) expect(await client.closed()).toEqual({ code: 1012, reason: 'server restart' });
    for (const { inbox } of backend.sessions) expect(await inbox.closed()).toMatchObject({ code: 1001 });
    await expect(RawClient.connect(running.port)).rejects.toThrow(/ECONNREFUSED/);
    expect(running.logsOf('drain.begin')).toMatchObject([{ level: 'info', sessions: 20 }]);
    expect(running.logsOf('drain.end')).toMatchObject([{ level: 'info', closed: 20, cut: 0 }]);
    const ends = running.logsOf('session.end');
    expect(ends).toHaveLength(20);
    for (const end of ends) expect(end).toMatchObject({ by: 'proxy', reason: 'drain', clean: true });
  });
});
