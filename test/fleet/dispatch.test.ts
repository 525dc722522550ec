// Who gets which client, and what is counted of it for as long as it is there.

import { expect, test } from 'vitest';
import { PROBES_MAX, TOLD_MAX } from '../../src/edge/overflow.ts';
import { type Carrying, Dispatch } from '../../src/fleet/dispatch.ts';
import { type LaneNote, noteText, readNote } from '../../src/fleet/lane-notes.ts';
import { Watchdog } from '../../src/fleet/watchdog.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { Rig } from '../edge/rig.ts';
import { arrivalOf } from '../support/arrival.ts';
import { Random } from '../support/random.ts';

interface Given {
  readonly note: LaneNote;
  readonly sent: (isSent: boolean) => void;
}

class FakeWorker implements Carrying {
  state: Carrying['state'] = 'ready';
  open = 0;
  inFlight = 0;
  beat = { sessions: 0, memory: 0, idle: 0, isShort: false };
  readonly given: Given[] = [];
  readonly posted: string[] = [];
  hasLane = false;
  isAsked = false;
  readonly channel: Carrying['channel'] = { isOpen: true, post: (message) => void this.posted.push(message[0]) };

  handOver(_: unknown, note: LaneNote, sent: (isSent: boolean) => void): void {
    this.given.push({ note, sent });
  }

  /** By their numbers, those that it was given. */
  get cids(): number[] {
    return this.given.map(({ note }) => note.cid);
  }

  get barred(): unknown[] {
    return this.given.map(({ note }) => note.barred);
  }
}

class World {
  readonly rig: Rig;
  readonly workers: FakeWorker[];
  readonly dispatch: Dispatch;
  readonly closed: string[] = [];
  readonly handed: string[] = [];
  isTold = true;
  private readonly listener;

  constructor({ workers = 2, workerMax = 1_000, sessionsMax = 100, config = {} as Partial<ConfigInput> } = {}) {
    this.rig = new Rig(config, sessionsMax);
    this.workers = Array.from({ length: workers }, () => new FakeWorker());
    this.listener = arrivalOf(this.rig.edge.snapshot.config, 1);
    this.dispatch = new Dispatch({
      edge: this.rig.edge,
      workers: () => this.workers,
      workerMax,
      idOf: () => (this.isTold ? 1 : null),
    });
  }

  come(from = '192.0.2.1'): void {
    const close = () => void this.closed.push(from);
    const handedOver = () => void this.handed.push(from);
    // Nothing reads it here.
    this.dispatch.accept({ handle: {} as never, remoteAddress: from, close, handedOver }, this.listener);
  }

  /** Everything on its way arrives. */
  arrive(): void {
    for (let left = -1; left !== 0; ) {
      left = 0;
      for (const worker of this.workers) {
        for (const cid of worker.cids.slice(this.took.get(worker) ?? 0)) {
          left += 1;
          const at = this.took.get(worker) ?? 0;
          this.took.set(worker, at + 1);
          worker.given[at]?.sent(true);
          this.dispatch.onTook(worker, cid);
        }
      }
    }
  }

  private readonly took = new Map<FakeWorker, number>();

  counted(from: string): boolean {
    const { quotas, clock } = this.rig.edge;
    const claim = quotas.arrive(from, clock.now(), null);
    if ('key' in claim) quotas.depart(claim, clock.now());
    return !('key' in claim);
  }
}

test('the worker with the fewest gets the next; equal ones take turns', () => {
  const world = new World({ workers: 3 });
  for (let i = 0; i < 6; i++) world.come();
  world.arrive();
  expect(world.workers.map(({ open }) => open)).toEqual([2, 2, 2]);
  const [first] = world.workers as [FakeWorker];
  for (const cid of first.cids) world.dispatch.onGone(first, cid);
  for (let i = 0; i < 2; i++) world.come();
  expect(world.workers.map(({ open }) => open)).toEqual([2, 2, 2]);
  expect(world.handed).toHaveLength(6);
  expect(world.closed).toEqual([]);
});

test('one that is short of memory gets a client only where all are', () => {
  const world = new World({ workers: 2 });
  const [first, second] = world.workers as [FakeWorker, FakeWorker];
  first.beat = { ...first.beat, isShort: true };
  for (let i = 0; i < 4; i++) world.come();
  world.arrive();
  expect([first.open, second.open]).toEqual([0, 4]);
  second.beat = { ...second.beat, isShort: true };
  world.come();
  expect([first.open, second.open]).toEqual([1, 4]);
});

