import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBytes, encodeList, encodeText, VALUE_BYTES_MAX } from '../../src/protocol/field-value.ts';

const MAX = VALUE_BYTES_MAX;

describe('what stays and what is escaped', () => {
  test('of all bytes 0x20 to 0x7E stay but "%", within a value', () => {
    for (let code = 0; code <= 0xff; code += 1) {
      const char = String.fromCharCode(code);
      const isKept = code >= 0x20 && code <= 0x7e && char !== '%';
      const escaped = `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
      expect(encodeBytes(`a${char}b`), escaped).toBe(isKept ? `a${char}b` : `a${escaped}b`);
    }
  });

  test.each([
    ['', ''],
    [' ', '%20'],
    ['  ', '%20%20'],
    [' a b ', '%20a b%20'],
    ['  a', '%20%20a'],
    ['a  b', 'a  b'],
    ['a  ', 'a%20%20'],
    ['\ta\t', '%09a%09'],
    ['\t a', '%09 a'],
    ['a\r\nX-Admin: 1', 'a%0D%0AX-Admin: 1'],
    ['%0D%0A', '%250D%250A'],
    ['\0', '%00'],
  ])('%j becomes %s', (bytes, encoded) => {
    expect(encodeBytes(bytes)).toBe(encoded);
    expect(encodeText(bytes)).toBe(encoded);
  });

  test.each([
    ['é', '%C3%A9'],
    ['€', '%E2%82%AC'],
    ['\u{1f600}', '%F0%9F%98%80'],
    ['\u010d\u010aX-Admin: 1', '%C4%8D%C4%8AX-Admin: 1'],
    ['\u0100', '%C4%80'],
    ['\ud83d', '%EF%BF%BD'],
    ['\ude00\ud83d', '%EF%BF%BD%EF%BF%BD'],
    ['\u00a0a\u3000', '%C2%A0a%E3%80%80'],
  ])('text is taken as UTF-8: %j becomes %s', (text, encoded) => {
    expect(encodeText(text)).toBe(encoded);
  });

  test('a character above 255 is no byte', () => {
    expect(() => encodeBytes('\u0100')).toThrow('at most 255');
  });
});

describe('how long a value is', () => {
  test('1024 bytes stay, of 1025 the last goes', () => {
    expect(encodeBytes('a'.repeat(MAX))).toBe('a'.repeat(MAX));
    expect(encodeBytes('a'.repeat(MAX + 1))).toBe('a'.repeat(MAX));
    expect(encodeBytes(`${'a'.repeat(MAX - 3)}%`)).toBe(`${'a'.repeat(MAX - 3)}%25`);
    expect(encodeBytes(`${'a'.repeat(MAX - 2)}%`)).toBe('a'.repeat(MAX - 2));
  });

  test.each([
    ['é', 6],
    ['€', 9],
    ['\u{1f600}', 12],
  ])('%s goes whole or stays whole', (char, size) => {
    const bytes = Buffer.from(char).toString('latin1');
    expect(encodeBytes('a'.repeat(MAX - size) + bytes)).toHaveLength(MAX);
    for (let missing = 1; missing <= size; missing += 1) {
      const kept = 'a'.repeat(MAX - size + missing);
      expect(encodeBytes(kept + bytes)).toBe(kept);
      expect(encodeText(kept + char)).toBe(kept);
    }
  });

  test('bytes that are no UTF-8 go one by one, and continuation bytes after the third', () => {
    expect(encodeBytes(`${'a'.repeat(MAX - 3)}\x80\x80`)).toBe(`${'a'.repeat(MAX - 3)}%80`);
    expect(encodeBytes(`${'a'.repeat(MAX - 12)}\xf0\x80\x80\x80\x80`)).toBe(`${'a'.repeat(MAX - 12)}%F0%80%80%80`);
    expect(encodeBytes(`${'a'.repeat(MAX - 3)}\xffb`)).toBe(`${'a'.repeat(MAX - 3)}%FF`);
  });

  test('a blank that the cut leaves at the end goes too', () => {
    expect(encodeBytes(`${'a'.repeat(MAX - 2)}  b`)).toBe('a'.repeat(MAX - 2));
  });
});

describe('lists', () => {
  test('are joined with a comma, and a comma in an item is none of those', () => {
    expect(encodeList(['a', 'b c', ' d'])).toBe('a,b c,%20d');
    expect(encodeList(['a,admin'])).toBe('a%2Cadmin');
    expect(encodeList([])).toBe('');
  });

  test('no item is cut: it would be another one', () => {
    const long = 'a'.repeat(MAX - 6);
    expect(encodeList([long, 'admin'])).toBe(`${long},admin`);
    expect(encodeList([long, 'administrator'])).toBe(long);
    expect(encodeList([long, 'administrator', 'b'])).toBe(long);
    expect(encodeList(['a'.repeat(MAX)])).toHaveLength(MAX);
    expect(encodeList(['a'.repeat(MAX + 1)])).toBe('');
  });
});

test('whatever it was: visible ASCII, no blank at an end, not too long, and decoding it gives its beginning', () => {
  const text = fc.string({ unit: 'binary', maxLength: 300 });
  void fc.assert(
    fc.property(text, (value) => {
      const encoded = encodeText(value);
      expect(encoded).toMatch(/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/);
      expect(encoded.length).toBeLessThanOrEqual(MAX);
      expect(Buffer.from(value).toString().startsWith(decodeURIComponent(encoded))).toBe(true);
    }),
  );
});
