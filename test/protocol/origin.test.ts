// Origins by RFC 6454 6.2, and lists of them: compared by scheme, host and port, on both sides of each.

import { describe, expect, test } from 'vitest';
import { OriginSet, parseOriginPattern, printOriginPattern } from '../../src/protocol/origin.ts';

const HOST = 'proxy.example';
const allows = (list: readonly string[], origin: string, host = HOST) => new OriginSet(list).allows(origin, host);

describe('a list', () => {
  const list = ['https://app.example.com', 'http://dev.example:3000', 'https://*.wild.example', 'app+x://localhost'];

  test.each([
    'https://app.example.com',
    'https://app.example.com:443',
    'HTTPS://App.Example.COM',
    'http://dev.example:3000',
    'https://a.wild.example',
    'https://a.b.wild.example',
    'https://a.b.wild.example:443',
    'app+x://localhost',
  ])('lets %s in', (origin) => {
    expect(allows(list, origin)).toBe(true);
  });

  test.each([
    'null',
    'NULL',
    '',
    ' ',
    'https://',
    '://app.example.com',
    'app.example.com',
    '//app.example.com',
    'https:app.example.com',
    'https:/app.example.com',
    'https:///app.example.com',
    'https://app.example.com.evil.com',
    'https://evilapp.example.com',
    'https://evil-app.example.com',
    'https://app.example.com.',
    'https://app.example.com..',
    'https://.app.example.com',
    'https://app.example.co',
    'https://app.example.comx',
    'https://appXexample.com',
    'https://app.example.com:444',
    'https://app.example.com:80',
    'https://app.example.com:0443',
    'https://app.example.com:',
    'https://app.example.com:443:443',
    'https://app.example.com:a',
    'https://app.example.com:65979',
    'http://app.example.com',
    'http://app.example.com:443',
    'wss://app.example.com',
    'xhttps://app.example.com',
    'https://app.example.com/',
    'https://app.example.com/x',
    'https://app.example.com?x',
    'https://app.example.com#x',
    'https://app.example.com\\x',
    'https://app.example.com%2e',
    'https://app.example.com ',
    ' https://app.example.com',
    'https://app.example.com https://app.example.com',
    'https://app.example.com, https://app.example.com',
    'https://evil.com@app.example.com',
    'https://app.example.com@evil.com',
    'https://evil.com/https://app.example.com',
    'https://[app.example.com]',
    'https://app.example.com\0',
    'https://аpp.example.com',
    'https://app。example.com',
    'http://dev.example',
    'http://dev.example:80',
    'http://dev.example:30000',
    'https://wild.example',
    'https://.wild.example',
    'https://a..wild.example',
    'https://awild.example',
    'https://a.wild.example.evil.com',
    'https://a.wild.example:8443',
    'https://a.wild.example.',
    'http://a.wild.example',
    'https://*.wild.example',
    'app+x://localhost:80',
    'http://localhost',
    '__proto__',
    'constructor://app.example.com',
  ])('refuses %j', (origin) => {
    expect(allows(list, origin)).toBe(false);
  });

  test('is not asked for more than an origin can hold', () => {
    const labels = Array.from({ length: 126 }, () => 'a').join('.');
    expect(allows([`https://*.${labels.slice(2)}`], `https://${labels}`)).toBe(true);
    expect(allows(list, `https://${'a.'.repeat(2_000)}wild.example`)).toBe(false);
    expect(allows(list, 'x'.repeat(4_096))).toBe(false);
    expect(allows(list, `https://app.example.com${' '.repeat(4_096)}`)).toBe(false);
  });

  test('an IPv6 address has one spelling', () => {
    const six = ['http://[::1]:3000'];
    expect(allows(six, 'http://[::1]:3000')).toBe(true);
    expect(allows(six, 'http://[0:0:0:0:0:0:0:1]:3000')).toBe(true);
    for (const origin of ['http://[::1]', 'http://::1:3000', 'http://[::2]:3000', 'http://[::1%25lo]:3000']) {
      expect(allows(six, origin), origin).toBe(false);
    }
  });

  test('null is let in where it stands in the list, and nowhere else', () => {
    expect(allows(['null'], 'null')).toBe(true);
    expect(allows(['null'], 'Null')).toBe(false);
    expect(allows(['same', 'https://null'], 'null', 'null')).toBe(false);
    expect(allows(['null'], 'https://null')).toBe(false);
  });

  test('an empty one lets no page in', () => {
    expect(allows([], 'https://app.example.com')).toBe(false);
  });
});

describe('same', () => {
  test.each([
    ['http://a.example', 'a.example'],
    ['http://a.example', 'A.example:80'],
    ['https://a.example', 'a.example'],
    ['https://a.example', 'a.example:443'],
    ['https://a.example:443', 'a.example'],
    ['https://a.example:8443', 'a.example:8443'],
    ['https://a.example.', 'a.example.'],
    ['http://[::1]:8080', '[::1]:8080'],
    ['http://[0::1]', '[::1]'],
  ])('is %s for Host %s', (origin, host) => {
    expect(allows(['same'], origin, host)).toBe(true);
  });

  test.each([
    ['https://a.example', 'b.example'],
    ['https://a.example', 'a.example:80'],
    ['http://a.example', 'a.example:443'],
    ['https://a.example:8443', 'a.example'],
    ['https://a.example', 'a.example:8443'],
    ['https://a.example', 'a.example.'],
    ['https://a.example.', 'a.example'],
    ['https://b.a.example', 'a.example'],
    ['https://a.example', ''],
    ['https://a.example', 'a.example, a.example'],
    ['app://a.example', 'a.example'],
    ['null', 'null'],
  ])('is not %s for Host %s', (origin, host) => {
    expect(allows(['same'], origin, host)).toBe(false);
  });
});

test.each([
  ['https://App.Example.com:443', 'https://app.example.com'],
  ['http://*.example.com:8080', 'http://*.example.com:8080'],
  ['http://[0::1]', 'http://[::1]'],
  ['chrome-extension://abcdefghijklmnop', 'chrome-extension://abcdefghijklmnop'],
])('an entry %s is written %s', (text, printed) => {
  const pattern = parseOriginPattern(text);
  expect(pattern === null ? null : printOriginPattern(pattern)).toBe(printed);
});

test.each(['https://*', 'https://**.a', 'https://a.*.b', 'https://*.[::1]', '*://a', 'https://*a.b', '*.a.b'])(
  'an entry %s is none',
  (text) => {
    expect(parseOriginPattern(text)).toBeNull();
  },
);
