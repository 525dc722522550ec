// Who counts as one client, and which of them are one network.

import { isIPv6 } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientKeyOf, networkKeyOf } from '../../../src/protocol/addresses/client-key.ts';

describe('the key of a client', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['64:ff9b::192.0.2.1', '192.0.2.1'],
    ['64:ff9b::c000:201', '192.0.2.1'],
    ['64:ff9b:1::192.0.2.1', '64:ff9b:1:0::/64'],
    ['::fffe:192.0.2.1', '0:0:0:0::/64'],
  ])('%s is %s', (address, key) => {
    expect(clientKeyOf(address)).toBe(key);
  });

  test.each([
    '',
    'unix',
    '/run/x.sock',
    ':',
    '1::2::3',
    '1:2:3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    'g::1',
    'a.b.c.d',
    '::1.2.3',
  ])('%j is no address', (address) => {
    expect(clientKeyOf(address)).toBeNull();
  });

  test('RFC 5952: all spellings of an address have one key, that of its first 64 bits', () => {
    const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
    const runs = fc.property(
      fc.array(group, { minLength: 8, maxLength: 8 }),
      fc.nat(7),
      fc.nat(8),
      (groups, from, to) => {
        const long = groups.map((value) => value.toString(16).padStart(4, '0').toUpperCase()).join(':');
        const short = groups.map((value) => value.toString(16));
        const zeros = groups.slice(from, to).length > 0 && groups.slice(from, to).every((value) => value === 0);
        const cut = zeros ? `${short.slice(0, from).join(':')}::${short.slice(to).join(':')}` : long;
        expect(isIPv6(cut)).toBe(true);
        expect(clientKeyOf(cut)).toBe(clientKeyOf(long));
        const other = [...groups.slice(0, 4), 1, 2, 3, 4].map((value) => value.toString(16)).join(':');
        if (!/^[0-9.]+$/.test(clientKeyOf(long) ?? '')) expect(clientKeyOf(other)).toBe(clientKeyOf(long));
      },
    );
    void fc.assert(runs, { numRuns: 500 });
  });

  test('whatever the text is, it never throws', () => {
    void fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(':', '.', '1', 'f', '%', '/', 'z'), maxLength: 40 }), (text) =>
        [clientKeyOf(text), networkKeyOf(text)].every((key) => key === null || key !== ''),
      ),
    );
  });
});

test.each([
  ['2001:db8:1:2::3', '2001:db8:1::/48'],
  ['::1', '0:0:0::/48'],
  ['192.0.2.1', null],
  ['::ffff:192.0.2.1', null],
])('%s is in %s', (address, network) => {
  expect(networkKeyOf(clientKeyOf(address) ?? '')).toBe(network);
});

test('who has no key is in no network', () => {
  expect(networkKeyOf('')).toBeNull();
});
