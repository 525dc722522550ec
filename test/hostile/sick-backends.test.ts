import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdmin, until } from '../e2e/operating.ts';
import { deadUrl } from '../support/dead.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type RunningProxy, startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { type Health, SickBackend } from '../support/sick-backend.ts';

type Upstream = NonNullable<ConfigInput['upstreams']>[string];
type Targets = Record<string, string>;

/** Its time is the test's. */
interface Pool extends RunningProxy {
  readonly clock: FakeClock;
}

async function startPool(targets: Targets, upstream: Partial<Upstream> = {}, files = {}): Promise<Pool> {
  const clock = new FakeClock();
  const u = {
    targets: Object.entries(targets).map(([name, url]) => ({ name, url })),
    balance: 'round_robin' as const,
    ...upstream,
  };
  const config: ConfigInput = {
    listeners: [{ name: 'test', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0' },
    routes: [{ name: 'test', upstream: 'u' }],
    upstreams: { u },
    ...files,
  };
  return { ...(await startProxy(config, { clock })), clock };
}

/** The statuses of so many clients, one behind the other, each from an address of its own. */
async function come(pool: Pool, count: number, from = 2): Promise<number[]> {
  const statuses: number[] = [];
  for (let at = 0; at < count; at += 1) statuses.push((await comer(pool, from + at)).status);
  return statuses;
}

async function comer({ port }: Pool, at: number): Promise<{ client: RawClient; status: number; head: string }> {
  const client = await RawClient.connect(port, { localAddress: `127.0.0.${at}` });
  const { status, raw } = await client.upgrade();
  return { client, status, head: raw };
}

/** Its deadlines have seen it: a slow head has got its 408. Needs `timeouts.handshake` to be shorter. */
async function pass(pool: Pool, ms: number): Promise<void> {
  const slow = await RawClient.connect(pool.port);
  slow.send('GET / HTTP/1.1\r\n');
  // Accepted behind it, so that one was, too.
  await come(pool, 1, 40);
  pool.clock.advance(ms);
  expect((await slow.readHead()).status).toBe(408);
}

/** Fails the test when the event does not come. */
const ejected = (pool: Pool, target: string) =>
  pool.waitForLog('target.down', (line) => line.target === target && line.why === 'passive');
const returned = (pool: Pool, target: string) => pool.waitForLog('target.up', (line) => line.target === target);

/** Handshakes that wait for room on the targets of an upstream. */
async function queuedOn(pool: Pool, upstream: string): Promise<number> {
  const { body } = await askAdmin(pool, 'GET /metrics');
  return Number(new RegExp(`framegate_upstream_queue\\{upstream="${upstream}"\\} (\\d+)`).exec(String(body))?.[1]);
}

const repeated = (count: number, status: number) => Array(count).fill(status);

describe('E5: a backend that refuses connections', () => {
  test('E5: the next target has its clients, and it is dialed until it is ejected, no more', async () => {
    const well = await SickBackend.listenInTest();
    const pool = await startPool({ dead: deadUrl, well: well.url }, { retry_budget: 'off' });
    expect(await come(pool, 20)).toEqual(repeated(20, 101));
    await ejected(pool, 'dead');
    expect(pool.logsOf('target.dial_failed')).toHaveLength(5);
  });

  test('E5: when all that may be tried have failed 502, after retries more and no others', async () => {
    const pool = await startPool({ a: deadUrl, b: deadUrl.replace('.1:', '.2:'), c: deadUrl.replace('.1:', '.3:') }, {
      retries: 1,
    } as const);
    expect(await come(pool, 1)).toEqual([502]);
    expect(await pool.waitForLog('handshake.refused')).toMatchObject({ error: 'backend_unreachable', tries: 2 });
  });
});

describe('E6: no backend works', () => {
  test('E6: all are out of service: 503 with Retry-After within 50 ms, and nothing is dialed', async () => {
    const [one, two] = [await SickBackend.listenInTest(), await SickBackend.listenInTest()];
    const pool = await startPool({ one: one.url, two: two.url });
    for (const name of ['one', 'two']) {
      expect((await askAdmin(pool, `POST /api/v1/upstreams/u/targets/${name}/drain`)).status).toBe(200);
    }
    const took: number[] = [];
    for (let at = 0; at < 20; at += 1) {
      const startedAt = performance.now();
      const { status, head } = await comer(pool, 2 + at);
      took.push(performance.now() - startedAt);
      expect([status, /\r\nRetry-After: [1-5]\r\n/.test(head)]).toEqual([503, true]);
    }
    took.sort((a, b) => a - b);
    expect(took[10]).toBeLessThan(50);
    expect(await pool.waitForLog('handshake.refused')).toMatchObject({
      cause: 'none is up',
      targets: { down: 0, full: 0, draining: 2 },
    });
    expect([one.asked, two.asked]).toEqual([0, 0]);
  });

  test('E6: all refuse: the budget bounds how often they are dialed, and the last one is never ejected', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const targets = Object.fromEntries(names.map((name, at) => [name, `ws://127.0.0.${at + 1}:1`]));
    const passive = { failures: 1_000 };
    const pool = await startPool(targets, { retries: 3, health: { passive } });
    expect(await come(pool, 50)).toEqual(repeated(50, 502));
    expect(pool.logsOf('target.dial_failed')).toHaveLength(10);
    const other = await startPool(targets, { retries: 3, health: { passive: { max_ejected: 'off', failures: 1 } } });
    expect(await come(other, 20)).toEqual(repeated(20, 502));
    expect(other.logsOf('target.down')).toHaveLength(3);
  });
});

describe('E7: a backend that comes and goes', () => {
  test('E7: it stays away for twice as long each time, and its sessions are left alone', async () => {
    const [flaps, well] = [await SickBackend.listenInTest(), await SickBackend.listenInTest()];
    const passive = { failures: 2, eject: '10s', eject_max: '30s' };
    const timeouts = { client_ping_interval: 'off', idle: 'off', handshake: '2s' } as const;
    const pool = await startPool({ flaps: flaps.url, well: well.url }, { health: { passive } }, { timeouts });
    const { client, status } = await comer(pool, 2);
    expect([status, flaps.open]).toEqual([101, 1]);
    flaps.health = 'lies';
    await come(pool, 4, 3);
    await ejected(pool, 'flaps');
    for (const ms of [10_000, 20_000, 30_000, 30_000]) {
      const { asked } = flaps;
      await pass(pool, ms - 1);
      expect(await come(pool, 3, 10)).toEqual(repeated(3, 101));
      expect(flaps.asked).toBe(asked);
      pool.clock.advance(1);
      // One of those who come is the trial, and sees its failure.
      const seen: number[] = [];
      await until('it is tried', async () => seen.push(...(await come(pool, 1, 20))) > 0 && flaps.asked > asked);
      expect([seen.filter((status) => status !== 101), flaps.asked]).toEqual([[502], asked + 1]);
    }
    flaps.health = 'works';
    pool.clock.advance(30_000);
    const { asked } = flaps;
    await until('it is tried', async () => (await come(pool, 1, 20))[0] === 101 && flaps.asked > asked);
    pool.clock.advance(2_000);
    await returned(pool, 'flaps');
    expect(client.socket.destroyed).toBe(false);
    expect(pool.logsOf('session.end')).toEqual([]);
  });
});

describe('E62: a backend that answers, and does not work', () => {
  test.each<[Health, number]>([
    ['lies', 502],
    [502, 502],
    ['drops', 101],
  ])(
    'E62: %s: after five clients nobody sees it any more, and one client alone does not do that',
    async (health, status) => {
      const [ill, well] = [await SickBackend.listenInTest(health), await SickBackend.listenInTest()];
      const pool = await startPool({ ill: ill.url, well: well.url });
      const alone = [];
      for (let at = 0; at < 16; at += 1) alone.push((await comer(pool, 2)).status);
      expect(alone.filter((one) => one === status && status !== 101)).toHaveLength(status === 101 ? 0 : 8);
      expect(ill.asked).toBe(8);
      await come(pool, 8, 3);
      await ejected(pool, 'ill');
      expect(ill.asked).toBe(12);
      expect(await come(pool, 10, 20)).toEqual(repeated(10, 101));
      expect(ill.asked).toBe(12);
    },
  );

  test('E62: hangs: five clients wait for timeouts.upgrade, the others do not', async () => {
    const [ill, well] = [await SickBackend.listenInTest('hangs'), await SickBackend.listenInTest()];
    const pool = await startPool({ ill: ill.url, well: well.url });
    const first = Array.from({ length: 10 }, (_, at) => comer(pool, 2 + at));
    await until('they wait', () => ill.asked === 5);
    pool.clock.advance(10_000);
    const statuses = (await Promise.all(first)).map((one) => one.status).sort();
    expect(statuses).toEqual([...repeated(5, 101), ...repeated(5, 504)]);
    await ejected(pool, 'ill');
    expect(await come(pool, 10, 20)).toEqual(repeated(10, 101));
    expect(ill.asked).toBe(5);
  });

  test('E62: 404 is an answer of a backend that works', async () => {
    const [one, two] = [await SickBackend.listenInTest(404), await SickBackend.listenInTest(404)];
    const pool = await startPool({ one: one.url, two: two.url });
    expect(await come(pool, 20)).toEqual(repeated(20, 404));
    expect(pool.logsOf('target.down')).toEqual([]);
  });
});

describe('E63: more clients than the targets of an upstream may have', () => {
  test('E63: they wait outside of max_handshakes, go on in their order, and others are not kept waiting', async () => {
    const [small, well] = [await SickBackend.listenInTest(), await SickBackend.listenInTest()];
    const pool = await startPool(
      {},
      {},
      {
        routes: [
          { name: 'small', match: { path: '/small' }, upstream: 'small' },
          { name: 'well', match: { path: '/well' }, upstream: 'well' },
        ],
        upstreams: {
          small: { targets: [{ name: 's', url: small.url, max_sessions: 1 }], queue: { size: 10, timeout: '9s' } },
          well: { targets: [{ name: 'w', url: well.url }] },
        },
        limits: { max_handshakes: 2 },
      },
    );
    const at = async (path: string) => {
      const client = await RawClient.connect(pool.port);
      return { client, head: client.upgrade({ path }) };
    };
    const holder = await at('/small');
    expect((await holder.head).status).toBe(101);
    const order: number[] = [];
    const waiting: RawClient[] = [];
    for (let index = 0; index < 3; index += 1) {
      const { client, head } = await at('/small');
      void head.then(({ status }) => status === 101 && order.push(index));
      waiting.push(client);
      await until('it waits', async () => (await queuedOn(pool, 'small')) === index + 1);
    }
    expect((await (await at('/well')).head).status).toBe(101);
    let last = holder.client;
    for (const [index, client] of waiting.entries()) {
      last.destroy();
      small.hangUp();
      await until('it goes on', () => order.length > index);
      last = client;
    }
    expect(order).toEqual([0, 1, 2]);
    const { head } = await at('/small');
    await until('it waits', async () => (await queuedOn(pool, 'small')) === 1);
    pool.clock.advance(9_000);
    expect((await head).status).toBe(503);
    expect(await pool.waitForLog('handshake.refused')).toMatchObject({
      error: 'no_target',
      cause: 'queue.timeout',
      targets: { down: 0, full: 1, draining: 0 },
    });
  });
});
