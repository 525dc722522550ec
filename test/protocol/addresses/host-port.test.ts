// `host:port` taken apart and put together.

import { describe, expect, test } from 'vitest';
import {
  bracketed,
  hostPort,
  isPortLike,
  parsePort,
  reachable,
  splitHostPort,
  unbracketed,
} from '../../../src/protocol/addresses/host-port.ts';

describe('taken apart', () => {
  test.each([
    ['example.com', 'example.com', false, null],
    ['example.com:80', 'example.com', false, '80'],
    ['example.com:', 'example.com', false, ''],
    [':80', '', false, '80'],
    ['', '', false, null],
    ['[::1]', '::1', true, null],
    ['[::1]:80', '::1', true, '80'],
    ['[::1]:', '::1', true, ''],
    ['[]:80', '', true, '80'],
    ['[a]:80:90', 'a', true, '80:90'],
    ['[a]b', '[a]b', false, null],
    ['[a', '[a', false, null],
    ['[a:80', '[a', false, '80'],
  ])('%j', (text, host, isBracketed, port) => {
    expect(splitHostPort(text)).toEqual({ host, isBracketed, port });
  });

  test.each(['::1', '::1:80', '[::1', '[::1]x:80', 'a:80:90'])('%j: nobody knows which colon is which', (text) => {
    expect(splitHostPort(text)).toBeNull();
  });
});

test.each([
  ['0', 0],
  ['1', 1],
  ['65535', 65_535],
  ['65536', null],
  ['100000', null],
  ['080', null],
  ['', null],
  ['-1', null],
  ['+1', null],
  ['1 ', null],
  ['8o', null],
])('the port %j is %s', (text, port) => {
  expect(parsePort(text)).toBe(port);
});

test('five digits are like a port, six and none are not', () => {
  expect(['0', '99999', '100000', '', 'x', '1\n'].map(isPortLike)).toEqual([true, true, false, false, false, false]);
});

test('RFC 3986 3.2.2: an IPv6 address is put in brackets, and taken out of them', () => {
  expect(['::1', '127.0.0.1', 'a'].map(bracketed)).toEqual(['[::1]', '127.0.0.1', 'a']);
  expect(['[::1]', '::1', '[a', 'a]'].map(unbracketed)).toEqual(['::1', '::1', '[a', 'a]']);
  expect(hostPort({ host: '::1', port: 80 })).toBe('[::1]:80');
  expect(hostPort({ host: 'a', port: 80 })).toBe('a:80');
});

test.each([
  ['', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
  ['::1', '::1'],
  ['192.0.2.1', '192.0.2.1'],
])('what is bound to %j is dialed at %s', (host, dialed) => {
  expect(reachable({ host, port: 1 })).toEqual({ host: dialed, port: 1 });
});
