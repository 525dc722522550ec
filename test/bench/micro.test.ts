// Every micro bench computes what it says, at least once; and one that does not is found out.

import { describe, expect, test } from 'vitest';
import * as auth from '../../bench/micro/auth-cases.ts';
import * as balance from '../../bench/micro/balance-cases.ts';
import * as handshake from '../../bench/micro/handshake-cases.ts';
import * as log from '../../bench/micro/log-cases.ts';
import type { MicroModule } from '../../bench/micro/micro-case.ts';
import * as relay from '../../bench/micro/relay-cases.ts';
import * as router from '../../bench/micro/router-cases.ts';
import { runCase } from '../../bench/micro/run-cases.ts';
import * as scanner from '../../bench/micro/scanner-cases.ts';
import * as wheel from '../../bench/micro/wheel-cases.ts';

const modules: Readonly<Record<string, MicroModule>> = { auth, balance, handshake, log, relay, router, scanner, wheel };

describe.each(Object.entries(modules))('%s', (_, module) => {
  test.each(module.cases())('$name', async (one) => {
    expect(await one.run()).toBe(one.expected);
    expect(await one.run()).toBe(one.expected);
    expect(one.operations).toBeGreaterThan(0);
  });
});

test('a case is measured in nanoseconds per operation and bytes a second', async () => {
  const one = { name: 'nothing', unit: 'loop', operations: 1000, bytes: 4000, expected: 499_500, run: sum };
  const result = await runCase(one, 5);
  expect(result.ns).toBeGreaterThan(0);
  expect(result.low).toBeLessThanOrEqual(result.ns);
  expect(result.high).toBeGreaterThanOrEqual(result.ns);
  expect(result.bytesPerSecond).toBeCloseTo(4e9 / result.ns, -3);
});

test('a case that is done later is measured with its waiting', async () => {
  const late = () => new Promise<number>((resolve) => setTimeout(resolve, 2, 1));
  const one = { name: 'late', unit: 'wait', operations: 1, bytes: 0, expected: 1, run: late };
  expect((await runCase(one, 20)).ns).toBeGreaterThan(1e6);
  await expect(runCase({ ...one, expected: 2 }, 5)).rejects.toThrow('late came to 1, expected 2');
});

test('a case that computes something else fails', async () => {
  const one = { name: 'wrong', unit: 'loop', operations: 1000, bytes: 0, expected: 1, run: sum };
  await expect(runCase(one, 5)).rejects.toThrow('wrong came to 499500, expected 1');
});

function sum(): number {
  let total = 0;
  for (let i = 0; i < 1000; i++) total += i;
  return total;
}
