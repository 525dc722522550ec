// Groups 3 and 4: reserved bits and reserved opcodes. A good message may stand before the bad frame: its echo is OK,
// its loss is NON-STRICT. And group 11: masks and length forms that RFC 6455 5.1 and 5.2 forbid.

import { type FrameSpec, Opcode } from '../../support/wire.ts';
import {
  type ConformanceCase,
  nonStrict,
  ok,
  pingFrame,
  protocolErrorClose,
  textEvent,
  textFrame,
} from '../conformance-case.ts';

const HELLO = 'Hello, world!';
type Manner = 'whole' | 'framewise' | 'octetwise';

export const reservedBitCases: readonly ConformanceCase[] = [
  aloneCase('3.1', 'a text with RSV3', textFrame(HELLO, { rsv: 1 })),
  behindGoodCase('3.2', 'a text, then one with RSV2', textFrame(HELLO, { rsv: 2 }), 'whole'),
  behindGoodCase('3.3', 'a text, then one with RSV2 and RSV3', textFrame(HELLO, { rsv: 3 }), 'framewise'),
  behindGoodCase('3.4', 'a text, then one with RSV1, octet by octet', textFrame(HELLO, { rsv: 4 }), 'octetwise'),
  aloneCase('3.5', 'a binary with RSV1 and RSV3', { opcode: Opcode.Binary, payload: HELLO, rsv: 5 }),
  aloneCase('3.6', 'a ping with RSV1 and RSV2', pingFrame(HELLO, { rsv: 6 })),
  aloneCase('3.7', 'a Close with RSV1, RSV2 and RSV3', { opcode: Opcode.Close, payload: codeBytes(1000), rsv: 7 }),
];

export const reservedOpcodeCases: readonly ConformanceCase[] = [
  aloneCase('4.1.1', 'data opcode 3', { opcode: 3 }),
  aloneCase('4.1.2', 'data opcode 4 with payload', { opcode: 4, payload: 'reserved opcode payload' }),
  behindGoodCase('4.1.3', 'a text, then data opcode 5', { opcode: 5 }, 'whole'),
  behindGoodCase('4.1.4', 'a text, then data opcode 6 with payload', { opcode: 6, payload: 'reserved' }, 'framewise'),
  behindGoodCase('4.1.5', 'a text, then data opcode 7, octet by octet', { opcode: 7, payload: 'res' }, 'octetwise'),
  aloneCase('4.2.1', 'control opcode 11', { opcode: 11 }),
  aloneCase('4.2.2', 'control opcode 12 with payload', { opcode: 12, payload: 'reserved opcode payload' }),
  behindGoodCase('4.2.3', 'a text, then control opcode 13', { opcode: 13 }, 'whole'),
  behindGoodCase('4.2.4', 'a text, then control opcode 14', { opcode: 14, payload: 'reserved' }, 'framewise'),
  behindGoodCase('4.2.5', 'a text, then control opcode 15, by octets', { opcode: 15, payload: 'res' }, 'octetwise'),
];

export const headerCases: readonly ConformanceCase[] = [
  wrongMaskCase('11.1.1', 'a text with the mask bit of the other role', textFrame(HELLO)),
  wrongMaskCase('11.1.2', 'a ping with the mask bit of the other role', pingFrame(HELLO)),
  aloneCase('11.2.1', 'a text of 125 bytes in the 16-bit form', textFrame('x'.repeat(125), { lengthForm: 16 })),
  aloneCase('11.2.2', 'a text of 65535 bytes in the 64-bit form', textFrame('x'.repeat(65535), { lengthForm: 64 })),
  aloneCase('11.2.3', 'an empty text in the 64-bit form', textFrame('', { lengthForm: 64 })),
  aloneCase('11.3.1', 'a text of 2^63 bytes', textFrame('', { length: 2n ** 63n })),
  behindGoodCase('11.3.2', 'a text, then one of 2^64 - 1 bytes', textFrame('', { length: 2n ** 64n - 1n }), 'whole'),
  aloneCase('11.4.1', 'a Close of 126 bytes', { opcode: Opcode.Close, payload: closeOfSize(126) }),
];

function aloneCase(id: string, title: string, bad: FrameSpec): ConformanceCase {
  return { id, title, play: (peer) => peer.send(bad), expect: [ok()], close: protocolErrorClose };
}

function wrongMaskCase(id: string, title: string, bad: FrameSpec): ConformanceCase {
  return {
    id,
    title,
    play: (peer) => peer.send({ ...bad, mask: peer.role === 'server' }),
    expect: [ok()],
    close: protocolErrorClose,
  };
}

function behindGoodCase(id: string, title: string, bad: FrameSpec, manner: Manner): ConformanceCase {
  const frames = [textFrame(HELLO), bad, pingFrame()];
  return {
    id,
    title,
    play: (peer) => {
      if (manner === 'whole') return peer.send(...frames);
      return manner === 'framewise' ? peer.sendFramewise(...frames) : peer.sendChopped(1, ...frames);
    },
    expect: [ok(textEvent(HELLO)), nonStrict()],
    close: protocolErrorClose,
  };
}

function codeBytes(code: number): Buffer {
  return Buffer.from([code >> 8, code & 0xff]);
}

function closeOfSize(size: number): Buffer {
  return Buffer.concat([codeBytes(1000), Buffer.alloc(size - 2, 0x2a)]);
}
