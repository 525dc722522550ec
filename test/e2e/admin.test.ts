// The admin listener over a real proxy: what it shows is what goes on, and what it is asked for is done.

import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { deadUrl } from '../support/dead.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';
import { hasWorkers } from '../support/worker-fleet.ts';
import { askAdmin, until } from './operating.ts';
import { connectWs, type Inbox } from './ws-pair.ts';

const config: ConfigInput = {
  listeners: [{ name: 'test', address: '127.0.0.1:0' }],
  routes: [
    { name: 'chat', match: { path: '/chat' }, upstream: 'app', limits: { max_sessions: 50 } },
    { name: 'news', match: { path: '/news' }, upstream: 'app' },
  ],
  upstreams: { app: { targets: [{ name: 'one', url: 'builtin:echo', max_sessions: 60 }] } },
  drain: { spread: '0s' },
  admin: { address: '127.0.0.1:0' },
};

async function opened(port: number, count: number, path = '/chat'): Promise<Inbox[]> {
  const clients: Inbox[] = [];
  while (clients.length < count) clients.push(await connectWs(port, { path, perMessageDeflate: false }));
  return clients;
}

interface Page {
  readonly sessions: readonly { readonly id: string }[];
  readonly next: string | null;
}

describe('what it shows', () => {
  test('status: counts, caps, addresses and the state of routes', async () => {
    const running = await startProxy(config, {
      about: { version: '1.2.3', node: 'v20.0.0', pid: 7, config: 'x.yaml' },
    });
    const [client] = await opened(running.port, 2);
    await opened(running.port, 1, '/news');
    client?.socket.send('12345');
    await client?.next();
    await expect(connectWs(running.port, { path: '/none' })).rejects.toThrow('404');
    expect((await askAdmin(running, 'GET /api/v1/status')).json).toMatchObject({
      version: '1.2.3',
      node: 'v20.0.0',
      pid: 7,
      state: 'ready',
      config: { name: 'x.yaml', loaded_at: expect.stringMatching(/^20.*Z$/), last_reload: null },
      sessions: { open: 3, total: 3 },
      handshakes_open: 0,
      buffered_bytes: 0,
      listeners: [{ name: 'test', address: `127.0.0.1:${running.port}` }],
      routes: [
        { name: 'chat', upstream: 'app', state: 'open', sessions: 2, sessions_limit: 50, sessions_total: 2, paused: 0 },
        { name: 'news', sessions: 1, sessions_limit: null, handshakes_refused: 0 },
      ],
    });
    expect((await askAdmin(running, 'GET /api/v1/upstreams')).json).toEqual({
      upstreams: [
        {
          name: 'app',
          balance: 'least_sessions',
          handshakes: 0,
          queued: 0,
          discovery: null,
          targets: [
            expect.objectContaining({ name: 'one', state: 'up', sessions: 3, sessions_limit: 60, sessions_total: 3 }),
          ],
        },
      ],
    });
  });

  test('sessions: pages in the order in which they began, whatever ended meanwhile', async () => {
    const running = await startProxy(config);
    const clients = await opened(running.port, 5);
    const page = async (query: string) => (await askAdmin(running, `GET /api/v1/sessions${query}`)).json as Page;
    const all = (await page('')).sessions.map(({ id }) => id);
    expect(new Set(all).size).toBe(5);
    const first = await page('?limit=2');
    // The place of a session among those of several workers is more than its id.
    const nextOf = (id: string | undefined) => (hasWorkers ? expect.stringContaining(String(id)) : id);
    expect(first).toMatchObject({ sessions: [{ id: all[0] }, { id: all[1] }], next: nextOf(all[1]) });
    clients[1]?.socket.close();
    await running.waitForLog('session.end');
    const second = await page(`?limit=2&after=${first.next}`);
    expect(second).toMatchObject({ sessions: [{ id: all[2] }, { id: all[3] }], next: nextOf(all[3]) });
    expect(await page(`?limit=2&after=${second.next}`)).toMatchObject({ sessions: [{ id: all[4] }], next: null });
    expect(await page('?route=news')).toEqual({ sessions: [], next: null, more: 0 });
    expect(await page('?state=closing')).toEqual({ sessions: [], next: null, more: 0 });
  });

  test('sessions by what is largest: of messages and bytes, both directions count', async () => {
    const running = await startProxy(config);
    const clients = await opened(running.port, 3);
    for (const [index, texts] of [['a'], ['b', 'c', 'd'], ['x'.repeat(100)]].entries()) {
      for (const one of texts) {
        clients[index]?.socket.send(one);
        await clients[index]?.next();
      }
      // Of equal milliseconds none is before another, where they are of several workers.
      const at = Math.round(performance.now());
      while (Math.round(performance.now()) === at) await new Promise((resolve) => setImmediate(resolve));
    }
    const page = async (query: string) => (await askAdmin(running, `GET /api/v1/sessions${query}`)).json as Page;
    const [first, second, third] = (await page('')).sessions.map(({ id }) => id);
    const by = async (sort: string) => (await page(`?sort=${sort}`)).sessions.map(({ id }) => id);
    expect(await by('messages')).toEqual([second, first, third]);
    expect(await by('bytes')).toEqual([third, second, first]);
    expect(await by('age')).toEqual([first, second, third]);
    expect(await by('silent')).toEqual([first, second, third]);
    const top = await page('?sort=messages&limit=1');
    expect(top).toMatchObject({ next: `-6/${second}`, more: 2 });
    expect(await page(`?sort=messages&limit=1&after=${top.next}`)).toMatchObject({
      sessions: [{ id: first }],
      more: 1,
    });
  });

  test('one session: who it is and what went each way', async () => {
    const running = await startProxy(config);
    const [client] = await opened(running.port, 1);
    client?.socket.send('hello');
    await client?.next();
    const { json } = await askAdmin(running, 'GET /api/v1/sessions');
    const id = (json as Page).sessions[0]?.id ?? '';
    const side = { messages: 1, bytes: 5, largest_message: 5, paused: false, pauses: 0, buffered: 0 };
    expect((await askAdmin(running, `GET /api/v1/sessions/${id}`)).json).toMatchObject({
      id,
      state: 'open',
      route: 'chat',
      upstream: 'app',
      target: 'one',
      listener: 'test',
      client: '127.0.0.1',
      peer: null,
      path: '/chat',
      reason: null,
      from_client: side,
      from_backend: side,
    });
    expect((await askAdmin(running, 'GET /api/v1/sessions/cafe-1')).status).toBe(404);
    expect((await askAdmin(running, 'GET /application/websockets')).json).toEqual([
      expect.objectContaining({
        sessionId: id,
        clientAddress: '127.0.0.1',
        gatewayPath: '/chat',
        serviceUrl: 'builtin:echo',
      }),
    ]);
  });

  test('a session whose reader is slow is paused, and found by that', async () => {
    const limits = { max_buffered: '16KiB' } as const;
    const running = await startProxy(oneRoute('builtin:echo', { limits }, { admin: { address: '127.0.0.1:0' } }));
    const client = await RawClient.connect(running.port);
    await client.upgrade();
    client.pause();
    const sent = Buffer.alloc(64 * 1024, 'x');
    const isPaused = async () => {
      client.sendFrame({ opcode: 2, payload: sent });
      return ((await askAdmin(running, 'GET /api/v1/sessions?state=paused')).json as Page).sessions.length === 1;
    };
    await until('it is paused', isPaused);
    const { body } = await askAdmin(running, 'GET /metrics');
    expect(body).toMatch(/^framegate_sessions_paused\{route="test",direction="from_(client|backend)"\} 1$/m);
  });

  test('metrics: the process only when there is one to look at; readiness and drain as gauges', async () => {
    const running = await startProxy(config, { process });
    await opened(running.port, 2);
    const { status, body } = await askAdmin(running, 'GET /metrics');
    expect(status).toBe(200);
    for (const line of [
      'framegate_ready 1',
      'framegate_draining 0',
      'framegate_sessions_limit{route="chat"} 50',
      'framegate_sessions_open{route="chat"} 2',
      'framegate_handshakes_total{route="chat",result="ok"} 2',
      'framegate_target_up{upstream="app",target="one"} 1',
      'framegate_target_sessions{upstream="app",target="one"} 2',
    ]) {
      expect(body).toContain(`${line}\n`);
    }
    expect(body).toContain('process_resident_memory_bytes');
    const without = await startProxy(config);
    expect((await askAdmin(without, 'GET /metrics')).body).not.toContain('process_');
  });

  test('a target whose dials fail is shown so everywhere, and counts as up after 10 s without a dial', async () => {
    const clock = new FakeClock();
    const routes = [{ name: 'chat', match: { path: '/chat' }, upstream: 'app' }];
    const targets = [{ name: 'one', url: deadUrl }];
    const running = await startProxy({ ...config, routes, upstreams: { app: { targets } } }, { clock });
    const look = async () => {
      const upstreams = (await askAdmin(running, 'GET /api/v1/upstreams')).json;
      const metrics = (await askAdmin(running, 'GET /metrics')).body;
      const { status, json } = await askAdmin(running, 'GET /readyz?route=chat');
      return { upstreams, up: /^framegate_target_up\{.*\} (\d)$/m.exec(metrics)?.[1], ready: [status, json] };
    };
    const shown = (state: string, ms: number | null) => ({
      upstreams: [{ targets: [{ state, failing_ms: ms }] }],
    });
    expect(await look()).toMatchObject({ upstreams: shown('up', null), up: '1', ready: [200, { status: 'ready' }] });
    const client = await RawClient.connect(running.port);
    client.send(upgradeRequest({ path: '/chat' }));
    expect((await client.readResponse()).status).toBe(502);
    clock.advance(500);
    expect(await look()).toMatchObject({
      upstreams: shown('failing', 500),
      up: '0',
      ready: [503, { status: 'failing' }],
    });
    clock.advance(9_500);
    expect(await look()).toMatchObject({ upstreams: shown('failing', 10_000), up: '1', ready: [200, {}] });
  });

  test('a target: since when and why it is as it is, its share, its latencies, what failed', async () => {
    const clock = new FakeClock();
    const targets = ['one', 'two'].map((name) => ({ name, url: 'builtin:echo' }));
    const running = await startProxy({ ...config, upstreams: { app: { targets } } }, { clock });
    await opened(running.port, 4);
    await askAdmin(running, 'POST /api/v1/upstreams/app/targets/two/drain');
    clock.advance(1_500);
    const { json } = await askAdmin(running, 'GET /api/v1/upstreams');
    const calm = {
      source: 'config',
      failing_ms: null,
      weight: 1,
      backup: false,
      check: null,
      failures: 0,
      ejections: 0,
    };
    const latency = { count: 2, p50_ms: expect.any(Number), p99_ms: expect.any(Number) };
    const counted = { handshakes: 0, sessions_total: 2, dials_failed: 0, connect: latency, upgrade: latency };
    expect(json).toMatchObject({
      upstreams: [
        {
          name: 'app',
          balance: 'least_sessions',
          handshakes: 0,
          queued: 0,
          discovery: null,
          targets: [
            { ...calm, ...counted, name: 'one', state: 'up', why: null, state_ms: null, share: 1, sessions: 2 },
            { ...calm, ...counted, name: 'two', state: 'draining', why: 'admin', state_ms: 1_500, share: 0 },
          ],
        },
      ],
    });
    const { body } = await askAdmin(running, 'GET /metrics');
    const states = [...body.matchAll(/^framegate_target_state\{upstream="app",target="(.*)",state="(.*)"\} 1$/gm)];
    expect(states.map(([, target, state]) => [target, state])).toEqual([
      ['one', 'up'],
      ['two', 'draining'],
    ]);
    expect(
      await running.proxy.reload({ ...config, upstreams: { app: { targets: targets.slice(0, 1) } } }),
    ).toMatchObject({ ok: true });
    expect((await askAdmin(running, 'GET /metrics')).body).not.toContain('target="two"');
  });

  test('what was refused: by cause in status, with the largest in limit.hit and in the advice', async () => {
    const limits = { from_client: { max_message_size: '1KiB' } };
    const running = await startProxy({ ...config, limits });
    for (const size of [5000, 3000]) {
      const client = await connectWs(running.port, { path: '/chat', perMessageDeflate: false });
      client.socket.send('x'.repeat(size));
      expect(await client.closed()).toMatchObject({ code: 1009 });
    }
    expect(running.logsOf('limit.hit')).toMatchObject([
      { limit: 'max_message_size', value: 5000, largest: 5000 },
      // Each worker logs what it has seen.
      { limit: 'max_message_size', value: 3000, largest: hasWorkers ? 3000 : 5000 },
    ]);
    const stranger = await RawClient.connect(running.port);
    stranger.send(upgradeRequest({ path: '/none' }));
    expect((await stranger.readResponse()).status).toBe(404);
    expect((await askAdmin(running, 'GET /api/v1/status')).json).toMatchObject({ refusals: { no_route: 1 } });
    const advice = (await askAdmin(running, 'GET /api/v1/advice')).json;
    const sizes = { key: 'limits.from_client.max_message_size', hits: 2, largest_refused: 5000, verdict: 'tight' };
    expect(advice).toMatchObject({
      caps: [
        { key: 'limits.max_sessions' },
        { key: 'limits.max_handshakes' },
        { key: 'limits.max_waiting_handshakes' },
        { key: 'limits.max_buffered_total' },
      ],
      routes: [
        {
          route: 'chat',
          clients: 1,
          from_client: { limits: expect.arrayContaining([expect.objectContaining(sizes)]) },
        },
        {},
      ],
    });
  });

  test('config and advice', async () => {
    const token = 'secret-token';
    const running = await startProxy({ ...config, admin: { address: '127.0.0.1:0' } });
    const { body } = await askAdmin(running, 'GET /api/v1/config');
    expect(body).toContain('name: chat');
    expect(body).not.toContain(token);
    expect((await askAdmin(running, 'GET /api/v1/advice')).json).toMatchObject({
      routes: [{ route: 'chat', sessions_total: 0 }, { route: 'news' }],
    });
  });
});

