// Memory of an idle session over TLS, beside what there is to compare it with: a bare TLS connection of this Node, and
// what a session without TLS costs above a bare connection. All in one run.

import { absence, versionOf } from '../load/peers.ts';
import { type TlsSides, tlsText } from '../load/tls.ts';
import { describeMachine, type Machine, machineLine } from '../support/machine.ts';
import type { Progress } from '../support/progress.ts';
import { median } from '../support/statistics.ts';
import { bytes, markdownTable } from '../support/table.ts';
import { type Attribution, attribute, attributionText } from './attribute.ts';
import { bytesRange, type MeasureOptions, type MemoryRound, measurePeer, withRig } from './measure.ts';

interface Subject {
  readonly label: string;
  readonly peer: string;
  readonly sides: TlsSides;
}

const WSS = 'framegate, wss';
const PLAIN = 'framegate, ws';
const BARE_TLS = 'bare TLS of Node';
const BARE_NET = 'bare net of Node';
const SUBJECTS: readonly Subject[] = [
  { label: WSS, peer: 'framegate', sides: 'client' },
  { label: PLAIN, peer: 'framegate', sides: 'none' },
  { label: BARE_TLS, peer: 'bare', sides: 'client' },
  { label: BARE_NET, peer: 'bare', sides: 'none' },
  { label: 'nginx, wss', peer: 'nginx', sides: 'client' },
  { label: 'haproxy, wss', peer: 'haproxy', sides: 'client' },
];

export interface TlsMemoryRow {
  readonly label: string;
  readonly rounds: readonly MemoryRound[];
  readonly fault: string | null;
}

export interface TlsMemoryReport {
  readonly machine: Machine;
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly tls: string;
  readonly sessions: number;
  readonly skipped: readonly string[];
  readonly rows: readonly TlsMemoryRow[];
  readonly attribution: Attribution | null;
}

export async function measureTlsMemory(
  options: MeasureOptions & { readonly rounds: number; readonly attribution: boolean },
  command: string,
  progress: Progress,
): Promise<TlsMemoryReport> {
  const { sessions, rounds, tls } = options;
  const skipped = [...new Set(SUBJECTS.map(({ peer }) => absence(peer)))].filter((why) => why !== null);
  for (const why of skipped) progress.say(`SKIPPED: ${why}`);
  const present = SUBJECTS.filter(({ peer }) => absence(peer) === null);
  progress.expect(present.length * rounds + (options.attribution ? 1 : 0));
  const rows = present.map((subject) => ({ subject, rounds: [] as MemoryRound[], fault: null as string | null }));
  for (let round = 1; round <= rounds; round++) {
    for (const row of rows) {
      const { label, peer, sides } = row.subject;
      try {
        const result = await withRig(options, (rig) => measurePeer(rig, peer, options, progress, sides));
        row.rounds.push(result);
        const { used, opened } = result;
        progress.step(`${label} ${round}/${rounds}: ${bytes(used)} each, ${bytes(opened)} before the first message`);
      } catch (error) {
        // One line: it stands in a table.
        row.fault = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
        progress.say(`${label} ${round}/${rounds}: FAILED: ${row.fault}`);
        progress.step(label);
      }
    }
  }
  return {
    machine: describeMachine(),
    command,
    versions: Object.fromEntries(present.map(({ peer }) => [peer, versionOf(peer)])),
    tls: tls ? tlsText(tls) : '',
    sessions,
    skipped,
    rows: rows.map(({ subject, ...row }) => ({ label: subject.label, ...row })),
    attribution: options.attribution ? await withRig(options, (rig) => attribute(rig, options, progress)) : null,
  };
}

/** What a session over TLS may cost: NaN where a part was not measured. */
export function tlsBound(rows: readonly TlsMemoryRow[]): number {
  const of = (label: string) => median((rows.find((row) => row.label === label)?.rounds ?? []).map((one) => one.used));
  return of(BARE_TLS) + of(PLAIN) - of(BARE_NET);
}

export function tlsMemoryMarkdown(report: TlsMemoryReport): string {
  const versions = Object.entries(report.versions).filter(([, version]) => version !== '');
  const bound = tlsBound(report.rows);
  const rows = report.rows.map(({ label, rounds, fault }) => {
    if (rounds.length === 0) return [label, `failed: ${fault ?? 'no rounds'}`];
    const used = rounds.map((round) => round.used);
    const isMissed = !(median(used) <= bound);
    const goal = isMissed ? `**above ${bytes(bound)}**` : `at most ${bytes(bound)}`;
    const opened = rounds.map((round) => round.opened);
    return [label, bytesRange(used), bytesRange(opened), label === WSS && Number.isFinite(bound) ? goal : '-'];
  });
  const introduction = [
    `- Machine: ${machineLine(report.machine)}`,
    `- Versions: ${versions.map(([name, version]) => `${name} ${version}`).join(', ')}`,
    `- TLS: ${report.tls}`,
    `- Command: \`${report.command}\``,
    `- PSS of the process with ${report.sessions} sessions less that without, divided by them; fresh processes.`,
    ...report.skipped.map((text) => `- Skipped: ${text}`),
  ];
  const above = 'what a session without TLS costs above a bare connection';
  const meaning = `The goal is a bare TLS connection, and ${above}: ${bytes(bound)}.`;
  const table = markdownTable(['', 'per idle session', 'before its first message', 'goal'], rows);
  const more = report.attribution === null ? [] : [attributionText(report.attribution)];
  return `${[introduction.join('\n'), meaning, table, ...more].join('\n\n').trim()}\n`;
}
