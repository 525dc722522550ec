// Sessions whose key left the config: who is closed, at which pace, and when that is too many. On a fake clock.

import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { EndedCheck, endedBy } from '../../src/control/ended-sessions.ts';
import { LostPlaces } from '../../src/control/lost-places.ts';
import { planSnapshot, type SnapshotPlan } from '../../src/control/snapshot.ts';
import type { SessionRecord } from '../../src/edge/session-record.ts';
import { atOnce, Slices } from '../../src/limits/slices.ts';
import { Rig } from '../edge/rig.ts';
import { configOf, open } from '../support/credentials.ts';

const SPREAD = { drain: { spread: '4s' } };
const BOTH = configOf({ acme: null, other: null }, {}, SPREAD);
const OTHER = configOf({ other: null }, {}, SPREAD);

class World {
  readonly rig = new Rig(BOTH, 1_000);
  readonly slices = new Slices({ now: () => this.rig.clock.now(), nextTurn: (run) => setImmediate(run) });
  readonly lostPlaces = new LostPlaces(this.rig.edge, this.slices);
  readonly records: SessionRecord[] = [];

  async open(name: string, count: number): Promise<void> {
    for (let at = 0; at < count; at += 1) this.records.push(await open(this.rig, name));
  }

  reload(config: typeof BOTH): void {
    this.rig.reload(config);
    this.lostPlaces.letGo();
  }

  causes(name: string): unknown[] {
    return this.records.flatMap(({ facts, session }) => (facts.identity === name ? [session.cause] : []));
  }

  ended(name: string): number {
    return this.causes(name).filter((cause) => cause !== null).length;
  }

  pass(ms: number): void {
    for (let at = 0; at < ms; at += 100) this.rig.pass(100);
  }
}

test('they end over drain.spread, and no other', async () => {
  const world = new World();
  await world.open('acme', 8);
  await world.open('other', 2);
  world.reload(OTHER);
  expect(world.ended('acme')).toBe(1);
  world.pass(2_000);
  expect(world.ended('acme')).toBeGreaterThan(2);
  expect(world.ended('acme')).toBeLessThan(7);
  world.pass(2_500);
  expect(new Set(world.causes('acme'))).toEqual(new Set(['credential_revoked']));
  expect(world.ended('other')).toBe(0);
});

test('a reload that brings the key back keeps those who had no turn yet', async () => {
  const world = new World();
  await world.open('acme', 8);
  world.reload(OTHER);
  world.pass(1_000);
  const ended = world.ended('acme');
  world.reload(BOTH);
  world.pass(10_000);
  expect([world.ended('acme'), ended < 8]).toEqual([ended, true]);
});

test('reload.max_ended counts them: 101 of 201 are too many at half, 100 never are', async () => {
  const world = new World();
  await world.open('acme', 100);
  await world.open('other', 1);
  const { edge } = world.rig;
  const count = (plan: SnapshotPlan) => endedBy(plan, edge, world.slices);
  const check = new EndedCheck({ edge, count, tryAgain: async () => undefined });
  const { config } = loadObject(OTHER as never, { baseDir: '.' });
  const refusal = () => check.refusal(atOnce(planSnapshot(config, edge.snapshot)), 0.5, false);
  expect(await refusal()).toBeNull();
  await world.open('acme', 1);
  expect(await refusal()).toContain('would end 101 of 102 open sessions');
  expect(await refusal()).toContain('credentials are gone');
});
