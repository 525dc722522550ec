import { describe, expect, test } from 'vitest';
import type { UpstreamConfig } from '../../src/config/types.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Log } from '../../src/observe/log.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';
import { partsOf } from '../../src/upstream/parts.ts';
import { sourcesOf } from '../../src/upstream/sources/kinds.ts';
import type { Target } from '../../src/upstream/target.ts';
import type { TargetWatch } from '../../src/upstream/target-watch.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LogTap } from '../support/log-tap.ts';
import { targetConfig, upstreamConfig, upstreamMeans } from '../support/upstreams.ts';

const NONE: ReadonlySet<Target> = new Set();
type Passive = Exclude<UpstreamConfig['health']['passive'], 'off'>;

const PASSIVE: Passive = {
  failures: 3,
  window: 30_000,
  early_death: 2_000,
  eject: 30_000,
  eject_max: 100_000,
  max_ejected: 0.5,
};

/** An upstream whose targets fail as a test says. */
class Pool {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly tap = new LogTap();
  readonly upstream: Upstream;
  private readonly means;
  private names: readonly string[];
  private passive: UpstreamConfig['health']['passive'];
  private readonly panic: number;

  constructor(passive: Partial<Passive> = {}, names: readonly string[] = ['a', 'b'], panic = Number.POSITIVE_INFINITY) {
    const { clock, wheel, tap } = this;
    this.names = names;
    this.panic = panic;
    this.passive = { ...PASSIVE, ...passive };
    const log = new Log({ level: 'debug', format: 'json', lines_per_second: 1e6, clock, destination: tap });
    this.means = upstreamMeans({ clock, wheel, log });
    const listener = { onTargets() {}, onDown() {}, youngestOn: async () => [] };
    this.upstream = new Upstream(this.config, { means: this.means, balancerOf, sourcesOf, partsOf, listener });
    this.upstream.start();
  }

  private get config(): UpstreamConfig {
    const { health } = upstreamConfig();
    const targets = this.names.map((name) => targetConfig(name));
    const { passive, panic } = this;
    return upstreamConfig({ targets, balance: { kind: 'round_robin' }, health: { ...health, passive, panic } });
  }

  reload(passive: Partial<Passive> | 'off', names = this.names): void {
    this.names = names;
    this.passive = passive === 'off' ? 'off' : { ...PASSIVE, ...passive };
    this.upstream.plan(this.config).commit();
  }

  target(name = 'a'): Target {
    const target = this.upstream.target(name);
    if (target === undefined) throw new Error(`no target ${name}`);
    return target;
  }

  watch(name = 'a'): TargetWatch {
    const { watch } = this.target(name);
    if (watch === null) throw new Error(`nobody watches ${name}`);
    return watch;
  }

  failDials(count: number, name = 'a'): void {
    for (let at = 0; at < count; at += 1) this.watch(name).dialFailed(0);
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }

  /** Ejected, in its turn as trial, or up. */
  state(name = 'a'): string {
    const target = this.target(name);
    return target.isTrialDue ? 'due' : target.status(this.clock.now()).state;
  }

  ejections(name = 'a'): number {
    return this.means.metrics.target('chat', name).ejections;
  }

  get events(): unknown[] {
    return this.tap.lines.map(({ event, target, why }) => `${event} ${target} ${why}`);
  }
}

describe('a target is ejected', () => {
  test('with the last of `failures` within window, and told of once', () => {
    const pool = new Pool();
    pool.failDials(2);
    expect([pool.state(), pool.events]).toEqual(['up', []]);
    pool.failDials(1);
    expect([pool.state(), pool.ejections(), pool.events]).toEqual(['ejected', 1, ['target.down a passive']]);
    expect(pool.target().status(pool.clock.now())).toMatchObject({ isUp: false, why: 'passive' });
    pool.failDials(5);
    expect(pool.ejections()).toBe(1);
  });

  test.each([
    [29_999, 'ejected'],
    [30_000, 'up'],
  ])('not by a failure that is older than window: after %i ms %s', (ms, state) => {
    const pool = new Pool();
    pool.failDials(1);
    pool.pass(ms);
    pool.failDials(2);
    expect(pool.state()).toBe(state);
  });

  test('new sessions go to the others meanwhile', () => {
    const pool = new Pool();
    pool.failDials(3);
    const picked = Array.from({ length: 4 }, () => pool.upstream.pick(NONE, null)?.name);
    expect(picked).toEqual(['b', 'b', 'b', 'b']);
  });
});

