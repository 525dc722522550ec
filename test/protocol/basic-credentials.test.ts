import { describe, expect, test } from 'vitest';
import { parseBasic } from '../../src/protocol/basic-credentials.ts';

function encoded(bytes: string | Buffer): string {
  return Buffer.from(bytes).toString('base64');
}

describe('RFC 7617', () => {
  test('2: the first colon ends the name', () => {
    expect(parseBasic('QWxhZGRpbjpvcGVuIHNlc2FtZQ==')).toEqual({ user: 'Aladdin', password: 'open sesame' });
    expect(parseBasic(encoded('a:b:c'))).toEqual({ user: 'a', password: 'b:c' });
    expect(parseBasic(encoded(':'))).toEqual({ user: '', password: '' });
    expect(parseBasic(encoded('a'))).toBeNull();
  });

  test('2.1: names and passwords are UTF-8, and what is none is nothing', () => {
    expect(parseBasic('dGVzdDoxMjPCow==')).toEqual({ user: 'test', password: '123£' });
    expect(parseBasic(encoded('\ufeffa:b'))).toEqual({ user: '\ufeffa', password: 'b' });
    for (const broken of ['a:\x80', 'a:\xc0\xba', 'a:\xed\xa0\x80', 'a:\xff'])
      expect(parseBasic(encoded(Buffer.from(broken, 'latin1')))).toBeNull();
  });

  test('2: no control characters', () => {
    for (const byte of [0x00, 0x01, 0x0a, 0x0d, 0x1f, 0x7f])
      for (const text of [`a${String.fromCharCode(byte)}:b`, `a:b${String.fromCharCode(byte)}`])
        expect(parseBasic(encoded(text))).toBeNull();
    expect(parseBasic(encoded('a :~'))).toEqual({ user: 'a ', password: '~' });
  });

  test('RFC 4648 3.2, 3.3, 3.5: of all spellings of the same bytes one is taken', () => {
    expect(parseBasic('YTpi')).toEqual({ user: 'a', password: 'b' });
    expect(parseBasic('YTpiPw==')).toEqual({ user: 'a', password: 'b?' });
    // Unpadded, too much padding, unused bits, the other alphabet, junk that Node skips.
    for (const text of [
      'YTpiPw',
      'YTpiPw=',
      'YTpi=',
      'YTpi==',
      'YTpiPx==',
      'YTpi-_--',
      'YT pi',
      'YT\npi',
      'YTp',
      '',
      '=',
      '!',
    ])
      expect(parseBasic(text), JSON.stringify(text)).toBeNull();
  });

  test('2 KiB and no more', () => {
    const longest = encoded(`a:${'x'.repeat(1534)}`);
    expect(longest).toHaveLength(2_048);
    expect(parseBasic(longest)?.password).toHaveLength(1534);
    expect(parseBasic(encoded(`a:${'x'.repeat(1535)}`))).toBeNull();
  });
});
