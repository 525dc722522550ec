import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import { HandshakeSlots, type SlotClaim } from '../../src/edge/handshake-slots.ts';
import type { Snapshot } from '../../src/edge/snapshot.ts';
import { ProcessMetrics } from '../../src/observe/metrics.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { fromNothing } from '../support/auth.ts';

type Limits = NonNullable<ConfigInput['limits']>;
type Upstreams = NonNullable<ConfigInput['upstreams']>;

const targets = [{ url: 'ws://192.0.2.1:1' }];
const TWO: Upstreams = { a: { targets }, b: { targets } };

/** One route, to an upstream that is there: a URL would be one more. */
const routesTo = (upstreams: Upstreams) => [{ upstream: Object.keys(upstreams)[0] ?? '' }];

class Rig {
  now = 0;
  readonly counts = new ProcessMetrics();
  readonly slots: HandshakeSlots;
  /** Names of those whose turn came, and of those who were pushed out with a `!`, in order. */
  readonly told: string[] = [];
  readonly claims = new Map<string, SlotClaim>();
  snapshot: Snapshot;

  constructor(limits: Limits, upstreams: Upstreams = { a: { targets } }) {
    this.snapshot = buildSnapshot(
      loadObject({ limits, routes: routesTo(upstreams), upstreams }, { baseDir: '.' }).config,
      fromNothing(),
    );
    this.slots = new HandshakeSlots(this.snapshot.config.limits, this.counts, { now: () => this.now });
  }

  retune(limits: Limits, upstreams: Upstreams = { a: { targets } }): void {
    this.snapshot = buildSnapshot(
      loadObject({ limits, routes: routesTo(upstreams), upstreams }, { baseDir: '.' }).config,
      this.snapshot,
    );
    this.slots.retune(this.snapshot.config.limits);
  }

  upstream(name: string): Upstream {
    const upstream = this.snapshot.upstreams.get(name);
    if (upstream === undefined) throw new Error(`no upstream ${name}`);
    return upstream;
  }

  /** `who` is the key and something of its own, such as `x1`; true when it may go on, or why not at all. */
  ask(who: string, name = 'a', openMs = 15_000): boolean | string {
    const upstream = this.upstream(name);
    const key = who.slice(0, 1);
    const obstacle = this.slots.obstacleTo(upstream, key);
    if (obstacle !== null) return obstacle;
    const owner = {
      onTurn: () => void this.told.push(who),
      onPushedOut: () => void this.told.push(`${who}!`),
      onParked: () => {},
      onRefused: () => {},
    };
    const claim = this.slots.ask({ owner, upstream, key, openMs });
    this.claims.set(who, claim);
    return claim.state === 'open';
  }

  leave(who: string): void {
    const claim = this.claims.get(who);
    if (claim !== undefined) this.slots.leave(claim);
  }

  /** Who is told in the next turn of the loop. */
  async next(): Promise<string[]> {
    await nextTurn();
    return this.told.splice(0);
  }

  get figures(): [open: number, waiting: number] {
    return [this.counts.handshakesOpen, this.counts.handshakesWaiting];
  }
}