describe('bad answers and lost sessions', () => {
  test('of one client count once in a window, on both sides of its edge', () => {
    const pool = new Pool({ failures: 2 });
    pool.watch().answeredBadly('192.0.2.1', 0);
    pool.watch().answeredBadly('192.0.2.1', 0);
    pool.watch().sessionEnding('192.0.2.1', 0, true, 0);
    expect(pool.state()).toBe('up');
    pool.pass(15_000);
    pool.failDials(0);
    pool.pass(14_999);
    pool.watch().answeredBadly('192.0.2.1', 0);
    expect(pool.state()).toBe('up');
    pool.pass(1);
    pool.watch().answeredBadly('192.0.2.1', 0);
    expect(pool.state()).toBe('up');
    pool.watch().answeredBadly('192.0.2.2', 0);
    expect(pool.state()).toBe('ejected');
  });

  test('a /64 is one client, two are two', () => {
    const pool = new Pool({ failures: 2 });
    for (let at = 1; at < 10; at += 1) pool.watch().answeredBadly(`2001:db8::${at}`, 0);
    expect(pool.state()).toBe('up');
    pool.watch().answeredBadly('2001:db8:0:1::1', 0);
    expect(pool.state()).toBe('ejected');
  });

  test.each([
    [1_999, 'ejected'],
    [2_000, 'up'],
  ])('a session that was lost after %i ms: %s', (livedMs, state) => {
    const pool = new Pool({ failures: 1 });
    pool.watch().sessionEnding('192.0.2.1', livedMs, true, 0);
    expect(pool.state()).toBe(state);
  });

  test('ends of another kind are no failures', () => {
    const pool = new Pool({ failures: 1 });
    pool.watch().sessionEnding('192.0.2.1', 0, false, 0);
    pool.watch().answeredWell(0);
    pool.watch().left(0);
    expect(pool.state()).toBe('up');
  });

  test('are remembered for 4096 clients, where no more may be ejected', () => {
    const pool = new Pool({ failures: 5_000, window: 30_000 });
    for (let at = 0; at <= 4_096; at += 1) pool.watch().answeredBadly(`10.0.${at >> 8}.${at & 255}`, 0);
    // The one that is known longest is forgotten, and counts again; the next one is known.
    for (let at = 0; at < 902; at += 1) pool.watch().answeredBadly('10.0.16.0', 0);
    expect(pool.state()).toBe('up');
    pool.failDials(902);
    expect(pool.state()).toBe('up');
    pool.watch().answeredBadly('10.0.0.0', 0);
    expect(pool.state()).toBe('ejected');
  });
});

describe('max_ejected', () => {
  test.each([
    [1, 0.5, 0],
    [1, Number.POSITIVE_INFINITY, 0],
    [2, 0.5, 1],
    [2, 0.49, 0],
    [3, 0.5, 1],
    [4, 0.5, 2],
    [3, 1, 2],
    [3, Number.POSITIVE_INFINITY, 2],
    [100, 0.29, 29],
    [3, 0, 0],
  ])('of %i targets at most %d are ejected: %i', (count, max_ejected, ejected) => {
    const names = Array.from({ length: count }, (_, at) => `t${at}`);
    const pool = new Pool({ max_ejected }, names);
    for (const name of names) pool.failDials(3, name);
    expect(names.filter((name) => pool.state(name) === 'ejected')).toHaveLength(ejected);
  });

  test('who might not be ejected is with its next failure, when another is back', () => {
    const pool = new Pool();
    pool.failDials(3, 'a');
    pool.failDials(3, 'b');
    expect(pool.state('b')).toBe('up');
    pool.pass(29_000);
    pool.failDials(2, 'b');
    pool.pass(1_000);
    pool.watch('a').answeredWell(pool.target('a').acquire());
    expect([pool.state('a'), pool.state('b')]).toEqual(['up', 'up']);
    pool.failDials(1, 'b');
    expect(pool.state('b')).toBe('ejected');
  });
});

