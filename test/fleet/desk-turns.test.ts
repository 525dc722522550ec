// What the handshakes of several workers meet at the primary's desk: turns, room, targets and who judges them are those
// of one process.

import { describe, expect, test } from 'vitest';
import { DialError } from '../../src/net/dial-error.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { Random } from '../support/random.ts';
import { upgradeRequest } from '../support/wire.ts';
import { DeskRig, type RigClient } from './desk-rig.ts';

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string];

const TARGETS = ['a', 'b', 'c'].map((name, at) => ({ name, url: `ws://192.0.2.${at + 1}:1` }));
const unreachable = () => new DialError('backend_unreachable', 'ECONNREFUSED', 'refused');

function configOf(upstream: Partial<UpstreamInput> = {}, over: Partial<ConfigInput> = {}): Partial<ConfigInput> {
  return { upstreams: { u: { targets: TARGETS, ...upstream } }, ...over };
}

const oneTarget = (more: object = {}) => [{ name: 'a', url: 'ws://192.0.2.1:1', ...more }];
const statusOf = (clients: readonly RigClient[]): string[] => clients.map(({ status }) => status);

async function openMany(rig: DeskRig, count: number): Promise<RigClient[]> {
  const clients: RigClient[] = [];
  for (let at = 0; at < count; at += 1) clients.push(await rig.open());
  return clients;
}

describe('which target', () => {
  test('least_sessions: the sessions of all workers are even over the targets, by weight', async () => {
    const targets = TARGETS.map((target, at) => ({ ...target, weight: at === 0 ? 2 : 1 }));
    const rig = new DeskRig(configOf({ targets, balance: 'least_sessions' }), 4);
    const clients = await openMany(rig, 40);
    expect(rig.placed).toEqual({ a: 20, b: 10, c: 10 });
    for (let at = 0; at < 40; at += 2) await rig.end(clients[at] as RigClient);
    rig.pass(60_000);
    await rig.settle();
    await openMany(rig, 20);
    expect(rig.placed).toEqual({ a: 20, b: 10, c: 10 });
  });

  test('least_sessions: within 5 % after churn, and after the death of a worker', async () => {
    const random = new Random(20261201);
    const rig = new DeskRig(configOf({ balance: 'least_sessions' }), 4);
    let clients: RigClient[] = [];
    const churn = async (steps: number): Promise<number> => {
      for (let step = 0; step < steps; step += 1) {
        for (let at = 0; at < 24; at += 1) clients.push(rig.connect(random.pick(rig.living), ''));
        await rig.settle();
        for (const one of clients) {
          if (!random.chance(0.05)) continue;
          one.rst();
          one.pump();
        }
        rig.pass(100);
        await rig.settle();
        clients = clients.filter(({ isSession }) => isSession);
      }
      for (let at = 0; at < 24; at += 1) clients.push(rig.connect(random.pick(rig.living), ''));
      await rig.settle();
      const counts = Object.values(rig.placed);
      const mean = counts.reduce((sum, count) => sum + count, 0) / TARGETS.length;
      expect(mean).toBeGreaterThan(80);
      return Math.max(...counts.map((count) => Math.abs(count - mean) / mean));
    };
    expect(await churn(30)).toBeLessThan(0.05);
    await rig.kill(rig.living[0] as DeskRig['workers'][number]);
    rig.addWorker();
    expect(await churn(20)).toBeLessThan(0.05);
  });

  test('round_robin takes its turns over all workers', async () => {
    const rig = new DeskRig(configOf({ balance: 'round_robin' }), 3);
    await openMany(rig, 9);
    for (const worker of rig.living) expect(worker.edge.sessions.size).toBe(3);
    expect(rig.placed).toEqual({ a: 3, b: 3, c: 3 });
  });

  test('hash: one client has one target, whichever worker it comes to', async () => {
    const rig = new DeskRig(configOf({ balance: { hash: 'header:X-User' } }), 4);
    const of = (user: string) => upgradeRequest({ path: '/echo', headers: [['X-User', user]] });
    for (let at = 0; at < 8; at += 1) await rig.open('', of('ann'));
    expect(Object.values(rig.placed)).toEqual([8]);
    for (let at = 0; at < 24; at += 1) await rig.open('', of(`user-${at}`));
    expect(Object.keys(rig.placed)).toHaveLength(3);
  });

  test('sticky: the cookie that one worker sets is understood by the others', async () => {
    const rig = new DeskRig(configOf({ balance: { sticky: { cookie: 'at' } } }), 4);
    const first = await rig.open();
    const cookie = /Set-Cookie: (at=[^;]+)/i.exec(first.received.toString('latin1'))?.[1] ?? '';
    const request = upgradeRequest({ path: '/echo', headers: [['Cookie', cookie]] });
    for (let at = 0; at < 8; at += 1) await rig.open('', request);
    expect(Object.values(rig.placed)).toEqual([9]);
    expect(rig.placed[rig.sessions[0]?.facts.target ?? '']).toBe(9);
  });

  test('a dial that fails is tried elsewhere, and what has failed is known to all', async () => {
    const targets = TARGETS.slice(0, 2).map((target, at) => ({ ...target, backup: at === 1 }));
    const rig = new DeskRig(configOf({ targets, retries: 1 }), 2);
    for (const { backends } of rig.living) backends.failing.set('192.0.2.1', unreachable());
    expect(statusOf(await openMany(rig, 2))).toEqual(['101', '101']);
    expect(rig.placed).toEqual({ b: 2 });
    expect(rig.target('u', 'a').status(rig.clock.now()).state).toBe('failing');
    // The other worker is told of it, so what it finds is news.
    for (const { backends } of rig.living) backends.failing.clear();
    await rig.open();
    expect(rig.target('u', 'a').status(rig.clock.now()).state).toBe('up');
    expect([rig.target('u', 'a').sessions, rig.target('u', 'b').sessions]).toEqual([1, 2]);
  });

  test('without budget the failure of the first try is the answer', async () => {
    const rig = new DeskRig(configOf({ retries: 2, retry_budget: '0%' }), 2);
    for (const { backends } of rig.living)
      for (const at of [1, 2, 3]) backends.failing.set(`192.0.2.${at}`, unreachable());
    expect((await rig.open()).status).toBe('502');
  });
});

