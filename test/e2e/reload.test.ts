// Another config while everything runs: all of it or nothing, what open sessions keep, and what they do not.

import { describe, expect, test } from 'vitest';
import type { Launch } from '../../src/fleet/generation.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { text, upgradeRequest } from '../support/wire.ts';
import { askAdmin, isOpen, until } from './operating.ts';
import { connectWs, type Inbox, WsBackend } from './ws-pair.ts';

type RouteInput = ConfigInput['routes'][number];

const listeners: ConfigInput['listeners'] = [{ name: 'test', address: '127.0.0.1:0' }];

function config(more: Partial<ConfigInput> = {}, route: Partial<RouteInput> = {}): ConfigInput {
  const drain = { spread: '0s' } as const;
  return { listeners, routes: [{ name: 'chat', upstream: 'builtin:echo', ...route }], drain, ...more };
}

async function echoes(client: Inbox, message: string): Promise<void> {
  client.socket.send(message);
  expect(await client.next()).toEqual({ kind: 'text', data: Buffer.from(message) });
}

describe('what a reload changes', () => {
  test('it names each path that is another, and none when nothing is', async () => {
    const { proxy, waitForLog } = await startProxy(config());
    expect(await proxy.reload(config())).toEqual({ ok: true, changed: [] });
    const routes: ConfigInput['routes'] = [
      { name: 'chat', upstream: 'builtin:echo', rewrite: '/ws/*', limits: { max_sessions: 7 } },
      { name: 'news', match: { path: '/news' }, upstream: 'builtin:echo' },
    ];
    const next = config({ routes, timeouts: { idle: '5m' }, log: { level: 'debug' } });
    const changed = [
      'log.level',
      'routes[chat].own_max_sessions',
      'routes[chat].rewrite',
      'routes[news]',
      'timeouts.idle',
    ];
    expect(await proxy.reload(next)).toEqual({ ok: true, changed });
    expect(await waitForLog('config.loaded', (line) => String(line.changed) !== '')).toMatchObject({
      level: 'info',
      changed,
      ms: expect.any(Number),
    });
  });

  test('limits hold for open sessions from the next message', async () => {
    const running = await startProxy(config());
    const client = await connectWs(running.port, { perMessageDeflate: false });
    await echoes(client, 'x'.repeat(200));
    await running.proxy.reload(config({}, { limits: { from_client: { max_message_size: '100B' } } }));
    await echoes(client, 'x'.repeat(100));
    client.socket.send('x'.repeat(101));
    expect(await client.closed()).toEqual({ code: 1009, reason: 'max_message_size' });
  });

  test('timeouts and close codes hold for open sessions from now on', async () => {
    const clock = new FakeClock();
    const running = await startProxy(config(), { clock });
    const client = await connectWs(running.port);
    await running.proxy.reload(
      config({}, { timeouts: { idle: '10s', client_ping_interval: 'off' }, close_codes: { idle: 4000 } }),
    );
    clock.advance(9_900);
    await echoes(client, 'not idle yet');
    clock.advance(10_050);
    expect(await client.closed()).toEqual({ code: 4000, reason: 'idle timeout' });
  });

  test('a lowered cap ends no session and takes no new one', async () => {
    const running = await startProxy(config());
    const clients = [await connectWs(running.port), await connectWs(running.port)];
    await running.proxy.reload(config({}, { limits: { max_sessions: 1 } }));
    for (const client of clients) await echoes(client, 'still here');
    await expect(connectWs(running.port)).rejects.toThrow('503');
    clients[0]?.socket.close();
    clients[1]?.socket.close();
    await Promise.all(clients.map((client) => client.closed()));
    await running.waitForLog('session.end', () => running.logsOf('session.end').length === 2);
    await connectWs(running.port);
    await expect(connectWs(running.port)).rejects.toThrow('503');
  });

  test('routing holds for new sessions; those of a route that is gone get route_removed', async () => {
    const running = await startProxy(config({ routes: [...two('/a', '/b')] }));
    const a = await connectWs(running.port, { path: '/a' });
    const b = await connectWs(running.port, { path: '/b' });
    await running.proxy.reload(config({ routes: [two('/moved', '/b')[0] as RouteInput] }));
    expect(await b.closed()).toEqual({ code: 1012, reason: 'route removed' });
    await echoes(a, 'keeps what it began with');
    await expect(connectWs(running.port, { path: '/a' })).rejects.toThrow('404');
    await expect(connectWs(running.port, { path: '/b' })).rejects.toThrow('404');
    await connectWs(running.port, { path: '/moved' });
    expect(running.logsOf('session.end')).toMatchObject([{ route: 'b', reason: 'route_removed', by: 'proxy' }]);
  });

  test('a target that is gone: its sessions get target_removed; one that stays keeps what it counts', async () => {
    const backends = [await WsBackend.listen(), await WsBackend.listen()];
    const upstream = (count: number): Partial<ConfigInput> => ({
      admin: { address: '127.0.0.1:0' },
      upstreams: { app: { targets: backends.slice(0, count).map(({ url }, at) => ({ name: `t${at}`, url })) } },
    });
    const running = await startProxy(config(upstream(2), { upstream: 'app' }));
    const clients = [await connectWs(running.port), await connectWs(running.port)];
    await running.proxy.reload(config(upstream(1), { upstream: 'app' }));
    await running.waitForLog('session.end');
    expect(running.logsOf('session.end')).toMatchObject([{ target: 't1', reason: 'target_removed' }]);
    const gone = clients.filter((client) => client.all.at(-1)?.kind === 'close');
    expect(gone).toHaveLength(1);
    expect((await askAdmin(running, 'GET /api/v1/upstreams')).json).toMatchObject({
      upstreams: [{ targets: [{ name: 't0', sessions: 1, sessions_total: 1 }] }],
    });
  });

  test('a listener that gets another name: connections made before are routed by it, and counted out', async () => {
    const renamed: ConfigInput['listeners'] = [
      { name: 'renamed', address: '127.0.0.1:0', paths: { leading_slashes: 'merge' }, health_path: '/healthz' },
    ];
    const by = (name: string): Partial<RouteInput> => ({ match: { path: '/chat', listeners: [name] } });
    const admin: ConfigInput['admin'] = { address: '127.0.0.1:0' };
    const running = await startProxy(config({ admin }, by('test')));
    const metrics = async (): Promise<string> => (await askAdmin(running, 'GET /metrics')).body;
    const before = [await RawClient.connect(running.port), await RawClient.connect(running.port)] as const;
    await until('both are accepted', async () => (await metrics()).includes('connections_open{listener="test"} 2\n'));
    expect(await running.proxy.reload(config({ listeners: renamed, admin }, by('renamed')))).toMatchObject({
      ok: true,
    });
    before[0].send(upgradeRequest({ path: '//chat' }));
    expect((await before[0].readHead()).status).toBe(101);
    before[1].send('GET /healthz HTTP/1.1\r\n\r\n');
    expect((await before[1].readResponse()).head.line).toBe('HTTP/1.1 200 OK');
    for (const client of before) client.destroy();
    await until('both are gone', async () => !/connections_open\{listener="test"\} [1-9]/.test(await metrics()));
    expect(await metrics()).not.toMatch(/listener="renamed"\} -/);
  });

  test('a listener: the new one is bound, the old one closed, its sessions stay', async () => {
    const admin: ConfigInput['admin'] = { address: '127.0.0.1:0' };
    const running = await startProxy(config({ admin }));
    const client = await connectWs(running.port);
    const late = await RawClient.connect(running.port);
    const isThere = async () => (await askAdmin(running, 'GET /metrics')).body.includes('open{listener="test"} 2\n');
    await until('it is accepted', isThere);
    const next: ConfigInput['listeners'] = [{ name: 'next', address: '127.0.0.2:0' }];
    expect(await running.proxy.reload(config({ listeners: next, admin }))).toMatchObject({ ok: true });
    expect(await isOpen(running.port)).toBe(false);
    expect(running.proxy.address()).toMatchObject({ host: '127.0.0.2' });
    // That of the admin, too.
    expect(running.logsOf('listening')).toHaveLength(3);
    await echoes(client, 'over the listener that is gone');
    // What it asks for may be there, where it comes again.
    late.send(upgradeRequest());
    expect((await late.readResponse()).json()).toMatchObject({ status: 503, error: 'draining' });
  });
});

