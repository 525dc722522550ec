import { expect, test } from 'vitest';
import { persistsFor } from '../../src/protocol/persistence.ts';
import { answered } from './heads.ts';

const CASES: readonly (readonly [what: string, ms: number, ...fields: string[]])[] = [
  ['nothing', Number.POSITIVE_INFINITY],
  ['keep-alive', Number.POSITIVE_INFINITY, 'Connection: keep-alive'],
  ['close', 0, 'Connection: close'],
  ['close in another case, among others, in a second line', 0, 'Connection: x', 'connection: Keep-Alive , CLOSE'],
  ['an option whose name begins so', Number.POSITIVE_INFINITY, 'Connection: closed, x-close'],
  ['a time', 5_000, 'Connection: keep-alive', 'Keep-Alive: timeout=5, max=100'],
  ['two times', 3_000, 'Keep-Alive: timeout=5', 'keep-alive: max=1, Timeout = "3"'],
  ['no time', 0, 'Keep-Alive: timeout=0'],
  ['what is no time', Number.POSITIVE_INFINITY, 'Keep-Alive: timeout=-1, timeout=5s, xtimeout=5, timeout'],
];

test.each(CASES)('RFC 9112 9.3: a connection on which is said %s: %d ms', (_what, ms, ...fields) => {
  expect(persistsFor(answered(['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n')))).toBe(ms);
});

test('HTTP/1.0 does not go on, whatever it says', () => {
  expect(persistsFor(answered('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n'))).toBe(0);
});
