// What deploys did to clients, as Markdown.

import { rangeText } from '../load/figures.ts';
import { machineLine } from '../support/machine.ts';
import { type Spread, spreadOf } from '../support/statistics.ts';
import { figure, markdownTable } from '../support/table.ts';
import type { DeployReport, DeployRound, PeerDeploys } from './results.ts';
import { CONNECT_OUTCOMES, type Connects } from './tally.ts';

const SUBJECT = 'framegate';
const SECOND = 1_000;

export function deployMarkdown(report: DeployReport): string {
  const { sessions, rate, newcomers, windowSeconds, spreadSeconds, peers } = report;
  const versions = Object.entries(report.versions).filter(([, version]) => version !== '');
  const rounds = Math.max(0, ...peers.map((one) => one.rounds.length));
  const lines = [
    `- Machine: ${machineLine(report.machine)}`,
    `- Versions: ${versions.map(([name, version]) => `${name} ${version}, `).join('')}echo backend ${report.backend}`,
    `- Command: \`${report.command}\``,
    `- ${sessions} sessions, ${rate} messages a second, ${newcomers} newcomers a second; ` +
      `the old generation has ${windowSeconds} s, and ${spreadSeconds} s to tell its sessions, where it does`,
    `- Figures are medians of ${rounds} interleaved rounds, with their range; counts of connects and codes are sums.`,
    ...report.skipped.map((text) => `- Skipped: ${text}`),
  ];
  const parts = [lines.join('\n'), lostSection(peers), timeSection(peers)];
  return `${parts.join('\n\n').trim()}\n`;
}

/** What is lost where nothing has to be. */
function lostSection(peers: readonly PeerDeploys[]): string {
  const head = [
    'proxy',
    'ended with 1006',
    'reconnects in one second',
    'messages lost to the backend',
    'to the client',
    'newcomers not let in',
    'cut',
    'reconnects that failed',
  ];
  const text =
    'Goals of framegate: nobody with 1006, no message lost to the backend, every newcomer let in and none cut; ' +
    '**bold** misses them.';
  return [
    '### What a deploy costs clients',
    text,
    markdownTable(
      head,
      peers.map((one) => lostRow(one)),
    ),
  ].join('\n\n');
}

function lostRow(one: PeerDeploys): string[] {
  const { peer, rounds } = one;
  if (rounds.length === 0) return failedRow(one);
  const of = (pick: (round: DeployRound) => number) => spreadOf(rounds.map(pick));
  const marked = (text: string, holds: boolean) => (peer === SUBJECT && !holds ? `**${text}**` : text);
  const share = of(({ endings }) => (endings.ended === 0 ? 0 : endings.abnormal / endings.ended));
  const toBackend = of((round) => round.losses.toBackend);
  const newcomers = sumOf(rounds.map((round) => round.newcomers));
  const cut = rounds.reduce((sum, round) => sum + round.newcomersCut, 0);
  const notLetIn = totalOf(newcomers) - newcomers.opened;
  return [
    nameOf(one),
    marked(shareText(share), share.max === 0),
    countText(of((round) => round.peakReconnects)),
    marked(countText(toBackend), toBackend.max === 0),
    countText(of((round) => round.losses.toClient)),
    marked(connectsText(newcomers), notLetIn === 0),
    marked(String(cut), cut === 0),
    connectsText(sumOf(rounds.map((round) => round.tries))),
  ];
}

function timeSection(peers: readonly PeerDeploys[]): string {
  const head = [
    'proxy',
    'taken over s',
    'all moved s',
    'old one gone s',
    'without a session p99 s',
    'longest s',
    'echo p99 ms, quiet',
    'meanwhile',
    'longest ms',
    'codes',
  ];
  return [
    '### When, and what those feel who stay',
    markdownTable(
      head,
      peers.map((one) => timeRow(one)),
    ),
  ].join('\n\n');
}

function timeRow(one: PeerDeploys): string[] {
  const { rounds } = one;
  if (rounds.length === 0) return failedRow(one);
  const of = (pick: (round: DeployRound) => number) => rangeText(spreadOf(rounds.map(pick)));
  return [
    nameOf(one),
    of((round) => round.takenOverMs / SECOND),
    of((round) => round.allMovedMs / SECOND),
    of((round) => round.oldGoneMs / SECOND),
    of((round) => round.awayP99 / SECOND),
    of((round) => round.awayMax / SECOND),
    of((round) => round.quietP99),
    of((round) => round.echoP99),
    of((round) => round.echoMax),
    codesText(rounds),
  ];
}

function nameOf({ peer, fault }: PeerDeploys): string {
  return fault === null ? peer : `${peer} (then failed: ${fault})`;
}

function failedRow({ peer, fault }: PeerDeploys): string[] {
  return [peer, `failed: ${fault ?? 'no rounds'}`];
}

function shareText({ median, min, max }: Spread): string {
  const percent = (share: number) => `${figure(share * 100)} %`;
  return min === max ? percent(median) : `${percent(median)} (${percent(min)}-${percent(max)})`;
}

function countText({ median, min, max }: Spread): string {
  return min === max ? String(median) : `${median} (${min}-${max})`;
}

/** `3 of 6000: 2 refused, 1 reset`. */
export function connectsText(connects: Connects): string {
  const total = totalOf(connects);
  const failed = CONNECT_OUTCOMES.filter((outcome) => outcome !== 'opened' && connects[outcome] > 0);
  const parts = failed.map((outcome) => `${connects[outcome]} ${outcome}`);
  return `${total - connects.opened} of ${total}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`;
}

function codesText(rounds: readonly DeployRound[]): string {
  const counts = new Map<number, number>();
  for (const { endings } of rounds) {
    for (const [code, count] of endings.codes) counts.set(code, (counts.get(code) ?? 0) + count);
  }
  return [...counts].map(([code, count]) => `${code} x ${count}`).join(', ') || '-';
}

function sumOf(all: readonly Connects[]): Connects {
  const sum = { opened: 0, refused: 0, reset: 0, answered: 0, late: 0 };
  for (const one of all) for (const outcome of CONNECT_OUTCOMES) sum[outcome] += one[outcome];
  return sum;
}

function totalOf(connects: Connects): number {
  return CONNECT_OUTCOMES.reduce((sum, outcome) => sum + connects[outcome], 0);
}
