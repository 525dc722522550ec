import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import type { Config, TargetConfig } from '../../src/config/types.ts';
import { Listeners } from '../../src/control/listeners.ts';
import { Reloads } from '../../src/control/reload.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import { atOnce, Slices } from '../../src/limits/slices.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Log } from '../../src/observe/log.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';
import { UpstreamRegistry } from '../../src/upstream/registry.ts';
import { sourcesOf } from '../../src/upstream/sources/kinds.ts';
import type { Target } from '../../src/upstream/target.ts';
import { Rig } from '../edge/rig.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeSource } from '../support/fake-source.ts';
import { LogTap } from '../support/log-tap.ts';
import { targetConfig, upstreamMeans } from '../support/upstreams.ts';

const A = { name: 'a', url: 'ws://a.test:1' };

function configOf(over: Partial<ConfigInput> = {}): Config {
  const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'one' }];
  const listeners = [{ name: 'in' }];
  const input = { listeners, routes, upstreams: { one: { targets: [A] } }, drain: { spread: '0s' }, ...over };
  return loadObject(input, { baseDir: '.' }).config;
}

/** Each upstream has a source that finds targets, besides its config. Its settings are the host that it asks as. */
class Discovery {
  readonly log: string[] = [];
  readonly sources: FakeSource[] = [];
  /** What they have before they are started. */
  initial: readonly TargetConfig[] | null = [];
  readonly tap = new LogTap();
  readonly clock = new FakeClock();
  private readonly logged = new Log({
    level: 'info',
    format: 'json',
    lines_per_second: 1e6,
    clock: this.clock,
    destination: this.tap,
  });
  readonly registry = new UpstreamRegistry(upstreamMeans({ clock: this.clock, log: this.logged }), {
    balancerOf,
    sourcesOf: (config, means) => {
      const source = new FakeSource(config.host, this.log, this.initial);
      this.sources.push(source);
      return [...sourcesOf(config, means), source];
    },
  });

  apply(config: Config): ReadonlySet<Target> {
    const plan = atOnce(this.registry.plan(config));
    plan.commit();
    this.registry.start();
    return plan.keptTargets;
  }

  get source(): FakeSource {
    const [first] = this.sources;
    if (first === undefined) throw new Error('nothing was applied');
    return first;
  }

  target(name: string): Target {
    const target = this.registry.get('one')?.target(name);
    if (target === undefined) throw new Error(`no target ${name}`);
    return target;
  }

  /** `target.up x discovery` */
  get told(): string[] {
    return this.tap.lines.splice(0).map(({ event, target, why }) => `${event} ${target} ${why}`);
  }

  get names(): string {
    return (this.registry.get('one')?.targets ?? []).map(({ name }) => name).join(' ');
  }
}

