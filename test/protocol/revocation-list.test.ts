// When the next revocation list is due.

import { expect, test } from 'vitest';
import { nextUpdateOf } from '../../src/protocol/revocation-list.ts';

const element = (tag: number, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content);
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const utc = (text: string) => element(0x17, Buffer.from(text));
const general = (text: string) => element(0x18, Buffer.from(text));
const VERSION = element(0x02, Buffer.from([1]));
const ALGORITHM = element(0x30, Buffer.alloc(10));
const ISSUER = element(0x30, Buffer.alloc(200));
const ENTRIES = element(0x30, Buffer.alloc(300));
const SIGNATURE = element(0x03, Buffer.alloc(70));

function listOf(...times: readonly Buffer[]): Buffer {
  return element(0x30, element(0x30, VERSION, ALGORITHM, ISSUER, ...times, ENTRIES), ALGORITHM, SIGNATURE);
}

test.each([
  [utc('310506070809Z'), Date.UTC(2031, 4, 6, 7, 8, 9)],
  [utc('491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59)],
  [utc('500101000000Z'), Date.UTC(1950, 0, 1)],
  [general('20500101000000Z'), Date.UTC(2050, 0, 1)],
  [utc('311306070809Z'), null],
  [utc('310506070809+0100'), null],
  [utc('3105060708Z'), null],
])('%s', (next, time) => {
  expect(nextUpdateOf(listOf(utc('300101000000Z'), next))).toBe(time);
});

test('a list without version, or without a next update', () => {
  const times = [utc('300101000000Z'), utc('310506070809Z')];
  const old = element(0x30, element(0x30, ALGORITHM, ISSUER, ...times, ENTRIES), ALGORITHM, SIGNATURE);
  expect(nextUpdateOf(old)).toBe(Date.UTC(2031, 4, 6, 7, 8, 9));
  expect(nextUpdateOf(listOf(utc('300101000000Z')))).toBe(null);
});

test('cut anywhere it says nothing, and never throws', () => {
  const list = listOf(utc('300101000000Z'), utc('310506070809Z'));
  for (let length = 0; length < list.length; length += 1) expect(nextUpdateOf(list.subarray(0, length))).toBe(null);
  for (let at = 0; at < list.length; at += 1) {
    const torn = Buffer.from(list);
    for (const byte of [0, 0x80, 0x84, 0xff]) {
      torn[at] = byte;
      expect(() => nextUpdateOf(torn)).not.toThrow();
    }
  }
});