describe('above max_handshakes complete heads wait', () => {
  test('the cap, and one more; one that leaves makes room for the next, once', async () => {
    const rig = new Rig({ max_handshakes: 2 });
    expect([rig.ask('x1'), rig.ask('x2'), rig.ask('x3'), rig.ask('x4')]).toEqual([true, true, false, false]);
    expect(rig.figures).toEqual([2, 2]);
    rig.leave('x1');
    rig.leave('x1');
    expect(await rig.next()).toEqual(['x3']);
    expect(rig.figures).toEqual([2, 1]);
    rig.leave('x4');
    rig.leave('x2');
    expect(await rig.next()).toEqual([]);
    expect(rig.figures).toEqual([1, 0]);
  });

  test('clients take turns, and within one the oldest is first', async () => {
    const rig = new Rig({ max_handshakes: 1 });
    for (const who of ['x0', 'x1', 'x2', 'x3', 'y1', 'z1', 'y2']) rig.ask(who);
    const order: string[] = [];
    for (let who: string | undefined = 'x0'; who !== undefined; who = order.at(-1)) {
      rig.leave(who);
      const told = await rig.next();
      if (told.length === 0) break;
      order.push(...told);
    }
    expect(order).toEqual(['x1', 'y1', 'z1', 'x2', 'y2', 'x3']);
  });

  test('a newcomer does not pass by those who wait, not even before the next turn of the loop', async () => {
    const rig = new Rig({ max_handshakes: 1 });
    rig.ask('x1');
    rig.ask('x2');
    rig.leave('x1');
    expect(rig.ask('y1')).toBe(false);
    expect(await rig.next()).toEqual(['x2']);
  });

  test('once the oldest has waited for a third of timeouts.open, the last to come are first', async () => {
    const rig = new Rig({ max_handshakes: 1 });
    for (const who of ['x0', 'x1', 'y1', 'z1']) rig.ask(who, 'a', 3_000);
    rig.now = 1_001;
    rig.leave('x0');
    expect(await rig.next()).toEqual(['z1']);
  });

  test('with open: off that is after five seconds', async () => {
    const rig = new Rig({ max_handshakes: 1 });
    for (const who of ['x0', 'x1', 'y1']) rig.ask(who, 'a', Number.POSITIVE_INFINITY);
    rig.now = 5_001;
    rig.leave('x0');
    expect(await rig.next()).toEqual(['y1']);
  });

  test('a turn of the loop lets 16 go on, the next one the next', async () => {
    const rig = new Rig({ max_handshakes: 20 });
    for (let i = 0; i < 40; i += 1) rig.ask(`x${i}`);
    for (let i = 0; i < 20; i += 1) rig.leave(`x${i}`);
    expect(await rig.next()).toHaveLength(16);
    expect(await rig.next()).toHaveLength(4);
    expect(rig.figures).toEqual([20, 0]);
  });
});

describe('above max_waiting_handshakes', () => {
  test('one more of a client that has the most is refused; one of another takes the place of its newest', async () => {
    const rig = new Rig({ max_handshakes: 1, max_waiting_handshakes: 3 });
    for (const who of ['x0', 'x1', 'x2', 'x3']) rig.ask(who);
    expect(rig.ask('x4')).toBe('max_waiting_handshakes');
    expect(rig.ask('y1')).toBe(false);
    expect(rig.told.splice(0)).toEqual(['x3!']);
    expect(rig.figures).toEqual([1, 3]);
    // y has one and x two: y would not have less.
    expect(rig.ask('y2')).toBe('max_waiting_handshakes');
    rig.leave('x3');
    rig.leave('x0');
    expect(await rig.next()).toEqual(['x1']);
  });

  test('the waiting of one upstream keeps nobody from waiting for another', () => {
    const rig = new Rig({ max_handshakes: 2, max_waiting_handshakes: 4 }, TWO);
    for (const who of ['u', 'v', 'w', 'x', 'y']) rig.ask(who, 'a');
    expect(rig.figures).toEqual([1, 4]);
    expect(rig.ask('b', 'b')).toBe(true);
    expect(rig.ask('c', 'b')).toBe(false);
    expect(rig.told).toHaveLength(1);
    expect(rig.figures).toEqual([2, 4]);
  });

  test('0: nobody waits', () => {
    const rig = new Rig({ max_handshakes: 1, max_waiting_handshakes: 0 });
    expect([rig.ask('x1'), rig.ask('x2')]).toEqual([true, 'max_handshakes']);
  });

  test('off: everybody may', () => {
    const rig = new Rig({ max_handshakes: 1, max_waiting_handshakes: 'off' });
    for (let i = 0; i < 10_000; i += 1) expect(rig.ask(`x${i}`)).toBe(i === 0);
  });
});

