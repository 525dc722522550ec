// The timeline of a drain: what is refused when, how the Closes are spread, who is cut off. The clock is the test's.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';
import { workerCount } from '../support/worker-fleet.ts';
import { askAdmin, isOpen, until } from './operating.ts';
import { connectWs, type Inbox } from './ws-pair.ts';

const admin: ConfigInput['admin'] = { address: '127.0.0.1:0' };

function timed(drain: ConfigInput['drain'], more: Partial<ConfigInput> = {}) {
  const clock = new FakeClock();
  // Pings and idle ends belong to other tests.
  const timeouts = { idle: '20h', client_ping_interval: 'off', close: '5m' } as const;
  const config = oneRoute('builtin:echo', {}, { drain, admin, timeouts, ...more });
  return startProxy(config, { clock }).then((running) => ({ clock, running }));
}

function ready(running: RunningProxy): Promise<number> {
  return askAdmin(running, 'GET /readyz').then(({ status }) => status);
}

async function crowd(port: number, count: number): Promise<Inbox[]> {
  const clients: Inbox[] = [];
  while (clients.length < count) clients.push(await connectWs(port));
  return clients;
}

function closedOf(clients: readonly Inbox[]): number {
  return clients.filter((client) => client.all.at(-1)?.kind === 'close').length;
}

describe('drain', () => {
  test('delay: not ready, but accepting; grace: sessions go on; spread: one Close after the other', async () => {
    const { clock, running } = await timed({ delay: '5s', grace: '10s', spread: '8s', timeout: '1m' });
    // Each worker spreads the Closes of its own, of which all have as many.
    const clients = await crowd(running.port, 3 * workerCount);
    expect(await ready(running)).toBe(200);
    const drained = running.proxy.drain('test');
    expect(await ready(running)).toBe(503);
    clients.push(...(await crowd(running.port, workerCount)));
    expect(await running.waitForLog('drain.begin')).toMatchObject({ why: 'test', sessions: 3 * workerCount });

    clock.advance(5_000);
    await until('listeners are closed', async () => !(await isOpen(running.port)));
    for (const client of clients) {
      client.socket.send('still here');
      expect(await client.next()).toMatchObject({ kind: 'text' });
    }
    expect(closedOf(clients)).toBe(0);

    clock.advance(10_000);
    for (const client of clients.slice(0, workerCount)) await client.closed();
    expect(closedOf(clients)).toBe(workerCount);
    // The steps are 2 s, each half a step off at most: after 5 s at least two had their turn, and not all.
    clock.advance(5_000);
    for (const client of clients.slice(0, 3 * workerCount)) await client.closed();
    expect(closedOf(clients)).toBe(3 * workerCount);
    clock.advance(3_000);
    for (const client of clients) expect(await client.closed()).toEqual({ code: 1012, reason: 'server restart' });
    const closed = 4 * workerCount;
    expect(await drained).toEqual({ closed, cut: 0 });
    expect(await running.waitForLog('drain.end')).toMatchObject({ level: 'info', closed, cut: 0, ms: 23_000 });
    expect(running.logsOf('session.end').map(({ reason }) => reason)).toEqual(Array(closed).fill('drain'));
  });

  test('it is over as soon as nobody is left', async () => {
    const { clock, running } = await timed({ delay: '0s', grace: '10s', spread: '8s', timeout: '1m' });
    const client = await connectWs(running.port);
    const drained = running.proxy.drain();
    client.socket.close(4000, 'bye');
    expect(await drained).toEqual({ closed: 1, cut: 0 });
    expect(clock.now()).toBe(1_000_000);
  });

  test('timeout: whoever has not answered is cut off, one tick before it nobody is', async () => {
    const { clock, running } = await timed({ delay: '0s', grace: '0s', spread: '0s', timeout: '10s' });
    const client = await RawClient.connect(running.port);
    await client.upgrade();
    const drained = running.proxy.drain();
    expect(await client.nextClose()).toEqual({ code: 1012, reason: 'server restart' });
    clock.advance(9_900);
    await until('two turns of the wheel', turns(running, 2));
    expect(running.logsOf('session.end')).toEqual([]);
    clock.advance(150);
    expect(await drained).toEqual({ closed: 0, cut: 1 });
    await client.closed;
    expect(await running.waitForLog('drain.end')).toMatchObject({ level: 'warn', cut: 1 });
    expect(running.logsOf('session.end')).toMatchObject([{ reason: 'forced', by: 'proxy' }]);
  });

  test('a handshake in flight may finish within grace, and its session gets its Close', async () => {
    const backend = await RawBackend.listen();
    const clock = new FakeClock();
    const drain = { delay: '0s', grace: '5s', spread: '0s', timeout: '1m' } as const;
    const running = await startProxy(oneRoute(backend.url, {}, { drain }), { clock });
    const client = await RawClient.connect(running.port);
    const opened = client.upgrade();
    const session = await backend.nextConnection();
    await session.head();
    const drained = running.proxy.drain();
    await session.accept();
    expect((await opened).status).toBe(101);
    clock.advance(5_000);
    expect(await client.nextClose()).toEqual({ code: 1012, reason: 'server restart' });
    await running.stop();
    expect(await drained).toEqual({ closed: 0, cut: 1 });
  });

  test('a handshake that is not done when the Closes begin gets 503 draining', async () => {
    const backend = await RawBackend.listen();
    const clock = new FakeClock();
    const drain = { delay: '0s', grace: '5s', spread: '0s', timeout: '1m' } as const;
    const running = await startProxy(oneRoute(backend.url, {}, { drain }), { clock });
    const client = await RawClient.connect(running.port);
    client.send(upgradeRequest());
    await (await backend.nextConnection()).head();
    const drained = running.proxy.drain();
    // Workers hear of it in the next turn, and count from then on.
    await nextTurn();
    clock.advance(5_000);
    const answer = await client.readResponse();
    expect([answer.status, answer.head.field('retry-after')]).toEqual([503, expect.stringMatching(/^[1-5]$/)]);
    expect(answer.json()).toMatchObject({ error: 'draining' });
    expect(await running.waitForLog('handshake.refused')).toMatchObject({ error: 'draining' });
    client.destroy();
    expect(await drained).toEqual({ closed: 0, cut: 0 });
  });

  test('stopping in the middle of it ends it', async () => {
    const { running } = await timed({ delay: '5s', grace: '10s', spread: '8s', timeout: '1m' });
    await connectWs(running.port);
    const drained = running.proxy.drain();
    await running.stop();
    expect(await drained).toMatchObject({ cut: 1 });
  });
});

