// Limits per address: exact per key, bounded in all, and no address forgotten while that would give it anything.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyedLimits, type KeyedLimitsOptions, KeyedVerdict, NO_KEY } from '../../src/limits/keyed-limits.ts';

const OFF = Number.POSITIVE_INFINITY;
const { Ok, Over, Full } = KeyedVerdict;

function table(options: Partial<KeyedLimitsOptions> = {}): KeyedLimits {
  return new KeyedLimits({ entriesMax: 100, sessionsMax: 2, handshakesPerSecond: 1, handshakeBurst: 2, ...options });
}

describe('sessions of one address', () => {
  test('up to the cap, not one more, and again after one ended', () => {
    const limits = table();
    expect([limits.acquire('a', 0), limits.acquire('a', 0), limits.acquire('a', 0)]).toEqual([Ok, Ok, Over]);
    expect(limits.acquire('b', 0)).toBe(Ok);
    expect(limits.sessionsOf('a')).toBe(2);
    limits.release('a', 0);
    expect([limits.acquire('a', 0), limits.acquire('a', 0)]).toEqual([Ok, Over]);
  });

  test('a release without a session changes nothing', () => {
    const limits = table();
    limits.release('a', 0);
    limits.acquire('a', 0);
    limits.release('a', 0);
    limits.release('a', 0);
    expect([limits.acquire('a', 0), limits.acquire('a', 0), limits.acquire('a', 0)]).toEqual([Ok, Ok, Over]);
  });

  test('an address whose last session ended with a full bucket is forgotten at once', () => {
    const limits = table();
    limits.acquire('a', 0);
    expect(limits.size).toBe(1);
    limits.release('a', 0);
    expect(limits.size).toBe(0);
  });
});

describe('handshakes of one address', () => {
  test('the burst, then the rate', () => {
    const limits = table();
    expect([0, 0, 0, 999, 1000, 1000].map((now) => limits.admit('a', now))).toEqual([Ok, Ok, Over, Over, Ok, Over]);
    expect(limits.admit('b', 1000)).toBe(Ok);
  });

  test('off: nothing is kept', () => {
    const limits = table({ handshakesPerSecond: OFF, handshakeBurst: OFF });
    for (let i = 0; i < 1000; i += 1) expect(limits.admit(`a${i}`, 0)).toBe(Ok);
    expect(limits.size).toBe(0);
  });

  test('peers without an address are never limited', () => {
    const limits = table({ entriesMax: 1 });
    for (let i = 0; i < 10; i += 1) expect([limits.admit(NO_KEY, 0), limits.acquire(NO_KEY, 0)]).toEqual([Ok, Ok]);
    limits.release(NO_KEY, 0);
    expect(limits.size).toBe(0);
  });
});

describe('the hard cap', () => {
  test('open sessions are never forgotten: a new address finds the table full, a known one does not', () => {
    const limits = table({ entriesMax: 3 });
    for (const key of ['a', 'b', 'c']) expect(limits.acquire(key, 0)).toBe(Ok);
    expect([limits.acquire('d', 0), limits.admit('d', 0)]).toEqual([Full, Full]);
    expect(limits.acquire('a', 0)).toBe(Ok);
    limits.release('b', 0);
    expect(limits.acquire('d', 0)).toBe(Ok);
    expect(limits.size).toBe(3);
  });

  test('a bucket that is not full is not forgotten, until the millisecond it is full', () => {
    const limits = table({ entriesMax: 2 });
    limits.admit('a', 0);
    limits.admit('b', 0);
    limits.admit('b', 0);
    expect(limits.admit('c', 999)).toBe(Full);
    expect(limits.admit('c', 1000)).toBe(Ok);
    expect(limits.size).toBe(2);
    expect(limits.admit('b', 1000)).toBe(Ok);
    expect(limits.admit('b', 1000)).toBe(Over);
  });

  test('a full bucket behind one that is not can be forgotten too', () => {
    const limits = table({ entriesMax: 2 });
    limits.admit('a', 0);
    limits.admit('a', 0);
    limits.admit('b', 0);
    expect(limits.admit('c', 1000)).toBe(Ok);
    expect(limits.admit('a', 1000)).toBe(Ok);
    expect(limits.admit('a', 1000)).toBe(Over);
  });

  test('after a flood of addresses the table shrinks again', () => {
    const limits = table({ entriesMax: 1000 });
    for (let i = 0; i < 1000; i += 1) limits.admit(`flood${i}`, 0);
    expect(limits.size).toBe(1000);
    for (let i = 0; i < 600; i += 1) limits.admit(`new${i}`, 10_000 + i);
    expect(limits.size).toBeLessThanOrEqual(600);
  });

  test('a session keeps its address out of the list of those to forget, and its end puts it back', () => {
    const limits = table({ entriesMax: 2 });
    limits.admit('a', 0);
    limits.acquire('a', 0);
    limits.admit('b', 0);
    expect(limits.admit('c', 5000)).toBe(Ok);
    expect(limits.admit('d', 5000)).toBe(Full);
    limits.release('a', 5000);
    expect(limits.admit('d', 5000)).toBe(Ok);
    expect(limits.size).toBe(2);
  });
});