describe('targets that a source finds while framegate runs', () => {
  test('who waits for room is called when a source gives the same target more', async () => {
    const discovery = new Discovery();
    discovery.apply(configOf({ upstreams: { one: { targets: [{ ...A, max_sessions: 1 }] } } }));
    discovery.target('a').acquire();
    discovery.source.says([targetConfig('x', { max_sessions: 1 })]);
    discovery.target('x').acquire();
    let calls = 0;
    discovery.registry.get('one')?.queue.join({ onRoom: () => (calls += 1) });
    await nextTurn();
    expect(calls).toBe(0);
    discovery.source.says([targetConfig('x', { max_sessions: 2 })]);
    await nextTurn();
    expect(calls).toBe(1);
  });

  test('come and go; those that stay are the same, with what they count', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    expect(discovery.names).toBe('a');
    discovery.source.finds('x', 'y');
    expect(discovery.names).toBe('a x y');
    const [x, y] = [discovery.target('x'), discovery.target('y')];
    for (const one of [x, y]) one.acquire();
    discovery.source.finds('y', 'z');
    expect(discovery.names).toBe('a y z');
    expect([discovery.target('y'), y.sessions, y.gone]).toEqual([y, 1, false]);
    expect([x.gone, x.sessions]).toEqual([true, 1]);
  });

  test('one that comes back to sessions of its own is the same; without any, or at another address, another', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    discovery.source.finds('x', 'y', 'z');
    const [x, y, z] = [discovery.target('x'), discovery.target('y'), discovery.target('z')];
    for (const one of [x, z]) one.acquire();
    for (const bar of ['draining', 'down', 'ejected'] as const) x.bar(bar, 'admin', 0);
    discovery.source.finds();
    const other = targetConfig('z', { endpoint: { ...z.endpoint, port: 2 } as TargetConfig['endpoint'] });
    discovery.source.says([targetConfig('x', { weight: 5 }), targetConfig('y'), other]);
    expect([discovery.target('x'), x.gone, x.sessions, x.weight]).toEqual([x, false, 1, 5]);
    // What was found out about it is long ago; what an operator said stands.
    expect(['draining', 'down', 'ejected'].filter((bar) => x.has(bar as 'down'))).toEqual(['draining']);
    expect([discovery.target('y') === y, discovery.target('z') === z, z.gone]).toEqual([false, false, true]);
    discovery.source.finds('x', 'y', 'z');
    expect([discovery.target('z'), discovery.target('z').sessions]).toEqual([z, 1]);
  });

  test('one that was down, and comes back to its sessions, is up since then', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    discovery.source.finds('x');
    const x = discovery.target('x');
    x.acquire();
    x.bar('down', 'check', discovery.clock.now());
    discovery.clock.advance(60_000);
    discovery.source.finds();
    discovery.clock.advance(60_000);
    discovery.source.finds('x');
    discovery.clock.advance(1_000);
    expect(x.status(discovery.clock.now())).toMatchObject({ state: 'up', stateMs: 1_000 });
  });

  test.each([
    ['keep', 'close', true],
    ['drain', 'close', false],
    ['drain', 'keep', true],
    ['keep', 'keep', true],
  ] as const)('on_gone %s and drain.mode %s: whether their sessions stay: %s', (on_gone, mode, stay) => {
    const discovery = new Discovery();
    const upstream = (change: object) =>
      configOf({ upstreams: { one: { targets: [A], on_gone, drain: { mode }, ...change } } });
    discovery.apply(upstream({}));
    discovery.source.finds('x');
    const [a, x] = [discovery.target('a'), discovery.target('x')];
    for (const one of [a, x]) one.acquire();
    discovery.source.finds();
    expect([x.gone, x.keepsSessions]).toEqual([true, stay]);
    // A reload ends none of those that stay, and is not stopped for them.
    expect(discovery.apply(upstream({ retries: 0 })).has(x)).toBe(stay);
    // What the config drops drains, whatever on_gone says.
    const b = { name: 'b', url: 'ws://b.test:1' };
    const kept = discovery.apply(upstream({ targets: [b] }));
    expect([a.gone, a.keepsSessions, kept.has(a)]).toEqual([true, mode === 'keep', mode === 'keep']);
    // What a later config says holds for those that are gone already.
    discovery.apply(upstream({ targets: [b], on_gone: 'drain', drain: { mode: 'close' } }));
    expect([a.keepsSessions, x.keepsSessions]).toEqual([false, false]);
  });

  test('are logged when they come and go, unless nobody went there; those of a config are not', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    expect(discovery.told).toEqual([]);
    discovery.source.finds('x', 'y');
    expect(discovery.told).toEqual(['target.up x discovery', 'target.up y discovery']);
    discovery.target('y').bar('draining', 'admin', 0);
    expect(discovery.told).toEqual(['target.down y admin']);
    discovery.source.finds('z');
    expect(discovery.told).toEqual(['target.down x discovery', 'target.up z discovery']);
    discovery.source.finds('z');
    discovery.apply(configOf({ upstreams: { one: { targets: [], discover: { file: { path: 'none' } } } } }));
    expect(discovery.told).toEqual([]);
  });

  test('are told of only when others are in the list', () => {
    const discovery = new Discovery();
    let told = 0;
    discovery.registry.listener = { onTargets: () => (told += 1), onDown() {}, youngestOn: async () => [] };
    discovery.apply(configOf());
    expect(told).toBe(0);
    discovery.source.finds('x');
    discovery.source.finds('x');
    expect(told).toBe(1);
    discovery.source.finds();
    expect(told).toBe(2);
  });

  test('are told of when what counts for picking is another: their weight, or that they are backups', () => {
    const discovery = new Discovery();
    let told = 0;
    discovery.registry.listener = { onTargets: () => (told += 1), onDown() {}, youngestOn: async () => [] };
    discovery.apply(configOf());
    discovery.source.says([targetConfig('x'), targetConfig('y')]);
    const x = discovery.target('x');
    discovery.source.says([targetConfig('x', { weight: 3 }), targetConfig('y')]);
    expect([told, x.weight, discovery.target('x') === x]).toEqual([2, 3, true]);
    discovery.source.says([targetConfig('x', { weight: 3, backup: true }), targetConfig('y')]);
    const picks = [1, 2, 3, 4].map(() => discovery.registry.get('one')?.pick(new Set(), null)?.name);
    expect([told, picks.includes('x')]).toEqual([3, false]);
  });

  test('each says where it was found; the upstream, how that goes', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    discovery.source.finds('x', 'a');
    discovery.source.answeredAt = 5;
    expect(['a', 'x'].map((name) => discovery.target(name).source)).toEqual(['config', 'fake']);
    expect(discovery.registry.get('one')?.discovery).toMatchObject({ kind: 'fake', answeredAt: 5, failing: null });
  });

  test('a name stands for one target: that of the config comes first', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    const a = discovery.target('a');
    discovery.source.finds('a', 'x', 'x');
    expect([discovery.names, discovery.target('a')]).toEqual(['a x', a]);
  });

  test('are balanced and asked for their paths as those of the config', () => {
    const discovery = new Discovery();
    discovery.apply(configOf({ upstreams: { one: { targets: [A], balance: 'round_robin' } } }));
    discovery.source.finds('x', 'y');
    const one = discovery.registry.get('one');
    const picks = [1, 2, 3, 4].map(() => one?.pick(new Set(), null)?.name);
    expect([picks, one?.bases]).toEqual([['a', 'x', 'y', 'a'], ['']]);
  });

  test('a target that is drained stays so under its name, whatever its address', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    discovery.target('a').bar('draining', 'admin', 0);
    discovery.apply(configOf({ upstreams: { one: { targets: [{ ...A, url: 'ws://b.test:1' }] } } }));
    expect(discovery.target('a').status(0).state).toBe('draining');
    discovery.target('a').lift('draining', 0);
    expect(discovery.target('a').isOpen(false)).toBe(true);
  });
});

