import { expect, test } from 'vitest';
import { DialRecord } from '../../src/upstream/dial-record.ts';

test('a target is failing from the first failure after a success until the next success', () => {
  const dials = new DialRecord();
  expect(dials.failingSince).toBeNull();
  dials.failed(1_000);
  dials.failed(2_000);
  expect(dials.failingSince).toBe(1_000);
  dials.succeeded(3_000);
  expect(dials.failingSince).toBeNull();
  dials.failed(4_000);
  expect(dials.failingSince).toBe(4_000);
});

test('it is down while there was a dial in the last 10 s and all of them failed', () => {
  const dials = new DialRecord();
  expect(dials.isDown(0)).toBe(false);
  dials.succeeded(0);
  dials.failed(5_000);
  // The one that succeeded was 9 999 ms ago, then 10 000.
  expect(dials.isDown(9_999)).toBe(false);
  expect(dials.isDown(10_000)).toBe(true);
  expect(dials.isDown(14_999)).toBe(true);
  // Without a dial for 10 s nobody knows: a balancer may try again.
  expect(dials.isDown(15_000)).toBe(false);
  expect(dials.failingSince).toBe(5_000);
  dials.failed(20_000);
  expect(dials.isDown(20_000)).toBe(true);
  dials.succeeded(20_001);
  expect(dials.isDown(20_001)).toBe(false);
});
