// The texts of addresses: what is taken, what it means, and what is refused with which words.

import { describe, expect, test } from 'vitest';
import {
  parseBlock,
  parseHostLiteral,
  parseHostPattern,
  parseListenAddress,
  parseTargetUrl,
} from '../../src/config/addresses.ts';
import type { Parsed } from '../../src/config/units.ts';

function problem(parsed: Parsed<unknown>): string {
  return 'problem' in parsed ? parsed.problem : `no problem: ${JSON.stringify(parsed.value)}`;
}

describe('listener addresses', () => {
  test.each([
    ['127.0.0.1:8080', { kind: 'tcp', host: '127.0.0.1', port: 8080 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['LocalHost:1', { kind: 'tcp', host: 'localhost', port: 1 }],
    ['[::1]:8080', { kind: 'tcp', host: '::1', port: 8080 }],
    ['[FE80::1%eth0]:8080', { kind: 'tcp', host: 'fe80::1%eth0', port: 8080 }],
    [':65535', { kind: 'tcp', host: '', port: 65_535 }],
    ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['unix:x.sock', { kind: 'unix', path: 'x.sock' }],
    ['fd:3', { kind: 'fd', name: '3' }],
    ['fd:web.socket', { kind: 'fd', name: 'web.socket' }],
  ])('%s', (text, value) => {
    expect(parseListenAddress(text)).toEqual({ value });
  });

  test.each([
    ['8080', /^needs a colon before the port: ":8080"$/],
    ['localhost', /^needs a port/],
    ['[::1]', /^needs a port/],
    ['127.0.0.1:65536', /^a port is/],
    ['127.0.0.1:08', /^a port is/],
    ['127.0.0.1:', /^a port is/],
    ['127.0.0.1:80a', /^a port is/],
    ['127.0.0.1:-1', /^a port is/],
    ['::1:8080', /^an IPv6 address stands in brackets/],
    ['[::1:8080', /brackets/],
    ['[127.0.0.1]:80', /^"\[127\.0\.0\.1\]" is no IPv6 address$/],
    ['1.2.3:80', /^"1\.2\.3" is neither/],
    ['256.1.1.1:80', /^"256\.1\.1\.1" is neither/],
    ['a b:80', /^"a b" is neither/],
    ['a\0b:80', /^"a\\u0000b" is neither/],
    ['', /^needs a port/],
    ['unix:', /needs a path/],
    ['fd:', /fd:3 and up/],
    ['fd:2', /the first/],
    ['fd:03', /fd:3 and up/],
    ['fd:a:b', /fd:3 and up/],
    [`unix:/${'x'.repeat(107)}`, /at most 107 bytes/],
    ['unix:/a\0b', /neither NUL/],
    ['http://127.0.0.1:80', /brackets|neither/],
  ])('%j is refused', (text, words) => {
    expect(problem(parseListenAddress(text))).toMatch(words);
  });

  test('107 bytes are the longest path of a unix socket', () => {
    expect(parseListenAddress(`unix:/${'x'.repeat(106)}`)).toHaveProperty('value');
  });
});

describe('target URLs', () => {
  const tcp = { kind: 'tcp', host: '127.0.0.1', port: 9001, secure: false, base: '' };
  test.each([
    ['ws://127.0.0.1:9001', tcp],
    ['http://127.0.0.1:9001/', tcp],
    ['wss://Backend.Example', { kind: 'tcp', host: 'backend.example', port: 443, secure: true, base: '' }],
    ['https://backend.example/a/b', { kind: 'tcp', host: 'backend.example', port: 443, secure: true, base: '/a/b' }],
    ['ws://backend.example/a/', { kind: 'tcp', host: 'backend.example', port: 80, secure: false, base: '/a' }],
    ['ws://[::1]:9001/%41', { ...tcp, host: '::1', base: '/%41' }],
    ['ws+unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock', base: '' }],
    ['ws+unix:/run/x.sock:/base', { kind: 'unix', path: '/run/x.sock', base: '/base' }],
    ['ws+unix:///run/x.sock', { kind: 'unix', path: '/run/x.sock', base: '' }],
    ['builtin:echo', { kind: 'echo' }],
  ])('%s', (text, value) => {
    expect(parseTargetUrl(text)).toEqual({ value });
  });

  test.each([
    ['chat', /^expected a URL that begins with/],
    ['builtin:ecko', /^expected a URL/],
    ['localhost:9001', /^expected a URL .* or builtin:echo \(did you mean "ws:\/\/localhost:9001"\?\)$/],
    ['[::1]:9001/base', /\(did you mean "ws:\/\/\[::1\]:9001\/base"\?\)$/],
    ['localhost:90010', /^expected a URL .* or builtin:echo$/],
    ['localhost:9001?x', /^expected a URL .* or builtin:echo$/],
    ['ftp://a', /^unknown scheme/],
    ['WS://a', /^unknown scheme/],
    ['constructor://a', /^unknown scheme/],
    ['ws://user:secret@a', /no user name or password/],
    ['ws://user@a', /no user name or password/],
    ['ws://', /needs a host/],
    ['ws://:80', /needs a host/],
    ['ws://a:0', /port 0/],
    ['ws://a:65536', /^a port is/],
    ['ws://a?x=1', /no query/],
    ['ws://a/b?x', /no query/],
    ['ws://a/b#x', /RFC 6455 3/],
    ['ws://a\0b', /neither/],
    ['ws://a\r\nb', /neither/],
    ['ws://a b', /neither/],
    ['ws://a/..', /dot/],
    ['ws://a/%2e%2E/x', /dot/],
    ['ws://a/./x', /dot/],
    ['ws://a//x', /empty segments/],
    ['ws://a/x y', /escapes/],
    ['ws://a/%zz', /escapes/],
    ['ws://a\\b', /neither/],
    ['ws+unix:', /needs a path/],
    ['ws+unix:/x:base', /dot|escapes/],
    ['ws+unix:/x:/a?b', /no query/],
  ])('%j is refused', (text, words) => {
    expect(problem(parseTargetUrl(text))).toMatch(words);
  });

  test('without a scheme it was meant as one of the place where it stands', () => {
    expect(problem(parseTargetUrl('localhost:3000', 'http'))).toMatch(/\(did you mean "http:\/\/localhost:3000"\?\)$/);
  });
});

describe('hosts of routes', () => {
  test.each([
    ['chat.example.com', 'chat.example.com'],
    ['Chat.Example.COM.', 'chat.example.com'],
    ['*.Example.com', '*.example.com'],
    ['localhost', 'localhost'],
    ['127.0.0.1', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['xn--nxasmq6b', 'xn--nxasmq6b'],
  ])('%s', (text, value) => {
    expect(parseHostPattern(text)).toEqual({ value });
  });

  test.each([
    ['*', /leave hosts out/],
    ['a:80', /port of Host is ignored/],
    ['[::1]:80', /port of Host is ignored/],
    ['::1', /brackets/],
    ['a.*.com', /only stand at the beginning/],
    ['*a.com', /only stand at the beginning/],
    ['*.*.com', /only stand at the beginning/],
    ['*.127.0.0.1', /no host name/],
    ['*.', /only stand at the beginning/],
    ['', /no host name/],
    ['a..b', /no host name/],
    ['-a.com', /no host name/],
    ['münchen.de', /xn--/],
    ['a/b', /no host name/],
    [`${'a'.repeat(64)}.com`, /no host name/],
  ])('%j is refused', (text, words) => {
    expect(problem(parseHostPattern(text))).toMatch(words);
  });
});

test.each(['backend.example', 'backend.example:8443', '[::1]:80', '10.0.0.1'])('%s can be a literal Host', (text) => {
  expect(parseHostLiteral(text)).toEqual({ value: text });
});

test.each(['a\r\nX: y', 'a b', '', ':80', 'a:99999', 'http://a'])('%j cannot be a literal Host', (text) => {
  expect(problem(parseHostLiteral(text))).not.toMatch(/^no problem/);
});

describe('address blocks', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['127.0.0.1', '127.0.0.1/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['255.255.255.254/31', '255.255.255.254/31'],
    ['FD00::/8', 'fd00::/8'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
    ['2001:db8::1:0/112', '2001:db8::1:0/112'],
    ['64:ff9b::1.2.3.4/128', '64:ff9b::1.2.3.4/128'],
  ])('%s', (text, value) => {
    expect(parseBlock(text)).toEqual({ value });
  });

  test.each([
    ['10.0.0.0/33', /from 0 to 32/],
    ['::/129', /from 0 to 128/],
    ['10.0.0.0/', /from 0 to 32/],
    ['10.0.0.0/08', /from 0 to 32/],
    ['10.0.0.0/-1', /from 0 to 32/],
    ['10.0.0.0/8/8', /^expected an address block/],
    ['10.0.0/8', /^expected an address block/],
    ['010.0.0.0/8', /^expected an address block/],
    ['localhost', /^expected an address block/],
    ['', /^expected an address block/],
    ['10.0.0.1/8', /bits behind the prefix \/8 are set/],
    ['fd00::1/64', /bits behind the prefix \/64 are set/],
    ['::ffff:10.0.0.0/104', /write the block as IPv4/],
    ['fe80::1%eth0', /no zone/],
  ])('%j is refused', (text, words) => {
    expect(problem(parseBlock(text))).toMatch(words);
  });
});