describe('draining a part', () => {
  const two: Partial<ConfigInput> = {
    routes: [
      { name: 'a', match: { path: '/a' }, upstream: 'app' },
      { name: 'b', match: { path: '/b' }, upstream: 'app' },
    ],
    upstreams: {
      app: {
        targets: [
          { name: 'one', url: 'builtin:echo' },
          { name: 'two', url: 'builtin:echo' },
        ],
      },
    },
  };
  const quick = { spread: '0s' } as const;

  test('a route: its sessions end, new ones get 503 draining; undrained it takes them again', async () => {
    const { running } = await timed(quick, two);
    const a = await connectWs(running.port, { path: '/a' });
    const b = await connectWs(running.port, { path: '/b' });
    expect(await askAdmin(running, 'POST /api/v1/routes/a/drain')).toMatchObject({ status: 200 });
    expect(await a.closed()).toEqual({ code: 1012, reason: 'server restart' });
    expect(await running.waitForLog('session.end')).toMatchObject({ route: 'a', reason: 'drain' });
    await expect(connectWs(running.port, { path: '/a' })).rejects.toThrow('503');
    b.socket.send('untouched');
    expect(await b.next()).toMatchObject({ kind: 'text' });
    expect((await askAdmin(running, 'GET /api/v1/status')).json).toMatchObject({ state: 'ready' });
    await askAdmin(running, 'POST /api/v1/routes/a/undrain');
    await connectWs(running.port, { path: '/a' });
  });

  test('a target: its sessions end with target_drain, new ones go to the others; reload keeps it', async () => {
    const { running } = await timed(quick, two);
    const clients = [await connectWs(running.port, { path: '/a' }), await connectWs(running.port, { path: '/a' })];
    await askAdmin(running, 'POST /api/v1/upstreams/app/targets/one/drain');
    await running.waitForLog('session.end');
    expect(running.logsOf('session.end')).toMatchObject([{ target: 'one', reason: 'target_drain' }]);
    expect(closedOf(clients)).toBeLessThan(2);
    const next = { ...oneRoute('builtin:echo'), ...two, admin, limits: { max_early_bytes: '1KiB' } };
    expect(await running.proxy.reload(next)).toMatchObject({ ok: true });
    await connectWs(running.port, { path: '/b' });
    const { json } = await askAdmin(running, 'GET /api/v1/upstreams');
    expect(json).toMatchObject({
      upstreams: [
        {
          targets: [
            { name: 'one', state: 'draining', sessions: 0 },
            { sessions: 2, state: 'up' },
          ],
        },
      ],
    });
    await askAdmin(running, 'POST /api/v1/upstreams/app/targets/two/drain');
    expect(await askAdmin(running, 'GET /readyz?route=a')).toMatchObject({
      status: 503,
      json: { status: 'no_target' },
    });
    expect(await ready(running)).toBe(200);
    await askAdmin(running, 'POST /api/v1/upstreams/app/targets/one/undrain');
    expect(await askAdmin(running, 'GET /readyz?route=a')).toMatchObject({ status: 200 });
  });
});

/** True after the wheel was driven that many times more. */
function turns(_running: RunningProxy, count: number): () => Promise<boolean> {
  let left = count * 60;
  return async () => {
    left -= 1;
    return left <= 0;
  };
}
