// RFC 7239: one element strictly, a list of them from its right end.

import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  eachFromRight,
  elementStart,
  nodeAddress,
  parseElement,
  soundElements,
  writeElement,
} from '../../src/protocol/forwarded.ts';

describe('an element', () => {
  test.each([
    ['for=192.0.2.43', { for: '192.0.2.43' }],
    ['For="[2001:db8:cafe::17]:4711"', { for: '[2001:db8:cafe::17]:4711' }],
    ['for=192.0.2.60;proto=http;by=203.0.113.43', { for: '192.0.2.60', proto: 'http', by: '203.0.113.43' }],
    ['FOR=_x;HOST="a:80"', { for: '_x', host: 'a:80' }],
    ['for=a;secret=b', { for: 'a' }],
    ['secret=b', {}],
    [String.raw`for="a\"b\\"`, { for: 'a"b\\' }],
    ['for=""', { for: '' }],
    ['for="a;b,c"', { for: 'a;b,c' }],
    ['__proto__=x;for=y', { for: 'y' }],
  ])('%s', (text, element) => {
    expect(parseElement(text)).toEqual(element);
  });

  test.each([
    ...['', 'for', 'for=', '=x', 'for =x', 'for= x', 'for=x ', 'for=x; by=y', 'for=x;;by=y', ';for=x', 'for=x;'],
    ...['for=x;for=y', 'for=x;FOR=x', 'for=[::1]', 'for=1.2.3.4:80', 'for="x', 'for="x"y', 'for=x"', 'for="x\\"'],
    ...['for="\x00"', 'for="\xe9"', 'for=\xe9', 'for="a\x7f"', '1.2.3.4', 'for:x', 'for="x";'],
  ])('X9: %j is none', (text) => {
    expect(parseElement(text)).toBeNull();
  });

  test('X9: has at most 1024 characters', () => {
    expect(parseElement(`for=${'a'.repeat(1_020)}`)).toEqual({ for: 'a'.repeat(1_020) });
    expect(parseElement(`for=${'a'.repeat(1_021)}`)).toBeNull();
  });
});

describe('a node', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:80', '192.0.2.1'],
    ['192.0.2.1:_p', '192.0.2.1'],
    ['[2001:DB8::1]', '2001:db8::1'],
    ['[2001:db8::1]:80', '2001:db8::1'],
    ['[::ffff:192.0.2.1]', '192.0.2.1'],
  ])('%s is %s', (node, address) => {
    expect(nodeAddress(node)).toBe(address);
  });

  test.each([
    ...['', 'unknown', '_hidden', '_SEVKISEK:80', '2001:db8::1', '[192.0.2.1]', '[::1', '[::1]x', '192.0.2.1:'],
    ...['192.0.2.1:x', '192.0.2.1:123456', '192.0.2.1:_', '[fe80::1%eth0]', '010.0.0.1', 'localhost'],
  ])('X9: %j names no address', (node) => {
    expect(nodeAddress(node)).toBeNull();
  });
});

describe('a list, from the right', () => {
  const all = (lines: readonly string[], max = 32): string[] => {
    const found: string[] = [];
    eachFromRight(lines, max, (element) => found.push(element) > 0);
    return found;
  };

  test('is all lines together, without blanks and empty elements', () => {
    expect(all(['for=a ,\tfor=b', '', ' , ', 'for="c,d"'])).toEqual(['for="c,d"', 'for=b', 'for=a']);
  });

  test('ends when it is told to', () => {
    const found: string[] = [];
    eachFromRight(['a,b', 'c'], 32, (element) => found.push(element) < 2);
    expect(found).toEqual(['c', 'b']);
  });

  test('X9: 32 elements are looked at, empty ones counted', () => {
    expect(all([`x${',a'.repeat(31)}`])).toHaveLength(32);
    expect(all([`x${',a'.repeat(32)}`])).not.toContain('x');
    expect(all([`x${','.repeat(31)}`])).toEqual(['x']);
    expect(all([`x${','.repeat(32)}`])).toEqual([]);
  });

  test('X9: an open quote on the left hides nothing on the right', () => {
    expect(all(['for="6.6.6.6, for=192.0.2.1'])[0]).toBe('for=192.0.2.1');
    expect(all(['for="6.6.6.6', 'for="[::1]:80"'])[0]).toBe('for="[::1]:80"');
    expect(all([String.raw`for="\", for="a\",b"`])[0]).toBe(String.raw`for="a\",b"`);
    expect(soundElements(['for="6.6.6.6, for=a', 'for=b;by=c'], 32)).toEqual(['for=a', 'for=b;by=c']);
  });

  test('X9: costs no more than it is long', () => {
    for (const text of ['"', '\\', '\\"', ',', '",', 'for="\\'].map((part) => part.repeat((64 * 1024) / part.length))) {
      const startedAt = performance.now();
      all([text]);
      elementStart(text, text.length);
      parseElement(text);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    }
  });
});

describe('what we write', () => {
  test('is read again', () => {
    expect(writeElement('192.0.2.1', { host: 'a:80', proto: 'https' })).toBe('for=192.0.2.1;host="a:80";proto=https');
    for (const node of ['192.0.2.1', '2001:db8::1']) {
      const element = parseElement(writeElement(node, { host: '[::1]:8080', proto: 'http' }));
      expect(nodeAddress(element?.for ?? '')).toBe(node);
      expect(element).toMatchObject({ host: '[::1]:8080', proto: 'http' });
    }
    expect(writeElement('')).toBe('for=unknown');
  });
});

test('X9: never throws, finds addresses alone, and keeps only what is sound', () => {
  const piece = fc.constantFrom(
    'for=',
    'by=',
    '"',
    '\\',
    ';',
    ',',
    ' ',
    '[::1]',
    '192.0.2.1',
    ':80',
    '_x',
    'a',
    '=',
    '\xe9',
  );
  const line = fc.array(piece, { maxLength: 20 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      eachFromRight(lines, 32, (text) => {
        const address = nodeAddress(parseElement(text)?.for ?? '');
        expect(address === null || isIP(address) > 0).toBe(true);
        return true;
      });
      const sound = soundElements(lines, 32);
      // Read again from one line, it is the same.
      expect(soundElements([sound.join(', ')], 32)).toEqual(sound);
    }),
    { numRuns: 300 },
  );
});
