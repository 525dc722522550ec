// Groups 9 and 10: large messages, whole, fragmented and in chops, and many small ones.

import { Opcode } from '../../support/wire.ts';
import {
  binaryEvent,
  type ConformanceCase,
  fragments,
  normalClose,
  ok,
  pieces,
  textEvent,
} from '../conformance-case.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const PATIENCE_MS = 15_000;
const WHOLE_TEXT = [64 * KIB, MIB, 16 * MIB];
const WHOLE_BINARY = [256 * KIB, 4 * MIB, 16 * MIB];
const TEXT_FRAGMENT_BYTES = [64, KIB, 16 * KIB, 256 * KIB];
const BINARY_FRAGMENT_BYTES = [256, 4 * KIB, 64 * KIB];
const CHOP_BYTES = [64, 512, 2048, 65_536];
const SMALL = [0, 16, 64, 256, KIB, 4 * KIB];
const SMALL_COUNT = 100;

export const volumeCases: readonly ConformanceCase[] = [
  ...WHOLE_TEXT.map((size, at) => wholeCase(`9.1.${at + 1}`, Opcode.Text, size)),
  ...WHOLE_BINARY.map((size, at) => wholeCase(`9.2.${at + 1}`, Opcode.Binary, size)),
  ...TEXT_FRAGMENT_BYTES.map((size, at) => fragmentedCase(`9.3.${at + 1}`, Opcode.Text, MIB, size)),
  ...BINARY_FRAGMENT_BYTES.map((size, at) => fragmentedCase(`9.4.${at + 1}`, Opcode.Binary, MIB, size)),
  ...CHOP_BYTES.map((size, at) => choppedCase(`9.5.${at + 1}`, Opcode.Text, 64 * KIB, size)),
  ...CHOP_BYTES.map((size, at) => choppedCase(`9.6.${at + 1}`, Opcode.Binary, 64 * KIB, size)),
  ...SMALL.map((size, at) => manyCase(`9.7.${at + 1}`, Opcode.Text, size)),
  ...SMALL.map((size, at) => manyCase(`9.8.${at + 1}`, Opcode.Binary, size)),
  fragmentedCase('10.1.1', Opcode.Text, 64 * KIB, 1300),
];

function volumeCase(
  id: string,
  title: string,
  opcode: number,
  payloads: readonly Buffer[],
  play: ConformanceCase['play'],
): ConformanceCase {
  const event = opcode === Opcode.Text ? textEvent : binaryEvent;
  return { id, title, play, expect: [ok(...payloads.map(event))], close: normalClose, killMs: PATIENCE_MS };
}

function wholeCase(id: string, opcode: number, size: number): ConformanceCase {
  const payload = payloadOf(size);
  return volumeCase(id, `${size} bytes`, opcode, [payload], (peer) => peer.send({ opcode, payload }));
}

function fragmentedCase(id: string, opcode: number, size: number, fragment: number): ConformanceCase {
  const payload = payloadOf(size);
  const title = `${size} bytes in fragments of ${fragment}`;
  return volumeCase(id, title, opcode, [payload], (peer) => peer.send(...fragments(opcode, pieces(payload, fragment))));
}

function choppedCase(id: string, opcode: number, size: number, chop: number): ConformanceCase {
  const payload = payloadOf(size);
  const title = `${size} bytes in chops of ${chop}`;
  return volumeCase(id, title, opcode, [payload], (peer) => peer.sendChopped(chop, { opcode, payload }));
}

function manyCase(id: string, opcode: number, size: number): ConformanceCase {
  const payloads = Array.from({ length: SMALL_COUNT }, () => payloadOf(size));
  const frames = payloads.map((payload) => ({ opcode, payload }));
  return volumeCase(id, `${SMALL_COUNT} messages of ${size} bytes`, opcode, payloads, (peer) => peer.send(...frames));
}

/** ASCII in a pattern whose period is no power of two, so that a lost or doubled block shows. */
function payloadOf(size: number): Buffer {
  return Buffer.alloc(size, 'The quick brown fox jumps over the lazy dog. 0123456789');
}
