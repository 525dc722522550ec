// What is an address block, and which fault a text has that is none. The sentences about them are the config's.

import { expect, test } from 'vitest';
import { maskOf, parseCidr, prefixOf128 } from '../../../src/protocol/addresses/cidr.ts';
import { printIp } from '../../../src/protocol/addresses/ip-address.ts';

test.each([
  ['10.0.0.0/8', 4, '10.0.0.0', 8, 104],
  ['127.0.0.1', 4, '127.0.0.1', 32, 128],
  ['0.0.0.0/0', 4, '0.0.0.0', 0, 96],
  ['255.255.255.254/31', 4, '255.255.255.254', 31, 127],
  ['FD00::/8', 6, 'fd00::', 8, 8],
  ['::1', 6, '::1', 128, 128],
  ['::/0', 6, '::', 0, 0],
  ['::fffe:0:0/95', 6, '::fffe:0:0', 95, 95],
  ['2001:db8::1:0/112', 6, '2001:db8::1:0', 112, 112],
])('%s', (text, family, first, prefix, of128) => {
  const cidr = parseCidr(text);
  if ('fault' in cidr) throw new Error(cidr.fault);
  expect([cidr.address.family, printIp(cidr.address), cidr.prefix]).toEqual([family, first, prefix]);
  expect(prefixOf128(cidr)).toBe(of128);
});

test.each([
  ['10.0.0.0/33', { fault: 'prefix', bits: 32 }],
  ['::/129', { fault: 'prefix', bits: 128 }],
  ['10.0.0.0/', { fault: 'prefix', bits: 32 }],
  ['10.0.0.0/08', { fault: 'prefix', bits: 32 }],
  ['10.0.0.0/8/8', { fault: 'no_block' }],
  ['fe80::1%eth0/8/8', { fault: 'no_block' }],
  ['10.0.0/8', { fault: 'no_block' }],
  ['', { fault: 'no_block' }],
  ['fe80::%eth0/10', { fault: 'zone' }],
  ['::ffff:10.0.0.0/96', { fault: 'mapped' }],
  ['::ffff:10.0.0.0/95', { fault: 'bits_set', prefix: 95 }],
  ['10.0.0.1/8', { fault: 'bits_set', prefix: 8 }],
  ['128.0.0.0/0', { fault: 'bits_set', prefix: 0 }],
  ['0.0.0.1/31', { fault: 'bits_set', prefix: 31 }],
  ['8000::/0', { fault: 'bits_set', prefix: 0 }],
  ['0:0:0:1::/63', { fault: 'bits_set', prefix: 63 }],
])('%j: %j', (text, fault) => {
  expect(parseCidr(text)).toEqual(fault);
});

test.each([
  [0, [0, 0, 0, 0]],
  [1, [1 << 31, 0, 0, 0]],
  [31, [-2, 0, 0, 0]],
  [32, [-1, 0, 0, 0]],
  [33, [-1, 1 << 31, 0, 0]],
  [127, [-1, -1, -1, -2]],
  [128, [-1, -1, -1, -1]],
])('a prefix of %s bits', (prefix, words) => {
  expect([0, 1, 2, 3].map((index) => maskOf(prefix, index))).toEqual(words);
});
