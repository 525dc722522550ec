// Whatever happens in whatever order, at several workers whose messages are late, which die and begin anew, with
// reloads in between: what the primary has counted is what is held, and in the end that is nothing.

import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DialError } from '../../src/net/dial-error.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { Random } from '../support/random.ts';
import { upgradeRequest } from '../support/wire.ts';
import { DeskRig, type RigClient } from './desk-rig.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 4);
const STEPS = 200;
const SEED = Number(process.env.SEED ?? 20261130);
/** Nobody, and who comes by a key. */
const NAMES = ['', 'acme', 'bob'];
const ECHO = NAMES.map((name) => upgradeRequest({ path: '/echo', headers: name === '' ? [] : [['X-API-Key', name]] }));
const PAGE = Buffer.from('GET /page HTTP/1.1\r\nHost: a\r\n\r\n');
const KEYS = NAMES.slice(1).map((name) => ({ name, sha256: createHash('sha256').update(name).digest('hex') }));

function capOf(random: Random): { max_sessions_per_identity?: number; max_sessions_per_ip?: number } {
  return {
    ...(random.chance(0.5) ? {} : { max_sessions_per_identity: random.between(1, 6) }),
    ...(random.chance(0.5) ? {} : { max_sessions_per_ip: random.between(1, 4) }),
  };
}

/** Small everywhere, so that everything is full, late and refused now and then. */
function configOf(random: Random): Partial<ConfigInput> {
  const targets = ['a', 'b', 'c'].slice(0, random.between(1, 3)).map((name, at) => ({
    name,
    url: `ws://192.0.2.${random.chance(0.9) ? at + 1 : 9}:1`,
    max_sessions: random.between(1, 3),
  }));
  const queue = { size: random.between(0, 5), timeout: `${random.between(1, 5)}s` };
  const passive = { failures: 2, eject: '2s', early_death: '1s' };
  const auth = random.pick([['keys', 'anonymous'], []]);
  const upstream = random.pick(['u', 'u', 'v']);
  const one = { targets, queue, retries: 1, max_handshakes_per_target: random.between(1, 3), health: { passive } };
  return {
    auth: { keys: { api_key: { keys: KEYS } } },
    routes: [
      { name: 'echo', match: { path: '/echo' }, upstream, auth, limits: capOf(random) },
      { name: 'page', match: { path: '/page' }, http: 'u', auth: ['keys', 'anonymous'] },
    ],
    upstreams: { u: one, v: { ...one, targets: targets.slice(0, 1) } },
    limits: { ...capOf(random), max_handshakes: random.between(1, 4), max_waiting_handshakes: random.between(0, 7) },
    timeouts: { open: '6s', upgrade: '3s', close: '1s' },
  };
}

function leave(peer: MemoryTransport | null, random: Random): void {
  if (peer === null || peer.destroyed) return;
  peer[random.chance(0.5) ? 'rst' : 'fin']();
  peer.pump();
}

/** One thing that happens. */
async function happen(rig: DeskRig, random: Random, clients: RigClient[]): Promise<void> {
  const worker = random.pick(rig.living);
  const now = rig.clock.now();
  const target = random.pick(rig.upstream('u').targets);
  const client = clients.length === 0 ? null : random.pick(clients);
  const connect = (): void => {
    const request = random.chance(0.2) ? PAGE : random.pick(ECHO);
    clients.push(rig.connect(worker, `192.0.2.${random.between(0, 19)}`, request));
  };
  const things: (() => unknown)[] = [
    connect,
    connect,
    connect,
    () => leave(client, random),
    () => leave(client, random),
    () => leave(worker.backends.all.length === 0 ? null : random.pick(worker.backends.all), random),
    () => worker.backends.failing.set('192.0.2.1', new DialError('backend_unreachable', 'ECONNREFUSED', 'refused')),
    () => worker.backends.failing.clear(),
    () => (target.draining ? target.lift('draining', now) : target.bar('draining', 'admin', now)),
    () => rig.pass(random.between(0, 1_500)),
    () => random.chance(0.3) && rig.reload(configOf(random)),
    async () => {
      if (!random.chance(0.1)) return;
      const dead = rig.kill(worker);
      rig.addWorker();
      await dead;
    },
  ];
  await random.pick(things)();
  for (const one of rig.living) {
    for (let left = random.between(0, 3); left > 0; left -= 1) one.stepUp();
    for (let left = random.between(0, 3); left > 0; left -= 1) one.stepDown();
  }
  if (random.chance(0.3)) await nextTurn();
}

