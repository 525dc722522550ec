// What was measured of plain requests, as Markdown.

import { pairedRatios, spreadOf } from '../support/statistics.ts';
import { figure, markdownTable } from '../support/table.ts';
import { percent } from './cells.ts';
import { atMostText, rangeText } from './figures.ts';
import { BESIDE_GOAL, PLAIN_GOAL } from './goals.ts';
import { BESIDE } from './plain-beside.ts';
import type { BesideRound, PeerBeside, PeerPlain, PlainRound } from './results.ts';

const SUBJECT = 'framegate';

export function plainSection(found: readonly PeerPlain[]): string {
  const head = ['proxy', 'CPU us each', 'framegate / this', 'a second', 'p50 ms', 'p99 ms', 'proxy core', 'load core'];
  const works = [...new Set(found.map((one) => one.work))];
  const tables = works.map((work) => {
    const some = found.filter((one) => one.work === work);
    const own = some.find((one) => one.peer === SUBJECT)?.rounds ?? [];
    return `#### ${work}\n\n${markdownTable(
      head,
      some.map((one) => plainRow(one, own)),
    )}`;
  });
  return [
    '### Plain requests',
    'One at a time on each of 64 connections that stay, answers of 1 KiB; each proxy opens a connection to the ' +
      `backend for every request. The goal: ${PLAIN_GOAL.atMost} of ${PLAIN_GOAL.peer}'s CPU; **bold** misses it.`,
    ...tables,
  ].join('\n\n');
}

function plainRow({ peer, rounds, fault }: PeerPlain, own: readonly PlainRound[]): string[] {
  if (rounds.length === 0) return [peer, `failed: ${fault ?? 'no rounds'}`];
  const of = (pick: (round: PlainRound) => number) => spreadOf(rounds.map(pick));
  const ratios = pairedRatios(
    own.map((round) => round.cpuMicros),
    rounds.map((round) => round.cpuMicros),
  );
  return [
    fault === null ? peer : `${peer} (then failed: ${fault})`,
    rangeText(of((round) => round.cpuMicros)),
    peer === SUBJECT || ratios.length === 0 ? '-' : ratioText(peer, ratios),
    rangeText(of((round) => round.perSecond)),
    figure(of((round) => round.p50).median),
    figure(of((round) => round.p99).median),
    percent(of((round) => round.proxyShare).median),
    percent(of((round) => round.loadShare).median),
  ];
}

function ratioText(peer: string, ratios: readonly number[]): string {
  const ratio = spreadOf(ratios);
  return peer === PLAIN_GOAL.peer ? atMostText(ratio, PLAIN_GOAL.atMost) : rangeText(ratio);
}

export function besideSection(found: readonly PeerBeside[]): string {
  const head = [
    'proxy',
    'quiet p99 ms',
    'past p99 ms',
    'beside p99 ms',
    'beside / quiet',
    'beside / past',
    'sent late p99 ms',
    'requests/s',
  ];
  const { sessions, messagesPerSecond, requestsPerSecond } = BESIDE;
  return [
    '### Sessions beside plain requests',
    `${sessions} sessions, ${figure(messagesPerSecond)} messages of 64 bytes a second by the clock, without plain ` +
      `requests and beside ${figure(requestsPerSecond)} of them a second. The goal: ${BESIDE_GOAL.atMost} times ` +
      'the quiet p99; **bold** misses it. Past: the same requests straight to the backend, so that whoever makes and ' +
      'answers them has as much to do.',
    markdownTable([...head, 'request p99 ms', 'proxy core'], found.map(besideRow)),
  ].join('\n\n');
}

function besideRow({ peer, rounds, fault }: PeerBeside): string[] {
  if (rounds.length === 0) return [peer, `failed: ${fault ?? 'no rounds'}`];
  const of = (pick: (round: BesideRound) => number) => spreadOf(rounds.map(pick));
  const ratio = of((round) => round.p99 / round.quietP99);
  return [
    fault === null ? peer : `${peer} (then failed: ${fault})`,
    rangeText(of((round) => round.quietP99)),
    rangeText(of((round) => round.pastP99)),
    rangeText(of((round) => round.p99)),
    peer === SUBJECT ? atMostText(ratio, BESIDE_GOAL.atMost) : rangeText(ratio),
    rangeText(of((round) => round.p99 / round.pastP99)),
    figure(of((round) => round.sentLateP99).median),
    figure(of((round) => round.requestsPerSecond).median),
    figure(of((round) => round.requestP99).median),
    percent(of((round) => round.proxyShare).median),
  ];
}
