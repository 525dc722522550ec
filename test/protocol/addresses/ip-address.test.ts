// What is an address, and its one spelling: the same as the system's, which Node asks.

import { isIP, SocketAddress } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  familyOf,
  groupOf,
  parseIp,
  parseZonedIp,
  plainAddress,
  printIp,
} from '../../../src/protocol/addresses/ip-address.ts';
import { Random } from '../../support/random.ts';

function printed(text: string): string | null {
  const address = parseIp(text);
  return address === null ? null : printIp(address);
}

describe('RFC 5952: an address has one spelling', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8::0001', '2001:db8::1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:0:2:0:3:0:4:0', '1:0:2:0:3:0:4:0'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['::1.2.3.4', '::1.2.3.4'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::FFFF:cb00:7105', '203.0.113.5'],
    ['::fffe:1.2.3.4', '::fffe:102:304'],
  ])('%s is %s', (text, spelling) => {
    expect(printed(text)).toBe(spelling);
  });
});

test.each([
  '',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.04',
  '1..2.3',
  '.1.2.3',
  '1.2.3.',
  '1.2.3.4 ',
  '0x7f.0.0.1',
  '2130706433',
  ':',
  ':::',
  ':1',
  '1:',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  '::1:2:3:4:5:6:7:8',
  '1::2::3',
  '12345::',
  'g::',
  '::1.2.3',
  '::1.2.3.4:5',
  '1:2:3:4:5:6:7:1.2.3.4',
  '::ff.1.2.3',
  '1:2:3:4:5:6:.1.2.3',
  '[::1]',
  '::1/128',
  '::1%eth0',
])('RFC 4291 2.2: %j is no address', (text) => {
  expect(parseIp(text)).toBeNull();
});

test('the groups and the family of an address', () => {
  const groups = (text: string) => {
    const address = parseIp(text);
    return address && [address.family, ...Array.from({ length: 8 }, (_, index) => groupOf(address, index))];
  };
  expect(groups('1:2:3:4:5:6:7:ffff')).toEqual([6, 1, 2, 3, 4, 5, 6, 7, 0xffff]);
  expect(groups('255.254.2.1')).toEqual([4, 0, 0, 0, 0, 0, 0xffff, 0xfffe, 0x0201]);
  expect(groups('::ffff:255.254.2.1')).toEqual([6, 0, 0, 0, 0, 0, 0xffff, 0xfffe, 0x0201]);
});

test.each([
  ['::ffff:0.0.0.0', true],
  ['1.2.3.4', true],
  ['::fffe:1.2.3.4', false],
  ['::1:ffff:1.2.3.4', false],
  ['1::ffff:1.2.3.4', false],
  ['::1.2.3.4', false],
])('RFC 4291 2.5.5.2: %s is IPv4: %s', (text, isV4) => {
  expect(parseIp(text)?.isV4).toBe(isV4);
});

test('RFC 4007 11: a zone is dropped, and only IPv6 has one', () => {
  const zoned = (text: string) => {
    const address = parseZonedIp(text);
    return address && printIp(address);
  };
  expect(['fe80::1%eth0', 'fe80::1%', '::1', '1.2.3.4', '1.2.3.4%eth0', '%eth0'].map(zoned)).toEqual([
    'fe80::1',
    'fe80::1',
    '::1',
    '1.2.3.4',
    null,
    null,
  ]);
  expect(['fe80::1%eth0', 'fe80::1%', 'fe80::1%a%b', 'fe80::1%a b', '1.2.3.4%a'].map(familyOf)).toEqual([
    6, 0, 0, 0, 0,
  ]);
});

test.each([
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['10.1.2.3', '10.1.2.3'],
  ['::1', '::1'],
  ['2001:db8::ffff:1', '2001:db8::ffff:1'],
  ['', ''],
])('RFC 4291 2.5.5.2: a peer %j is written as "%s"', (address, expected) => {
  expect(plainAddress(address)).toBe(expected);
});

test('Node says the same of any text, and spells addresses alike', () => {
  const random = new Random(Date.now());
  const pieces = [
    '0',
    '1',
    'ffff',
    'FFFF',
    '00ab',
    '12345',
    'g',
    ':',
    ':',
    ':',
    '::',
    '.',
    '1.2.3.4',
    '255',
    '256',
    '01',
  ];
  const sample = () => {
    const text = Array.from({ length: random.between(1, 17) }, () => random.pick([...pieces, '%', '%a', 'f'])).join('');
    // Mostly addresses: groups, some of them zero, some of them cut out.
    const groups = Array.from({ length: 8 }, () => (random.chance(0.5) ? '0' : random.between(0, 0xffff).toString(16)));
    const from = random.between(0, 7);
    if (random.chance(0.3)) groups.splice(from, random.between(1, 8), from === 0 ? ':' : '');
    if (random.chance(0.2)) groups.splice(-2, 2, random.bytes(4).join('.'));
    const address = `${groups.join(':')}${groups.at(-1) === '' ? ':' : ''}`;
    return random.pick([text, address, address, random.bytes(random.between(3, 5)).join('.')]);
  };
  let addresses = 0;
  for (let i = 0; i < 20_000; i += 1) {
    const text = sample();
    const family = isIP(text);
    if (familyOf(text) !== family) expect.fail(`seed ${random.seed}: ${text} is of family ${family}`);
    if (family === 0 || text.includes('%')) continue;
    addresses += 1;
    const spelling = new SocketAddress({ address: text, family: family === 4 ? 'ipv4' : 'ipv6' }).address;
    const found = [printed(text), printed(spelling)];
    if (found.some((one) => one !== plainAddress(spelling))) expect.fail(`seed ${random.seed}: ${text} is ${spelling}`);
  }
  expect(addresses).toBeGreaterThan(5_000);
});
