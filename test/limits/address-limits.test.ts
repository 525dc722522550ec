import { describe, expect, test } from 'vitest';
import { AddressLimits } from '../../src/limits/address-limits.ts';
import { type KeyedLimitsOptions, KeyedVerdict } from '../../src/limits/keyed-limits.ts';

const { Ok, Over } = KeyedVerdict;
const OPTIONS = { entriesMax: 1_000, sessionsMax: 2, handshakesPerSecond: 1, handshakeBurst: 2 };
/** A client that is number `subnet` of a network; keys without a slash are in none. */
const inside = (subnet: number, network = 'net1') => `${network}/${subnet}`;
const networkOf = (key: string) => (key.includes('/') ? (key.split('/')[0] ?? null) : null);
const limitsOf = (options: KeyedLimitsOptions) => new AddressLimits(options, networkOf);

describe('a /48 may have what eight of its /64 may', () => {
  test('sessions: the cap of each, and of all', () => {
    const limits = limitsOf(OPTIONS);
    const verdicts = Array.from({ length: 9 }, (_, i) => [
      limits.acquire(inside(i), 0),
      limits.acquire(inside(i), 0),
      limits.acquire(inside(i), 0),
    ]);
    expect(verdicts).toEqual([...Array.from({ length: 8 }, () => [Ok, Ok, Over]), [Over, Over, Over]]);
    expect(limits.acquire(inside(1, 'net2'), 0)).toBe(Ok);
    limits.release(inside(0), 0);
    // What the network refused was not counted for its client.
    expect([limits.acquire(inside(8), 0), limits.acquire(inside(8), 0)]).toEqual([Ok, Over]);
  });

  test('handshakes: the rate of each, and of all', () => {
    const limits = limitsOf(OPTIONS);
    for (let i = 0; i < 8; i += 1) {
      expect([0, 1, 2].map(() => limits.admit(inside(i), 0))).toEqual([Ok, Ok, Over]);
    }
    expect(limits.admit(inside(8), 0)).toBe(Over);
    expect(limits.admit(inside(8), 125)).toBe(Ok);
  });

  test('IPv4 addresses have nothing in common', () => {
    const limits = limitsOf({ ...OPTIONS, sessionsMax: 1 });
    for (let i = 0; i < 100; i += 1) expect(limits.acquire(`192.0.2.${i}`, 0)).toBe(Ok);
  });

  test('a reload changes both', () => {
    const limits = limitsOf({ ...OPTIONS, sessionsMax: 1 });
    for (let i = 0; i < 8; i += 1) limits.acquire(inside(i), 0);
    expect(limits.acquire(inside(8), 0)).toBe(Over);
    limits.retune(OPTIONS, 0);
    expect([limits.acquire(inside(8), 0), limits.acquire(inside(0), 0)]).toEqual([Ok, Ok]);
  });

  test('off is off', () => {
    const limits = limitsOf({ ...OPTIONS, sessionsMax: Infinity, handshakesPerSecond: Infinity });
    for (let i = 0; i < 100; i += 1)
      expect([limits.acquire(inside(i), 0), limits.admit(inside(0), 0)]).toEqual([Ok, Ok]);
  });
});