describe('an upstream holds a share of max_handshakes', () => {
  test('three quarters; above it its own wait, and those of others pass them', async () => {
    const rig = new Rig({ max_handshakes: 4 }, TWO);
    expect(['u', 'v', 'w', 'x'].map((who) => rig.ask(who, 'a'))).toEqual([true, true, true, false]);
    expect(rig.ask('y', 'b')).toBe(true);
    rig.leave('y');
    expect(await rig.next()).toEqual([]);
    expect(rig.ask('z', 'b')).toBe(true);
    rig.leave('u');
    expect(await rig.next()).toEqual(['x']);
    expect(rig.upstream('a').handshakes).toBe(3);
  });

  test('all of them with one upstream', () => {
    const rig = new Rig({ max_handshakes: 4 });
    expect(['u', 'v', 'w', 'x', 'y'].map((who) => rig.ask(who))).toEqual([true, true, true, true, false]);
  });

  test.each<[number | string, number]>([
    [2, 2],
    ['50%', 2],
    ['1%', 1],
    ['100%', 4],
  ])('%s of four: %i', (share, most) => {
    const rig = new Rig({ max_handshakes: 4 }, { ...TWO, a: { targets, max_handshakes: share } });
    expect(['u', 'v', 'w', 'x'].filter((who) => rig.ask(who) === true)).toHaveLength(most);
  });

  test('a number holds with one upstream, too', () => {
    const rig = new Rig({ max_handshakes: 4 }, { a: { targets, max_handshakes: 1 } });
    expect([rig.ask('u'), rig.ask('v')]).toEqual([true, false]);
  });

  test('upstreams with room take turns', async () => {
    const rig = new Rig({ max_handshakes: 1 }, TWO);
    rig.ask('u0');
    for (const who of ['u1', 'v1', 'w1']) rig.ask(who, 'a');
    rig.ask('x1', 'b');
    rig.leave('u0');
    expect(await rig.next()).toEqual(['x1']);
    rig.leave('x1');
    expect(await rig.next()).toEqual(['u1']);
  });
});

describe('a reload', () => {
  test('more slots, in all or for one upstream: those who wait go on', async () => {
    const rig = new Rig({ max_handshakes: 4 }, TWO);
    for (const who of ['u', 'v', 'w', 'x', 'y']) rig.ask(who, 'a');
    expect(rig.figures).toEqual([3, 2]);
    rig.retune({ max_handshakes: 4 }, { ...TWO, a: { targets, max_handshakes: 4 } });
    expect(await rig.next()).toEqual(['x']);
    rig.retune({ max_handshakes: 8 }, TWO);
    expect(await rig.next()).toEqual(['y']);
  });

  test('fewer: who is under way stays, and nobody goes on until there is room', async () => {
    const rig = new Rig({ max_handshakes: 3 });
    for (const who of ['u', 'v', 'w', 'x']) rig.ask(who);
    rig.retune({ max_handshakes: 1 });
    rig.leave('u');
    rig.leave('v');
    expect(await rig.next()).toEqual([]);
    rig.leave('w');
    expect(await rig.next()).toEqual(['x']);
  });
});

test('whoever asks, leaves and waits: the caps hold, and nobody is lost', async () => {
  const rig = new Rig({ max_handshakes: 8, max_waiting_handshakes: 20 }, TWO);
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const refused = new Set<string>();
  for (let i = 0; i < 3_000; i += 1) {
    const who = `${'uvwxyz'.charAt(random(6))}${i}`;
    if (random(3) > 0) {
      if (typeof rig.ask(who, random(3) === 0 ? 'b' : 'a') === 'string') refused.add(who);
    } else {
      rig.leave([...rig.claims.keys()][random(rig.claims.size + 1)] ?? '');
    }
    rig.now += random(200);
    if (random(4) === 0) await nextTurn();
    for (const [name, claim] of rig.claims) if (claim.state === 'over') rig.claims.delete(name);
    const states = [...rig.claims.values()].map(({ state }) => state);
    const open = states.filter((state) => state === 'open').length;
    expect(rig.figures).toEqual([open, states.length - open]);
    expect(open).toBeLessThanOrEqual(8);
    expect(states.length - open).toBeLessThanOrEqual(20);
    expect(rig.upstream('a').handshakes + rig.upstream('b').handshakes).toBe(open);
    expect(Math.max(rig.upstream('a').handshakes, rig.upstream('b').handshakes)).toBeLessThanOrEqual(6);
  }
  for (let round = 0; round < 1_000 && rig.claims.size > 0; round += 1) {
    const open = [...rig.claims].find(([, { state }]) => state === 'open');
    // With nobody under way somebody's turn must come.
    if (open !== undefined) rig.leave(open[0]);
    if (open !== undefined) rig.claims.delete(open[0]);
    await nextTurn();
  }
  expect([rig.claims.size, ...rig.figures]).toEqual([0, 0, 0]);
});