describe('what a reload refuses, with everything left as it was', () => {
  const refused: readonly (readonly [string, Partial<ConfigInput>, string])[] = [
    ['admin', { admin: { address: '127.0.0.1:0' } }, 'admin: needs a restart'],
    ['log.format', { log: { format: 'pretty' } }, 'log.format: needs a restart'],
    [
      'a backlog',
      { listeners: [{ name: 'test', address: '127.0.0.1:0', backlog: 5 }] },
      'listeners[0].backlog: needs a restart',
    ],
    [
      'too many sessions',
      { limits: { max_sessions: 9_000_000 } },
      'limits.max_sessions: limits.max_sessions 9000000 needs',
    ],
    ['a bad value', { timeouts: { idle: '5' } }, 'timeouts.idle: '],
  ];

  test.each(refused)('%s', async (_, more, problem) => {
    const running = await startProxy(config());
    const client = await connectWs(running.port);
    const result = await running.proxy.reload(config(more));
    const problems = result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(await running.waitForLog('config.rejected')).toMatchObject({
      level: 'error',
      problems: [{ severity: 'error' }],
    });
    await echoes(client, 'as before');
    await connectWs(running.port);
  });

  test('without a source there is nothing to read again', async () => {
    const running = await startProxy(config());
    expect(await running.proxy.reload()).toMatchObject({ ok: false, problems: [{ message: expect.any(String) }] });
  });

  test('one address of several in use: the others are not bound either', async () => {
    const running = await startProxy(config());
    const taken = await startProxy(config());
    const free = await startProxy(config());
    await free.stop();
    const listenersThen = [
      ...(listeners ?? []),
      ...[free.port, taken.port].map((port) => ({ address: `127.0.0.1:${port}` })),
    ];
    const result = await running.proxy.reload(config({ listeners: listenersThen }));
    expect(result).toMatchObject({ ok: false, problems: [{ path: 'listeners[2].address' }] });
    expect(JSON.stringify(result)).toContain('EADDRINUSE');
    expect(await isOpen(free.port)).toBe(false);
    await connectWs(running.port);
  });

  test('a drain has begun', async () => {
    const running = await startProxy(config({ drain: { delay: '5s', spread: '0s', timeout: '20s' } }), {
      clock: new FakeClock(),
    });
    const drained = running.proxy.drain();
    expect(await running.proxy.reload(config({ timeouts: { idle: '5m' } }))).toMatchObject({ ok: false });
    await running.stop();
    await drained;
  });
});

