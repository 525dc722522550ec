// What was measured of handshakes and of storms, as Markdown.

import { pairedRatios, spreadOf } from '../support/statistics.ts';
import { figure, markdownTable } from '../support/table.ts';
import { percent } from './cells.ts';
import { atLeastText, rangeText } from './figures.ts';
import { HANDSHAKE_GOALS, STORM_GOAL } from './goals.ts';
import { type HandshakeKind, overTls, type PeerHandshakes, type PeerStorms, type StormRound } from './results.ts';

const SUBJECT = 'framegate';

const HANDSHAKE_TEXTS: Readonly<Record<HandshakeKind, readonly [title: string, text: string]>> = {
  plain: ['Handshakes', 'A session opened, closed in order, and opened again.'],
  full: ['TLS handshakes, full', 'The same over TLS: TCP, a TLS handshake without a ticket, WebSocket, and the close.'],
  resumed: [
    'TLS handshakes, resumed',
    'Each client offers the ticket of its last visit, and is asked whether it was taken.',
  ],
  auth: [
    'Handshakes by method of auth',
    'The same with a good credential, the same one all the time, beside a route without auth.',
  ],
};

export function handshakeSection(kind: HandshakeKind, found: readonly PeerHandshakes[]): string {
  const own = found.find((one) => one.peer === SUBJECT)?.rounds.map((round) => round.perCpuSecond) ?? [];
  const rows = found.map((one) => {
    if (one.rounds.length === 0) return [one.peer, `failed: ${one.fault ?? 'no rounds'}`];
    const of = (pick: (round: PeerHandshakes['rounds'][number]) => number) => spreadOf(one.rounds.map(pick));
    const ratios = pairedRatios(
      own,
      one.rounds.map((round) => round.perCpuSecond),
    );
    return [
      one.peer,
      rangeText(of((round) => round.perCpuSecond)),
      one.peer === SUBJECT || ratios.length === 0 ? '-' : ratioText(kind, one.peer, ratios),
      rangeText(of((round) => round.perSecond)),
      figure(of((round) => round.p50).median),
      figure(of((round) => round.p99).median),
      percent(of((round) => round.proxyShare).median),
      percent(of((round) => round.generatorShare).median),
      ...(overTls(kind) ? [percent(of((round) => round.resumedShare).median)] : []),
    ];
  });
  const more = overTls(kind) ? ['resumed'] : [];
  const head = ['proxy', 'a CPU second', 'framegate / this', 'a second', 'p50 ms', 'p99 ms', 'proxy core', 'generator'];
  const [title, text] = HANDSHAKE_TEXTS[kind];
  return [
    `### ${title}`,
    `${text} Above 1 ${kind === 'auth' ? 'the route without' : 'framegate'} does more in a second of CPU.`,
    markdownTable([...head, ...more], rows),
  ].join('\n\n');
}

function ratioText(kind: HandshakeKind, peer: string, ratios: readonly number[]): string {
  const goal = HANDSHAKE_GOALS.find((one) => one.kind === kind && one.peer === peer);
  const ratio = spreadOf(ratios);
  return goal === undefined ? rangeText(ratio) : atLeastText(ratio, goal.atLeast);
}

export function stormSection(found: readonly PeerStorms[]): string {
  const clients = found.flatMap((one) => one.rounds.map((round) => round.clients))[0] ?? 0;
  const head = ['proxy', 'resumed', 'last ClientHello s', 'all in s', 'ClientHello to 101, p99 s', 'longest turn ms'];
  const open = ['open: quiet p99 ms', 'storm p99 ms', 'longest ms', 'sent late p99 ms', 'proxy core'];
  const { resumedMin, turnMs, p99Ms } = STORM_GOAL;
  return [
    `### ${figure(clients)} clients come back at once`,
    'All of them were there before, kept their tickets and lost their connections; 100 others send and receive a ' +
      'message ten times a second each. The generator makes ClientHellos as fast as its core can, which is ' +
      'the time of the last one. ' +
      `The goals: above ${percent(resumedMin)} resumed, no turn of the event loop above ${turnMs} ms, and the p99 of ` +
      `those who stayed at most ${p99Ms} ms above quiet; **bold** misses them.`,
    markdownTable(
      [...head, ...open],
      found.map((one) => stormRow(one)),
    ),
  ].join('\n\n');
}

function stormRow({ peer, rounds, fault }: PeerStorms): string[] {
  if (rounds.length === 0) return [peer, `failed: ${fault ?? 'no rounds'}`];
  const of = (pick: (round: StormRound) => number) => spreadOf(rounds.map(pick));
  const resumed = of((round) => round.resumedShare);
  const turn = of((round) => round.longestTurnMs);
  const above = of((round) => round.stormP99 - round.quietP99);
  const p99 = of((round) => round.stormP99);
  const isSubject = peer.startsWith(SUBJECT);
  const { resumedMin, turnMs, p99Ms } = STORM_GOAL;
  const marked = (text: string, holds: boolean) => (isSubject && !holds ? `**${text}**` : text);
  return [
    fault === null ? peer : `${peer} (then failed: ${fault})`,
    marked(percent(resumed.median), resumed.median > resumedMin),
    rangeText(of((round) => round.lastHelloMs / 1000)),
    rangeText(of((round) => round.allInMs / 1000)),
    rangeText(of((round) => round.openP99 / 1000)),
    marked(rangeText(turn), turn.median <= turnMs),
    rangeText(of((round) => round.quietP99)),
    marked(rangeText(p99), above.median <= p99Ms),
    rangeText(of((round) => round.stormMax)),
    figure(of((round) => round.sentLateP99).median),
    percent(of((round) => round.proxyShare).median),
  ];
}
