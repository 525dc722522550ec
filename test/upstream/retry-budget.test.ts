import { expect, test } from 'vitest';
import { RetryBudget } from '../../src/upstream/retry-budget.ts';

/** How many of `asked` retries it has at `now`. */
function taken(budget: RetryBudget, now: number, share: number, asked = 1_000): number {
  let count = 0;
  for (let at = 0; at < asked; at += 1) if (budget.take(now, share)) count += 1;
  return count;
}

test.each([
  [0, 0.2, 3],
  [15, 0.2, 3],
  [19, 0.2, 3],
  [20, 0.2, 4],
  [100, 0.29, 29],
  [100, 0, 3],
  [100, 1, 100],
  [0, Number.POSITIVE_INFINITY, 1_000],
])('of %i handshakes a share of %d, and at least 3, may be retries: %i', (handshakes, share, retries) => {
  const budget = new RetryBudget();
  for (let at = 0; at < handshakes; at += 1) budget.began(5_000);
  expect(taken(budget, 5_000, share)).toBe(retries);
});

test('handshakes and retries count for the present second and the nine before', () => {
  const budget = new RetryBudget();
  for (let at = 0; at < 100; at += 1) budget.began(1_000);
  expect(taken(budget, 1_999, 0.2)).toBe(20);
  expect(taken(budget, 10_999, 0.2)).toBe(0);
  // Both are forgotten, in the same step.
  expect(taken(budget, 11_000, 0.2)).toBe(3);
  expect(taken(budget, 20_999, 0.2)).toBe(0);
  expect(taken(budget, 21_000, 0.2)).toBe(3);
});

test('it slides: what is spent early comes back second by second', () => {
  const budget = new RetryBudget();
  for (let second = 0; second < 30; second += 1) {
    for (let at = 0; at < 100; at += 1) budget.began(second * 1_000);
    const most = second === 0 ? 20 : 200;
    expect(taken(budget, second * 1_000, 0.2)).toBeLessThanOrEqual(most);
  }
  // 1000 handshakes in ten seconds: 200 retries in any ten.
  const budgetAfter = taken(budget, 30_000, 0.2);
  expect(budgetAfter).toBeLessThanOrEqual(200);
});

test('a long silence forgets everything, whatever was there', () => {
  const budget = new RetryBudget();
  for (let at = 0; at < 100; at += 1) budget.began(0);
  expect(taken(budget, 1e9, 0.2)).toBe(3);
});