describe('turns and room', () => {
  const queue = { size: 3, timeout: '5s' };

  test('whoever waits for room goes on in the order of all workers, when any of them has freed it', async () => {
    const rig = new DeskRig(configOf({ targets: oneTarget({ max_sessions: 1 }), queue }), 3);
    const holder = await rig.open();
    const waiting = await openMany(rig, 3);
    const late = await rig.open();
    expect(statusOf([holder, ...waiting, late])).toEqual(['101', '', '', '', '503']);
    expect([rig.upstream('u').queue.size, rig.refusals]).toEqual([3, ['no_target queue.size']]);
    let last = holder;
    for (const next of waiting) {
      await rig.end(last);
      expect(next.status).toBe('101');
      last = next;
    }
    expect(rig.upstream('u').queue.size).toBe(0);
  });

  test('queue.timeout is counted by the worker, and says what room the primary has', async () => {
    const rig = new DeskRig(configOf({ targets: oneTarget({ max_sessions: 1 }), queue }), 2);
    await rig.open();
    const waits = await rig.open();
    rig.pass(4_900);
    await rig.settle();
    expect(waits.status).toBe('');
    rig.pass(200);
    await rig.settle();
    expect([waits.status, rig.refusals]).toEqual(['503', ['no_target queue.timeout']]);
    const [line] = rig.workers.flatMap(({ tap }) => tap.lines).filter(({ event }) => event === 'handshake.refused');
    expect(JSON.stringify(line)).toContain('"full":1');
    expect([rig.upstream('u').queue.size, rig.edge.metrics.process.handshakesWaiting]).toEqual([0, 0]);
  });

  test('max_handshakes counts those of all workers; who has the most in the queue makes room', async () => {
    const limits = { max_handshakes: 1, max_waiting_handshakes: 3, max_sessions_per_ip: 'off' as const };
    const rig = new DeskRig(configOf({}, { limits }), 2);
    for (const { backends } of rig.living) backends.answer = null;
    const [opening, ...greedy] = [1, 2, 3, 4].map(() => rig.open('203.0.113.1'));
    await Promise.all([opening, ...greedy]);
    expect([rig.edge.metrics.process.handshakesOpen, rig.edge.metrics.process.handshakesWaiting]).toEqual([1, 3]);
    const modest = await rig.open('203.0.113.2');
    expect(rig.refusals).toEqual(['too_many_handshakes max_waiting_handshakes']);
    expect([(await greedy[2])?.status, modest.status]).toEqual(['503', '']);
  });

  test('whoever leaves while its answer is on its way has got nothing', async () => {
    const rig = new DeskRig(configOf({ targets: oneTarget({ max_sessions: 1 }) }), 2);
    const [worker, other] = rig.living as [DeskRig['workers'][number], DeskRig['workers'][number]];
    const client = rig.connect(worker, '');
    worker.stepDown();
    worker.stepUp();
    expect([rig.target('u', 'a').sessions, worker.toWorker.map(([kind]) => kind)]).toEqual([1, ['go']]);
    client.rst();
    client.pump();
    await rig.settle();
    expect([rig.target('u', 'a').sessions, [...rig.edge.guests].length]).toEqual([0, 0]);
    const next = rig.connect(other, '');
    await rig.settle();
    expect([next.status, worker.edge.open]).toEqual(['101', 0]);
  });

  test('a worker that dies gives back what it had, what it waited for and what it was about to get', async () => {
    const rig = new DeskRig(configOf({ targets: oneTarget({ max_sessions: 2 }), queue }), 2);
    const [dying, other] = rig.living as [DeskRig['workers'][number], DeskRig['workers'][number]];
    for (let at = 0; at < 4; at += 1) rig.connect(dying, '');
    await rig.settle();
    const waits = rig.connect(other, '');
    await rig.settle();
    const asked = rig.connect(dying, '');
    dying.stepDown();
    dying.stepUp();
    expect([rig.upstream('u').queue.size, waits.status, asked.status]).toEqual([3, '', '']);
    await rig.kill(dying);
    await rig.settle();
    expect([waits.status, rig.target('u', 'a').sessions, rig.upstream('u').queue.size]).toEqual(['101', 1, 0]);
    expect([...rig.edge.guests]).toHaveLength(1);
    expect([rig.connected, rig.edge.metrics.process.handshakesWaiting]).toEqual([expect.anything(), 0]);
  });
});