describe('a reload', () => {
  test('leaves a source alone whose settings stay, and what it has found', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    discovery.source.finds('x');
    const [a, x] = [discovery.target('a'), discovery.target('x')];
    const kept = discovery.apply(configOf({ upstreams: { one: { targets: [{ ...A, weight: 7 }], retries: 0 } } }));
    expect([kept, discovery.names, discovery.log]).toEqual([new Set([a, x]), 'a x', ['start']]);
    expect([discovery.target('a'), a.weight]).toEqual([a, 7]);
  });

  test('replaces a source that has other settings: what it had found is gone', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    discovery.source.finds('x');
    const x = discovery.target('x');
    const kept = discovery.apply(configOf({ upstreams: { one: { targets: [A], host: 'target' } } }));
    expect([kept.has(x), x.gone, discovery.log]).toEqual([false, true, ['start', 'stop', 'start']]);
    discovery.source.finds('y');
    expect(discovery.names).toBe('a'); // of one that was stopped nothing is taken
    discovery.sources[1]?.finds('z');
    expect(discovery.names).toBe('a z');
  });

  test('a source that does not know yet goes on with what was found in its place, also meanwhile', () => {
    const discovery = new Discovery();
    discovery.initial = null;
    discovery.apply(configOf());
    expect(discovery.source.before).toEqual([{ targets: [], answeredAt: null }]);
    discovery.source.finds('x');
    discovery.source.answeredAt = 7;
    const x = discovery.target('x');
    const next = configOf({ upstreams: { one: { targets: [A], host: 'target' } } });
    const plan = atOnce(discovery.registry.plan(next));
    discovery.source.finds('x', 'y');
    const y = discovery.target('y');
    plan.commit();
    expect([plan.keptTargets.has(x), discovery.names, discovery.target('y'), x.gone]).toEqual([
      true,
      'a x y',
      y,
      false,
    ]);
    expect(discovery.sources[1]?.before).toEqual([{ targets: [targetConfig('x'), targetConfig('y')], answeredAt: 7 }]);
    discovery.sources[1]?.finds('z');
    expect([discovery.names, x.gone]).toEqual(['a z', true]);
  });

  test('that is not put in force starts nothing, stops nothing and changes no target', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    discovery.source.finds('x');
    const b = { name: 'b', url: 'ws://b.test:1' };
    atOnce(
      discovery.registry.plan(
        configOf({ upstreams: { one: { targets: [b], host: 'target' }, two: { targets: [A] } } }),
      ),
    );
    expect([discovery.names, discovery.target('a').gone, discovery.log]).toEqual(['a x', false, ['start']]);
  });

  test('sees what a source says between its plan and its coming into force', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    const plan = atOnce(discovery.registry.plan(configOf({ upstreams: { one: { targets: [A], retries: 0 } } })));
    discovery.source.finds('x');
    plan.commit();
    expect(discovery.names).toBe('a x');
  });

  test('an upstream that no config names: its source is stopped, its targets are gone', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    const a = discovery.target('a');
    const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'two' }];
    discovery.apply(configOf({ routes, upstreams: { two: { targets: [A] } } }));
    expect([a.gone, discovery.registry.get('one'), discovery.log]).toEqual([
      true,
      undefined,
      ['start', 'stop', 'start'],
    ]);
  });

  test('after the end of the process starts no source', () => {
    const discovery = new Discovery();
    discovery.apply(configOf());
    discovery.registry.stop();
    discovery.apply(configOf({ upstreams: { one: { targets: [A], host: 'target' } } }));
    expect([discovery.log, discovery.target('a').gone]).toEqual([['start', 'stop'], false]);
  });
});

