// Restarts that go wrong: whatever becomes of the new process, the old one serves until that one does.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { HandedSockets, listenerKey } from '../../src/control/handed-sockets.ts';
import { Listeners } from '../../src/control/listeners.ts';
import { Revocations, RevocationsSealed } from '../../src/edge/auth/revocations.ts';
import type { Edge } from '../../src/edge/edge.ts';
import { activationSockets } from '../../src/fleet/activation.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Log } from '../../src/observe/log.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { LogTap } from '../support/log-tap.ts';
import { RestartRig } from '../support/restart-rig.ts';

const ROUTE = { upstream: 'builtin:echo' };
const KEY = { name: 'k', sha256: 'ab'.repeat(32) };
const LOG = { level: 'info', format: 'json', lines_per_second: 1e6, clock: { now: () => 0 } } as const;

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('K60: a new process that never says that it is ready is killed after 30 s, and the old one goes on', async () => {
  const rig = new RestartRig();
  const result = rig.restarts.run();
  await settled();
  rig.pass(29_900);
  expect(rig.next.killed).toBe(0);
  rig.pass(100);
  expect(rig.next.killed).toBe(1);
  expect(await result).toMatchObject({ ok: false, error: 'restart_failed' });
  rig.next.events.onMessage({ kind: 'ready' });
  expect(rig.handedOver).toBe(0);
});

test('K61: a second restart while one is under way starts nothing', async () => {
  const rig = new RestartRig();
  void rig.restarts.run();
  expect(await rig.restarts.run()).toEqual({ ok: false, error: 'restarting' });
  expect(rig.started.length).toBe(1);
});

test('K62: what is revoked while a new process starts is refused, and is revoked when that has failed', async () => {
  const means = { clock: { now: () => 0 }, wallNow: () => 1_000, log: new Log({ ...LOG, destination: new LogTap() }) };
  const { auth } = loadObject({ auth: { a: { api_key: { keys: [KEY] } } }, routes: [ROUTE] }, { baseDir: '.' }).config;
  const method = auth.a;
  if (method === undefined) throw new Error('a method');
  const revocations = new Revocations(means);
  const revoke = () => revocations.add({ auth: 'a', kind: 'all', value: '' }, 9_000, method, () => {});
  await revocations.seal();
  await expect(revoke()).rejects.toThrow(RevocationsSealed);
  expect([...revocations.lines()]).toEqual([]);
  revocations.unseal();
  await revoke();
  const next = new Revocations(means);
  next.adopt(revocations.lines());
  expect([...next.lines()]).toEqual([...revocations.lines()]);
  expect(next.size).toBe(1);
});

test('K63: an address that cannot be bound: no client is let in at the sockets that were handed over', async () => {
  const [given, busy] = [createServer().listen(0, '127.0.0.1'), createServer().listen(0, '127.0.0.1')];
  for (const one of [given, busy]) {
    atTestEnd(() => void one.close());
    if (!one.listening) await once(one, 'listening');
  }
  const address = `127.0.0.1:${(busy.address() as AddressInfo).port}`;
  const { listeners } = loadObject(
    { listeners: [{ address: '127.0.0.1:1' }, { address }], routes: [ROUTE] },
    { baseDir: '.' },
  ).config;
  const [first] = listeners;
  if (first === undefined) throw new Error('a listener');
  const handed = new HandedSockets(new Map([[listenerKey(first), Number(Reflect.get(handleOf(given), 'fd'))]]));
  const log = new Log({ ...LOG, destination: new LogTap() });
  const edge = { log } as Partial<Edge> as Edge; // nobody gets further than the binding
  const preparing = new Listeners(edge, new Carrier('stream'), handed).prepare(listeners);
  await expect(preparing).rejects.toThrow('EADDRINUSE');
  expect(handed.has(listenerKey(first))).toBe(true);
});

test('K64: sockets that a service manager gave to another process are not taken', () => {
  const env = { LISTEN_PID: '41', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' };
  expect([...activationSockets(env, 42)]).toEqual([]);
  expect([...activationSockets({ LISTEN_PID: '42', LISTEN_FDS: '1' }, 42)]).toEqual([['fd:3', 3]]);
});

function handleOf(server: Server): object {
  const handle: unknown = Reflect.get(server, '_handle');
  if (typeof handle !== 'object' || handle === null) throw new Error('it listens');
  return handle;
}
