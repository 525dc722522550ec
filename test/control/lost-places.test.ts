// Sessions whose target is gone: who is closed, and at which pace. On a fake clock.

import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { LostPlaces } from '../../src/control/lost-places.ts';
import { Operations } from '../../src/control/operations.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import type { SessionRecord } from '../../src/edge/session-record.ts';
import { Slices } from '../../src/limits/slices.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { UpstreamRegistry } from '../../src/upstream/registry.ts';
import { Rig } from '../edge/rig.ts';
import { FakeSource } from '../support/fake-source.ts';
import { upstreamMeans } from '../support/upstreams.ts';
import { upgradeRequest } from '../support/wire.ts';

type UpstreamInput = NonNullable<ConfigInput['upstreams']>[string];

class World {
  readonly rig = new Rig({}, 1_000);
  readonly sources = new Map<string, FakeSource>();
  readonly lostPlaces: LostPlaces;
  /** All that there ever were. */
  private readonly records: SessionRecord[] = [];
  private readonly registry: UpstreamRegistry;

  constructor(upstreams: Readonly<Record<string, UpstreamInput>>) {
    const { edge, clock, wheel } = this.rig;
    this.registry = new UpstreamRegistry(upstreamMeans({ clock, wheel, log: edge.log, dialer: this.rig.dialer }), {
      sourcesOf: ({ name }) => {
        const source = this.sources.get(name) ?? new FakeSource(name, [], null);
        this.sources.set(name, source);
        return [source];
      },
    });
    this.apply(upstreams);
    this.registry.start();
    const slices = new Slices({ now: () => clock.now(), nextTurn: (run) => setImmediate(run) });
    this.lostPlaces = new LostPlaces(edge, slices);
  }

  apply(upstreams: Readonly<Record<string, UpstreamInput>>): void {
    const routes = Object.keys(upstreams).map((name) => ({ name, match: { path: `/${name}` }, upstream: name }));
    const discover = { file: { path: 'x' } };
    const all = Object.fromEntries(Object.entries(upstreams).map(([name, one]) => [name, { discover, ...one }]));
    const input = { listeners: [{ name: 'in' }], routes, upstreams: all, drain: { spread: '10s' } };
    const { config } = loadObject(input, { baseDir: '.' });
    const { edge } = this.rig;
    edge.apply(buildSnapshot(config, { ...edge.snapshot, upstreams: this.registry }), 1_000);
  }

  finds(upstream: string, ...names: readonly string[]): void {
    this.sources.get(upstream)?.finds(...names);
  }

  async open(upstream: string, count: number): Promise<void> {
    const { rig } = this;
    for (let at = 0; at < count; at += 1) {
      const before = rig.edge.sessions.size;
      rig.connect(upgradeRequest({ path: `/${upstream}` }));
      await rig.until(() => rig.backends.length > 0 && (rig.backends.at(-1)?.receivedBytes ?? 0) > 0);
      await rig.switchBackend(rig.backends.length - 1);
      await rig.until(() => rig.edge.sessions.size === before + 1);
      this.records.push([...rig.edge.sessions].at(-1) as SessionRecord); // waited for
    }
  }

  /** Of the sessions on it: how many were told to end. */
  ending(upstream: string): number {
    return this.causes(upstream).filter((cause) => cause !== null).length;
  }

  causes(upstream: string): readonly unknown[] {
    return this.records.flatMap(({ facts, session }) => (facts.upstream === upstream ? [session.cause] : []));
  }

  pass(ms: number): void {
    for (let at = 0; at < ms; at += 100) this.rig.pass(100);
  }
}

const SPREAD = { drain: { spread: '4s' } } as const;