test('an hour of churn and a death: no worker has more than 5 % above the others', () => {
  const world = new World({ workers: 4, sessionsMax: 10_000, config: { limits: { max_sessions_per_ip: 'off' } } });
  const random = new Random(20261201);
  const spread = () => {
    const opens = world.workers.map(({ open }) => open);
    return Math.max(...opens) / Math.min(...opens);
  };
  const leaveOne = () => {
    const worker = random.pick(world.workers);
    // Those that came last leave first more often: long ones gather at whoever had them.
    const live = worker.cids.filter((cid) => world.dispatch.claimOf(cid) !== null);
    const last = live.length - 1;
    if (last >= 0) world.dispatch.onGone(worker, live[Math.max(random.between(0, last), random.between(0, last))] ?? 0);
  };
  for (let i = 0; i < 2_000; i++) world.come(`198.51.100.${i % 250}`);
  world.arrive();
  for (let i = 0; i < 1_200; i++) {
    leaveOne();
    world.come(`198.51.100.${i % 250}`);
    world.arrive();
  }
  world.arrive();
  expect(spread()).toBeLessThan(1.05);
  const dead = world.workers[2] as FakeWorker;
  world.workers[2] = new FakeWorker();
  world.dispatch.onOver(dead);
  for (let i = 0; i < 2_000; i++) {
    leaveOne();
    world.come(`198.51.100.${i % 250}`);
    world.come(`198.51.100.${(i * 7) % 250}`);
    world.arrive();
  }
  expect(spread()).toBeLessThan(1.05);
});

test('four are on their way to one at most; the others wait, and a worker that ends gives back what it had not', () => {
  const world = new World({ workers: 2 });
  const [first, second] = world.workers as [FakeWorker, FakeWorker];
  second.state = 'starting';
  for (let i = 0; i < 6; i++) world.come(`192.0.2.${i}`);
  expect(first.cids).toEqual([1, 2, 3, 4]);
  first.given[0]?.sent(true);
  expect(world.handed).toEqual(['192.0.2.0']);
  second.state = 'ready';
  first.state = 'over';
  world.dispatch.onOver(first);
  // The first is gone with the worker; what comes of the others' sends is nobody's affair any more.
  first.given[1]?.sent(true);
  expect(second.cids).toEqual([2, 3, 4, 5]);
  world.arrive();
  expect(second.cids).toEqual([2, 3, 4, 5, 6]);
  expect(world.dispatch.claimOf(1)).toBeNull();
  expect(world.closed).toEqual([]);
});

test('max_sessions: who is over it is told so by a worker, a few at a time; the rest is closed', () => {
  const world = new World({ workers: 1, sessionsMax: 2 });
  const [worker] = world.workers as [FakeWorker];
  for (let i = 0; i < 20; i++) {
    world.come(`192.0.2.${i}`);
    world.arrive();
  }
  expect(worker.barred.slice(0, 3)).toEqual([null, null, 'sessions']);
  expect(worker.barred).toHaveLength(2 + 12);
  expect(world.closed).toHaveLength(6);
  world.dispatch.onGone(worker, 1);
  world.come('192.0.2.99');
  world.arrive();
  expect(worker.barred.at(-1)).toBeNull();
});

test('who waits to be told why is told that, and counts once however long it waits', () => {
  const world = new World({ workers: 1, sessionsMax: 1, config: { limits: { max_sessions_per_ip: 1 } } });
  const [worker] = world.workers as [FakeWorker];
  world.come();
  world.arrive();
  worker.state = 'starting';
  world.come();
  const now = world.rig.edge.clock.now();
  for (let second = 1; second <= 3; second++) world.dispatch.tick(now + second * 1_000);
  worker.state = 'ready';
  world.dispatch.pump();
  world.arrive();
  expect(worker.barred).toEqual([null, 'sessions']);
  for (const cid of worker.cids) world.dispatch.onGone(worker, cid);
  world.come();
  for (let i = 0; i < 20; i++) world.come(`198.51.100.${i}`);
  world.arrive();
  // As many as a worker tells, and not fewer.
  expect(worker.barred.slice(2)).toEqual([null, ...Array(TOLD_MAX + PROBES_MAX).fill('sessions')]);
});

test('max_sessions_per_ip counts a client until it is gone, wherever it is', () => {
  const world = new World({ workers: 2, config: { limits: { max_sessions_per_ip: 2 } } });
  const [first] = world.workers as [FakeWorker];
  for (let i = 0; i < 3; i++) world.come();
  world.arrive();
  expect(world.workers.flatMap(({ barred }) => barred)).toEqual([null, 'sessionsPerIp', null]);
  expect(world.counted('192.0.2.1')).toBe(true);
  world.dispatch.onGone(first, first.cids[0] ?? 0);
  expect(world.counted('192.0.2.1')).toBe(false);
  world.come();
  expect(world.counted('192.0.2.1')).toBe(true);
  for (const worker of world.workers) worker.state = 'over';
  world.arrive();
  for (const worker of world.workers) world.dispatch.onOver(worker);
  expect(world.counted('192.0.2.1')).toBe(false);
});