describe('what it does', () => {
  test('close one: the code and text asked for, once', async () => {
    const running = await startProxy(config);
    const client = await RawClient.connect(running.port);
    await client.upgrade({ path: '/chat' });
    const { json } = await askAdmin(running, 'GET /api/v1/sessions');
    const id = (json as Page).sessions[0]?.id ?? '';
    const line = `POST /api/v1/sessions/${id}/close?code=4001&reason=bye`;
    expect(await askAdmin(running, line)).toMatchObject({ status: 200, json: { closing: 1 } });
    expect(await client.nextClose()).toEqual({ code: 4001, reason: 'bye' });
    expect((await askAdmin(running, line)).status).toBe(404);
    expect((await askAdmin(running, `GET /api/v1/sessions/${id}`)).json).toMatchObject({
      state: 'closing',
      reason: 'admin',
    });
    client.destroy();
    expect(await running.waitForLog('session.end')).toMatchObject({ reason: 'admin', by: 'proxy' });
  });

  test('close many: those that fit, spread over drain.spread', async () => {
    const clock = new FakeClock();
    const running = await startProxy({ ...config, drain: { spread: '4s' } }, { clock });
    const chat = await opened(running.port, 4);
    const [news] = await opened(running.port, 1, '/news');
    expect(await askAdmin(running, 'POST /api/v1/sessions/close?route=chat')).toMatchObject({ json: { closing: 4 } });
    expect(await chat[0]?.closed()).toEqual({ code: 1008, reason: 'closed by the operator' });
    expect(running.logsOf('session.end').length).toBeLessThan(4);
    clock.advance(4_000);
    for (const client of chat) expect(await client.closed()).toMatchObject({ code: 1008 });
    news?.socket.send('here');
    expect(await news?.next()).toMatchObject({ kind: 'text' });
  });

  test('close_codes.admin is what they are told, unless the request says otherwise', async () => {
    const running = await startProxy({ ...config, close_codes: { admin: 4000 } });
    const clients = await opened(running.port, 4);
    const { sessions } = (await askAdmin(running, 'GET /api/v1/sessions')).json as Page;
    const closing = (index: number, query: string) =>
      askAdmin(running, `POST /api/v1/sessions/${sessions[index]?.id}/close${query}`);
    await closing(0, '');
    await closing(1, '?reason=bye');
    await closing(2, '?code=1001');
    await askAdmin(running, 'POST /api/v1/sessions/close?route=chat');
    const told = await Promise.all(clients.map((client) => client.closed()));
    // Of those that began within a millisecond, on several workers, nobody knows which one is which.
    expect(told.map((close) => JSON.stringify(close)).sort()).toEqual(
      [
        { code: 4000, reason: 'closed by the operator' },
        { code: 4000, reason: 'bye' },
        { code: 1001, reason: 'closed by the operator' },
        { code: 4000, reason: 'closed by the operator' },
      ]
        .map((close) => JSON.stringify(close))
        .sort(),
    );
  });

  test('each change is in the log with who asked for it', async () => {
    const running = await startProxy(config);
    await askAdmin(running, 'POST /api/v1/routes/chat/drain');
    expect(await running.waitForLog('admin.action')).toMatchObject({ action: 'routes.drain', client: '127.0.0.1' });
    expect((await askAdmin(running, 'POST /api/v1/routes/none/drain')).status).toBe(404);
    expect((await askAdmin(running, 'POST /api/v1/upstreams/app/targets/none/drain')).status).toBe(404);
  });

  test('drain: a proxy that nobody else stops stops by itself', async () => {
    const running = await startProxy(config);
    const [client] = await opened(running.port, 1);
    expect((await askAdmin(running, 'POST /api/v1/drain')).status).toBe(202);
    expect(await client?.closed()).toEqual({ code: 1012, reason: 'server restart' });
    expect(await running.waitForLog('drain.end')).toMatchObject({ closed: 1, cut: 0 });
  });

  test('reload changes who may ask', async () => {
    const running = await startProxy(config);
    const admin = { address: '127.0.0.1:0', token: 'secret' };
    expect(await running.proxy.reload({ ...config, admin })).toEqual({ ok: true, changed: ['admin.token'] });
    expect((await askAdmin(running, 'GET /api/v1/status')).status).toBe(401);
    expect((await askAdmin(running, 'GET /readyz')).status).toBe(200);
  });
});
