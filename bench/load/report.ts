// A report as Markdown: ratios against the goals first, then what each peer did.

import { machineLine } from '../support/machine.ts';
import { median, pairedRatios, type Spread, spreadOf } from '../support/statistics.ts';
import { bytes, figure, markdownTable } from '../support/table.ts';
import { percent } from './cells.ts';
import { FLOOD_NAMES } from './fairness.ts';
import { rangeText } from './figures.ts';
import { FAIRNESS_GOAL, goalOf } from './goals.ts';
import { handshakeSection, stormSection } from './handshake-report.ts';
import { besideSection, plainSection } from './plain-report.ts';
import type { CellResult, HandshakeKind, PeerFairness, PeerRounds, Report, Round } from './results.ts';

const SUBJECT = 'framegate';
const KINDS: readonly HandshakeKind[] = ['plain', 'full', 'resumed', 'auth'];

export function markdownReport(report: Report): string {
  const parts = [introduction(report)];
  if (report.cells.length > 0 && report.rate === null) parts.push(ratioSection(report.cells));
  for (const cell of report.cells) parts.push(cellSection(cell, report.rate));
  for (const kind of KINDS) {
    const found = report.handshakes.filter((one) => one.kind === kind);
    if (found.length > 0) parts.push(handshakeSection(kind, found));
  }
  if (report.storms.length > 0) parts.push(stormSection(report.storms));
  if (report.plain.length > 0) parts.push(plainSection(report.plain));
  if (report.beside.length > 0) parts.push(besideSection(report.beside));
  if (report.fairness.length > 0) parts.push(fairnessSection(report.fairness));
  return `${parts.join('\n\n').trim()}\n`;
}

/** The sections of a document that hold it, each with its part: what was not measured stays as it is there. */
export function sectionsOf(report: Report): { readonly section: string; readonly part: Report }[] {
  const cellsOf = (isSecure: boolean) => report.cells.filter((cell) => cell.cell.startsWith('wss') === isSecure);
  const handshakesOf = (...kinds: HandshakeKind[]) => report.handshakes.filter(({ kind }) => kinds.includes(kind));
  const nothing = { cells: [], handshakes: [], fairness: [], storms: [], plain: [], beside: [] };
  const plain = { cells: cellsOf(false), handshakes: handshakesOf('plain'), fairness: report.fairness };
  const secure = { cells: cellsOf(true), handshakes: handshakesOf('full', 'resumed') };
  const all = [
    { section: 'bench:load', part: { ...report, ...nothing, ...plain, tls: null } },
    { section: 'bench:tls', part: { ...report, ...nothing, ...secure } },
    { section: 'bench:auth', part: { ...report, ...nothing, handshakes: handshakesOf('auth'), tls: null } },
    { section: 'bench:storm', part: { ...report, ...nothing, storms: report.storms } },
    { section: 'bench:plain', part: { ...report, ...nothing, plain: report.plain, tls: null } },
    { section: 'bench:beside', part: { ...report, ...nothing, beside: report.beside, tls: null } },
  ];
  return all.filter(({ part }) => {
    const { cells, handshakes, fairness, storms, plain: requests, beside } = part;
    return [cells, handshakes, fairness, storms, requests, beside].some((found) => found.length > 0);
  });
}

/** framegate's figure divided by the peer's, round by round. */
export function ratioOf(cell: CellResult, peer: string): Spread | null {
  const [own, other] = [SUBJECT, peer].map((name) => cell.peers.find((one) => one.peer === name)?.rounds ?? []);
  const cpu = (rounds: readonly Round[] | undefined) => (rounds ?? []).map((round) => round.cpuMicros);
  const ratios = pairedRatios(cpu(own), cpu(other));
  return ratios.length === 0 ? null : spreadOf(ratios);
}

function introduction(report: Report): string {
  const versions = Object.entries(report.versions).filter(([, version]) => version !== '');
  const lines = [
    `- Machine: ${machineLine(report.machine)}`,
    `- Versions: ${versions.map(([name, version]) => `${name} ${version}, `).join('')}echo backend ${report.backend}`,
    `- Command: \`${report.command}\``,
    `- Figures are medians of ${report.rounds} interleaved rounds of ${report.seconds} s, with their range.`,
    ...report.skipped.map((text) => `- Skipped: ${text}`),
    ...(report.tls === null ? [] : [`- TLS: ${report.tls}; every client checks that it was given this`]),
  ];
  return lines.join('\n');
}