function expectSound(rig: DeskRig): void {
  const { handshakesOpen, handshakesWaiting } = rig.edge.metrics.process;
  const held = [...rig.edge.guests];
  const upstreams = [...rig.edge.snapshot.upstreams.values()];
  expect(Math.min(handshakesOpen, handshakesWaiting)).toBeGreaterThanOrEqual(0);
  expect(handshakesOpen + handshakesWaiting).toBeLessThanOrEqual(held.length);
  expect(upstreams.reduce((sum, { handshakes }) => sum + handshakes, 0)).toBe(handshakesOpen);
  for (const { targets } of upstreams) {
    for (const target of targets) {
      const by = held.filter((one) => one.target === target).length;
      expect(target.sessions).toBeGreaterThanOrEqual(by);
      expect(Math.min(target.handshakes, target.requests, target.sessionsOpen)).toBeGreaterThanOrEqual(0);
    }
  }
  const identities = held.map(({ identitySeat }) => identitySeat?.key);
  for (const name of NAMES.slice(1))
    expect(rig.edge.identities.sessionsOf('keys', name)).toBe(
      identities.filter((key) => key === `keys/${name}`).length,
    );
  const routes = [...rig.edge.snapshot.routes.values()];
  for (const route of routes) expect(route.sessions).toBe(held.filter(({ seat }) => seat.route === route).length);
}

/** What the workers have is what the primary has for them, once all has been told. */
function expectSame(rig: DeskRig): void {
  const there = rig.living.flatMap(({ edge }) => [...edge.sessions, ...edge.connections]);
  const holders = there.filter(({ holdings }) => holdings !== null);
  expect([...rig.edge.guests]).toHaveLength(holders.length);
  expect(rig.connected).toBe(rig.living.reduce((sum, { edge }) => sum + edge.open, 0));
  for (const name of ['u', 'v']) {
    for (const target of rig.upstream(name).targets) {
      const mirrored = rig.living.map((worker) => worker.upstream(name).target(target.name));
      const sum = (of: 'sessions' | 'requests' | 'ending') =>
        mirrored.reduce((total, mirror) => total + (mirror?.[of] ?? 0), 0);
      expect([name, target.name, target.sessions, target.requests, target.ending]).toEqual([
        name,
        target.name,
        sum('sessions'),
        sum('requests'),
        sum('ending'),
      ]);
      for (const mirror of mirrored) expect(mirror?.draining).toBe(target.draining);
    }
  }
}

async function round(seed: number): Promise<void> {
  const random = new Random(seed);
  const rig = new DeskRig(configOf(random), random.between(1, 4));
  const clients: RigClient[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    await happen(rig, random, clients);
    expectSound(rig);
    if (step % 40 === 39) {
      await rig.settle();
      expectSound(rig);
      expectSame(rig);
    }
  }
  for (const client of clients) {
    if (client.destroyed) continue;
    client.rst();
    client.pump();
  }
  for (let step = 0; step < 6; step += 1) {
    await rig.settle();
    rig.pass(20_000);
  }
  await rig.settle();
  expectSound(rig);
  expect([...rig.edge.guests]).toEqual([]);
  expect([rig.connected, rig.edge.metrics.process.handshakesOpen, rig.edge.metrics.process.handshakesWaiting]).toEqual([
    0, 0, 0,
  ]);
  for (const { targets, queue } of rig.edge.snapshot.upstreams.values()) {
    expect([queue.size, queue.isBusy]).toEqual([0, false]);
    for (const target of targets) expect([target.sessions, target.handshakes, target.requests]).toEqual([0, 0, 0]);
  }
  const faults = [rig.tap, ...rig.workers.map(({ tap }) => tap)].flatMap(({ lines }) => lines);
  expect(faults.filter(({ event }) => /fault/.test(event))).toEqual([]);
}

test('counts are mended whatever happens', async () => {
  for (let at = 0; at < ROUNDS; at += 1) {
    const seed = Random.caseSeed(SEED, at);
    try {
      await round(seed);
    } catch (error) {
      throw new Error(`seed ${SEED}, round ${at}`, { cause: error });
    }
  }
});
