// Group 7: the close handshake, its codes and its reasons.

import { closePayload, Opcode } from '../../support/wire.ts';
import {
  type ConformanceCase,
  continuationFrame,
  normalClose,
  ok,
  pingFrame,
  protocolErrorClose,
  textEvent,
  textFrame,
} from '../conformance-case.ts';
import type { FuzzPeer } from '../fuzz-peer.ts';
import type { CloseExpectation } from '../verdict.ts';

const HELLO = 'Hello, world!';
const LEGAL = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const ILLEGAL = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999];
const close1000 = { opcode: Opcode.Close, payload: closePayload(1000) };

export const closingCases: readonly ConformanceCase[] = [
  {
    id: '7.1.1',
    title: 'a message, then a Close',
    play: (peer) => {
      peer.send(textFrame(HELLO), close1000);
      peer.noteClose();
    },
    expect: [ok(textEvent(HELLO))],
    close: normalClose,
  },
  behindCloseCase('7.1.2', 'two Closes', (peer) => peer.send(close1000, close1000)),
  behindCloseCase('7.1.3', 'a ping behind the Close', (peer) => peer.send(close1000, pingFrame('late'))),
  behindCloseCase('7.1.4', 'a text behind the Close', (peer) => peer.send(close1000, textFrame(HELLO))),
  behindCloseCase('7.1.5', 'a Close between two fragments', (peer) =>
    peer.send(textFrame('fragment1', { fin: false }), close1000, continuationFrame('fragment2')),
  ),
  {
    id: '7.1.6',
    title: '256 KiB, a Close and a ping',
    play: (peer) => {
      peer.send(textFrame('x'.repeat(262_144)), close1000, pingFrame());
      peer.noteClose();
    },
    expect: [],
    close: normalClose,
    informational: true,
  },
  bodyCase('7.3.1', 'a Close without payload', Buffer.alloc(0), { by: 'fuzzer', codes: [null, 1000] }),
  badBodyCase('7.3.2', 'a Close of one byte', Buffer.from('a'), [1002]),
  bodyCase('7.3.3', 'a Close with a code', closePayload(1000), normalClose),
  bodyCase('7.3.4', 'a Close with a reason', closePayload(1000, 'Hello World!'), normalClose),
  bodyCase('7.3.5', 'a Close with a reason of 123 bytes', closePayload(1000, '*'.repeat(123)), normalClose),
  badBodyCase('7.3.6', 'a Close with a reason of 124 bytes', closePayload(1000, '*'.repeat(124)), [1002]),
  badBodyCase(
    '7.5.1',
    'a reason that is not UTF-8',
    closePayload(1000, Buffer.from('cebae1bdb9eda080', 'hex')),
    [1002, 1007],
  ),
  badBodyCase(
    '7.5.2',
    'a reason cut inside a code point',
    closePayload(1000, Buffer.from('61c3', 'hex')),
    [1002, 1007],
  ),
  ...LEGAL.map((code, at) =>
    bodyCase(`7.7.${at + 1}`, `code ${code}`, closePayload(code), { by: 'fuzzer', codes: [code] }),
  ),
  ...ILLEGAL.map((code, at) => badBodyCase(`7.9.${at + 1}`, `code ${code}`, closePayload(code), [1002])),
  { ...badBodyCase('7.13.1', 'code 5000', closePayload(5000), []), informational: true },
  { ...badBodyCase('7.13.2', 'code 65535', closePayload(65535), []), informational: true },
];

/** What follows a Close is not looked at (RFC 6455 5.5.1). */
function behindCloseCase(id: string, title: string, send: (peer: FuzzPeer) => void): ConformanceCase {
  return {
    id,
    title,
    play: (peer) => {
      send(peer);
      peer.noteClose();
    },
    expect: [ok()],
    close: normalClose,
  };
}

function bodyCase(id: string, title: string, payload: Buffer, close: CloseExpectation): ConformanceCase {
  return { id, title, play: (peer) => peer.sendClose(payload), expect: [ok()], close };
}

/** The answer to a bad Close is a failure, not an echo; it is judged by its code alone. */
function badBodyCase(id: string, title: string, payload: Buffer, codes: readonly number[]): ConformanceCase {
  return {
    id,
    title,
    play: (peer) => peer.send({ opcode: Opcode.Close, payload }),
    expect: [ok()],
    close: { ...protocolErrorClose, codes },
  };
}
