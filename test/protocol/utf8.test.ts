import { describe, expect, test } from 'vitest';
import { isUtf8Range, utf8Truncate } from '../../src/protocol/utf8.ts';

const isUtf8 = (hex: string) => {
  const bytes = Buffer.from(`ff${hex}ff`, 'hex');
  return isUtf8Range(bytes, 1, bytes.length - 1);
};

describe('RFC 3629: is it UTF-8', () => {
  test.each([
    ['nothing', ''],
    ['ASCII with NUL and DEL', '00417f'],
    ['the first and last of two bytes', 'c280dfbf'],
    ['the first and last of three bytes', 'e0a080efbfbf'],
    ['around the surrogates', 'ed9fbfee8080'],
    ['the first and last of four bytes', 'f0908080f48fbfbf'],
    ['a noncharacter', 'efbfbe'],
  ])('%s: yes', (_, hex) => {
    expect(isUtf8(hex)).toBe(true);
  });

  test.each([
    ['a lone continuation byte', '80'],
    ['an overlong slash', 'c0af'],
    ['an overlong DEL', 'c1bf'],
    ['an overlong three-byte form', 'e09fbf'],
    ['an overlong four-byte form', 'f08fbfbf'],
    ['the first surrogate', 'eda080'],
    ['the last surrogate', 'edbfbf'],
    ['a surrogate pair', 'eda0bdedb880'],
    ['U+110000', 'f4908080'],
    ['five bytes', 'f888808080'],
    ['0xFE', 'fe'],
    ['0xFF', 'ff'],
    ['two bytes cut', 'c3'],
    ['three bytes cut', 'e282'],
    ['four bytes cut', 'f09f98'],
    ['ASCII, then a cut code point', '4141e2'],
  ])('%s: no', (_, hex) => {
    expect(isUtf8(hex)).toBe(false);
  });

  test('only the range counts', () => {
    const bytes = Buffer.from('ff41ff', 'hex');
    expect([isUtf8Range(bytes, 1, 2), isUtf8Range(bytes, 0, 2), isUtf8Range(bytes, 1, 3)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(isUtf8Range(bytes, 1, 1)).toBe(true);
  });
});

describe('cutting', () => {
  test('never inside a code point, and never more than asked', () => {
    const samples = ['', 'abc', 'aüb€c\u{1f600}d', '\u{1f600}\u{1f600}', '€€€', 'e\u0301'];
    for (const sample of samples) {
      const whole = Buffer.from(sample, 'utf8');
      for (let max = 0; max <= whole.length + 1; max++) {
        const cut = utf8Truncate(sample, max);
        expect(cut.length).toBeLessThanOrEqual(max);
        expect(sample.startsWith(cut.toString('utf8'))).toBe(true);
        expect(isUtf8Range(cut, 0, cut.length)).toBe(true);
        // Not a code point less than fits.
        const next = [...sample.slice(cut.toString('utf8').length)][0] ?? '';
        expect(next === '' || cut.length + Buffer.byteLength(next) > max).toBe(true);
      }
    }
  });
});