describe('reloads that come at once', () => {
  test('of those that read the source, one runs and one waits; the last state wins', async () => {
    let reads = 0;
    const source = async () => {
      reads += 1;
      return { unchanged: true as const };
    };
    const { proxy } = await startProxy(config(), { source });
    const results = await Promise.all(Array.from({ length: 100 }, () => proxy.reload()));
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(reads).toBeLessThanOrEqual(2);
  });

  test('100 under traffic, every second one broken: no session is lost, the counters are right', async () => {
    const running = await startProxy(config({ admin: { address: '127.0.0.1:0' } }));
    const clients: Inbox[] = [];
    while (clients.length < 20) clients.push(await connectWs(running.port));
    let sent = 0;
    for (let round = 0; round < 100; round += 1) {
      const idle = round % 2 === 0 ? `${round + 100}s` : 'soon';
      const reloading = running.proxy.reload(config({ admin: { address: '127.0.0.1:0' }, timeouts: { idle } }));
      await Promise.all(clients.map((client) => echoes(client, `round ${round}`)));
      sent += clients.length;
      expect(await reloading).toMatchObject({ ok: round % 2 === 0 });
    }
    expect(running.logsOf('session.end')).toEqual([]);
    const { body } = await askAdmin(running, 'GET /metrics');
    for (const line of [
      `framegate_messages_total{route="chat",direction="from_client",opcode="text"} ${sent}`,
      'framegate_sessions_open{route="chat"} 20',
      'framegate_config_reloads_total{result="ok"} 50',
      'framegate_config_reloads_total{result="rejected"} 50',
      'framegate_config_last_reload_successful 0',
    ]) {
      expect(body).toContain(`${line}\n`);
    }
    expect((await askAdmin(running, 'GET /api/v1/status')).json).toMatchObject({
      config: { last_reload: { ok: false } },
      sessions: { open: 20, total: 20 },
    });
  });

  test('a message that is half sent when the limit falls is judged by what held when it began', async () => {
    const running = await startProxy(config());
    const client = await RawClient.connect(running.port);
    await client.upgrade();
    const message = text('x'.repeat(300), { mask: true });
    client.send(message.subarray(0, 50));
    await connectWs(running.port);
    await running.proxy.reload(config({}, { limits: { from_client: { max_message_size: '100B' } } }));
    client.send(message.subarray(50));
    expect((await client.nextFrame()).payload).toHaveLength(300);
  });
});

function two(first: string, second: string): readonly RouteInput[] {
  return [
    { name: 'a', match: { path: first }, upstream: 'builtin:echo' },
    { name: 'b', match: { path: second }, upstream: 'builtin:echo' },
  ];
}

test('while a next process is being started a reload is rejected: that one has read the config before', async () => {
  let giveUp = (): void => {};
  const launch: Launch = (_sockets, events) => {
    giveUp = () => events.onEnd('it ended');
    return { pid: 1, send() {}, kill() {}, explain: async () => 'no' };
  };
  const restarts = { launch, before: () => [], onHandedOver() {} };
  const running = await startProxy(config({ admin: { address: '127.0.0.1:0' } }), { restarts });
  const asked = askAdmin(running, 'POST /api/v1/restart');
  await running.waitForLog('restart.begin');
  const rejected = await running.proxy.reload(config({ timeouts: { idle: '5m' } }));
  expect(rejected).toMatchObject({
    ok: false,
    problems: [{ message: expect.stringMatching(/^a new process is being started/) }],
  });
  giveUp();
  expect((await asked).status).toBe(500);
  expect(await running.proxy.reload(config({ admin: { address: '127.0.0.1:0' }, timeouts: { idle: '5m' } }))).toEqual({
    ok: true,
    changed: ['timeouts.idle'],
  });
});
