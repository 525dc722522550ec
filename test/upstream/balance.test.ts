import { describe, expect, test } from 'vitest';
import { upstream as keys } from '../../src/config/keys/upstreams.ts';
import type { Balancer } from '../../src/upstream/balance/balancer.ts';
import { type Box, balancer, box, everybody, only } from '../support/boxes.ts';

function boxes(...weights: readonly number[]): Box[] {
  return weights.map((weight, i) => box('abcdef'[i] ?? '?', weight));
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
    const one = balancer({ balance: { kind: policy } });
    for (let i = 0; i < 10; i++) expect(one.pick(targets, only('c'), null)?.name).toBe('c');
    expect(one.pick(targets, only(), null)).toBeNull();
    expect(one.pick([], everybody, null)).toBeNull();
  });
});

/** By what is open and whose turn it is, never by chance. */
describe.each(['least_sessions', 'round_robin'] as const)('%s takes turns', (policy) => {
  test('equal targets share', () => {
    expect(turns(balancer({ balance: { kind: policy } }), boxes(1, 1, 1), 6)).toBe('abcabc');
    const targets = boxes(1, 1, 1);
    turns(balancer({ balance: { kind: policy } }), targets, 6, true);
    expect(targets.map((box) => box.sessions)).toEqual([2, 2, 2]);
  });

  test('shares are those of the weights, whether sessions stay or end at once', () => {
    for (const keep of [false, true]) {
      const names = turns(balancer({ balance: { kind: policy } }), boxes(5, 3, 2), 1_000, keep);
      const share = (name: string) => names.split(name).length - 1;
      expect([share('a'), share('b'), share('c')]).toEqual([500, 300, 200]);
    }
  });
});

describe('round_robin', () => {
  test('is smooth: 5, 1, 1 gives a a b a c a a', () => {
    expect(turns(balancer({ balance: { kind: 'round_robin' } }), boxes(5, 1, 1), 14)).toBe('aabacaaaabacaa');
  });

  test('does not look at sessions', () => {
    const targets = boxes(1, 1);
    for (const box of targets) box.sessions = box.name === 'a' ? 1_000 : 0;
    expect(turns(balancer({ balance: { kind: 'round_robin' } }), targets, 4)).toBe('abab');
  });

  test('a target that was away does not catch up', () => {
    const targets = boxes(1, 1);
    const one = balancer({ balance: { kind: 'round_robin' } });
    for (let i = 0; i < 100; i++) one.pick(targets, only('a'), null);
    expect(turns(one, targets, 6).replaceAll(/ab|ba/g, '')).toBe('');
  });
});

describe('least_sessions', () => {
  test('picks the fewest sessions', () => {
    const targets = boxes(1, 1, 1);
    for (const [i, box] of targets.entries()) box.sessions = [2, 1, 3][i] ?? 0;
    const names = turns(balancer({ balance: { kind: 'least_sessions' } }), targets, 6, true);
    // b is alone at 1, then a and b are level at 2, then all three at 3.
    expect(names[0]).toBe('b');
    expect(names.slice(1, 3)).toMatch(/ab|ba/);
    expect([...names.slice(3)].sort().join('')).toBe('abc');
  });

  test('sessions are counted by weight: 4 of weight 4 and 1 of weight 1 are level', () => {
    const targets = boxes(4, 1);
    for (const box of targets) box.sessions = box.weight;
    const one = balancer({ balance: { kind: 'least_sessions' } });
    expect(turns(one, targets, 5, true).split('').sort().join('')).toBe('aaaab');
    for (const box of targets) box.sessions = box.name === 'a' ? 3 : 1;
    expect(one.pick(targets, everybody, null)?.name).toBe('a');
    for (const box of targets) box.sessions = box.name === 'a' ? 5 : 1;
    expect(one.pick(targets, everybody, null)?.name).toBe('b');
  });

  test('fills up a target that comes back empty', () => {
    const targets = boxes(1, 1);
    for (const box of targets) box.sessions = box.name === 'a' ? 3 : 0;
    expect(turns(balancer({ balance: { kind: 'least_sessions' } }), targets, 3, true)).toBe('bbb');
  });
});

describe('random_two', () => {
  const balance = { kind: 'random_two' } as const;

  test('of two it takes the one with fewer sessions by weight, and the first drawn when they are level', () => {
    const targets = boxes(1, 4);
    const one = balancer({ balance });
    for (const box of targets) box.sessions = box.name === 'a' ? 2 : 7;
    expect(turns(one, targets, 50)).toBe('b'.repeat(50));
    for (const box of targets) box.sessions = box.name === 'a' ? 2 : 9;
    expect(turns(one, targets, 50)).toBe('a'.repeat(50));
    for (const box of targets) box.sessions = 2 * box.weight;
    expect(new Set(turns(one, targets, 50))).toEqual(new Set('ab'));
  });

  test('the fullest of three never has a session, the others share', () => {
    const targets = boxes(1, 1, 1);
    for (const [i, box] of targets.entries()) box.sessions = [0, 1, 2][i] ?? 0;
    const names = turns(balancer({ balance }), targets, 3_000);
    // a is drawn in two of three pairs.
    const ofA = names.split('a').length - 1;
    expect(Math.abs(ofA - 2_000)).toBeLessThan(4 * Math.sqrt((3_000 * 2) / 9));
    expect(names).not.toContain('c');
  });

  test('draws by weight: level targets get their share of sessions that end at once', () => {
    const targets = boxes(1, 2, 3, 4);
    const names = turns(balancer({ balance }), targets, 10_000);
    for (const { name, weight } of targets) {
      const share = weight / 10;
      const spread = Math.sqrt(10_000 * share * (1 - share));
      expect(Math.abs(names.split(name).length - 1 - 10_000 * share)).toBeLessThan(4 * spread);
    }
  });
});