describe('who is ejected, drained, down, gone', () => {
  const passive = { failures: 3, eject: '10s', early_death: '1s', window: '30s', max_ejected: '100%' };

  test('failures that workers meet count together; one trial, of whichever worker, brings a target back', async () => {
    const rig = new DeskRig(configOf({ targets: TARGETS.slice(0, 2), retries: 1, health: { passive } }), 3);
    for (const { backends } of rig.living) backends.failing.set('192.0.2.1', unreachable());
    await openMany(rig, 6);
    const a = rig.target('u', 'a');
    expect([a.has('ejected'), rig.placed]).toEqual([true, { b: 6 }]);
    for (const { backends } of rig.living) backends.failing.clear();
    rig.pass(10_100);
    const [first, second] = [rig.connect(rig.living[0] as never, ''), rig.connect(rig.living[1] as never, '')];
    await rig.settle();
    expect([statusOf([first, second]), rig.placed]).toEqual([['101', '101'], { a: 1, b: 7 }]);
    expect([a.has('ejected'), a.trials]).toEqual([true, 1]);
    rig.pass(1_100);
    expect(a.has('ejected')).toBe(false);
    await rig.open();
    expect(rig.placed).toEqual({ a: 2, b: 7 });
  });

  test('a trial whose client leaves early decides nothing: the next session is one', async () => {
    const rig = new DeskRig(configOf({ targets: TARGETS.slice(0, 2), retries: 1, health: { passive } }), 2);
    for (const { backends } of rig.living) backends.failing.set('192.0.2.1', unreachable());
    await openMany(rig, 6);
    for (const { backends } of rig.living) backends.failing.clear();
    rig.pass(10_100);
    const trial = await rig.open();
    await rig.end(trial);
    expect([rig.target('u', 'a').isTrialDue, rig.target('u', 'a').trials]).toEqual([true, 1]);
  });

  test('an operator who drains a target keeps sessions of all workers from it, also those on their way', async () => {
    const rig = new DeskRig(configOf({ targets: TARGETS.slice(0, 1) }), 2);
    for (const { backends } of rig.living) backends.answer = null;
    const client = await rig.open();
    rig.target('u', 'a').bar('draining', 'admin', rig.clock.now());
    await rig.settle();
    for (const worker of rig.living) expect(worker.upstream('u').target('a')?.draining).toBe(true);
    const [backend] = rig.living.flatMap(({ backends }) => backends.all);
    expect(backend).toBeDefined();
    rig.addWorker();
    await rig.settle();
    expect(rig.workers[2]?.upstream('u').target('a')?.draining).toBe(true);
    rig.target('u', 'a').lift('draining', rig.clock.now());
    await rig.settle();
    for (const worker of rig.living) expect(worker.upstream('u').target('a')?.draining).toBe(false);
    expect(client.status).toBe('');
  });

  test('on_down: sessions of all workers on a target that checks took down end', async () => {
    const health = { on_down: 'close' as const };
    const rig = new DeskRig(configOf({ targets: TARGETS.slice(0, 2), health, balance: 'round_robin' }), 2);
    await openMany(rig, 8);
    const [u, a] = [rig.upstream('u'), rig.target('u', 'a')];
    a.bar('down', 'check', rig.clock.now());
    u.onDown(a);
    await rig.settle();
    const causes = rig.sessions.filter(({ facts }) => facts.target === 'a').map(({ session }) => session.cause);
    expect(causes.every((cause) => cause === 'target_drain')).toBe(true);
    expect(rig.sessions.filter(({ facts }) => facts.target === 'b').map(({ session }) => session.cause)).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  test('what a source finds workers dial; what it has no longer ends there', async () => {
    const rig = new DeskRig({ upstreams: { u: { discover: { file: { path: 'x' } }, on_gone: 'drain' } } }, 2);
    expect((await rig.open()).status).toBe('503');
    rig.sources.get('u')?.finds('x', 'y');
    await openMany(rig, 4);
    expect(rig.placed).toEqual({ x: 2, y: 2 });
    rig.sources.get('u')?.finds('y');
    await rig.settle();
    for (let step = 0; step < 3; step += 1) {
      rig.pass(60_000);
      await rig.settle();
    }
    for (const worker of rig.living) expect(worker.upstream('u').targets.map(({ name }) => name)).toEqual(['y']);
    const ended = rig.workers.flatMap(({ tap }) => tap.lines).filter(({ event }) => event === 'session.end');
    expect(ended.filter(({ target }) => target === 'x').map(({ reason }) => reason)).toEqual([
      'target_removed',
      'target_removed',
    ]);
    rig.addWorker();
    await rig.settle();
    expect(rig.workers[2]?.upstream('u').targets.map(({ name }) => name)).toEqual(['y']);
  });

  test('rebalance: the youngest sessions of all workers are moved, and count as ending at once', async () => {
    const rig = new DeskRig(configOf({ targets: TARGETS.slice(0, 2), balance: 'round_robin' }), 2);
    const clients = await openMany(rig, 8);
    rig.pass(1_000);
    const a = rig.target('u', 'a');
    const found = await rig.upstream('u').youngestOn(a, { count: 2, startedBefore: rig.clock.now() });
    expect(found.map((one) => one.move())).toEqual([true, true]);
    expect([a.sessionsOpen, a.ending, found[0]?.move()]).toEqual([2, 2, false]);
    await rig.settle();
    const ends = rig.workers.flatMap(({ edge }) => [...edge.sessions].map(({ session }) => session.cause));
    expect(ends.filter((cause) => cause === 'rebalance').length + (8 - ends.length)).toBe(2);
    expect(clients).toHaveLength(8);
  });
});
