import { describe, expect, test } from 'vitest';
import { Random } from './random.ts';

const draw = (seed: number): number[] => {
  const random = new Random(seed);
  return Array.from({ length: 8 }, () => random.uint32());
};

describe('a seeded random', () => {
  test('repeats itself with the same seed and differs with another', () => {
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(0)).not.toEqual(draw(2 ** 31));
  });

  test('gives every case of a run a seed of its own', () => {
    const seeds = new Set(Array.from({ length: 10_000 }, (_, i) => Random.caseSeed(7, i)));
    expect(seeds.size).toBeGreaterThan(9_990);
    expect(Random.caseSeed(7, 0)).not.toBe(Random.caseSeed(8, 0));
  });

  test('reaches both ends of a range and nothing beyond', () => {
    const random = new Random(3);
    const seen = new Set(Array.from({ length: 1_000 }, () => random.between(-1, 2)));
    expect([...seen].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2]);
    expect(random.between(5, 5)).toBe(5);
  });

  test('picks every item, and nothing from an empty list', () => {
    const random = new Random(4);
    expect(new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b', 'c'])))).toEqual(new Set(['a', 'b', 'c']));
    expect(() => random.pick([])).toThrow('nothing to pick from');
  });

  test('has chances from never to always', () => {
    const random = new Random(5);
    expect(Array.from({ length: 50 }, () => random.chance(0)).includes(true)).toBe(false);
    expect(Array.from({ length: 50 }, () => random.chance(1)).includes(false)).toBe(false);
  });

  test('fills buffers', () => {
    expect(new Random(6).bytes(0).length).toBe(0);
    expect(new Random(6).bytes(64)).toEqual(new Random(6).bytes(64));
    expect(new Set(new Random(6).bytes(4_096)).size).toBe(256);
  });
});
