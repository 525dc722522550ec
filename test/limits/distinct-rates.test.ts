import { describe, expect, test } from 'vitest';
import { DistinctRates } from '../../src/limits/distinct-rates.ts';

describe('different things of a key in a minute', () => {
  test('so many and no more, each once; the first makes room when its minute is over', () => {
    const rates = new DistinctRates(3, 10);
    for (const [thing, at] of [
      [1, 0],
      [1, 10_000],
      [2, 20_000],
      [1, 25_000],
    ] as const)
      rates.note('a', thing, at);
    expect(rates.barredMs('a', 30_000)).toBe(0);
    rates.note('a', 3, 30_000);
    expect(rates.barredMs('a', 30_000)).toBe(30_000);
    expect(rates.barredMs('a', 59_999)).toBe(1);
    expect(rates.barredMs('a', 60_000)).toBe(0);
    rates.note('a', 4, 60_000);
    expect(rates.barredMs('a', 60_000)).toBe(20_000);
    expect(rates.barredMs('b', 60_000)).toBe(0);
  });

  test('what came over the limit counts, too: it takes until there is less', () => {
    const rates = new DistinctRates(2, 10);
    for (const thing of [1, 2, 3]) rates.note('a', thing, thing * 1_000);
    expect(rates.barredMs('a', 5_000)).toBe(57_000);
  });

  test('another limit holds from now on, with what came before; off forgets', () => {
    const rates = new DistinctRates(2, 10);
    rates.note('a', 1, 0);
    rates.retune(1);
    expect(rates.barredMs('a', 0)).toBe(60_000);
    rates.retune(2);
    expect(rates.barredMs('a', 0)).toBe(0);
    rates.retune(Number.POSITIVE_INFINITY);
    rates.note('a', 2, 0);
    rates.retune(1);
    expect(rates.barredMs('a', 0)).toBe(0);
  });

  test('over the bound the key that got something least recently goes; what says nothing more goes by itself', () => {
    const rates = new DistinctRates(1, 3);
    for (const key of ['a', 'b', 'c']) rates.note(key, 1, 0);
    rates.note('a', 2, 1);
    rates.note('d', 1, 1);
    expect(['a', 'b', 'c', 'd'].map((key) => rates.barredMs(key, 1) > 0)).toEqual([true, false, true, true]);
    expect(rates.size).toBe(3);
    rates.note('e', 1, 70_000);
    rates.note('e', 1, 70_000);
    expect(rates.size).toBe(1);
  });
});
