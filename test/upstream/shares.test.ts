// Who gets how many: 4 targets of weights 1 to 4, 10 000 sessions, of which some end at random all the while. The seed
// is fixed: a fair draw is beyond 4 standard deviations, too, now and then.

import { describe, expect, test } from 'vitest';
import type { BalanceConfig } from '../../src/config/types.ts';
import type { BalanceKey, Balancer } from '../../src/upstream/balance/balancer.ts';
import { askedWith, type Box, balancer, box, everybody } from '../support/boxes.ts';
import { Random } from '../support/random.ts';

const WEIGHTS = [1, 2, 3, 4];
const TOTAL = 10;
const SESSIONS = 10_000;
const OPEN_MAX = 1_000;
const SEED = 20_261_130;
const ASKED = askedWith([]);

interface Counted extends Box {
  picked: number;
}

function run(of: Balancer<Box>, keyOf: (random: Random) => BalanceKey): readonly Counted[] {
  const random = new Random(SEED);
  const targets = WEIGHTS.map((weight) => ({ ...box(`${'abcd'[weight - 1]}`, weight), picked: 0 }));
  const open: Counted[] = [];
  for (let i = 0; i < SESSIONS; i += 1) {
    const picked = of.pick(targets, everybody, keyOf(random));
    const target = targets.find((one) => one === picked);
    if (target === undefined) throw new Error('nobody was picked');
    target.picked += 1;
    target.sessions += 1;
    open.push(target);
    while (open.length > OPEN_MAX || random.chance(0.3)) {
      const [ended] = open.splice(random.between(0, Math.max(0, open.length - 1)), 1);
      if (ended === undefined) break;
      ended.sessions -= 1;
    }
  }
  return targets;
}

describe.each<[string, BalanceConfig, 'sessions' | 'picked']>([
  // They make up for what ends, so what is open is even, and not what was picked.
  ['least_sessions', { kind: 'least_sessions' }, 'sessions'],
  ['the first choice of sticky', sticky(), 'sessions'],
  ['round_robin', { kind: 'round_robin' }, 'picked'],
])('%s', (_, balance, counted) => {
  test('is within 3 % of what the weights say', () => {
    const targets = run(balancer({ balance }), () => null);
    const total = targets.reduce((sum, target) => sum + target[counted], 0);
    expect(total).toBeGreaterThan(OPEN_MAX / 2);
    for (const target of targets) {
      const ideal = (total * target.weight) / TOTAL;
      expect(Math.abs(target[counted] - ideal) / ideal).toBeLessThan(0.03);
    }
  });
});

describe.each<[string, BalanceConfig]>([
  ['random_two', { kind: 'random_two' }],
  ['hash', { kind: 'hash', key: { kind: 'path' } }],
  ['source_ip', { kind: 'source_ip' }],
])('%s', (_, balance) => {
  test('is within 4 standard deviations of a fair draw', () => {
    const of = balancer({ balance }, new Random(SEED));
    const keyOf = (random: Random) => {
      const clientAddress = random.bytes(4).join('.');
      return of.keyOf?.({ ...ASKED, clientAddress, request: { ...ASKED.request, path: `/${clientAddress}` } }) ?? null;
    };
    for (const { picked, weight } of run(of, keyOf)) {
      const share = weight / TOTAL;
      const spread = Math.sqrt(SESSIONS * share * (1 - share));
      expect(Math.abs(picked - SESSIONS * share)).toBeLessThan(4 * spread);
    }
  });
});

function sticky(): BalanceConfig {
  const [path, secure, same_site] = ['/', 'auto', 'lax'] as const;
  return { kind: 'sticky', cookie: 'fg', path, max_age: null, secure, same_site, secret: null };
}