test('policies that go by the request are given its key with each try', () => {
  const keys: unknown[] = [];
  const registry = new UpstreamRegistry(upstreamMeans(), {
    sourcesOf,
    balancerOf: () => ({
      keyOf: ({ clientAddress }) => `from ${clientAddress}`,
      pick: (targets, eligible, key) => {
        keys.push(key);
        return targets.find((target) => eligible.has(target)) ?? null;
      },
    }),
  });
  const config = configOf();
  const rig = new Rig();
  rig.edge.apply(buildSnapshot(config, { ...rig.edge.snapshot, upstreams: registry }), 100);
  rig.connect(undefined, '192.0.2.7');
  expect(keys).toEqual(['from 192.0.2.7']);
});

test('sessions on a target that its source has no longer end; those on one that stays do not notice', async () => {
  const discovery = new Discovery();
  const config = configOf({ upstreams: { one: { targets: [A], balance: 'round_robin' } } });
  const rig = new Rig();
  const { edge, clock } = rig;
  edge.apply(buildSnapshot(config, { ...edge.snapshot, upstreams: discovery.registry }), 100);
  discovery.registry.start();
  new Reloads({
    edge,
    slices: new Slices({ now: () => clock.now(), nextTurn: (run) => setImmediate(run) }),
    listeners: new Listeners(edge, new Carrier('stream')),
    acme: { prepare: async () => ({ commit() {} }) },
    source: null,
    baseDir: '.',
    name: 'config',
    isRestarting: () => false,
    openFiles: 1_000,
    onApplied() {},
  });
  discovery.source.finds('x', 'y');
  for (const at of [0, 1, 2]) {
    rig.connect();
    await rig.switchBackend(at);
    await rig.until(() => edge.sessions.size === at + 1);
  }
  discovery.source.finds('y');
  const ends = [...edge.sessions].map(({ target, session }) => [target.name, session.cause]);
  expect(ends).toEqual([
    ['a', null],
    ['x', 'target_removed'],
    ['y', null],
  ]);
  expect(['a', 'y'].map((name) => discovery.target(name).sessions)).toEqual([1, 1]);
  expect([...edge.metrics.targets()].map(({ name }) => name)).toEqual(['a', 'y']);
  rig.connect();
  await rig.switchBackend(3);
  await rig.until(() => edge.sessions.size === 4);
  expect([...edge.sessions].at(-1)?.target.name).toBe('a');
});
