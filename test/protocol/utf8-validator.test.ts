// The streaming validator says what RFC 3629 says, at the first byte that no text can have, in every cut and masking.

import { isUtf8 } from 'node:buffer';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Utf8Validator } from '../../src/protocol/utf8-validator.ts';
import { everySplit, placed } from '../support/every-split.ts';

const RUNS = 500;
const KEY = 0x8712f3a4;

/** What can follow any beginning of a character: an E0 needs A0-BF, an F0 90-BF, an ED 80-9F, an F4 80-8F. */
const ENDINGS = [[], ...[0x80, 0x90, 0xa0].flatMap((first) => [[first], [first, 0x80], [first, 0x80, 0x80]])];

/** The first byte of `bytes` after which no ending makes UTF-8 of it any more, or -1; by Node's own judgement. */
function firstImpossible(bytes: Buffer): number {
  for (let end = 1; end <= bytes.length; end += 1) {
    const begin = bytes.subarray(0, end);
    if (!ENDINGS.some((ending) => isUtf8(Buffer.concat([begin, Buffer.from(ending)])))) return end - 1;
  }
  return -1;
}

function masked(bytes: Buffer, key: number, keyOffset = 0): Buffer {
  const keyBytes = Buffer.alloc(4);
  keyBytes.writeUInt32BE(key);
  return Buffer.from(bytes.map((byte, index) => byte ^ (keyBytes[(index + keyOffset) & 3] ?? 0)));
}

interface Told {
  /** Offset in the whole of the first impossible byte, or -1. */
  readonly at: number;
  readonly complete: boolean;
}

/** Feed pieces of one frame, each in a buffer of its own with junk around it. */
function judge(pieces: readonly Buffer[], key = 0): Told {
  const validator = new Utf8Validator();
  let taken = 0;
  for (const piece of pieces) {
    const { bytes, start, end } = placed(masked(piece, key, taken));
    const at = validator.feed(bytes, start, end, key, taken);
    if (at !== -1) return { at: taken + at - start, complete: validator.isComplete() };
    taken += piece.length;
  }
  return { at: -1, complete: validator.isComplete() };
}

function expectLikeNode(bytes: Buffer): void {
  const at = firstImpossible(bytes);
  const told = { at, complete: at === -1 && isUtf8(bytes) };
  everySplit(
    bytes,
    (pieces) => {
      expect(judge(pieces)).toEqual(told);
      expect(judge(pieces, KEY)).toEqual(told);
    },
    { tail: Buffer.alloc(0) },
  );
}

describe('RFC 3629 4', () => {
  test.each([
    ['', -1],
    ['00', -1],
    ['7f', -1],
    ['80', 0],
    ['bf', 0],
    ['c080', 0],
    ['c1bf', 0],
    ['c280', -1],
    ['c27f', 1],
    ['c2c0', 1],
    ['dfbf', -1],
    ['e080', 1],
    ['e09f', 1],
    ['e0a080', -1],
    ['e0bfbf', -1],
    ['e0c0', 1],
    ['ec8080', -1],
    ['ecbfc0', 2],
    ['ed9fbf', -1],
    ['eda080', 1],
    ['edbfbf', 1],
    ['ee8080', -1],
    ['efbfbf', -1],
    ['f08f', 1],
    ['f0908080', -1],
    ['f0bfbfbf', -1],
    ['f180807f', 3],
    ['f48fbfbf', -1],
    ['f490', 1],
    ['f5', 0],
    ['f8888080', 0],
    ['ff', 0],
    ['efbbbf61', -1],
  ])('%s: the first impossible byte is %d', (hex, at) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(firstImpossible(bytes)).toBe(at);
    expectLikeNode(bytes);
    // Between ASCII, so that the character is met by the loop for whole ones too.
    expectLikeNode(Buffer.concat([Buffer.from('abcdefghi'), bytes, Buffer.from('klmnopqrs')]));
  });

  test('every character of every length is whole, and no beginning of it is', () => {
    for (let code = 0; code <= 0x10ffff; code += code < 0x900 ? 1 : 251) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const bytes = Buffer.from(String.fromCodePoint(code));
      for (let end = 1; end <= bytes.length; end += 1) {
        expect(judge([bytes.subarray(0, end)])).toEqual({ at: -1, complete: end === bytes.length });
      }
      expect(judge([Buffer.concat([bytes, Buffer.from('abcd')])], KEY)).toEqual({ at: -1, complete: true });
    }
  });

  test('every second and third byte behind every lead byte', () => {
    for (let lead = 0x80; lead <= 0xff; lead += 1) {
      for (let second = 0; second <= 0xff; second += 1) {
        const bytes = Buffer.from([lead, second, 0x80, 0x80, 0x61, 0x61]);
        expect(judge([bytes]).at, bytes.toString('hex')).toBe(firstImpossible(bytes));
      }
    }
  });
});