function ratioSection(cells: readonly CellResult[]): string {
  const known = cells.flatMap((cell) => cell.peers.map((one) => one.peer));
  const peers = [...new Set(known)].filter((peer) => peer !== SUBJECT && peer !== 'direct');
  const rows = cells.map((cell) => [cell.cell, ...peers.map((peer) => ratioText(cell, peer))]);
  return [
    '### CPU time per round trip: framegate divided by the peer',
    'Below 1 framegate costs less. Behind the range stands the goal; **bold** misses it.',
    markdownTable(['connections x payload x in flight', ...peers.map((peer) => `/ ${peer}`)], rows),
  ].join('\n\n');
}

function ratioText(cell: CellResult, peer: string): string {
  const ratio = ratioOf(cell, peer);
  if (ratio === null) return '-';
  const text = rangeText(ratio);
  const goal = goalOf(cell.cell, peer);
  if (goal === null) return text;
  return ratio.median <= goal.atMost ? `${text} <= ${goal.atMost}` : `**${text} > ${goal.atMost}**`;
}

function cellSection(cell: CellResult, rate: number | null): string {
  const byTheClock = rate === null ? [] : ['p99.9 ms', 'sent late p99 ms'];
  const head = ['proxy', 'CPU us each', 'round trips/s', 'p50 ms', 'p99 ms', ...byTheClock, 'proxy core', 'load core'];
  const title = rate === null ? cell.cell : `${cell.cell}, ${figure(rate)} messages/s by the clock`;
  return `### ${title}\n\n${markdownTable(
    head,
    cell.peers.map((one) => cellRow(one, rate)),
  )}`;
}

function cellRow(one: PeerRounds, rate: number | null): string[] {
  const { rounds, fault } = one;
  if (rounds.length === 0) return [one.peer, `failed: ${fault ?? 'no rounds'}`];
  const of = (pick: (round: Round) => number) => spreadOf(rounds.map(pick));
  const name = fault === null ? one.peer : `${one.peer} (then failed: ${fault})`;
  const byTheClock =
    rate === null ? [] : [figure(of((round) => round.p999).median), figure(of((round) => round.sentLateP99).median)];
  return [
    name,
    rangeText(of((round) => round.cpuMicros)),
    rangeText(of((round) => round.roundTripsPerSecond)),
    figure(of((round) => round.p50).median),
    figure(of((round) => round.p99).median),
    ...byTheClock,
    percent(of((round) => round.proxyShare).median),
    percent(of((round) => round.generatorShare + round.backendShare).median),
  ];
}

function fairnessSection(found: readonly PeerFairness[]): string {
  const peers = [...new Set(found.map((one) => one.peer))];
  const of = (peer: string, flood: string) => found.find((one) => one.peer === peer && one.flood === flood);
  const head = ['proxy', ...FLOOD_NAMES.flatMap((name) => (name === 'alone' ? ['alone'] : [name, `${name} flood`]))];
  const rows = peers.map((peer) => [
    peer,
    ...FLOOD_NAMES.flatMap((flood) => {
      const one = of(peer, flood);
      if (one === undefined || one.rounds.length === 0) return flood === 'alone' ? ['-'] : ['-', '-'];
      const text = fairnessText(one, of(FAIRNESS_GOAL.peer, flood));
      const through = median(one.rounds.map((round) => round.floodBytesPerSecond));
      return flood === 'alone' ? [text] : [text, `${bytes(through)}/s`];
    }),
  ]);
  return [
    '### Fairness: p99 of a light session beside a flooding one, ms',
    'One session sends 64 bytes at a time; the other keeps so many messages of that size in flight, to a backend of ' +
      `its own. The goal is at most ${FAIRNESS_GOAL.atMost} times ${FAIRNESS_GOAL.peer}'s; **bold** misses it.`,
    markdownTable(head, rows),
  ].join('\n\n');
}

function fairnessText(one: PeerFairness, reference: PeerFairness | undefined): string {
  const p99 = spreadOf(one.rounds.map((round) => round.p99));
  const text = rangeText(p99);
  if (one.peer !== SUBJECT || one.flood === 'alone' || reference === undefined || reference.rounds.length === 0) {
    return text;
  }
  const most = FAIRNESS_GOAL.atMost * median(reference.rounds.map((round) => round.p99));
  return p99.median <= most ? `${text} <= ${figure(most)}` : `**${text} > ${figure(most)}**`;
}