describe('new limits', () => {
  test('a lowered cap ends no session, and holds for the next', () => {
    const limits = table({ sessionsMax: 5 });
    for (let i = 0; i < 4; i += 1) limits.acquire('a', 0);
    limits.retune({ entriesMax: 100, sessionsMax: 2, handshakesPerSecond: 1, handshakeBurst: 2 }, 0);
    expect(limits.sessionsOf('a')).toBe(4);
    expect(limits.acquire('a', 0)).toBe(Over);
    for (let i = 0; i < 3; i += 1) limits.release('a', 0);
    expect(limits.acquire('a', 0)).toBe(Ok);
  });

  test('what was used stays used', () => {
    const limits = table();
    limits.admit('a', 0);
    limits.admit('a', 0);
    for (let i = 0; i < 100; i += 1)
      limits.retune({ entriesMax: 100, sessionsMax: 2, handshakesPerSecond: 1, handshakeBurst: 5 }, 0);
    expect(limits.admit('a', 0)).toBe(Over);
    expect(limits.admit('a', 1000)).toBe(Ok);
  });

  test('a smaller table takes nobody new until it fits', () => {
    const limits = table({ handshakesPerSecond: OFF, handshakeBurst: OFF });
    for (let i = 0; i < 5; i += 1) limits.acquire(`a${i}`, 0);
    limits.retune({ entriesMax: 3, sessionsMax: 2, handshakesPerSecond: OFF, handshakeBurst: OFF }, 0);
    expect(limits.acquire('b', 0)).toBe(Full);
    for (let i = 0; i < 2; i += 1) limits.release(`a${i}`, 0);
    expect(limits.acquire('b', 0)).toBe(Full);
    limits.release('a2', 0);
    expect(limits.acquire('b', 0)).toBe(Ok);
  });
});

test('whatever happens, each address has what it may have and the table never outgrows its cap', () => {
  const action = fc.tuple(fc.constantFrom('admit', 'acquire', 'release', 'wait'), fc.nat(11));
  const runs = fc.property(
    fc.array(action, { maxLength: 300 }),
    fc.integer({ min: 1, max: 8 }),
    (actions, entriesMax) => {
      const limits = table({ entriesMax });
      const sessions = new Map<string, number>();
      const times = new Map<string, number[]>();
      let now = 0;
      for (const [what, number] of actions) {
        const key = `k${number}`;
        const open = sessions.get(key) ?? 0;
        if (what === 'wait') now += number * 100;
        else if (what === 'release' && open > 0) {
          limits.release(key, now);
          sessions.set(key, open - 1);
        } else if (what === 'acquire') {
          const verdict = limits.acquire(key, now);
          if (verdict === Ok) sessions.set(key, open + 1);
          expect(verdict === Over).toBe(open >= 2);
          if (open > 0) expect(verdict).not.toBe(Full);
        } else if (what === 'admit' && limits.admit(key, now) === Ok) {
          // At most burst + rate x window, in every window that ends now.
          const taken = [...(times.get(key) ?? []), now];
          times.set(key, taken);
          for (const [index, from] of taken.entries()) {
            expect(taken.length - index).toBeLessThanOrEqual(2 + (now - from) / 1000);
          }
        }
        expect(limits.size).toBeLessThanOrEqual(entriesMax);
        for (const [name, count] of sessions) expect(limits.sessionsOf(name)).toBe(count);
      }
    },
  );
  void fc.assert(runs, { numRuns: 300 });
});

test('a million addresses cost the same each: no operation looks at the whole table', () => {
  const limits = table({ entriesMax: 100_000, handshakesPerSecond: 0.001, handshakeBurst: 1 });
  for (let i = 0; i < 100_000; i += 1) limits.admit(`a${i}`, 0);
  let full = 0;
  for (let i = 0; i < 900_000; i += 1) if (limits.admit(`b${i}`, 1) === Full) full += 1;
  expect(full).toBe(900_000);
  expect(limits.size).toBe(100_000);
});
