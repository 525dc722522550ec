// The memory bench: by how much a proxy's proportional set size grows for each idle session, in a fresh process each
// time, and for framegate what that growth consists of.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { MEMORY_GOAL } from '../load/goals.ts';
import { list, numberIn, oneOf } from '../load/options.ts';
import { absence, versionOf } from '../load/peers.ts';
import { TLS_VERSIONS, type TlsChoice } from '../load/tls.ts';
import { CERTIFICATE_KINDS } from '../support/certificate-kinds.ts';
import { endChildrenOnExit } from '../support/child-process.ts';
import { writeSection } from '../support/document.ts';
import { describeMachine, type Machine, machineLine } from '../support/machine.ts';
import { Progress } from '../support/progress.ts';
import { bytes, markdownTable } from '../support/table.ts';
import { type Attribution, attribute, attributionText } from './attribute.ts';
import { bytesRange, type MemoryRound, measurePeer, type RequestShape, withRig } from './measure.ts';
import { measureTlsMemory, tlsMemoryMarkdown } from './tls-memory.ts';

const SECTION = 'bench:memory';
const TLS_SECTION = 'bench:memory-tls';
const EXIT_USAGE = 2;
const PEERS = ['framegate', 'nginx', 'haproxy', 'net-pipe'];

const USAGE = `npm run bench:memory -- [options]

  --sessions N      idle sessions (default: 8000; each takes two of the proxy's descriptors)
  --peers LIST      ${PEERS.join(', ')} and the other peers of bench:load (default: these)
  --rounds N        fresh processes for each peer (default: 3)
  --settle S        seconds between the last session and the measurement (default: 10)
  --path N          bytes of the path (default: 1)
  --cookies N       bytes of cookies (default: 0)
  --trusted         the generator is a trusted proxy, which sends X-Forwarded-For and X-Request-ID
  --tls             sessions over TLS, beside bare connections of this Node, nginx and HAProxy
  --certificate K   of these: ${CERTIFICATE_KINDS.join(' or ')} (default: ${CERTIFICATE_KINDS[0]})
  --tls-version V   ${TLS_VERSIONS.join(' or ')} (default: ${TLS_VERSIONS[0]})
  --no-attribution  leave out what framegate's growth consists of
  --json FILE       write what was measured
  --write FILE      put the tables between the markers of a document
`;

interface MemoryOptions {
  readonly sessions: number;
  readonly peers: readonly string[];
  readonly rounds: number;
  readonly settleMs: number;
  readonly request: RequestShape;
  readonly attribution: boolean;
  /** Null without --tls. */
  readonly tls: TlsChoice | null;
  readonly json: string | null;
  readonly write: string | null;
}

interface PeerMemory {
  readonly peer: string;
  readonly rounds: readonly MemoryRound[];
  readonly fault: string | null;
}

interface MemoryReport {
  readonly machine: Machine;
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly sessions: number;
  readonly skipped: readonly string[];
  readonly peers: readonly PeerMemory[];
  readonly attribution: Attribution | null;
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  let options: MemoryOptions;
  const present: string[] = [];
  const skipped: string[] = [];
  try {
    options = parseOptions(argv);
    for (const peer of options.peers) {
      const why = absence(peer);
      if (why === null) present.push(peer);
      else skipped.push(why);
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  endChildrenOnExit();
  const progress = new Progress();
  progress.say(machineLine(describeMachine()));
  if (options.tls !== null) return mainTls(options, progress);
  for (const why of skipped) progress.say(`SKIPPED: ${why}`);
  const report = await measure(options, present, skipped, progress);
  progress.end();
  const text = markdown(report);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.write !== null) writeSection(options.write, SECTION, text);
  process.stdout.write(text);
  return report.peers.some((one) => one.fault !== null) ? 1 : 0;
}

async function mainTls(options: MemoryOptions, progress: Progress): Promise<number> {
  const report = await measureTlsMemory(options, commandLine(), progress);
  progress.end();
  const text = tlsMemoryMarkdown(report);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.write !== null) writeSection(options.write, TLS_SECTION, text);
  process.stdout.write(text);
  return report.rows.some((row) => row.fault !== null) ? 1 : 0;
}

function commandLine(): string {
  return `npm run bench:memory${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`;
}

