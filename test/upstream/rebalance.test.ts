// Sessions move from the fullest target to others, a few at a time. Time is a fake clock; sessions are numbers.

import { describe, expect, test } from 'vitest';
import type { TargetConfig, UpstreamConfig } from '../../src/config/types.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Log } from '../../src/observe/log.ts';
import type { MovableSession, PartHost, YoungestAsk } from '../../src/upstream/part.ts';
import { Rebalance } from '../../src/upstream/rebalance.ts';
import type { Target } from '../../src/upstream/target.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LogTap } from '../support/log-tap.ts';
import { newTarget, upstreamConfig, upstreamMeans } from '../support/upstreams.ts';

const MINUTE = 60_000;
const SETTINGS = { share: 0.05, every: MINUTE, tolerance: 0.1, min_age: 10 * MINUTE };
const LOG = { level: 'info', format: 'json', lines_per_second: Number.POSITIVE_INFINITY } as const;

interface Session {
  readonly target: Target;
  readonly startedAt: number;
  closedAt: number | null;
}

interface Close {
  readonly at: number;
  readonly session: Session;
}

/** Clients come back at once, to the target that holds the least for its weight, unless `away`. */
class World implements PartHost {
  readonly name = 'chat';
  readonly clock = new FakeClock(100 * MINUTE);
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly tap = new LogTap();
  readonly means;
  readonly sessions: Session[] = [];
  readonly closes: Close[] = [];
  readonly asks: YoungestAsk[] = [];
  readonly part: Rebalance;
  targets: Target[] = [];
  config: UpstreamConfig;
  away = false;
  /** What is asked of the sessions is not answered before this is. */
  gate: Promise<unknown> = Promise.resolve();

  constructor(rebalance: UpstreamConfig['rebalance'] = SETTINGS) {
    const { clock, wheel, tap } = this;
    this.config = upstreamConfig({ rebalance });
    const shown = { ...LOG, query: 'off', path: 'full', session_open: 'debug' } as const;
    const log = new Log({ ...shown, clock, destination: { write: (text: string) => tap.write(text) } });
    this.means = upstreamMeans({ clock, wheel, log });
    this.part = new Rebalance(this);
  }

  onDown(): void {}

  nextLocalAddress(): null {
    return null;
  }

  add(name: string, sessions: number, change: Partial<TargetConfig> = {}): Target {
    const target = newTarget(name, change);
    this.targets = [...this.targets, target];
    for (let index = 0; index < sessions; index += 1) this.open(target, this.clock.now() - 60 * MINUTE + index);
    return target;
  }

  open(target: Target, startedAt = this.clock.now()): Session {
    target.acquire();
    target.promote('session');
    const session = { target, startedAt, closedAt: null };
    this.sessions.push(session);
    return session;
  }

  async youngestOn(target: Target, asked: YoungestAsk): Promise<readonly MovableSession[]> {
    this.asks.push(asked);
    await this.gate;
    return this.sessions
      .filter((one) => one.target === target && one.closedAt === null && one.startedAt < asked.startedBefore)
      .sort((a, b) => b.startedAt - a.startedAt)
      .slice(0, asked.count)
      .map((session) => ({ move: () => this.close(session) }));
  }

  close(session: Session): boolean {
    if (session.closedAt !== null) return false;
    session.closedAt = this.clock.now();
    this.closes.push({ at: this.clock.now(), session });
    session.target.beginEnd();
    session.target.release('ending');
    if (this.away) return true;
    const open = this.targets.filter((target) => target.isOpen(false) && !target.isBackup);
    const [least] = open.sort((a, b) => a.sessions / a.weight - b.sessions / b.weight);
    if (least !== undefined) this.open(least);
    return true;
  }