const SERVES_HTTP = { routes: [{ name: 'both', upstream: 'builtin:echo', http: 'http://127.0.0.1:1' }] };

test('with no place left an idle connection goes for another one; who waits for that for a second is told', () => {
  const world = new World({ workers: 1, sessionsMax: 1, config: SERVES_HTTP });
  const [worker] = world.workers as [FakeWorker];
  world.come('192.0.2.1');
  world.arrive();
  world.come('192.0.2.2');
  expect(worker.posted).toEqual(['cut_idle']);
  expect(worker.cids).toEqual([1]);
  world.dispatch.onGone(worker, 1);
  world.dispatch.onCut(worker, true);
  expect(worker.barred).toEqual([null, null]);
  world.arrive();
  world.come('192.0.2.3');
  for (const [ms, barred] of [
    [950, [null, null]],
    [100, [null, null, 'sessions']],
  ] as const) {
    world.rig.pass(ms);
    world.dispatch.tick(world.rig.clock.now());
    expect(worker.barred).toEqual(barred);
  }
});

test('whoever comes when all places are taken is told so as soon as no worker has an idle connection', () => {
  const world = new World({ workers: 2, sessionsMax: 2, config: SERVES_HTTP });
  const [first, second] = world.workers as [FakeWorker, FakeWorker];
  const barred = () => world.workers.flatMap((worker) => worker.barred.slice(1));
  for (let i = 1; i <= 4; i++) {
    world.come(`192.0.2.${i}`);
    world.arrive();
  }
  // One question at a time, however many come.
  expect([first.posted, second.posted]).toEqual([['cut_idle'], ['cut_idle']]);
  world.dispatch.onCut(first, false);
  expect(barred()).toEqual([]);
  world.dispatch.onCut(second, true);
  world.dispatch.onGone(second, second.cids[0] ?? 0);
  // The place is for the one that came first; for the other one they are asked again.
  expect(barred()).toEqual([null]);
  expect([first.posted.length, second.posted.length]).toEqual([2, 2]);
  world.dispatch.onCut(first, false);
  world.dispatch.onCut(second, false);
  world.arrive();
  expect(barred().sort()).toEqual([null, 'sessions'].sort());
});

test('nobody waits for a worker, or for a listener to be in force, for longer than timeouts.handshake', async () => {
  const world = new World({ workers: 1, config: { timeouts: { handshake: '10s' } } });
  const [worker] = world.workers as [FakeWorker];
  world.isTold = false;
  world.come('192.0.2.1');
  expect(worker.cids).toEqual([]);
  world.isTold = true;
  const settled = world.dispatch.untilSettled();
  expect(worker.cids).toEqual([1]);
  world.arrive();
  await settled;
  worker.state = 'over';
  world.come('192.0.2.2');
  world.rig.pass(9_900);
  world.dispatch.tick(world.rig.clock.now());
  expect(world.closed).toEqual([]);
  world.rig.pass(200);
  world.dispatch.tick(world.rig.clock.now());
  expect(world.closed).toEqual(['192.0.2.2']);
  world.dispatch.onOver(worker);
  await world.dispatch.untilEmpty();
});

test('a worker hangs that is silent for 10 s of ours; what we slept does not count', () => {
  const killed: string[] = [];
  const worker = { silentMs: 0, kill: (reason: string) => void killed.push(reason) };
  const watchdog = new Watchdog({ hangMs: 10_000, stepMs: 1_000, now: 0 });
  for (let at = 1; at <= 9; at++) watchdog.look([worker], at * 1_000);
  // Half a minute was no time of ours: of that, two looks count.
  worker.silentMs = 0;
  watchdog.look([worker], 39_000);
  for (let at = 40; at <= 46; at++) watchdog.look([worker], at * 1_000);
  expect([worker.silentMs, killed]).toEqual([9_000, []]);
  watchdog.look([worker], 47_000);
  expect(killed).toEqual(['hung']);
});

test('a note says what it was made of', () => {
  for (const note of [
    { cid: 1, listener: 1, barred: null },
    { cid: 9_007_199_254_740_991, listener: 2_147_483_647, barred: 'sessionsPerIp' },
  ] as const)
    expect(readNote(noteText(note).padEnd(48))).toEqual(note);
});
