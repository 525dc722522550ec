import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseForwarded, TrustedProxies } from '../../src/edge/client-address.ts';
import { setOf } from '../protocol/addresses/sets.ts';

const PROXY = '10.0.0.1';

function trustedProxies(cidrs: readonly string[]): TrustedProxies {
  return new TrustedProxies(setOf(...cidrs), false);
}

function clientOf(...lines: readonly string[]): string {
  return trustedProxies(['10.0.0.0/8', 'fd00::/8', '192.0.2.7']).clientOf(PROXY, lines);
}

describe('trusted proxies', () => {
  test('are the addresses in the blocks, both edges included', () => {
    const trusted = trustedProxies(['10.1.0.0/16', '192.0.2.7', 'fd00::/8', '2001:db8::1/128']);
    for (const inside of ['10.1.0.0', '10.1.255.255', '192.0.2.7', 'fd00::', 'fdff:ffff::1', '2001:db8:0::1']) {
      expect(trusted.trusts(inside)).toBe(true);
    }
    for (const outside of ['10.0.255.255', '10.2.0.0', '192.0.2.6', '192.0.2.8', 'fc00::1', 'fe00::', '2001:db8::2']) {
      expect(trusted.trusts(outside)).toBe(false);
    }
  });

  test('no address is trusted without blocks, and nothing that is no address', () => {
    expect(trustedProxies([]).trusts('127.0.0.1')).toBe(false);
    for (const text of ['', 'localhost', '10.0.0', '10.0.0.1:80', '[fd00::1]']) {
      expect(trustedProxies(['0.0.0.0/0', '::/0']).trusts(text)).toBe(false);
    }
  });

  test('peers on unix sockets are where the list says so, and no text is taken for one', () => {
    const blocks = setOf('0.0.0.0/0', '::/0');
    expect(new TrustedProxies(blocks, false).trusts('')).toBe(false);
    expect(new TrustedProxies(blocks, true).trusts('')).toBe(true);
    const local = new TrustedProxies(setOf(), true);
    expect(local.trusts('127.0.0.1')).toBe(false);
    expect(local.clientOf('', ['192.0.2.9, 203.0.113.5'])).toBe('203.0.113.5');
    expect(local.clientOf('', ['unix', ''])).toBe('');
    expect(local.clientOf('', [])).toBe('');
  });

  test('everybody', () => {
    const trusted = trustedProxies(['0.0.0.0/0', '::/0']);
    for (const address of ['0.0.0.0', '255.255.255.255', '::', 'ffff::1']) expect(trusted.trusts(address)).toBe(true);
  });
});

describe('the address of the client', () => {
  test('X1: X-Forwarded-For of a peer that is not trusted is not looked at', () => {
    const trusted = trustedProxies(['10.0.0.0/8']);
    expect(trusted.clientOf('198.51.100.1', ['203.0.113.5'])).toBe('198.51.100.1');
    expect(trusted.clientOf('', ['203.0.113.5'])).toBe('');
    expect(trustedProxies([]).clientOf('10.0.0.1', ['203.0.113.5'])).toBe('10.0.0.1');
  });

  test('X2: is the rightmost entry that is not a trusted proxy', () => {
    expect(clientOf('203.0.113.5')).toBe('203.0.113.5');
    expect(clientOf('1.1.1.1, 203.0.113.5, 10.0.0.2')).toBe('203.0.113.5');
    expect(clientOf('1.1.1.1, 10.0.0.3, 203.0.113.5')).toBe('203.0.113.5');
  });

  test('X2: is the leftmost entry when all are trusted, and the peer when there is none', () => {
    expect(clientOf('10.0.0.4, 10.0.0.3,10.0.0.2')).toBe('10.0.0.4');
    expect(clientOf()).toBe(PROXY);
    expect(clientOf('')).toBe(PROXY);
    expect(clientOf(' , ,', ',')).toBe(PROXY);
  });

  test('X2: several lines are one list', () => {
    expect(clientOf('203.0.113.5', '10.0.0.2')).toBe('203.0.113.5');
    expect(clientOf('203.0.113.5, 10.0.0.3', '', '10.0.0.2')).toBe('203.0.113.5');
    expect(clientOf('1.1.1.1', '203.0.113.5')).toBe('203.0.113.5');
  });

  test('X2: the walk stops at what cannot be read, at the last address that could', () => {
    for (const garbage of [
      'unknown',
      '_obf',
      '_hidden',
      '"',
      '203.0.113.5 x',
      '203.0.113',
      '0x7f000001',
      '1.2.3.4.5',
    ]) {
      expect(clientOf(`203.0.113.9, ${garbage}, 10.0.0.2`)).toBe('10.0.0.2');
      expect(clientOf(`203.0.113.9, ${garbage}`)).toBe(PROXY);
    }
  });

  test('X2: 32 entries are walked, the 33rd is not', () => {
    const proxies = (count: number) => Array.from({ length: count }, () => '10.0.0.2').join(',');
    expect(clientOf(`203.0.113.5,${proxies(31)}`)).toBe('203.0.113.5');
    expect(clientOf(`203.0.113.5,${proxies(32)}`)).toBe('10.0.0.2');
    expect(clientOf('203.0.113.5', proxies(16), proxies(16))).toBe('10.0.0.2');
    expect(clientOf(`203.0.113.5${','.repeat(31)}`)).toBe('203.0.113.5');
    expect(clientOf(`203.0.113.5${','.repeat(32)}`)).toBe(PROXY);
    expect(clientOf(proxies(1_000))).toBe('10.0.0.2');
  });

  test('X2: never throws, and answers with an address', () => {
    const junk = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('10.0.0.2', '[fd00::1]:80', 'fe80::1%eth0', '::ffff:10.0.0.1', 'unknown', '%', '[', '[]', '[%]'),
    );
    fc.assert(
      fc.property(fc.array(fc.array(junk).map((parts) => parts.join(','))), (lines) => {
        expect(isIP(clientOf(...lines))).not.toBe(0);
      }),
    );
  });
});

describe('one entry of X-Forwarded-For', () => {
  test.each([
    ['203.0.113.5', '203.0.113.5'],
    ['203.0.113.5:4711', '203.0.113.5'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::ffff:203.0.113.5', '203.0.113.5'],
    ['::FFFF:cb00:7105', '203.0.113.5'],
    ['fe80::1%eth0', 'fe80::1'],
    ['[fe80::1%25eth0]:80', 'fe80::1'],
  ])('X2: %s is %s', (entry, address) => {
    expect(parseForwarded(entry)).toBe(address);
  });

  test.each([
    '',
    '203.0.113.256',
    '203.0.113',
    '203.0.113.5:',
    '203.0.113.5:123456',
    '203.0.113.5%eth0',
    '0203.0.113.5',
    '[203.0.113.5]',
    '[2001:db8::1',
    '[2001:db8::1]x',
    '[2001:db8::1]:',
    '2001:db8::1::2',
    '%eth0',
    'unknown',
    '_obf',
    'example.com',
    'for=203.0.113.5',
    '"203.0.113.5"',
    `fe80::1%${'e'.repeat(200)}`,
  ])('X2: "%s" is no address', (entry) => {
    expect(parseForwarded(entry)).toBeNull();
  });
});
