import { describe, expect, test } from 'vitest';
import type { TargetConfig, UpstreamConfig } from '../../src/config/types.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';
import type { UpstreamPart } from '../../src/upstream/part.ts';
import { SlowStart } from '../../src/upstream/slow-start.ts';
import type { TargetSource } from '../../src/upstream/sources/target-source.ts';
import type { Target } from '../../src/upstream/target.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { targetConfig, upstreamConfig, upstreamMeans } from '../support/upstreams.ts';

const NONE: ReadonlySet<Target> = new Set();
const MINUTE = 60_000;

class World {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 50);
  readonly upstream: Upstream;
  private parts: readonly UpstreamPart[] = [];
  private config: UpstreamConfig;

  constructor(names: string, change: Partial<UpstreamConfig> = {}) {
    this.config = upstreamConfig({ slow_start: MINUTE, targets: configsOf(names), ...change });
    this.upstream = new Upstream(this.config, {
      means: upstreamMeans({ clock: this.clock, wheel: this.wheel }),
      balancerOf,
      sourcesOf: ({ targets }) => [sourceOf(targets)],
      partsOf: (host) => {
        this.parts = [new SlowStart(host)];
        return this.parts;
      },
      listener: { onTargets() {}, onDown() {}, youngestOn: () => Promise.resolve([]) },
    });
    this.upstream.start();
  }

  reload(change: Partial<UpstreamConfig>): void {
    this.config = { ...this.config, ...change };
    this.upstream.plan(this.config).commit();
  }

  target(name: string): Target {
    const target = this.upstream.target(name);
    if (target === undefined) throw new Error(`no target ${name}`);
    return target;
  }

  restart(name: string): void {
    this.target(name).bar('down', 'check', this.clock.now());
    this.target(name).lift('down', this.clock.now());
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 50) {
      this.clock.advance(Math.min(50, left));
      this.wheel.advance();
    }
  }

  ramps(): number[] {
    return this.upstream.targets.map(({ ramp }) => Math.round(ramp * 100) / 100);
  }

  /** Of so many picks those that each target got; no session stays. */
  picks(count: number): string {
    const names = Array.from({ length: count }, () => this.upstream.pick(NONE, null)?.name ?? '-');
    return this.upstream.targets.map(({ name }) => names.filter((one) => one === name).length).join(' ');
  }
}

function configsOf(names: string, change: Partial<TargetConfig> = {}): TargetConfig[] {
  return names.split(' ').flatMap((name) => (name === '' ? [] : [targetConfig(name, change)]));
}

function sourceOf(targets: readonly TargetConfig[]): TargetSource {
  return { kind: 'config', settings: targets, initial: targets, start() {}, stop() {}, status: null };
}

test('all that are there at the start have their whole share', () => {
  const world = new World('a b');
  expect(world.ramps()).toEqual([1, 1]);
  expect(world.wheel.size).toBe(0);
});

test('a target that came up begins with a tenth, and grows in a line to its share', () => {
  const world = new World('a b');
  world.restart('b');
  expect(world.ramps()).toEqual([1, 0.1]);
  world.pass(MINUTE / 2);
  expect(world.ramps()[1]).toBeCloseTo(0.55, 1);
  world.pass(MINUTE / 2 - 1_000);
  expect(world.ramps()[1]).toBeLessThan(1);
  world.pass(1_000);
  expect(world.ramps()).toEqual([1, 1]);
  expect(world.wheel.size).toBe(0);
});

test.each(['down', 'ejected', 'draining'] as const)('it is the same after it was %s', (bar) => {
  const world = new World('a b');
  world.target('b').bar(bar, 'admin', world.clock.now());
  expect(world.ramps()).toEqual([1, 1]);
  world.target('b').lift(bar, world.clock.now());
  expect(world.ramps()).toEqual([1, 0.1]);
});

test('one that goes down meanwhile begins anew', () => {
  const world = new World('a b');
  world.restart('b');
  world.pass(MINUTE / 2);
  world.restart('b');
  expect(world.ramps()).toEqual([1, 0.1]);
  world.target('b').bar('down', 'check', world.clock.now());
  expect([world.ramps(), world.wheel.size]).toEqual([[1, 1], 0]);
});

test('newcomers start slowly, beside targets that were there', () => {
  const world = new World('a');
  world.reload({ targets: configsOf('a b') });
  expect(world.ramps()).toEqual([1, 0.1]);
  world.reload({ targets: configsOf('a c') });
  expect(world.ramps()).toEqual([1, 0.1]);
  world.pass(MINUTE);
  expect([world.ramps(), world.wheel.size]).toEqual([[1, 1], 0]);
});

test('the first targets of an upstream that had none are no newcomers', () => {
  const world = new World('');
  world.reload({ targets: configsOf('a b') });
  expect(world.ramps()).toEqual([1, 1]);
});

test('a reload of slow_start counts at once, and off ends it', () => {
  const world = new World('a b');
  world.restart('b');
  world.reload({ slow_start: 2 * MINUTE });
  world.pass(MINUTE);
  expect(world.ramps()[1]).toBeCloseTo(0.55, 1);
  world.reload({ slow_start: Number.POSITIVE_INFINITY });
  expect([world.ramps(), world.wheel.size]).toEqual([[1, 1], 0]);
  world.restart('b');
  expect([world.ramps(), world.wheel.size]).toEqual([[1, 1], 0]);
});

test('an upstream that stops leaves no timer', () => {
  const world = new World('a b');
  world.restart('b');
  world.upstream.stop();
  expect([world.ramps(), world.wheel.size]).toEqual([[1, 1], 0]);
  world.restart('b');
  expect([world.ramps(), world.wheel.size]).toEqual([[1, 1], 0]);
});

describe('what it is for', () => {
  test.each(['least_sessions', 'round_robin'] as const)('%s gives it a tenth of a share', (kind) => {
    const world = new World('a b', { balance: { kind } });
    world.restart('b');
    expect(world.picks(110)).toBe('100 10');
    world.pass(MINUTE);
    expect(world.picks(110)).toBe('55 55');
  });

  test('random_two draws it as seldom', () => {
    const world = new World('a b c', { balance: { kind: 'random_two' } });
    world.restart('c');
    const [, , few = 0] = world.picks(3_000).split(' ').map(Number);
    // A tenth of the weight of each of the others.
    expect(few).toBeGreaterThan(3_000 * 0.03);
    expect(few).toBeLessThan(3_000 * 0.065);
  });

  test('least_sessions fills it up to its share of now, and no further', () => {
    const world = new World('a b', { balance: { kind: 'least_sessions' } });
    for (let i = 0; i < 100; i += 1) world.target('a').acquire();
    world.restart('b');
    for (let i = 0; i < 10; i += 1) world.upstream.pick(NONE, null)?.acquire();
    expect(world.upstream.targets.map(({ sessions }) => sessions)).toEqual([100, 10]);
    for (let i = 0; i < 11; i += 1) world.upstream.pick(NONE, null)?.acquire();
    expect(world.upstream.targets.map(({ sessions }) => sessions)).toEqual([110, 11]);
  });

  test('a cookie leads to it all the same', () => {
    const settings = { cookie: 'fg', path: '/', max_age: null, secure: 'off', same_site: 'lax', secret: null } as const;
    const world = new World('a b', { balance: { kind: 'sticky', ...settings } });
    world.restart('b');
    const cookie = world.upstream.cookieFor(world.target('b'), null, false) ?? '';
    const id = cookie.slice('fg='.length, cookie.indexOf(';'));
    for (let i = 0; i < 20; i += 1) expect(world.upstream.pick(NONE, id)?.name).toBe('b');
  });
});