describe('after eject', () => {
  function due(pool = new Pool()): Pool {
    pool.failDials(3);
    pool.pass(29_999);
    expect(pool.state()).toBe('ejected');
    pool.pass(1);
    expect(pool.state()).toBe('due');
    return pool;
  }

  test('one session tries, and no other while it does', () => {
    const pool = due();
    const picked = Array.from({ length: 4 }, () => {
      const target = pool.upstream.pick(NONE, null);
      return `${target?.name}${target?.acquire()}`;
    });
    expect(picked.filter((one) => one.startsWith('a'))).toEqual(['a1']);
    expect(pool.state()).toBe('ejected');
  });

  test.each([
    [1_999, 'ejected'],
    [2_000, 'up'],
  ])('the target is back when that session has lived for early_death: after %i ms %s', (ms, state) => {
    const pool = due();
    pool.watch().sessionBegan(pool.target().acquire());
    pool.pass(ms);
    expect(pool.state()).toBe(state);
    expect(pool.events).toEqual(['target.down a passive', ...(state === 'up' ? ['target.up a passive'] : [])]);
  });

  test.each<[string, (watch: TargetWatch, trial: number) => void]>([
    ['is refused', (watch, trial) => watch.answeredWell(trial)],
    ['ends well', (watch, trial) => watch.sessionEnded(true, trial)],
    ['is lost late', (watch, trial) => watch.sessionEnding('192.0.2.1', 2_000, true, trial)],
    ['ends late', (watch, trial) => watch.sessionEnding('192.0.2.1', 2_000, false, trial)],
  ])('it is back, too, when that session %s', (_, tell) => {
    const pool = due();
    const trial = pool.target().acquire();
    tell(pool.watch(), trial);
    pool.watch().left(trial);
    expect(pool.state()).toBe('up');
    // Nothing of before counts any more.
    pool.failDials(2);
    expect(pool.state()).toBe('up');
    pool.failDials(1);
    pool.pass(30_000);
    expect(pool.state()).toBe('due');
  });

  test.each<[string, (watch: TargetWatch, trial: number) => void]>([
    ['cannot be dialed', (watch, trial) => watch.dialFailed(trial)],
    ['gets a bad answer', (watch, trial) => watch.answeredBadly('192.0.2.1', trial)],
    ['is lost early', (watch, trial) => watch.sessionEnding('192.0.2.1', 1_999, true, trial)],
  ])('it is ejected for twice as long, up to eject_max, when that session %s', (_, tell) => {
    const pool = due();
    for (const ms of [60_000, 100_000, 100_000]) {
      const trial = pool.target().acquire();
      pool.watch().sessionBegan(trial);
      tell(pool.watch(), trial);
      pool.watch().left(trial);
      pool.pass(ms - 1);
      expect(pool.state()).toBe('ejected');
      pool.pass(1);
      expect(pool.state()).toBe('due');
    }
    expect([pool.ejections(), pool.events]).toEqual([4, ['target.down a passive']]);
  });

  test('the next session tries when that one leaves and nothing was learned', () => {
    const pool = due();
    const trial = pool.target().acquire();
    pool.watch().sessionBegan(trial);
    pool.watch().sessionEnding('192.0.2.1', 1_999, false, trial);
    pool.pass(5_000);
    pool.watch().sessionEnded(false, trial);
    pool.watch().left(trial);
    expect(pool.state()).toBe('due');
    pool.pass(10_000);
    expect([pool.state(), pool.target().acquire()]).toEqual(['due', 2]);
  });

  test('as many sessions as failures that opened, and whose clients left early, are as good as one that lived', () => {
    const pool = due();
    const leave = (isOpened: boolean) => {
      const trial = pool.target().acquire();
      if (isOpened) pool.watch().sessionBegan(trial);
      pool.watch().left(trial);
      return pool.state();
    };
    expect([leave(true), leave(false), leave(true), leave(true)]).toEqual(['due', 'due', 'due', 'up']);
    const again = due();
    const lost = again.target().acquire();
    again.watch().sessionBegan(lost);
    again.watch().left(lost);
    again.watch().dialFailed(again.target().acquire());
    again.pass(60_000);
    // Those from before do not count.
    const trial = again.target().acquire();
    again.watch().sessionBegan(trial);
    again.watch().left(trial);
    expect(again.state()).toBe('due');
  });

  test('a good trial resets how long it is ejected', () => {
    const pool = due();
    pool.watch().dialFailed(pool.target().acquire());
    pool.pass(60_000);
    pool.watch().answeredWell(pool.target().acquire());
    due(pool);
  });

  test('what comes of sessions from before decides nothing', () => {
    const pool = due();
    const trial = pool.target().acquire();
    pool.watch().dialFailed(0);
    pool.watch().answeredBadly('192.0.2.1', 0);
    pool.watch().sessionEnding('192.0.2.1', 0, true, 0);
    pool.watch().answeredWell(0);
    pool.watch().left(0);
    expect(pool.state()).toBe('ejected');
    pool.watch().dialFailed(trial);
    // That trial is over: its slot comes back only now, and what it says more is of before.
    pool.watch().left(trial);
    pool.pass(60_000);
    pool.watch().answeredWell(trial);
    expect(pool.state()).toBe('due');
    pool.target().acquire();
    pool.watch().dialFailed(trial);
    expect([pool.state(), pool.ejections()]).toEqual(['ejected', 2]);
  });

  test('in panic others go there, and none of them decides', () => {
    const pool = new Pool({}, ['a', 'b'], 0.6);
    pool.failDials(3);
    expect(pool.upstream.pick(NONE, null)?.name).toBe('a');
    expect(pool.target().acquire()).toBe(0);
    pool.watch().answeredWell(0);
    expect(pool.state()).toBe('ejected');
    pool.pass(30_000);
    expect(pool.target().acquire()).toBe(1);
  });
});

