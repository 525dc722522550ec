// Targets and clients that do their worst while sessions are moved. The clock is the test's.

import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdmin, until } from '../e2e/operating.ts';
import { connectWs, type Inbox } from '../e2e/ws-pair.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, startProxy } from '../support/harness.ts';

const EVERY_MS = 2_000;
const STEP_MS = 500;
const SESSIONS = 40;
/** A fifth, of all that the fullest target ever holds. */
const MOVED_MAX = SESSIONS / 5;
/** Of the time before, on a busy machine: deadlines are looked at in real time. */
const LATE_MAX = 2;

/** All sessions are on one of two targets, and the other one has just come back. */
async function rig() {
  const clock = new FakeClock();
  const config: ConfigInput = oneRoute(
    'pool',
    {},
    {
      upstreams: {
        pool: {
          targets: ['a', 'b'].map((name) => ({ name, url: 'builtin:echo' })),
          rebalance: { share: '20%', every: '2s', tolerance: '10%', min_age: '1s' },
        },
      },
      admin: { address: '127.0.0.1:0' },
      timeouts: { idle: '20h', client_ping_interval: 'off' },
    },
  );
  const running = await startProxy(config, { clock });
  const drain = (word: 'drain' | 'undrain') => askAdmin(running, `POST /api/v1/upstreams/pool/targets/b/${word}`);
  const flap = async () => {
    await drain('drain');
    await drain('undrain');
  };
  await drain('drain');
  const clients: Inbox[] = [];
  while (clients.length < SESSIONS) clients.push(await connectWs(running.port));
  await drain('undrain');
  const moved = () => running.logsOf('session.end').filter(({ reason }) => reason === 'rebalance');
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= STEP_MS) {
      clock.advance(STEP_MS);
      // Deadlines are looked at in real time.
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
  };
  return { running, clients, flap, moved, pass };
}

test('E66: a target that flaps, faster than anybody looks: nobody is moved, nor for every after', async () => {
  const { flap, moved, pass } = await rig();
  for (let times = 0; times < 6; times += 1) {
    await pass(EVERY_MS - STEP_MS);
    await flap();
  }
  await pass(EVERY_MS - STEP_MS);
  expect(moved()).toEqual([]);
  await pass(2 * STEP_MS);
  expect(moved().length).toBeGreaterThan(0);
});

test('E66: clients that leave, answer nothing or come back at once: none twice, at most the share', async () => {
  const { running, clients, moved, pass } = await rig();
  const comeBack = async () => void (await connectWs(running.port));
  for (const [index, { socket }] of clients.entries()) {
    // A third comes back, a third stays away; the others leave by themselves, in the midst of it.
    if (index % 3 === 0) socket.on('close', (code) => code === 1012 && void comeBack());
  }
  await pass(EVERY_MS);
  for (let step = 0; step < 10; step += 1) {
    const before = moved().length;
    await pass(EVERY_MS);
    expect(moved().length - before).toBeLessThanOrEqual(MOVED_MAX + LATE_MAX);
    if (step === 1) for (let at = 2; at < clients.length; at += 3) clients[at]?.socket.terminate();
  }
  const ended = moved();
  expect(ended.length).toBeGreaterThan(4);
  expect(new Set(ended.map(({ session }) => session)).size).toBe(ended.length);
  await until('nobody holds too much', async () => {
    const { json } = await askAdmin(running, 'GET /api/v1/upstreams');
    const { upstreams } = json as { upstreams: [{ targets: { sessions: number }[] }] };
    const held = upstreams[0].targets.map(({ sessions }) => sessions);
    const fair = held.reduce((sum, one) => sum + one) / held.length;
    return Math.max(...held) <= Math.max(Math.ceil(fair), fair * 1.1);
  });
  const then = moved().length;
  await pass(2 * EVERY_MS);
  expect(moved().length).toBe(then);
});
