// Group 2: pings and pongs.

import { Opcode } from '../../support/wire.ts';
import {
  type ConformanceCase,
  normalClose,
  ok,
  pingFrame,
  pongEvent,
  protocolErrorClose,
} from '../conformance-case.ts';

const ODD_BYTES = Buffer.from('00fffefdfcfb00ff', 'hex');
const TEN = Array.from({ length: 10 }, (_, at) => `payload-${at}`);

export const controlCases: readonly ConformanceCase[] = [
  pingCase('2.1', 'a ping without payload', ''),
  pingCase('2.2', 'a ping with a small text', 'Hello, world!'),
  pingCase('2.3', 'a ping with bytes that are no text', ODD_BYTES),
  pingCase('2.4', 'a ping of 125 bytes', Buffer.alloc(125, 0xfe)),
  {
    id: '2.5',
    title: 'a ping of 126 bytes',
    play: (peer) => peer.send(pingFrame(Buffer.alloc(126, 0xfe))),
    expect: [ok()],
    close: protocolErrorClose,
  },
  {
    id: '2.6',
    title: 'a ping of 125 bytes, octet by octet',
    play: (peer) => peer.sendChopped(1, pingFrame(Buffer.alloc(125, 0xfe))),
    expect: [ok(pongEvent(Buffer.alloc(125, 0xfe)))],
    close: normalClose,
  },
  pongCase('2.7', 'an unsolicited pong without payload', ''),
  pongCase('2.8', 'an unsolicited pong with payload', 'unsolicited pong payload'),
  {
    id: '2.9',
    title: 'an unsolicited pong, then a ping',
    play: (peer) => peer.send({ opcode: Opcode.Pong, payload: 'unsolicited' }, pingFrame('ping payload')),
    expect: [ok(pongEvent('ping payload'))],
    close: normalClose,
  },
  {
    id: '2.10',
    title: 'ten pings',
    play: (peer) => peer.send(...TEN.map((payload) => pingFrame(payload))),
    expect: [ok(...TEN.map(pongEvent))],
    close: normalClose,
  },
  {
    id: '2.11',
    title: 'ten pings, octet by octet',
    play: (peer) => peer.sendChopped(1, ...TEN.map((payload) => pingFrame(payload))),
    expect: [ok(...TEN.map(pongEvent))],
    close: normalClose,
  },
];

function pingCase(id: string, title: string, payload: Buffer | string): ConformanceCase {
  return {
    id,
    title,
    play: (peer) => peer.send(pingFrame(payload)),
    expect: [ok(pongEvent(payload))],
    close: normalClose,
  };
}

function pongCase(id: string, title: string, payload: string): ConformanceCase {
  return {
    id,
    title,
    play: (peer) => peer.send({ opcode: Opcode.Pong, payload }),
    expect: [ok()],
    close: normalClose,
  };
}