describe('a reload', () => {
  test('keeps what is known of targets that stay', () => {
    const pool = new Pool({}, ['a', 'b', 'c', 'd']);
    pool.failDials(3, 'a');
    pool.failDials(2, 'b');
    pool.reload({}, ['a', 'b', 'c', 'e']);
    expect(pool.state('a')).toBe('ejected');
    pool.failDials(1, 'b');
    expect(pool.state('b')).toBe('ejected');
    pool.pass(30_000);
    expect([pool.state('a'), pool.state('b')]).toEqual(['due', 'due']);
  });

  test('with other settings: they hold from the next failure on', () => {
    const pool = new Pool();
    pool.failDials(2);
    pool.reload({ failures: 2, window: 1_000, eject: 5_000 });
    expect(pool.state()).toBe('up');
    pool.pass(999);
    pool.failDials(1);
    expect(pool.state()).toBe('ejected');
    pool.pass(5_000);
    expect(pool.state()).toBe('due');
  });

  test('off: everything is up, nobody is watched, and nothing is left to happen', () => {
    const pool = new Pool();
    pool.failDials(3);
    const { size } = pool.wheel;
    pool.reload('off');
    expect([pool.state(), pool.target().watch, pool.wheel.size]).toEqual(['up', null, size - 1]);
    pool.reload({});
    pool.failDials(2);
    expect(pool.state()).toBe('up');
  });

  test('the last target that is left is not ejected any more', () => {
    const pool = new Pool();
    pool.failDials(3);
    pool.reload({}, ['a']);
    expect(pool.state()).toBe('up');
    expect(pool.upstream.pick(NONE, null)?.name).toBe('a');
  });

  test('with a smaller max_ejected: the ones that were nearest to their return are back', () => {
    const pool = new Pool({}, ['a', 'b', 'c', 'd']);
    pool.failDials(3, 'b');
    pool.pass(1);
    pool.failDials(3, 'a');
    pool.reload({ max_ejected: 0.25 });
    expect([pool.state('a'), pool.state('b')]).toEqual(['ejected', 'up']);
  });

  test('a target that is gone is not said to be up', () => {
    const pool = new Pool();
    pool.failDials(3, 'a');
    pool.reload({}, ['b', 'c']);
    expect(pool.tap.lines.filter(({ event }) => event === 'target.up')).toEqual([]);
  });

  test('a target that is gone leaves nothing behind, nor does a stop', () => {
    const pool = new Pool();
    const { size } = pool.wheel;
    pool.failDials(3, 'a');
    pool.reload({}, ['b', 'c']);
    expect(pool.wheel.size).toBe(size);
    pool.failDials(3, 'b');
    pool.upstream.stop();
    expect([pool.wheel.size, pool.target('b').watch]).toEqual([size, null]);
  });
});
