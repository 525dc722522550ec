// Two targets become four, and sessions of the full ones move to the new ones. The clock is the test's.

import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { askAdmin, until } from './operating.ts';
import { connectWs, WsBackend } from './ws-pair.ts';

const EVERY_MS = 2_000;
const SHARE = 0.2;
const SESSIONS = 40;
/** Of the time before, on a busy machine. */
const LATE_MAX = 2;

async function targetsOf(names: readonly string[]) {
  const found = [];
  for (const name of names) found.push({ name, url: (await WsBackend.listen()).url });
  return found;
}

/** Where clients that are closed come back, which is at once. */
async function rig() {
  const targets = await targetsOf(['a', 'b', 'c', 'd']);
  const clock = new FakeClock();
  const config = (count: number): ConfigInput => ({
    ...oneRoute('pool'),
    upstreams: {
      pool: {
        targets: targets.slice(0, count),
        rebalance: { share: '20%', every: '2s', tolerance: '10%', min_age: '1s' },
      },
    },
    admin: { address: '127.0.0.1:0' },
    timeouts: { idle: '20h', client_ping_interval: 'off' },
  });
  const running = await startProxy(config(2), { clock });
  const open = async (): Promise<void> => {
    const client = await connectWs(running.port);
    client.socket.on('close', (code) => {
      if (code === 1012) void open();
    });
  };
  const held = async (): Promise<number[]> => {
    const { json } = await askAdmin(running, 'GET /api/v1/upstreams');
    const { upstreams } = json as { upstreams: [{ targets: { sessions: number }[] }] };
    return upstreams[0].targets.map(({ sessions }) => sessions);
  };
  const isSettled = async () => (await held()).reduce((sum, one) => sum + one) === SESSIONS;
  const moved = () => running.logsOf('session.end').filter(({ reason }) => reason === 'rebalance');
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(500);
      // Deadlines are looked at in real time.
      await new Promise((resolve) => setTimeout(resolve, 60));
      await until('whoever was closed is back', isSettled);
    }
  };
  for (let left = SESSIONS; left > 0; left -= 1) await open();
  return { running, config, held, moved, pass };
}

test('until they are even: the youngest first, none twice, at most the share, none while a target drains', async () => {
  const { running, config, held, moved, pass } = await rig();
  await pass(2 * EVERY_MS);
  expect(await held()).toEqual([20, 20]);
  expect(moved()).toEqual([]);
  expect(await running.proxy.reload(config(4))).toMatchObject({ ok: true });
  let steps = 0;
  for (; Math.max(...(await held())) > (SESSIONS / 4) * 1.1; steps += 1) {
    expect(steps, `${await held()}`).toBeLessThan(20);
    const before = { full: Math.max(...(await held())), moved: moved().length };
    await pass(EVERY_MS);
    expect(moved().length - before.moved).toBeLessThanOrEqual(Math.floor(before.full * SHARE) + LATE_MAX);
    if (steps !== 1) continue;
    await askAdmin(running, 'POST /api/v1/upstreams/pool/targets/d/drain');
    const then = moved().length;
    await pass(3 * EVERY_MS);
    expect(moved().length).toBe(then);
    await askAdmin(running, 'POST /api/v1/upstreams/pool/targets/d/undrain');
  }
  await pass(2 * EVERY_MS);
  expect(Math.max(...(await held()))).toBeLessThanOrEqual(11);
  const ended = moved();
  expect(new Set(ended.map(({ session }) => session)).size).toBe(ended.length);
  expect(ended.every(({ close_code_client: code }) => code === 1012)).toBe(true);
  for (const name of ['a', 'b']) {
    const ids = ended.flatMap(({ target, session }) =>
      target === name ? [parseInt(String(session).split('-')[1] ?? '', 36)] : [],
    );
    expect(ids.length).toBeGreaterThan(4);
    expect(ids).toEqual([...ids].sort((x, y) => y - x));
  }
  const { body } = await askAdmin(running, 'GET /metrics');
  expect(body).toContain(`framegate_rebalance_closes_total{upstream="pool"} ${ended.length}\n`);
  const told = running.logs.filter(({ event }) => event.startsWith('rebalance.'));
  expect(told.map(({ event, why }) => why ?? event)).toEqual([
    'rebalance.begin',
    'standstill',
    'rebalance.begin',
    'even',
  ]);
});
