import { describe, expect, test } from 'vitest';
import { QuotaUse, QuotaUses } from '../../src/limits/quota-uses.ts';

describe('what is used of a quota', () => {
  test('so many in a time, which runs from the first that is counted', () => {
    const use = new QuotaUse();
    const quota = { count: 2, every: 10_000 };
    expect(use.countOne(quota, 5_000)).toBe(0);
    expect(use.countOne(quota, 9_000)).toBe(0);
    expect(use.countOne(quota, 9_000)).toBe(6_000);
    expect(use.countOne(quota, 14_999)).toBe(1);
    expect(use.countOne(quota, 15_000)).toBe(0);
    expect(use.countOne(quota, 24_999)).toBe(0);
    expect(use.countOne(quota, 24_999)).toBe(1);
  });

  test('another number or time holds for what is counted already', () => {
    const use = new QuotaUse();
    use.countOne({ count: 5, every: 10_000 }, 0);
    expect(use.countOne({ count: 1, every: 10_000 }, 1_000)).toBe(9_000);
    expect(use.countOne({ count: 1, every: 3_000 }, 1_000)).toBe(2_000);
    expect(use.countOne({ count: 2, every: 10_000 }, 1_000)).toBe(0);
  });

  test('a rate lets twice as many come at once and one always; another rate forgets nothing', () => {
    const use = new QuotaUse();
    for (let n = 0; n < 4; n += 1) expect(use.takeOne(2, 0)).toBe(0);
    expect(use.takeOne(2, 0)).toBe(500);
    expect(use.takeOne(4, 0)).toBe(250);
    expect(use.takeOne(Number.POSITIVE_INFINITY, 0)).toBe(0);
    expect(use.takeOne(0.1, 0)).toBe(0);
    expect(use.takeOne(0.1, 0)).toBe(10_000);
  });

  test('what is in use stays while the table is full; what says nothing more goes, wherever it stands', () => {
    const uses = new QuotaUses(20);
    for (let n = 0; n < 20; n += 1) uses.of(`k${n}`, 0)?.countOne({ count: 5, every: n === 15 ? 1_000 : 9_000 }, 0);
    expect(uses.of('new', 999)).toBeNull();
    // It is found by the third try at the latest: each looks at the next eight.
    const tries = [1, 2, 3].map((n) => uses.of(`new${n}`, 1_000));
    expect(tries.filter((use) => use !== null)).toHaveLength(1);
    expect(uses.size).toBe(20);
    expect(uses.of('k0', 1_000)?.countOne({ count: 1, every: 9_000 }, 1_000)).toBe(8_000);
    uses.retune(21);
    expect(uses.of('newer', 1_000)).not.toBeNull();
    for (let n = 0; n < 4; n += 1) uses.of(`later${n}`, 9_000);
    expect(uses.size).toBeLessThan(6);
  });
});
