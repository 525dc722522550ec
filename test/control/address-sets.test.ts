import { expect, test } from 'vitest';
import { AddressSets } from '../../src/control/address-sets.ts';
import { atOnce } from '../../src/limits/slices.ts';
import { parseIp } from '../../src/protocol/addresses/ip-address.ts';
import { loaded } from '../config/loading.ts';

function listOf(text: string) {
  return loaded(`trusted_proxies: ${text}`).trusted_proxies;
}

test('equal lists are one set, also over a reload, and only those in use are kept', () => {
  const before = new AddressSets(new Map());
  const set = atOnce(before.of(listOf('[10.0.0.0/8]')));
  const other = atOnce(before.of(listOf('[192.0.2.0/24]')));
  expect(atOnce(before.of(listOf('[10.0.0.0/8]')))).toBe(set);
  expect(other).not.toBe(set);
  const after = new AddressSets(before.all);
  expect(atOnce(after.of(listOf('[10.0.0.0/8]')))).toBe(set);
  expect([...after.all.values()]).toEqual([set]);
});

test('a set has what its list names', () => {
  const set = atOnce(new AddressSets(new Map()).of(listOf('[unix, 10.0.0.0/8, "fd00::/8"]')));
  const has = (text: string) => {
    const address = parseIp(text);
    return address !== null && set.has(address);
  };
  expect(['10.1.2.3', 'fd00::1', '::ffff:10.1.2.3'].map(has)).toEqual([true, true, true]);
  expect(['11.0.0.0', 'fc00::1'].map(has)).toEqual([false, false]);
});
