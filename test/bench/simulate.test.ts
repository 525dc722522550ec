// The simulation of a fleet: it loses nobody, repeats itself, and shows what its policies are for.

import { expect, test } from 'vitest';
import { Fleet, type Outcome, type Policy, type Scenario } from '../../bench/simulate/fleet.ts';
import { report } from '../../bench/simulate/report.ts';

const SMALL: Scenario = {
  proxies: 5,
  targets: 40,
  sessions: 4_000,
  batch: 4,
  everySeconds: 10,
  downSeconds: 5,
  backSeconds: 10,
  lifeSeconds: 600,
  seed: 1,
};

const STICKY = {
  kind: 'sticky',
  cookie: 'fg',
  path: '/',
  max_age: null,
  secure: 'off',
  same_site: 'lax',
  secret: null,
} as const;

const policy = (balance: Policy['balance'], slowStart = 0): Policy => ({
  name: balance.kind,
  balance,
  fallback: 'random_two',
  slowStart,
});

const ALL = [
  policy({ kind: 'least_sessions' }),
  policy({ kind: 'least_sessions' }, 20),
  policy({ kind: 'round_robin' }),
  policy({ kind: 'random_two' }),
  policy({ kind: 'hash', key: { kind: 'path' } }),
  policy(STICKY),
];

const run = (one: Policy, scenario: Partial<Scenario> = {}): Outcome => new Fleet({ ...SMALL, ...scenario }, one).run();

test.each(ALL)('$name, slow start $slowStart: all are back in the end, and the same seed gives the same', (one) => {
  const outcome = run(one);
  expect(outcome.open).toBe(SMALL.sessions);
  // Every target restarts once; who comes back to one that has not yet is closed again.
  expect(outcome.closed).toBeGreaterThan(SMALL.sessions / 2);
  expect(outcome.moved).toBeLessThanOrEqual(outcome.closed);
  expect(outcome.imbalance).toBeGreaterThanOrEqual(1);
  expect(outcome.worstImbalance).toBeGreaterThanOrEqual(outcome.imbalance * 0.99);
  expect(run(one)).toEqual(outcome);
});

test('where no target is away for long enough keys and cookies bring everybody back', () => {
  for (const one of ALL) {
    const { moved, closed } = run(one, { downSeconds: 0 });
    const isKept = one.balance.kind === 'hash' || one.balance.kind === 'sticky';
    expect(isKept ? moved : closed - moved).toBeLessThan(closed * (isKept ? 0.001 : 0.5));
  }
});

test('least_sessions is even, round_robin is calm', () => {
  const [least, , turns] = ALL.map((one) => run(one));
  expect(least?.imbalance).toBeLessThan(turns?.imbalance ?? 0);
  expect(least?.rush).toBeGreaterThan(turns?.rush ?? 0);
});

test('the report has a line for each policy, and says what to take', () => {
  const outcome = { worstImbalance: 2, closed: 200, moved: 100, reconnectsPeak: 5, open: 10 };
  const text = report(SMALL, [
    { policy: { ...policy({ kind: 'least_sessions' }), name: 'A' }, outcome: { ...outcome, imbalance: 1, rush: 9 } },
    { policy: { ...policy({ kind: 'least_sessions' }), name: 'B' }, outcome: { ...outcome, imbalance: 1.09, rush: 8 } },
    { policy: { ...policy({ kind: 'random_two' }), name: 'C' }, outcome: { ...outcome, imbalance: 1.5, rush: 1 } },
    { policy: { ...policy(STICKY), name: 'D' }, outcome: { ...outcome, imbalance: 1, rush: 0 } },
  ]);
  expect(text).toContain(
    '| C      |       1.50 |         2.00 | 50.0 % |             5.00 |                      1.00 |',
  );
  expect(text).toContain('**B**, the calmest within 10.0 % of the most even.');
  expect(text).toContain('bears no rush: C.');
});
