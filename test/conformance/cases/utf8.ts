// Group 6: UTF-8 in text messages (RFC 6455 8.1, RFC 3629). 6.4 asks for a failure at the first impossible byte, before
// the message, or even the frame, is complete.

import { Opcode } from '../../support/wire.ts';
import {
  type ConformanceCase,
  fragments,
  nonStrict,
  normalClose,
  ok,
  pieces,
  textEvent,
  textFrame,
} from '../conformance-case.ts';
import type { CloseExpectation } from '../verdict.ts';

/** How long a peer has nothing to complain of, and then how long it has for its complaint. */
const QUIET_MS = 60;
const REACTION_MS = 400;

const invalidClose: CloseExpectation = { by: 'peer', codes: [1007] };
const none = Buffer.alloc(0);
const hello = Buffer.from('Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!');
const kosme = Buffer.from('\u03ba\u1f79\u03c3\u03bc\u03b5');
const edited = Buffer.from('edited');
const surrogate = hex('eda080');
const tooHigh = hex('f4908080');

export const utf8Cases: readonly ConformanceCase[] = [
  valid('6.1.1', 'an empty text', [none]),
  valid('6.1.2', 'three empty fragments', [none, none, none]),
  valid('6.1.3', 'an empty, a full and an empty fragment', [none, Buffer.from('middle'), none]),
  valid('6.2.1', 'a text with non-ASCII', [hello]),
  valid('6.2.2', 'the same cut between code points', [hello.subarray(0, 12), hello.subarray(12)]),
  valid('6.2.3', 'the same in fragments of one octet', pieces(hello, 1)),
  valid('6.2.4', 'a Greek text in fragments of one octet', pieces(kosme, 1)),
  invalid('6.3.1', 'a surrogate in a text', [Buffer.concat([kosme, surrogate, edited])]),
  invalid('6.3.2', 'the same in fragments of one octet', pieces(Buffer.concat([kosme, surrogate, edited]), 1)),
  failFast('6.4.1', 'invalid in the second of three fragments', kosme, tooHigh, edited, false),
  failFast('6.4.2', 'invalid by the fourth octet, cut there', bytes(kosme, hex('f4')), hex('90'), hex('8080'), false),
  failFast('6.4.3', 'as 6.4.1, in one frame sent in three parts', kosme, tooHigh, edited, true),
  failFast('6.4.4', 'as 6.4.2, in one frame in three parts', bytes(kosme, hex('f4')), hex('90'), hex('8080'), true),
  ...all('6.5', [kosme, bytes(hex('f0908080'), kosme), Buffer.from('\ud55c\uad6d'), Buffer.from('\u{1f600}')], []),
  ...prefixes(),
  ...all('6.7', [hex('00'), hex('c280'), hex('e0a080'), hex('f0908080')], []),
  ...all('6.8', [], [hex('f888808080'), hex('fc8480808080')]),
  ...all('6.9', [hex('7f'), hex('dfbf'), hex('efbfbf'), hex('f48fbfbf')], []),
  ...all('6.10', [], [hex('f7bfbfbf'), hex('fbbfbfbfbf'), hex('fdbfbfbfbfbf')]),
  ...all('6.11', [hex('ed9fbf'), hex('ee8080'), hex('efbfbd'), hex('f48fbfbf')], [hex('f4908080')]),
  ...all('6.12', [], unexpectedContinuations()),
  ...all('6.13', [], [lonely(0xc0, 32), lonely(0xe0, 16), lonely(0xf0, 8), lonely(0xf8, 4), lonely(0xfc, 2)]),
  ...all('6.14', [], incomplete()),
  ...all('6.15', [], [Buffer.concat(incomplete())]),
  ...all('6.16', [], [hex('fe'), hex('ff'), hex('fefeffff')]),
  ...all('6.17', [], ['c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af'].map(hex)),
  ...all('6.18', [], ['c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf'].map(hex)),
  ...all('6.19', [], ['c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080'].map(hex)),
  ...all('6.20', [], ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf'].map(hex)),
  ...all('6.21', [], pairedSurrogates()),
  ...all('6.22', nonCharacters(), []),
  ...all('6.23', ['efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbbbf', 'ee8080'].map(hex), []),
];

function valid(id: string, title: string, parts: readonly Buffer[]): ConformanceCase {
  return {
    id,
    title,
    play: (peer) => peer.send(...fragments(Opcode.Text, parts)),
    expect: [ok(textEvent(Buffer.concat(parts)))],
    close: normalClose,
  };
}

function invalid(id: string, title: string, parts: readonly Buffer[]): ConformanceCase {
  return {
    id,
    title,
    play: (peer) => peer.send(...fragments(Opcode.Text, parts)),
    expect: [ok()],
    close: invalidClose,
  };
}

/** Waits behind the first part, which is fine, and behind the second, which is not: to fail there is OK. */
function failFast(
  id: string,
  title: string,
  fine: Buffer,
  broken: Buffer,
  rest: Buffer,
  oneFrame: boolean,
): ConformanceCase {
  const parts = [fine, broken, rest];
  return {
    id,
    title,
    play: async (peer) => {
      const frames = oneFrame
        ? cut(peer.build(textFrame(Buffer.concat(parts))), rest.length, broken.length)
        : fragments(Opcode.Text, parts).map((spec) => peer.build(spec));
      const [first = none, second = none, third = none] = frames;
      peer.sendPart(first, !oneFrame);
      await peer.timeout('A', QUIET_MS);
      peer.sendPart(second, !oneFrame);
      await peer.timeout('B', REACTION_MS);
      peer.sendPart(third, true);
    },
    expect: [ok('timeout A'), nonStrict('timeout A', 'timeout B')],
    close: invalidClose,
  };
}

/** A frame's bytes, cut before its last `rest` and before the `broken` in front of them. */
function cut(frame: Buffer, rest: number, broken: number): Buffer[] {
  const second = frame.length - rest;
  const first = second - broken;
  return [frame.subarray(0, first), frame.subarray(first, second), frame.subarray(second)];
}

function all(group: string, good: readonly Buffer[], bad: readonly Buffer[]): ConformanceCase[] {
  const goodCases = good.map((text, at) => valid(`${group}.${at + 1}`, `valid: ${titleOf(text)}`, [text]));
  const first = good.length + 1;
  const badCases = bad.map((text, at) => invalid(`${group}.${first + at}`, `invalid: ${titleOf(text)}`, [text]));
  return [...goodCases, ...badCases];
}

/** 6.6: every prefix of a text of multi-octet code points; those that end between code points are valid. */
function prefixes(): ConformanceCase[] {
  const ends = new Set<number>();
  let end = 0;
  for (const char of kosme.toString()) {
    end += Buffer.byteLength(char);
    ends.add(end);
  }
  return Array.from({ length: kosme.length }, (_, at) => {
    const prefix = kosme.subarray(0, at + 1);
    const title = `a prefix of ${at + 1} octets`;
    return ends.has(at + 1) ? valid(`6.6.${at + 1}`, title, [prefix]) : invalid(`6.6.${at + 1}`, title, [prefix]);
  });
}

function unexpectedContinuations(): Buffer[] {
  const every = Buffer.from(Array.from({ length: 64 }, (_, at) => 0x80 + at));
  const runs = [2, 3, 4, 5, 6].map((count) => Buffer.from('80bf'.repeat(3).slice(0, count * 2), 'hex'));
  return [hex('80'), hex('bf'), ...runs, every];
}

/** Every start octet of a length, each followed by a space. */
function lonely(first: number, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, (_, at) => [first + at, 0x20]).flat());
}

/** Sequences without their last octet. */
function incomplete(): Buffer[] {
  return ['c0', 'e080', 'f08080', 'f8808080', 'fc80808080', 'df', 'efbf', 'f7bfbf', 'fbbfbfbf', 'fdbfbfbfbf'].map(hex);
}

function pairedSurrogates(): Buffer[] {
  const highs = ['eda080', 'edadbf', 'edae80', 'edafbf'];
  return highs.flatMap((high) => ['edb080', 'edbfbf'].map((low) => hex(high + low)));
}

/** U+FFFE and U+FFFF of each plane: no characters, and valid all the same. */
function nonCharacters(): Buffer[] {
  return Array.from({ length: 17 }, (_, plane) => [0xfffe, 0xffff].map((low) => plane * 0x10000 + low))
    .flat()
    .map((codePoint) => Buffer.from(String.fromCodePoint(codePoint)));
}

function titleOf(text: Buffer): string {
  return text.length > 16 ? `${text.length} octets` : text.toString('hex');
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

function bytes(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}
