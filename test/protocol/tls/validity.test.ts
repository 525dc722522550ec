// When a revocation list has to be replaced: both forms of time, what may be left out, and lies.

import { describe, expect, test } from 'vitest';
import { nextUpdateOf } from '../../../src/protocol/tls/validity.ts';
import { makeAuthority } from '../../support/certs.ts';

const SEQUENCE = 0x30;
const UTC = 0x17;
const GENERALIZED = 0x18;

function der(tag: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  if (bytes.length < 0x80) return Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([Buffer.from([tag, 0x82]), length, bytes]);
}

const VERSION = der(0x02, '\x01');
const ALGORITHM = der(SEQUENCE, 'algorithm');
const ISSUER = der(SEQUENCE, 'x'.repeat(200));
const THIS = der(UTC, '250101000000Z');

function listOf(...parts: Buffer[]): Buffer {
  return der(SEQUENCE, Buffer.concat([der(SEQUENCE, Buffer.concat(parts)), ALGORITHM, der(0x03, 'signature')]));
}

const withNext = (tag: number, text: string): Buffer => listOf(VERSION, ALGORITHM, ISSUER, THIS, der(tag, text));

describe('nextUpdate of a revocation list', () => {
  test.each([
    [UTC, '260715123456Z', '2026-07-15T12:34:56Z'],
    [UTC, '491231235959Z', '2049-12-31T23:59:59Z'],
    [UTC, '500101000000Z', '1950-01-01T00:00:00Z'],
    [GENERALIZED, '20500101000000Z', '2050-01-01T00:00:00Z'],
    [GENERALIZED, '99991231235959Z', '9999-12-31T23:59:59Z'],
  ])('%i %s', (tag, text, expected) => {
    expect(nextUpdateOf(withNext(tag, text))).toBe(Date.parse(expected));
  });

  test.each([
    [UTC, '20260715123456Z'],
    [GENERALIZED, '260715123456Z'],
    [UTC, '2607151234Z'],
    [UTC, '260715123456+0000'],
    [GENERALIZED, '20260715123456.5Z'],
    [UTC, '261315123456Z'],
    [UTC, '260715126056Z'],
    [UTC, ''],
    [0x04, '260715123456Z'],
  ])('no time: %i %s', (tag, text) => {
    expect(nextUpdateOf(withNext(tag, text))).toBe(null);
  });

  test('the version may be left out, and nextUpdate', () => {
    const next = der(UTC, '260715123456Z');
    expect(nextUpdateOf(listOf(ALGORITHM, ISSUER, THIS, next))).toBe(Date.parse('2026-07-15T12:34:56Z'));
    expect(nextUpdateOf(listOf(ALGORITHM, ISSUER, THIS))).toBe(null);
    expect(nextUpdateOf(listOf(VERSION, ALGORITHM, ISSUER, THIS, der(SEQUENCE, 'entries')))).toBe(null);
  });

  test('what is cut short, or says it is longer than it is, has none, and nothing throws', () => {
    const whole = withNext(UTC, '260715123456Z');
    const end = whole.indexOf('260715123456Z') + 13;
    for (let size = 0; size < whole.length; size += 1) expect(nextUpdateOf(whole.subarray(0, size))).toBe(null);
    for (let at = 0; at < end; at += 1) {
      for (const byte of [0x00, 0x7f, 0x80, 0x81, 0x84, 0x85, 0xff]) {
        const bent = Buffer.from(whole);
        bent[at] = byte;
        expect(() => nextUpdateOf(bent)).not.toThrow();
      }
    }
  });

  test('a list as one is made', async () => {
    const notAfter = new Date('2027-03-04T05:06:07Z');
    const pem = await (await makeAuthority()).crl([], { notAfter });
    const base64 = pem.replaceAll(/-----[^-]+-----/g, '');
    expect(nextUpdateOf(Buffer.from(base64, 'base64'))).toBe(notAfter.getTime());
  });
});
