// The streaming UTF-8 validator, and the check of text messages in frames, against TextDecoder and a table of the
// well-formed sequences. Accepted: the index of the first byte that no text can have there, the same at every cut.

import assert from 'node:assert/strict';
import { FrameScanner, Step } from '../../../src/protocol/frame-scanner.ts';
import { Utf8Validator } from '../../../src/protocol/utf8-validator.ts';
import { Utf8Watcher } from '../../../src/session/watchers/utf8.ts';
import { options } from '../../protocol/scan.ts';
import type { Random } from '../../support/random.ts';
import { continuation, frame, Opcode, ping } from '../../support/wire.ts';
import { cutsOf, inBoundedTime, randomOf } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';

/** RFC 3629 4, one character per byte. */
const SEQUENCE = new RegExp(
  [
    '[\\x00-\\x7f]',
    '[\\xc2-\\xdf][\\x80-\\xbf]',
    '\\xe0[\\xa0-\\xbf][\\x80-\\xbf]',
    '[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}',
    '\\xed[\\x80-\\x9f][\\x80-\\xbf]',
    '\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}',
    '[\\xf1-\\xf3][\\x80-\\xbf]{3}',
    '\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}',
  ].join('|'),
  'y',
);
/** What completes the beginning of a sequence, if anything does. */
const COMPLETIONS = ['\x80', '\x90', '\xa0', '\x80\x80', '\x90\x80', '\xa0\x80', '\x80\x80\x80', '\x90\x80\x80'];
const KEY_BYTES = 4;

const TOKENS = [
  '\xef\xbf\xbf',
  '\xed\xa0\x80',
  '\xed\x9f\xbf',
  '\xf4\x8f\xbf\xbf',
  '\xf4\x90',
  '\xc0\x80',
  '\xe0\x9f',
  'a',
];

export const utf8 = bytesTarget({ name: 'utf8', make, check });

/** The masking key, then text. */
function make(random: Random): Buffer {
  const key = random.chance(0.3) ? Buffer.alloc(KEY_BYTES) : random.bytes(KEY_BYTES);
  const length = random.chance(0.1) ? 4_000 : 60;
  let text = '';
  for (let left = random.between(0, length); left > 0; left -= 1) text += characterOf(random);
  if (random.chance(0.3)) text += 'plain ASCII of some length; '.repeat(random.between(1, 60));
  const bytes = Buffer.from(text);
  return Buffer.concat([key, random.chance(0.7) ? mutate(random, bytes, TOKENS) : bytes]);
}

function characterOf(random: Random): string {
  const [low, high] = random.pick([
    [0, 0x7f],
    [0x20, 0x7e],
    [0x80, 0x7ff],
    [0x800, 0xd7ff],
    [0xe000, 0xffff],
    [0x10000, 0x10ffff],
  ] as const);
  return String.fromCodePoint(random.between(low, high));
}

function check(input: Buffer): void {
  const key = Buffer.alloc(KEY_BYTES);
  input.copy(key, 0, 0, KEY_BYTES);
  const text = input.subarray(KEY_BYTES);
  const wrongAt = firstImpossible(text);
  const isWhole = wrongAt === -1 && decodes(text);
  inBoundedTime(() => validated([text], key));
  for (const cut of cutsOf(text)) {
    assert.deepEqual(validated(cut, key), { wrongAt, isComplete: isWhole }, `in ${cut.length} pieces`);
  }
  checkInFrames(text, key, wrongAt === -1 && isWhole);
}

/** Index of the first byte with which no text can go on, or -1. */
function firstImpossible(bytes: Buffer): number {
  const text = bytes.toString('latin1');
  SEQUENCE.lastIndex = 0;
  let at = 0;
  while (SEQUENCE.test(text)) at = SEQUENCE.lastIndex;
  for (let end = at + 1; end <= text.length; end += 1) {
    const begun = text.slice(at, end);
    const canGoOn = COMPLETIONS.some((completion) => {
      SEQUENCE.lastIndex = 0;
      return SEQUENCE.test(begun + completion) && SEQUENCE.lastIndex === begun.length + completion.length;
    });
    if (!canGoOn) return end - 1;
  }
  return -1;
}

function decodes(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function validated(cut: readonly Buffer[], key: Buffer): { wrongAt: number; isComplete: boolean } {
  const validator = new Utf8Validator();
  let offset = 0;
  for (const piece of cut) {
    // The mask goes on through the pieces of a frame.
    const masked = Buffer.from(piece.map((byte, i) => byte ^ (key[(offset + i) & 3] ?? 0)));
    const wrong = validator.feed(masked, 0, masked.length, key.readUInt32BE(0), offset);
    if (wrong !== -1) {
      assert.equal(validator.feed(masked, 0, masked.length, 0, 0), 0, 'what is wrong stays wrong');
      return { wrongAt: offset + wrong, isComplete: false };
    }
    offset += piece.length;
  }
  return { wrongAt: -1, isComplete: validator.isComplete() };
}

/** The same text as one message of a few frames, with a ping of other bytes in between. */
function checkInFrames(text: Buffer, key: Buffer, isText: boolean): void {
  const random = randomOf(text);
  const masked = random.chance(0.5);
  const mask = masked ? key : false;
  const border = random.between(0, text.length);
  const stream = Buffer.concat([
    frame({ opcode: Opcode.Text, fin: false, mask, payload: text.subarray(0, border) }),
    ping(Buffer.of(0xff, 0xfe), { mask }),
    continuation(text.subarray(border), { mask }),
    ping(Buffer.of(0x80), { mask }),
  ]);
  for (const cut of cutsOf(stream)) {
    assert.equal(passesWatcher(cut, masked), isText, `as frames, in ${cut.length} pieces`);
  }
}

function passesWatcher(cut: readonly Buffer[], masked: boolean): boolean {
  const scanner = new FrameScanner(options(masked));
  const text = new Utf8Watcher(masked);
  let spill: Buffer = Buffer.alloc(0);
  for (const piece of cut) {
    const bytes = Buffer.concat([spill, piece]);
    scanner.feed(bytes, 0, bytes.length);
    text.begin(0);
    let step: Step;
    do {
      step = scanner.next();
      assert.notEqual(step, Step.Violation, 'the frames are legal');
      if (!text.passes(bytes, scanner, step)) return false;
    } while (step !== Step.NeedData);
    spill = bytes.subarray(scanner.position);
  }
  return true;
}
