// Open sessions that are asked about again: when, how many at a time, and what an answer means for them.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { AuthMethod, AuthVerdict, Grant, Kept } from '../../../src/edge/auth/method.ts';
import { type Recheck, Rechecks } from '../../../src/edge/auth/rechecks.ts';
import { TimerWheel } from '../../../src/limits/timer-wheel.ts';
import type { AbortLike } from '../../../src/net/abort.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const KEPT: Kept = { kind: 'introspection', token: 't' };
const GRANT: Grant = {
  auth: 'm',
  identity: 'ann',
  key: null,
  entry: 'introspection',
  jti: null,
  issuedAt: null,
  expiresAt: 1_000,
  claims: null,
  forwarded: null,
  quota: null,
  kept: KEPT,
};

interface Asked {
  readonly signal: AbortLike;
  readonly answer: (verdict: AuthVerdict) => Promise<void>;
  readonly fail: (error: Error) => void;
}

class Bench {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock);
  readonly asked: Asked[] = [];
  readonly told: string[] = [];
  rules: AuthMethod['rechecks'] = { everyMs: 60_000, atOnce: 2 };
  random = () => 1;
  private readonly rechecks: Rechecks;

  constructor() {
    const recheck = (_kept: Kept, signal: AbortLike) =>
      new Promise<AuthVerdict>((resolve, reject) => {
        const answer = async (verdict: AuthVerdict): Promise<void> => {
          resolve(verdict);
          await nextTurn();
        };
        this.asked.push({ signal, answer, fail: reject });
      });
    // Enough of a method for who asks again.
    const get = (): AuthMethod => ({ rechecks: this.rules, recheck }) as Partial<AuthMethod> as AuthMethod;
    this.rechecks = new Rechecks({ clock: this.clock, wheel: this.wheel, random: () => this.random(), get });
  }

  open(name = 'one', grant = GRANT): Recheck {
    const recheck = this.rechecks.of(grant, {
      onRevoked: () => void this.told.push(`${name} revoked`),
      onGood: (until) => void this.told.push(`${name} good ${until}`),
      onFault: (error) => void this.told.push(`${name} ${String(error)}`),
    });
    if (recheck === null) throw new Error('it is kept');
    recheck.retune();
    return recheck;
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }
}

const good = (own: Partial<Grant> = {}): AuthVerdict => ({ kind: 'good', grant: { ...GRANT, ...own } });
const refused = (slug: 'unauthorized' | 'scope_missing' | 'too_many_handshakes_per_identity'): AuthVerdict => ({
  kind: 'refused',
  refusal: { slug },
});

test('it is asked about after three quarters of recheck at the earliest, and at recheck at the latest', async () => {
  for (const [random, ms] of [
    [0, 45_000],
    [1, 60_000],
  ] as const) {
    const bench = new Bench();
    bench.random = () => random;
    bench.open();
    bench.pass(ms - 50);
    expect(bench.asked.length).toBe(0);
    bench.pass(50);
    expect(bench.asked.length).toBe(1);
    await bench.asked[0]?.answer(good());
    bench.pass(ms - 50);
    expect(bench.asked.length).toBe(1);
    bench.pass(50);
    expect([bench.asked.length, bench.told]).toEqual([2, ['one good 1000']]);
  }
});

test('a bad answer ends it; none, and one that says only that there are too many, keep it', async () => {
  const answers: readonly (readonly [AuthVerdict, string[]])[] = [
    [good({ expiresAt: 9 }), ['one good 9']],
    [{ kind: 'unavailable', cause: 'x' }, []],
    [refused('too_many_handshakes_per_identity'), []],
    [{ kind: 'bad', cause: 'x' }, ['one revoked']],
    [refused('unauthorized'), ['one revoked']],
    [refused('scope_missing'), ['one revoked']],
    [good({ identity: 'bob' }), ['one revoked']],
    [good({ identity: null }), ['one revoked']],
  ];
  for (const [answer, told] of answers) {
    const bench = new Bench();
    bench.open();
    bench.pass(60_000);
    await bench.asked[0]?.answer(answer);
    expect(bench.told).toEqual(told);
    bench.pass(60_000);
    expect(bench.asked.length).toBe(told[0] === 'one revoked' ? 1 : 2);
  }
});

test('of one method a few at a time, in their order', async () => {
  const bench = new Bench();
  const all = ['a', 'b', 'c', 'd'].map((name) => bench.open(name));
  bench.pass(60_000);
  expect(bench.asked.length).toBe(2);
  all[2]?.stop();
  await bench.asked[0]?.answer(good());
  expect(bench.asked.length).toBe(3);
  await bench.asked[2]?.answer(good());
  await bench.asked[1]?.answer(good());
  expect([bench.asked.length, bench.told]).toEqual([3, ['a good 1000', 'd good 1000', 'b good 1000']]);
});

test('a session that has ended is not asked about, and nothing is waited for', async () => {
  const bench = new Bench();
  const [early, late] = [bench.open('early'), bench.open('late')];
  early.stop();
  bench.pass(60_000);
  expect(bench.asked.length).toBe(1);
  late.stop();
  expect(bench.asked[0]?.signal.aborted).toBe(true);
  await bench.asked[0]?.answer({ kind: 'bad', cause: 'x' });
  expect([bench.told, bench.wheel.size]).toEqual([[], 0]);
});

test('a reload may change how often, end it, and begin it again', async () => {
  const bench = new Bench();
  const recheck = bench.open();
  bench.rules = { everyMs: 10_000, atOnce: 1 };
  recheck.retune();
  bench.pass(10_000);
  expect(bench.asked.length).toBe(1);
  bench.rules = null;
  recheck.retune();
  await bench.asked[0]?.answer(good());
  expect(bench.wheel.size).toBe(0);
  bench.rules = { everyMs: 10_000, atOnce: 1 };
  recheck.retune();
  bench.pass(10_000);
  expect(bench.asked.length).toBe(2);
});

test('a fault of ours is told, and does not keep its place', async () => {
  const bench = new Bench();
  bench.rules = { everyMs: 60_000, atOnce: 1 };
  bench.open('a');
  bench.open('b');
  bench.pass(60_000);
  bench.asked[0]?.fail(new Error('ours'));
  await nextTurn();
  expect([bench.told, bench.asked.length]).toEqual([['a Error: ours'], 2]);
});

test('5000 sessions that came together do not ask together', () => {
  const bench = new Bench();
  bench.rules = { everyMs: 60_000, atOnce: 5_000 };
  let seed = 7;
  bench.random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  for (let at = 0; at < 5_000; at += 1) bench.open();
  bench.pass(44_950);
  expect(bench.asked.length).toBe(0);
  let most = 0;
  for (let second = 0; second < 15; second += 1) {
    const before = bench.asked.length;
    for (let tick = 0; tick < 20; tick += 1) bench.pass(50);
    most = Math.max(most, bench.asked.length - before);
  }
  bench.pass(100);
  expect(bench.asked.length).toBe(5_000);
  // A fifteenth is 333.
  expect(most).toBeLessThan(450);
});