  /** In steps of 50 ms, or `stepMs`, as the pulse of a proxy has them. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      this.wheel.advance();
      await Promise.resolve();
      await Promise.resolve();
      await Promise.resolve();
    }
  }

  get counts(): number[] {
    return this.targets.map((target) => target.sessionsOpen);
  }

  get events(): unknown[] {
    return this.tap.lines.map(({ time: _, level: __, ...rest }) => rest);
  }

  get counted(): number {
    return this.means.metrics.upstream('chat').rebalanceCloses;
  }
}

async function started(world: World): Promise<World> {
  world.part.update();
  await world.pass(1);
  return world;
}

describe('who holds too much', () => {
  test.each([
    ['at its share and the tolerance', [110, 90], 0],
    ['one above', [111, 89], 1],
    ['nobody: two targets with one session between them', [1, 0], 0],
    ['nobody: a session that cannot be divided', [2, 1], 0],
    ['two above', [3, 0], 1],
  ])('%s: %s', async (_, held, closed) => {
    const world = new World({ ...SETTINGS, share: 0.01 });
    held.forEach((count, index) => void world.add(`t${index}`, count));
    await started(world);
    await world.pass(MINUTE - 10);
    expect(world.closes.length).toBe(closed);
  });

  test('by weight: the share of a target that weighs three is three times that of the other', async () => {
    for (const [heavy, light, from] of [
      [150, 50, null],
      [100, 100, 'light'],
      [200, 10, 'heavy'],
    ] as const) {
      const world = new World({ ...SETTINGS, share: 0.02 });
      world.add('heavy', heavy, { weight: 3 });
      world.add('light', light);
      await started(world);
      expect(world.closes.map(({ session }) => session.target.name).slice(0, 1)).toEqual(from === null ? [] : [from]);
    }
  });

  test('a backup has no share: what it holds goes back to the others while they have room', async () => {
    const world = new World({ ...SETTINGS, share: 0.5 });
    world.add('a', 40, { max_sessions: 43 });
    world.add('spare', 10, { backup: true });
    await started(world);
    await world.pass(5 * MINUTE);
    expect(world.counts).toEqual([43, 7]);
  });

  test('where the others are full nobody is closed, who would only come back', async () => {
    const world = new World({ ...SETTINGS, share: 0.5 });
    world.add('a', 90);
    world.add('b', 10, { max_sessions: 10 });
    await started(world);
    await world.pass(5 * MINUTE);
    expect(world.closes).toEqual([]);
  });
});

describe('at most the share in each every', () => {
  test('evenly over it, the first at once, the next ones from the next every on', async () => {
    const world = new World();
    world.away = true;
    world.add('a', 1000);
    world.add('b', 0);
    await started(world);
    const begin = world.closes[0]?.at ?? 0;
    await world.pass(MINUTE - 2);
    expect(world.closes.length).toBe(50);
    const gaps = world.closes.slice(1).map(({ at }, index) => at - (world.closes[index]?.at ?? 0));
    expect([Math.min(...gaps) >= 1_150, Math.max(...gaps) <= 1_250]).toEqual([true, true]);
    await world.pass(MINUTE);
    // 5 % of 950, rounded down.
    expect(world.closes.length).toBe(50 + 47);
    expect((world.closes[50]?.at ?? 0) - begin).toBeGreaterThanOrEqual(MINUTE);
    expect(world.counted).toBe(97);
  });

  test('of few sessions one, as seldom as the share asks', async () => {
    const world = new World();
    world.away = true;
    world.add('a', 8);
    world.add('b', 0);
    await started(world);
    // 5 % of 8, and then of 7, is a session in 2.5 and 2.9 times every: in three of them.
    expect(world.closes.length).toBe(1);
    await world.pass(3 * MINUTE - 2_000);
    expect(world.closes.length).toBe(1);
    await world.pass(4_000);
    expect(world.closes.length).toBe(2);
  });

  test('0 % never, off as many as are too many', async () => {
    for (const [share, closed] of [
      [0, 0],
      [Number.POSITIVE_INFINITY, 45],
    ] as const) {
      const world = new World({ ...SETTINGS, share });
      world.add('a', 100);
      world.add('b', 0);
      await started(world);
      await world.pass(MINUTE);
      expect(world.closes.length).toBe(closed);
    }
  });

  test('of many sessions that are due at once only some end in one turn', async () => {
    const world = new World({ ...SETTINGS, share: 1, every: 1_000 });
    world.away = true;
    world.add('a', 3_000);
    world.add('b', 0);
    await started(world);
    await world.pass(900, 900);
    expect(world.closes.length).toBeLessThanOrEqual(401);
    expect(world.closes.length).toBeGreaterThan(100);
  });

  test('of two that are too full the fuller one, in turn', async () => {
    const world = new World({ ...SETTINGS, tolerance: 0 });
    world.add('a', 1000);
    world.add('b', 1000);
    world.add('c', 0);
    world.add('d', 0);
    await started(world);
    await world.pass(2 * MINUTE - 10);
    expect(world.counts.slice(0, 2)).toEqual([950, 950]);
  });
});

describe('whom', () => {
  test('above min_age only, the youngest first', async () => {
    const world = new World({ ...SETTINGS, share: 0.2 });
    world.away = true;
    const a = world.add('a', 0);
    world.add('b', 0);
    const now = world.clock.now();
    for (const age of [60, 50, 40, 30, 20, 10.001, 10, 9, 1]) world.open(a, now - age * MINUTE);
    await started(world);
    await world.pass(1000);
    expect(world.asks[0]).toEqual({ count: 1, startedBefore: now - 10 * MINUTE });
    expect(world.closes.map(({ session }) => now - session.startedAt)).toEqual([10.001 * MINUTE]);
  });

  test('nobody twice, and nobody who has ended meanwhile', async () => {
    const world = new World({ ...SETTINGS, share: 0.1 });
    world.away = true;
    world.add('a', 100);
    world.add('b', 0);
    await started(world);
    await world.pass(MINUTE / 2);
    const before = world.closes.length;
    for (const one of world.sessions) if (one.closedAt === null && one.target.name === 'a') world.close(one);
    await world.pass(MINUTE * 2);
    expect(new Set(world.closes.map(({ session }) => session)).size).toBe(100);
    expect(world.counted).toBe(before);
  });

  test('it stops in between when nobody holds too much any more', async () => {
    const world = new World({ ...SETTINGS, share: 0.4, tolerance: 0 });
    world.add('a', 100);
    const b = world.add('b', 60);
    await started(world);
    await world.pass(MINUTE / 4);
    const before = world.closes.length;
    expect(before).toBeLessThan(20);
    for (let left = 100; left > 0; left -= 1) world.open(b);
    await world.pass(MINUTE);
    expect(world.closes.filter(({ session }) => session.target.name === 'a').length).toBe(before);
  });
});

describe('it stands still', () => {
  const ways: readonly (readonly [string, (target: Target, on: boolean, now: number) => void])[] = [
    ['down', (target, on, now) => (on ? target.bar('down', 'check', now) : target.lift('down', now))],
    ['ejected', (target, on, now) => (on ? target.bar('ejected', 'passive', now) : target.lift('ejected', now))],
    ['draining', (target, on, now) => (on ? target.bar('draining', 'admin', now) : target.lift('draining', now))],
    [
      'starting slowly',
      (target, on) => {
        target.ramp = on ? 0.99 : 1;
      },
    ],
  ];

  test.each(ways)('while a target is %s, and for every after that', async (_, set) => {
    const world = new World();
    world.away = true;
    world.add('a', 1000);
    world.add('b', 0);
    const other = world.add('c', 0);
    await started(world);
    await world.pass(10_000);
    const before = world.closes.length;
    expect(before).toBeGreaterThan(5);
    set(other, true, world.clock.now());
    await world.pass(3 * MINUTE);
    expect(world.closes.length).toBe(before);
    set(other, false, world.clock.now());
    await world.pass(MINUTE - 50);
    expect(world.closes.length).toBe(before);
    // It looks once a second whether a slow start is over.
    await world.pass(2_000);
    expect(world.closes.length).toBeGreaterThan(before);
  });

  test('while all dials of a target fail, which nobody may have ejected', async () => {
    const world = new World();
    world.away = true;
    world.add('a', 1000);
    const b = world.add('b', 0);
    await started(world);
    await world.pass(10_000);
    const before = world.closes.length;
    for (let left = 30; left > 0; left -= 1) {
      b.dials.failed(world.clock.now());
      await world.pass(5_000);
    }
    expect(world.closes.length).toBe(before);
    b.dials.succeeded(world.clock.now());
    await world.pass(MINUTE + 2_000);
    expect(world.closes.length).toBeGreaterThan(before);
  });

  test('for every after a target was down between two looks', async () => {
    const world = new World();
    world.away = true;
    world.add('a', 1000);
    const b = world.add('b', 0);
    await started(world);
    await world.pass(10_000);
    const before = world.closes.length;
    b.bar('down', 'check', world.clock.now());
    b.lift('down', world.clock.now());
    await world.pass(MINUTE - 50);
    expect(world.closes.length).toBe(before);
    await world.pass(2_000);
    expect(world.closes.length).toBeGreaterThan(before);
  });

  test('a target that left counts as draining until it is empty, then for every', async () => {
    const world = new World();
    world.away = true;
    world.add('a', 1000);
    world.add('b', 0);
    const leaver = world.add('c', 1);
    await started(world);
    await world.pass(10_000);
    world.targets = world.targets.filter((target) => target !== leaver);
    world.part.update();
    const before = world.closes.length;
    await world.pass(3 * MINUTE);
    expect(world.closes.length).toBe(before);
    leaver.release('session');
    await world.pass(MINUTE - 1_000);
    expect(world.closes.length).toBe(before);
    await world.pass(2_050);
    expect(world.closes.length).toBeGreaterThan(before);
  });

  test('one whose sessions stay when it is gone only for every', async () => {
    const world = new World();
    world.config = { ...world.config, on_gone: 'keep' };
    world.away = true;
    world.add('a', 1000);
    world.add('b', 0);
    const leaver = world.add('c', 1);
    await started(world);
    await world.pass(10_000);
    world.targets = world.targets.filter((target) => target !== leaver);
    world.part.update();
    const before = world.closes.length;
    await world.pass(MINUTE - 50);
    expect(world.closes.length).toBe(before);
    await world.pass(2_000);
    expect(world.closes.length).toBeGreaterThan(before);
  });

  test('what was asked for before a target went down is not used after', async () => {
    const world = new World();
    world.add('a', 1000);
    const b = world.add('b', 0);
    let open = () => {};
    world.gate = new Promise<void>((resolve) => (open = resolve));
    await started(world);
    b.bar('down', 'check', world.clock.now());
    open();
    await world.pass(3 * MINUTE);
    expect(world.closes).toEqual([]);
  });
});

describe('a reload', () => {
  function reconfigure(world: World, rebalance: UpstreamConfig['rebalance']): void {
    world.config = { ...world.config, rebalance };
    world.part.update();
  }

  async function underWay(): Promise<World> {
    const world = new World();
    world.away = true;
    world.add('a', 1000);
    world.add('b', 0);
    await started(world);
    await world.pass(MINUTE / 2);
    return world;
  }

  test('off stops it, and no timer is left', async () => {
    const world = await underWay();
    const before = world.closes.length;
    reconfigure(world, 'off');
    expect(world.wheel.size).toBe(0);
    await world.pass(3 * MINUTE);
    expect(world.closes.length).toBe(before);
    expect(world.events.at(-1)).toMatchObject({ event: 'rebalance.end', why: 'off', closed: before });
  });

  test('so does the end of the upstream', async () => {
    const world = await underWay();
    world.part.stop();
    expect(world.wheel.size).toBe(0);
  });

  test('on begins it', async () => {
    const world = new World('off');
    world.add('a', 1000);
    world.add('b', 0);
    await started(world);
    await world.pass(3 * MINUTE);
    expect(world.closes.length).toBe(0);
    reconfigure(world, SETTINGS);
    await world.pass(1_000);
    expect(world.closes.length).toBe(1);
  });

  test('with the same settings it goes on; with others they hold, and not before every is over', async () => {
    const world = await underWay();
    const before = world.closes.length;
    reconfigure(world, { ...SETTINGS });
    await world.pass(MINUTE / 4);
    expect(world.closes.length).toBeGreaterThan(before);
    const then = world.closes.length;
    reconfigure(world, { ...SETTINGS, share: 0.1 });
    await world.pass(MINUTE / 4 - 500);
    expect(world.closes.length).toBe(then);
    await world.pass(MINUTE);
    expect(world.closes.length - then).toBeGreaterThan(85);
  });
});

describe('what is told', () => {
  test('begin and end once for all that is done, with what was closed', async () => {
    const world = new World({ ...SETTINGS, share: 0.1 });
    world.add('a', 200);
    world.add('b', 0);
    await started(world);
    await world.pass(30 * MINUTE);
    expect(world.counts).toEqual([110, 90]);
    const begin = { event: 'rebalance.begin', upstream: 'chat', target: 'a', sessions: 200, fair_share: 100 };
    const end = { event: 'rebalance.end', upstream: 'chat', why: 'even', closed: 90, ms: expect.any(Number) };
    expect(world.events).toEqual([begin, end]);
    expect(world.counted).toBe(90);
  });

  test('a target that goes down ends it, and what follows is another one', async () => {
    const world = new World();
    world.away = true;
    world.add('a', 1000);
    const b = world.add('b', 0);
    await started(world);
    await world.pass(5_000);
    b.bar('down', 'check', world.clock.now());
    await world.pass(5_000);
    b.lift('down', world.clock.now());
    await world.pass(2 * MINUTE);
    const told = world.events as { event: string; why?: string }[];
    expect(told.map(({ event, why }) => [event, why])).toEqual([
      ['rebalance.begin', undefined],
      ['rebalance.end', 'standstill'],
      ['rebalance.begin', undefined],
    ]);
  });

  test('nothing while nobody is old enough; the end when nobody is any more', async () => {
    const world = new World({ ...SETTINGS, share: 0.5 });
    world.away = true;
    const a = world.add('a', 3);
    world.add('b', 0);
    for (let left = 7; left > 0; left -= 1) world.open(a);
    await started(world);
    await world.pass(2 * MINUTE);
    const told = world.events as { event: string; why?: string; closed?: number }[];
    expect(told.map(({ event, why, closed }) => [event, why, closed])).toEqual([
      ['rebalance.begin', undefined, undefined],
      ['rebalance.end', 'none_to_move', 3],
    ]);
  });
});
