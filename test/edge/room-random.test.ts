import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { DialError } from '../../src/net/dial-error.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { Random } from '../support/random.ts';
import { acceptFor, exampleKey, upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

const ROUNDS = 12;
const STEPS = 150;
const SEED = Number(process.env.SEED ?? 20261130);
/** Nobody, and who comes by a key. */
const NAMES = ['', 'acme', 'bob'];
const ECHO = NAMES.map((name) => upgradeRequest({ path: '/echo', headers: name === '' ? [] : [['X-API-Key', name]] }));
const KEYS = NAMES.slice(1).map((name) => ({ name, sha256: createHash('sha256').update(name).digest('hex') }));
const FIELDS = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(exampleKey)}`;
const ANSWER = Buffer.from(`${SWITCHED}\r\n${FIELDS}\r\n\r\n`);

/** From 0 to below `count`, of which there is at least one. */
const below = (random: Random, count: number) => random.between(0, Math.max(1, count) - 1);

/** On sessions of an identity, now and then. */
function capOf(random: Random): { max_sessions_per_identity?: number } {
  return below(random, 2) === 0 ? {} : { max_sessions_per_identity: 1 + below(random, 6) };
}

/** Small everywhere, so that everything is full, late and refused now and then. */
function configOf(random: Random): Partial<ConfigInput> {
  const names = ['a', 'b', 'c'].slice(0, 1 + below(random, 3));
  const targets = names.map((name, at) => ({
    name,
    url: `ws://192.0.2.${at + 1}:1`,
    max_sessions: 1 + below(random, 3),
  }));
  const queue = { size: below(random, 6), timeout: `${1 + below(random, 5)}s` };
  const passive = { failures: 2, eject: '2s', early_death: '1s' };
  return {
    auth: { keys: { api_key: { keys: KEYS } } },
    routes: [{ name: 'echo', upstream: 'u', auth: ['keys', 'anonymous'], limits: capOf(random) }],
    upstreams: { u: { targets, queue, max_handshakes_per_target: 1 + below(random, 3), health: { passive } } },
    limits: { ...capOf(random), max_handshakes: 1 + below(random, 4), max_waiting_handshakes: below(random, 8) },
    timeouts: { open: '6s', upgrade: '3s', close: '1s' },
  };
}

/** One thing that happens. */
function happen(rig: Rig, random: Random, clients: MemoryTransport[]): void {
  const client = clients[below(random, clients.length)];
  const backend = rig.backends[below(random, rig.backends.length)];
  const target = rig.target(below(random, rig.route().upstream.targets.length));
  const now = rig.clock.now();
  const connect = (): void => {
    clients.push(rig.connect(ECHO[below(random, ECHO.length)], `192.0.2.${below(random, 20)}`));
  };
  const things: (() => void)[] = [
    connect,
    connect,
    connect,
    () => !client?.destroyed && client?.[below(random, 2) === 0 ? 'rst' : 'fin'](),
    () => !backend?.destroyed && backend?.send(ANSWER),
    () => !backend?.destroyed && backend?.send(ANSWER),
    () => !backend?.destroyed && backend?.[below(random, 2) === 0 ? 'rst' : 'fin'](),
    () => rig.dialer.failures.push(Promise.resolve(new DialError('backend_unreachable', 'ECONNREFUSED', 'refused'))),
    () => (target.draining ? target.lift('draining', now) : target.bar('draining', 'admin', now)),
    () => rig.pass(below(random, 1_500)),
    () => below(random, 5) === 0 && rig.reload(configOf(random)),
  ];
  things[below(random, things.length)]?.();
  for (const one of [client, backend]) if (one !== undefined && !one.destroyed) one.pump();
}

function expectSound(rig: Rig): void {
  const { handshakesOpen, handshakesWaiting } = rig.edge.metrics.process;
  const { upstream } = rig.route();
  expect(Math.min(handshakesOpen, handshakesWaiting)).toBeGreaterThanOrEqual(0);
  expect(handshakesWaiting).toBeGreaterThanOrEqual(upstream.queue.size);
  expect(upstream.handshakes).toBe(handshakesOpen);
  for (const { sessions, handshakes } of upstream.targets) expect(sessions).toBeGreaterThanOrEqual(handshakes);
  const held = [...rig.edge.sessions, ...rig.edge.connections].map(({ holdings }) => holdings?.identitySeat?.key);
  for (const { name } of KEYS)
    expect(rig.edge.identities.sessionsOf('keys', name)).toBe(held.filter((key) => key === `keys/${name}`).length);
}

test(`whatever happens to clients, targets and the config, nothing is left over (seed ${SEED})`, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const random = new Random(SEED + round);
    const rig = new Rig(configOf(random), 1_000);
    const clients: MemoryTransport[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      happen(rig, random, clients);
      if (below(random, 3) === 0) await rig.turns(1);
      expectSound(rig);
    }
    for (const one of [...clients, ...rig.backends]) if (!one.destroyed) one.rst();
    for (const one of [...clients, ...rig.backends]) if (!one.destroyed) one.pump();
    for (let turn = 0; turn < 20; turn += 1) {
      await rig.turns(1);
      rig.pass(1_000);
      for (const one of rig.backends) if (!one.destroyed) one.rst();
      for (const one of rig.backends) if (!one.destroyed) one.pump();
    }
    const { handshakesOpen, handshakesWaiting } = rig.edge.metrics.process;
    const { upstream, sessions } = rig.route();
    const slots = upstream.targets.map((target) => [target.sessions, target.handshakes]);
    const left = [
      handshakesOpen,
      handshakesWaiting,
      upstream.queue.size,
      upstream.queue.isBusy,
      sessions,
      rig.edge.open,
      ...KEYS.map(({ name }) => rig.edge.identities.sessionsOf('keys', name)),
    ];
    expect([left, slots.flat().filter((count) => count !== 0)], `round ${round}`).toEqual([
      [0, 0, 0, false, 0, 0, 0, 0],
      [],
    ]);
  }
});
