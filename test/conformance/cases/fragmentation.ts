// Group 5: fragmented messages, control frames between fragments, continuations and starts out of order.

import { type FrameSpec, Opcode } from '../../support/wire.ts';
import {
  type ConformanceCase,
  continuationFrame,
  nonStrict,
  normalClose,
  ok,
  pingFrame,
  pongEvent,
  protocolErrorClose,
  textEvent,
  textFrame,
} from '../conformance-case.ts';
import type { Expectation } from '../verdict.ts';

type Manner = 'whole' | 'framewise' | 'octetwise';
const MANNERS: readonly Manner[] = ['whole', 'framewise', 'octetwise'];
const notFinal = { fin: false };

const two = [textFrame('fragment1', notFinal), continuationFrame('fragment2')];
const twoWithPing = [textFrame('fragment1', notFinal), pingFrame('ping payload'), continuationFrame('fragment2')];
const fiveWithPings = [
  textFrame('fragment1', notFinal),
  continuationFrame('fragment2', notFinal),
  pingFrame('ping 1'),
  continuationFrame('fragment3', notFinal),
  continuationFrame('fragment4', notFinal),
  pingFrame('ping 2'),
  continuationFrame('fragment5'),
];
const whole = textFrame('Hello, world!');
const strayFinal = continuationFrame('stray');
const strayOpen = continuationFrame('stray', notFinal);

const joined = ok(textEvent('fragment1fragment2'));
const pinged = ok(pongEvent('ping payload'), textEvent('fragment1fragment2'));
const pingedTwice = ok(
  pongEvent('ping 1'),
  pongEvent('ping 2'),
  textEvent('fragment1fragment2fragment3fragment4fragment5'),
);

export const fragmentationCases: readonly ConformanceCase[] = [
  bad('5.1', 'a ping in two fragments', [pingFrame('fragment1', notFinal), continuationFrame('fragment2')]),
  bad('5.2', 'a pong in two fragments', [
    { opcode: Opcode.Pong, payload: 'fragment1', fin: false },
    continuationFrame('fragment2'),
  ]),
  ...MANNERS.map((manner, at) => good(`5.${3 + at}`, `a text in two fragments, ${manner}`, two, joined, manner)),
  ...MANNERS.map((manner, at) =>
    good(`5.${6 + at}`, `a ping between two fragments, ${manner}`, twoWithPing, pinged, manner),
  ),
  ...MANNERS.map((manner, at) =>
    bad(`5.${9 + at}`, `a final continuation without a start, then a text, ${manner}`, [strayFinal, whole], manner),
  ),
  ...MANNERS.map((manner, at) =>
    bad(`5.${12 + at}`, `a continuation without a start, then a text, ${manner}`, [strayOpen, whole], manner),
  ),
  {
    ...bad('5.15', 'a message in two fragments, a continuation without a start, a text', [...two, strayOpen, whole]),
    expect: [joined, nonStrict()],
  },
  bad('5.16', 'twice: a continuation without a start, then a text', [strayOpen, whole, strayOpen, whole]),
  bad('5.17', 'twice: a final continuation without a start, then a text', [strayFinal, whole, strayFinal, whole]),
  bad('5.18', 'a text inside an unfinished text', [textFrame('fragment1', notFinal), textFrame('fragment2')]),
  {
    ...good('5.19', 'five fragments and two pings, a pause in the middle', fiveWithPings, pingedTwice, 'whole'),
    play: async (peer) => {
      peer.send(...fiveWithPings.slice(0, 3));
      await peer.within(1_000, () => peer.events.length > 0);
      peer.send(...fiveWithPings.slice(3));
    },
  },
  good('5.20', 'five fragments and two pings, framewise', fiveWithPings, pingedTwice, 'framewise'),
];

function good(
  id: string,
  title: string,
  frames: readonly FrameSpec[],
  expectation: Expectation,
  manner: Manner,
): ConformanceCase {
  return { id, title, play: player(frames, manner), expect: [expectation], close: normalClose };
}

function bad(id: string, title: string, frames: readonly FrameSpec[], manner: Manner = 'whole'): ConformanceCase {
  return { id, title, play: player(frames, manner), expect: [ok()], close: protocolErrorClose };
}

function player(frames: readonly FrameSpec[], manner: Manner): ConformanceCase['play'] {
  return (peer) => {
    if (manner === 'whole') return peer.send(...frames);
    return manner === 'framewise' ? peer.sendFramewise(...frames) : peer.sendChopped(1, ...frames);
  };
}
