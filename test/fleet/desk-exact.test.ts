// However many workers there are, and however late they hear of each other: what the primary counts is never more than
// a limit says, and in the end nothing is left of it.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { Random } from '../support/random.ts';
import { upgradeRequest } from '../support/wire.ts';
import { DeskRig, type RigClient } from './desk-rig.ts';

const CLIENTS = 50;
/** 10 times the cap. */
const HANDSHAKES = Number(process.env.HANDSHAKES ?? 1_000);
const CAP = HANDSHAKES / 10;
const names = Array.from({ length: CLIENTS }, (_, at) => `client-${at}`);
const KEYS = names.map((name) => ({ name, sha256: createHash('sha256').update(name).digest('hex') }));
const REQUESTS = names.map((name) => upgradeRequest({ path: '/echo', headers: [['X-API-Key', name]] }));
const PLAIN = upgradeRequest({ path: '/echo' });

type Way = 'address' | 'identity' | 'target' | 'route';

/** Each kind of cap by itself. */
function configOf(way: Way): Partial<ConfigInput> {
  const each = CAP / CLIENTS;
  const limits = {
    handshakes_per_second: 1e6,
    max_sessions: 1e6,
    max_handshakes: 1_000,
    max_waiting_handshakes: 10_000,
  };
  const targets = ['a', 'b', 'c', 'd'].map((name, at) => ({
    name,
    url: `ws://192.0.2.${at + 1}:1`,
    ...(way === 'target' ? { max_sessions: CAP / 4 } : {}),
  }));
  const auth = way === 'identity' ? { auth: ['keys'] } : {};
  const own = way === 'route' ? { limits: { max_sessions: CAP } } : {};
  return {
    ...(way === 'identity' ? { auth: { keys: { api_key: { keys: KEYS } } } } : {}),
    upstreams: { u: { targets, balance: 'least_sessions' } },
    routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'u', ...auth, ...own }],
    limits: {
      ...limits,
      handshakes_per_second_per_ip: 'off',
      max_sessions_per_ip: way === 'address' ? each : 'off',
      max_sessions_per_identity: way === 'identity' ? each : 'off',
    },
  };
}

/** Handshakes from 50 clients, ends and abandons, each message as late as chance says. */
async function churn(rig: DeskRig, random: Random, way: Way, count: number, look: () => void): Promise<RigClient[]> {
  const clients: RigClient[] = [];
  for (let at = 0; at < count; at += 1) {
    const worker = random.pick(rig.living);
    const who = random.between(0, CLIENTS - 1);
    const from = `192.0.2.${who}`;
    clients.push(rig.connect(worker, from, (way === 'identity' ? REQUESTS[who] : null) ?? PLAIN));
    for (const one of rig.living) {
      for (let left = random.between(0, 3); left > 0; left -= 1) one.stepUp();
      for (let left = random.between(0, 3); left > 0; left -= 1) one.stepDown();
    }
    // Whoever it is: on its way in, or a session.
    if (random.chance(0.1)) leave(random.pick(clients));
    if (at % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (at % 64 === 0) look();
  }
  await rig.settle();
  look();
  return clients;
}

function leave(client: RigClient): void {
  if (client.destroyed) return;
  client.rst();
  client.pump();
}

function openBy(rig: DeskRig, keyOf: (session: DeskRig['sessions'][number]) => string): number[] {
  const counts = new Map<string, number>();
  for (const session of rig.sessions) {
    const key = keyOf(session);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts.values()];
}

/** Nothing is held for anybody. */
async function expectNothing(rig: DeskRig, clients: readonly RigClient[]): Promise<void> {
  for (const client of clients) leave(client);
  await rig.settle();
  // Those whose deadline is over are told so, and may linger then.
  for (let step = 0; step < 3; step += 1) {
    rig.pass(60_000);
    await rig.settle();
  }
  expect(rig.sessions).toHaveLength(0);
  expect(rig.connected).toBe(0);
  expect([...rig.edge.guests]).toEqual([]);
  for (const { sessions, handshakes, requests, ending } of rig.upstream('u').targets)
    expect([sessions, handshakes, requests, ending]).toEqual([0, 0, 0, 0]);
  expect(rig.edge.snapshot.routes.get('echo')?.sessions).toBe(0);
  const { handshakesOpen, handshakesWaiting } = rig.edge.metrics.process;
  expect([handshakesOpen, handshakesWaiting, rig.upstream('u').handshakes]).toEqual([0, 0, 0]);
  for (const name of names) expect(rig.edge.identities.sessionsOf('keys', name)).toBe(0);
}

for (const workers of [1, 2, 4]) {
  for (const way of ['address', 'identity', 'target', 'route'] as const) {
    test(`${workers} workers: never more than ${CAP} sessions, by ${way}`, async () => {
      const rig = new DeskRig(configOf(way), workers);
      const random = new Random(20261130 + workers);
      let peak = 0;
      const look = (): void => {
        peak = Math.max(peak, rig.sessions.length);
        const each = CAP / CLIENTS;
        if (way === 'address')
          expect(Math.max(0, ...openBy(rig, ({ facts }) => facts.client))).toBeLessThanOrEqual(each);
        if (way === 'identity')
          expect(Math.max(0, ...openBy(rig, ({ facts }) => facts.identity ?? ''))).toBeLessThanOrEqual(each);
        if (way === 'target')
          expect(Math.max(0, ...openBy(rig, ({ facts }) => facts.target))).toBeLessThanOrEqual(CAP / 4);
        expect(rig.sessions.length).toBeLessThanOrEqual(CAP);
      };
      const clients = await churn(rig, random, way, HANDSHAKES, look);
      expect(peak).toBeGreaterThan(CAP * 0.95);
      await expectNothing(rig, clients);
    });
  }
}