/** Bytes that are nearly text: characters, beginnings of them, and what text never has. */
const nearly = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => Buffer.from(text)) },
      { weight: 2, arbitrary: fc.constantFrom('a', 'é', '日', '😀').map((text) => Buffer.from(text)) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(0xc0, 0xe0, 0xed, 0xf0, 0xf4, 0xff, 0x80, 0xa0).map((byte) => Buffer.from([byte])),
      },
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));

describe('against Node', () => {
  test('nearly text, in every cut, masked and in the clear', () => {
    void fc.assert(fc.property(nearly, expectLikeNode), { numRuns: RUNS });
  });

  test('any bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
    void fc.assert(fc.property(bytes, expectLikeNode), { numRuns: RUNS });
  });

  test('a decoder that refuses faults agrees on whole messages', () => {
    void fc.assert(
      fc.property(nearly, fc.integer({ min: 0, max: 0xffffffff }), (bytes, key) => {
        const { at, complete } = judge([bytes], key);
        const decode = () => new TextDecoder('utf-8', { fatal: true }).decode(bytes);
        if (at === -1 && complete) expect(decode).not.toThrow();
        else expect(decode).toThrow();
      }),
      { numRuns: RUNS },
    );
  });

  test('long ASCII with one other byte anywhere, from every alignment, with every key phase', () => {
    const long = Buffer.alloc(1700, 'The quick brown fox. ');
    void fc.assert(
      fc.property(
        fc.nat(1699),
        fc.constantFrom(0x80, 0xc3, 0xff, 0x7f),
        fc.nat(7),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.nat(2 ** 40),
        (index, byte, shift, key, keyOffset) => {
          const text = Buffer.from(long);
          text[index] = byte;
          const bytes = Buffer.concat([Buffer.alloc(shift, 0xff), masked(text, key, keyOffset), Buffer.alloc(9, 0xff)]);
          const told = new Utf8Validator().feed(bytes, shift, shift + text.length, key, keyOffset);
          const at = firstImpossible(text.subarray(Math.max(0, index - 1), index + 2));
          const expected = at === -1 ? -1 : Math.max(0, index - 1) + at + shift;
          expect(told).toBe(expected);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('a fragment ends inside a character, the next one has its own key', () => {
    void fc.assert(
      fc.property(nearly, fc.nat(), fc.nat(0xffffffff), fc.nat(0xffffffff), (bytes, at, first, second) => {
        const cut = bytes.length === 0 ? 0 : at % bytes.length;
        const validator = new Utf8Validator();
        const head = masked(bytes.subarray(0, cut), first);
        const tail = masked(bytes.subarray(cut), second);
        let told = validator.feed(head, 0, head.length, first, 0);
        if (told === -1) {
          told = validator.feed(tail, 0, tail.length, second, 0);
          if (told !== -1) told += cut;
        }
        expect(told).toBe(firstImpossible(bytes));
      }),
      { numRuns: RUNS },
    );
  });
});

describe('state', () => {
  test('after an impossible byte nothing is judged any more', () => {
    const validator = new Utf8Validator();
    const bytes = Buffer.from('61ff6161', 'hex');
    expect(validator.feed(bytes, 0, 4, 0, 0)).toBe(1);
    expect(validator.feed(bytes, 2, 4, 0, 0)).toBe(2);
    expect(validator.feed(bytes, 3, 3, 0, 0)).toBe(3);
    expect(validator.isComplete()).toBe(false);
  });

  test('a reset begins anew, from a fault and from half a character', () => {
    for (const hex of ['ff', 'e0', 'f4', 'ed']) {
      const validator = new Utf8Validator();
      const bytes = Buffer.from(hex, 'hex');
      validator.feed(bytes, 0, 1, 0, 0);
      validator.reset();
      expect(validator.isComplete()).toBe(true);
      expect(validator.feed(Buffer.from('80'), 0, 2, 0, 0)).toBe(-1);
      expect(validator.feed(Buffer.from('c3bf', 'hex'), 0, 2, 0, 0)).toBe(-1);
    }
  });

  test('an empty range says nothing', () => {
    expect(new Utf8Validator().feed(Buffer.alloc(0), 0, 0, KEY, 3)).toBe(-1);
  });
});
