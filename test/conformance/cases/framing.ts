// Group 1: messages at the borders of the three length forms, whole and in chops.

import { Opcode } from '../../support/wire.ts';
import { binaryEvent, type ConformanceCase, normalClose, ok, textEvent } from '../conformance-case.ts';

const SIZES = [0, 125, 126, 127, 128, 65535, 65536];
const CHOP_BYTES = 997;

export const framingCases: readonly ConformanceCase[] = [
  ...[...SIZES.entries()].map(([at, size]) => sizeCase(`1.1.${at + 1}`, Opcode.Text, size, null)),
  sizeCase('1.1.8', Opcode.Text, 65536, CHOP_BYTES),
  ...[...SIZES.entries()].map(([at, size]) => sizeCase(`1.2.${at + 1}`, Opcode.Binary, size, null)),
  sizeCase('1.2.8', Opcode.Binary, 65536, CHOP_BYTES),
];

function sizeCase(id: string, opcode: number, size: number, chop: number | null): ConformanceCase {
  const isText = opcode === Opcode.Text;
  const payload = Buffer.alloc(size, isText ? 0x2a : 0xfe);
  const how = chop === null ? '' : ` in chops of ${chop} bytes`;
  return {
    id,
    title: `a ${isText ? 'text' : 'binary'} message of ${size} bytes${how}`,
    play: (peer) => (chop === null ? peer.send({ opcode, payload }) : peer.sendChopped(chop, { opcode, payload })),
    expect: [ok(isText ? textEvent(payload) : binaryEvent(payload))],
    close: normalClose,
  };
}