describe('a target that discovery has no longer', () => {
  test("its sessions end over its upstream's drain.spread; that of all is for those without", async () => {
    const world = new World({ one: SPREAD, two: {} });
    for (const name of ['one', 'two']) world.finds(name, 'x', 'y');
    for (const name of ['one', 'two']) await world.open(name, 8);
    for (const name of ['one', 'two']) world.finds(name, 'y');
    expect([world.ending('one'), world.ending('two')]).toEqual([1, 1]);
    world.pass(4_000);
    expect(world.ending('one')).toBe(4);
    expect(world.ending('two')).toBeLessThan(4);
    world.pass(6_000);
    expect(world.ending('two')).toBe(4);
    expect(new Set(world.causes('one'))).toEqual(new Set(['target_removed', null]));
  });

  test('a change elsewhere, or of the same upstream, does not begin its pace anew', async () => {
    const world = new World({ one: SPREAD, two: SPREAD });
    world.finds('one', 'x', 'y', 'z');
    world.finds('two', 'x', 'y');
    await world.open('one', 12);
    await world.open('two', 2);
    world.finds('one', 'y', 'z');
    for (let at = 0; at < 4; at += 1) {
      world.pass(1_000);
      world.finds('two', ...(at % 2 === 0 ? ['x'] : ['x', 'y']));
      if (at === 1) world.finds('one', 'z');
    }
    // All four of x; y began two seconds later.
    expect(world.ending('one')).toBeGreaterThanOrEqual(5);
    expect(world.ending('one')).toBeLessThan(8);
    world.pass(2_000);
    expect(world.ending('one')).toBe(8);
  });

  test('keep: nobody ends, nothing new goes there, and a later config may end them', async () => {
    const world = new World({ one: { ...SPREAD, on_gone: 'keep' } });
    world.finds('one', 'x', 'y');
    await world.open('one', 4);
    world.finds('one', 'y');
    world.pass(20_000);
    expect(world.causes('one')).toEqual([null, null, null, null]);
    await world.open('one', 2);
    expect([...world.rig.edge.sessions].slice(-2).map(({ target }) => target.name)).toEqual(['y', 'y']);
    world.apply({ one: { ...SPREAD, on_gone: 'drain' } });
    world.lostPlaces.letGo();
    world.pass(4_000);
    expect(world.ending('one')).toBe(2);
  });

  test('that comes back in between: those who had no turn yet stay', async () => {
    const world = new World({ one: SPREAD });
    world.finds('one', 'x', 'y');
    await world.open('one', 8);
    world.finds('one', 'y');
    world.pass(1_500);
    const ended = world.ending('one');
    world.finds('one', 'x', 'y');
    world.pass(20_000);
    expect([world.ending('one'), ended > 0 && ended < 4]).toEqual([ended, true]);
    world.finds('one', 'y');
    world.pass(4_000);
    expect(world.ending('one')).toBe(4);
  });

  test('a handshake that is under way there is refused, also where sessions stay', async () => {
    const world = new World({ one: { on_gone: 'keep' } });
    world.finds('one', 'x');
    const client = world.rig.connect(upgradeRequest({ path: '/one' }));
    await world.rig.until(() => (world.rig.backends[0]?.receivedBytes ?? 0) > 0);
    world.finds('one', 'y');
    await world.rig.switchBackend(0);
    expect(await world.rig.answer(client)).toContain('503');
    expect(world.rig.edge.sessions.size).toBe(0);
  });
});

describe('an operator who drains a target', () => {
  test("over its upstream's spread; mode keep: new sessions alone are kept away", async () => {
    const world = new World({ one: SPREAD, two: { drain: { mode: 'keep' } } });
    const operations = new Operations(world.rig.edge);
    for (const name of ['one', 'two']) {
      world.finds(name, 'x', 'y');
      await world.open(name, 8);
      expect(operations.drainTarget(name, 'x', true)).toBe(true);
    }
    world.pass(2_000);
    expect(world.ending('one')).toBeLessThan(4);
    world.pass(2_000);
    expect([world.ending('one'), new Set(world.causes('one'))]).toEqual([4, new Set(['target_drain', null])]);
    world.pass(20_000);
    expect(world.ending('two')).toBe(0);
    await world.open('two', 1);
    expect([...world.rig.edge.sessions].at(-1)?.target.name).toBe('y');
  });
});
