// A report as Markdown: ratios against the goals first, then what each peer did.

import { machineLine } from '../support/machine.ts';
import { median, pairedRatios, type Spread, spreadOf } from '../support/statistics.ts';
import { bytes, figure, markdownTable } from '../support/table.ts';
import { percent } from './cells.ts';
import { FLOOD_NAMES } from './fairness.ts';
import { FAIRNESS_GOAL, goalOf, HANDSHAKE_GOAL } from './goals.ts';
import type { CellResult, PeerFairness, PeerHandshakes, PeerRounds, Report, Round } from './results.ts';

const SUBJECT = 'framegate';
/** What every proxy would cost at least where TLS ends; told because the rows are part of the grid. */
const NO_TLS = 'Cells with TLS to the client (`wss`) are skipped: framegate has no TLS listener yet.';

export function markdownReport(report: Report): string {
  const parts = [introduction(report)];
  if (report.cells.length > 0 && report.rate === null) parts.push(ratioSection(report.cells));
  for (const cell of report.cells) parts.push(cellSection(cell, report.rate));
  if (report.handshakes.length > 0) parts.push(handshakeSection(report.handshakes));
  if (report.fairness.length > 0) parts.push(fairnessSection(report.fairness));
  return `${parts.join('\n\n').trim()}\n`;
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
    ...(report.cells.length > 0 ? [`- ${NO_TLS}`] : []),
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

function handshakeSection(found: readonly PeerHandshakes[]): string {
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
      one.peer === SUBJECT || ratios.length === 0 ? '-' : handshakeRatio(one.peer, spreadOf(ratios)),
      rangeText(of((round) => round.perSecond)),
      figure(of((round) => round.p50).median),
      figure(of((round) => round.p99).median),
      percent(of((round) => round.proxyShare).median),
      percent(of((round) => round.generatorShare).median),
    ];
  });
  const head = ['proxy', 'a CPU second', 'framegate / this', 'a second', 'p50 ms', 'p99 ms', 'proxy core', 'generator'];
  return [
    '### Handshakes',
    'A session opened, closed in order, and opened again. Above 1 framegate does more in a second of CPU.',
    markdownTable(head, rows),
  ].join('\n\n');
}

function handshakeRatio(peer: string, ratio: Spread): string {
  if (peer !== HANDSHAKE_GOAL.peer) return rangeText(ratio);
  const { atLeast } = HANDSHAKE_GOAL;
  return ratio.median >= atLeast ? `${rangeText(ratio)} >= ${atLeast}` : `**${rangeText(ratio)} < ${atLeast}**`;
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

function rangeText(spread: Spread): string {
  if (!Number.isFinite(spread.median)) return '-';
  if (spread.min === spread.max) return figure(spread.median);
  return `${figure(spread.median)} (${figure(spread.min)}-${figure(spread.max)})`;
}