function parseOptions(argv: readonly string[]): MemoryOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      sessions: { type: 'string', default: '8000' },
      peers: { type: 'string', default: PEERS.join(',') },
      rounds: { type: 'string', default: '3' },
      settle: { type: 'string', default: '10' },
      path: { type: 'string', default: '1' },
      cookies: { type: 'string', default: '0' },
      trusted: { type: 'boolean', default: false },
      tls: { type: 'boolean', default: false },
      certificate: { type: 'string', default: CERTIFICATE_KINDS[0] },
      'tls-version': { type: 'string', default: TLS_VERSIONS[0] },
      'no-attribution': { type: 'boolean', default: false },
      json: { type: 'string' },
      write: { type: 'string' },
    },
  });
  const tls = {
    certificate: oneOf('--certificate', values.certificate, CERTIFICATE_KINDS),
    version: oneOf('--tls-version', values['tls-version'], TLS_VERSIONS),
  };
  return {
    // Above, one address has too few ports towards the backend.
    sessions: numberIn('--sessions', values.sessions, 1, 25_000),
    peers: list(values.peers).filter((peer) => peer !== 'direct'),
    rounds: numberIn('--rounds', values.rounds, 1, 100),
    settleMs: numberIn('--settle', values.settle, 0, 600) * 1000,
    request: {
      pathBytes: numberIn('--path', values.path, 1, 8_192),
      cookieBytes: numberIn('--cookies', values.cookies, 0, 32_768),
      trusted: values.trusted,
    },
    tls: values.tls ? tls : null,
    attribution: !values['no-attribution'],
    json: values.json ?? null,
    write: values.write ?? null,
  };
}

async function measure(
  options: MemoryOptions,
  present: readonly string[],
  skipped: readonly string[],
  progress: Progress,
): Promise<MemoryReport> {
  const { sessions, rounds } = options;
  progress.expect(present.length * rounds + (options.attribution ? 1 : 0));
  const found = new Map(
    present.map((peer) => [peer, { peer, rounds: [] as MemoryRound[], fault: null as string | null }]),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const entry of found.values()) {
      const label = `${entry.peer} ${round}/${rounds}`;
      try {
        const result = await withRig(options, (rig) => measurePeer(rig, entry.peer, options, progress));
        entry.rounds.push(result);
        progress.step(`${label}: ${bytes(result.used)} per session, ${bytes(result.opened)} before the first message`);
      } catch (error) {
        entry.fault = error instanceof Error ? error.message : String(error);
        progress.say(`${label}: FAILED: ${entry.fault}`);
        progress.step(label);
      }
    }
  }
  return {
    machine: describeMachine(),
    command: commandLine(),
    versions: Object.fromEntries(present.map((peer) => [peer, versionOf(peer)])),
    sessions,
    skipped,
    peers: [...found.values()],
    attribution: options.attribution ? await withRig(options, (rig) => attribute(rig, options, progress)) : null,
  };
}

function markdown(report: MemoryReport): string {
  const versions = Object.entries(report.versions).filter(([, version]) => version !== '');
  const rows = report.peers.map(({ peer, rounds, fault }) => {
    if (rounds.length === 0) return [peer, `failed: ${fault ?? 'no rounds'}`];
    const of = (pick: (round: MemoryRound) => number) => rounds.map(pick);
    const goal = peer === 'framegate' ? `at most ${bytes(MEMORY_GOAL.atMost)}` : '-';
    return [peer, bytesRange(of((round) => round.used)), bytesRange(of((round) => round.opened)), goal];
  });
  const parts = [
    [
      `- Machine: ${machineLine(report.machine)}`,
      `- Versions: ${versions.map(([name, version]) => `${name} ${version}`).join(', ')}`,
      `- Command: \`${report.command}\``,
      `- PSS of the proxy with ${report.sessions} sessions less that without, divided by them; fresh processes.`,
      ...report.skipped.map((text) => `- Skipped: ${text}`),
    ].join('\n'),
    markdownTable(['proxy', 'per idle session', 'before its first message', 'goal'], rows),
  ];
  if (report.attribution !== null) parts.push(attributionText(report.attribution));
  return `${parts.join('\n\n').trim()}\n`;
}

process.exitCode = await main(process.argv.slice(2));
