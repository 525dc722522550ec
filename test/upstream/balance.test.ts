import { describe, expect, test } from 'vitest';
import { upstream as keys } from '../../src/config/keys/upstreams.ts';
import type { PlainBalance } from '../../src/config/types.ts';
import type { Balancer } from '../../src/upstream/balance/balancer.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';

interface Box {
  readonly name: string;
  readonly weight: number;
  readonly weightNow: number;
  sessions: number;
}

const everybody = (): boolean => true;

function boxes(...weights: readonly number[]): Box[] {
  return weights.map((weight, i) => ({ name: 'abcdef'[i] ?? '?', weight, weightNow: weight, sessions: 0 }));
}

function balancer(policy: PlainBalance): Balancer<Box> {
  return balancerOf<Box>({ balance: { kind: policy } });
}

/** The names picked in `count` turns; with `keep` each pick is one more session. */
function turns(of: Balancer<Box>, targets: Box[], count: number, keep = false): string {
  let names = '';
  for (let i = 0; i < count; i++) {
    const picked = of.pick(targets, everybody, null);
    names += picked?.name ?? '-';
    if (picked !== null && keep) picked.sessions += 1;
  }
  return names;
}

describe.each(keys.balance.words)('%s', (policy) => {
  test('picks only who is eligible, and nobody when nobody is', () => {
    const targets = boxes(1, 3, 1);
    const one = balancer(policy);
    for (let i = 0; i < 10; i++) expect(one.pick(targets, (box) => box.name === 'c', null)?.name).toBe('c');
    expect(one.pick(targets, () => false, null)).toBeNull();
    expect(one.pick([], everybody, null)).toBeNull();
  });
});

/** By what is open and whose turn it is, never by chance. */
describe.each(['least_sessions', 'round_robin'] as const)('%s takes turns', (policy) => {
  test('equal targets share', () => {
    expect(turns(balancer(policy), boxes(1, 1, 1), 6)).toBe('abcabc');
    const targets = boxes(1, 1, 1);
    turns(balancer(policy), targets, 6, true);
    expect(targets.map((box) => box.sessions)).toEqual([2, 2, 2]);
  });

  test('shares are those of the weights, whether sessions stay or end at once', () => {
    for (const keep of [false, true]) {
      const names = turns(balancer(policy), boxes(5, 3, 2), 1_000, keep);
      const share = (name: string) => names.split(name).length - 1;
      expect([share('a'), share('b'), share('c')]).toEqual([500, 300, 200]);
    }
  });
});

describe('round_robin', () => {
  test('is smooth: 5, 1, 1 gives a a b a c a a', () => {
    expect(turns(balancer('round_robin'), boxes(5, 1, 1), 14)).toBe('aabacaaaabacaa');
  });

  test('does not look at sessions', () => {
    const targets = boxes(1, 1);
    for (const box of targets) box.sessions = box.name === 'a' ? 1_000 : 0;
    expect(turns(balancer('round_robin'), targets, 4)).toBe('abab');
  });

  test('a target that was away does not catch up', () => {
    const targets = boxes(1, 1);
    const one = balancer('round_robin');
    for (let i = 0; i < 100; i++) one.pick(targets, (box) => box.name === 'a', null);
    expect(turns(one, targets, 6).replaceAll(/ab|ba/g, '')).toBe('');
  });
});

describe('least_sessions', () => {
  test('picks the fewest sessions', () => {
    const targets = boxes(1, 1, 1);
    for (const [i, box] of targets.entries()) box.sessions = [2, 1, 3][i] ?? 0;
    const names = turns(balancer('least_sessions'), targets, 6, true);
    // b is alone at 1, then a and b are level at 2, then all three at 3.
    expect(names[0]).toBe('b');
    expect(names.slice(1, 3)).toMatch(/ab|ba/);
    expect([...names.slice(3)].sort().join('')).toBe('abc');
  });

  test('sessions are counted by weight: 4 of weight 4 and 1 of weight 1 are level', () => {
    const targets = boxes(4, 1);
    for (const box of targets) box.sessions = box.weight;
    const one = balancer('least_sessions');
    expect(turns(one, targets, 5, true).split('').sort().join('')).toBe('aaaab');
    for (const box of targets) box.sessions = box.name === 'a' ? 3 : 1;
    expect(one.pick(targets, everybody, null)?.name).toBe('a');
    for (const box of targets) box.sessions = box.name === 'a' ? 5 : 1;
    expect(one.pick(targets, everybody, null)?.name).toBe('b');
  });

  test('fills up a target that comes back empty', () => {
    const targets = boxes(1, 1);
    for (const box of targets) box.sessions = box.name === 'a' ? 3 : 0;
    expect(turns(balancer('least_sessions'), targets, 3, true)).toBe('bbb');
  });
});
