import { describe, expect, test } from 'vitest';
import { TimedCache } from '../../src/limits/timed-cache.ts';

describe('timed cache', () => {
  test('an entry holds before its time, and not at it', () => {
    const cache = new TimedCache<string>(10);
    cache.set('a', 'x', 100);
    expect(cache.get('a', 99)).toBe('x');
    expect(cache.get('a', 100)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  test('over its bound who was asked for least recently goes', () => {
    const cache = new TimedCache<number>(2);
    cache.set('a', 1, 100);
    cache.set('b', 2, 100);
    expect(cache.get('a', 0)).toBe(1);
    cache.set('c', 3, 100);
    expect([cache.get('a', 0), cache.get('b', 0), cache.get('c', 0)]).toEqual([1, undefined, 3]);
    // One that is there already pushes nobody out.
    cache.set('c', 4, 100);
    expect([cache.size, cache.get('a', 0), cache.get('c', 0)]).toEqual([2, 1, 4]);
  });

  test('over their weight together the same goes, and one that is too heavy alone is not kept', () => {
    const cache = new TimedCache<number>(10, 100);
    cache.set('a', 1, 100, 50);
    cache.set('b', 2, 100, 50);
    expect([cache.size, cache.get('a', 0)]).toEqual([2, 1]);
    cache.set('c', 3, 100, 1);
    expect([cache.get('a', 0), cache.get('b', 0), cache.get('c', 0)]).toEqual([1, undefined, 3]);
    cache.set('d', 4, 100, 101);
    cache.set('a', 5, 100, 99);
    expect([cache.get('d', 0), cache.get('a', 0), cache.get('c', 0)]).toEqual([undefined, 5, 3]);
    // What has gone weighs nothing.
    expect(cache.get('a', 100)).toBeUndefined();
    cache.deleteWhere(() => true);
    cache.set('e', 6, 100, 100);
    cache.clear();
    cache.set('f', 7, 100, 60);
    cache.set('g', 8, 100, 40);
    expect([cache.get('f', 0), cache.get('g', 0)]).toEqual([7, 8]);
  });

  test('what fits is forgotten, or all of it', () => {
    const cache = new TimedCache<number>(10);
    for (const n of [1, 2, 3]) cache.set(`k${n}`, n, 100);
    cache.deleteWhere((value, key) => value === 1 || key === 'k2');
    expect([cache.size, cache.get('k3', 0)]).toEqual([1, 3]);
    cache.clear();
    expect(cache.size).toBe(0);
  });
});
