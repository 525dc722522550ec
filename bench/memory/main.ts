// The memory bench: by how much a proxy's proportional set size grows for each idle session, in a fresh process each
// time, and for framegate what that growth consists of.

import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ConfigInput } from '../../src/proxy.ts';
import { MEMORY_GOAL } from '../load/goals.ts';
import { list, numberIn } from '../load/options.ts';
import { absence, binFlags, HOST, versionOf, withComplaints } from '../load/peers.ts';
import { Rig } from '../load/rig.ts';
import { ChildScript, endChildrenOnExit } from '../support/child-process.ts';
import { writeSection } from '../support/document.ts';
import { describeMachine, type Machine, machineLine } from '../support/machine.ts';
import { pssBytes } from '../support/process-figures.ts';
import { Progress } from '../support/progress.ts';
import { median } from '../support/statistics.ts';
import { bytes, figure, markdownTable } from '../support/table.ts';
import type { AttributionReply, AttributionRequest } from './attribution.ts';
import { byGroup } from './groups.ts';
import { type ClassSize, growth } from './heap-classes.ts';

const SECTION = 'bench:memory';
const EXIT_USAGE = 2;
const PEERS = ['framegate', 'nginx', 'haproxy', 'net-pipe'];
const SCRIPT = fileURLToPath(new URL('./attribution.js', import.meta.url));
const LOAD = 'idle';
const CLASSES_SHOWN = 20;
const FIRST_SESSIONS = 500;
/** Less is not worth a line. */
const CLASS_BYTES_MIN = 4;

const USAGE = `npm run bench:memory -- [options]

  --sessions N      idle sessions (default: 8000; each takes two of the proxy's descriptors)
  --peers LIST      ${PEERS.join(', ')} and the other peers of bench:load (default: these)
  --rounds N        fresh processes for each peer (default: 3)
  --settle S        seconds between the last session and the measurement (default: 10)
  --path N          bytes of the path (default: 1)
  --cookies N       bytes of cookies (default: 0)
  --trusted         the generator is a trusted proxy, which sends X-Forwarded-For and X-Request-ID
  --no-attribution  leave out what framegate's growth consists of
  --json FILE       write what was measured
  --write FILE      put the tables between the markers of a document
`;

/** What the sessions are asked for with: nothing of it should be kept but what the log tells. */
interface RequestShape {
  readonly pathBytes: number;
  readonly cookieBytes: number;
  readonly trusted: boolean;
}

interface MemoryOptions {
  readonly sessions: number;
  readonly peers: readonly string[];
  readonly rounds: number;
  readonly settleMs: number;
  readonly request: RequestShape;
  readonly attribution: boolean;
  readonly json: string | null;
  readonly write: string | null;
}

/** Bytes per session. */
interface MemoryRound {
  /** After the handshakes alone, then after one message each way. */
  readonly opened: number;
  readonly used: number;
}

interface PeerMemory {
  readonly peer: string;
  readonly rounds: readonly MemoryRound[];
  readonly fault: string | null;
}

interface Attribution {
  readonly heap: number;
  readonly external: number;
  readonly resident: number;
  readonly groups: readonly { readonly name: string; readonly bytes: number }[];
  readonly classes: readonly ClassSize[];
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
  for (const why of skipped) progress.say(`SKIPPED: ${why}`);
  const report = await measure(options, present, skipped, progress);
  progress.end();
  const text = markdown(report);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.write !== null) writeSection(options.write, SECTION, text);
  process.stdout.write(text);
  return report.peers.some((one) => one.fault !== null) ? 1 : 0;
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
      'no-attribution': { type: 'boolean', default: false },
      json: { type: 'string' },
      write: { type: 'string' },
    },
  });
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
    command: `npm run bench:memory${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`,
    versions: Object.fromEntries(present.map((peer) => [peer, versionOf(peer)])),
    sessions,
    skipped,
    peers: [...found.values()],
    attribution: options.attribution ? await withRig(options, (rig) => attribute(rig, options, progress)) : null,
  };
}

/** Backend and generator are fresh too, since they hold the other ends. */
async function withRig<Result>({ request }: MemoryOptions, work: (rig: Rig) => Promise<Result>): Promise<Result> {
  const nodeFlags = ['--single-threaded'];
  const rig = await Rig.start({
    proxyCore: null,
    loadCore: null,
    nodeFlags,
    withFlood: false,
    framegateKeys: keysFor(request),
  });
  try {
    return await work(rig);
  } finally {
    await rig.stop();
  }
}

async function measurePeer(rig: Rig, name: string, options: MemoryOptions, progress: Progress): Promise<MemoryRound> {
  const { sessions, settleMs } = options;
  const peer = await rig.startPeer(name, sessions);
  try {
    await delay(Math.min(settleMs, 1_000));
    const empty = pssBytes(peer.pids);
    progress.status(`${name}: opening ${sessions} sessions`);
    await rig.generator.open(LOAD, planFor(peer.port, sessions, options.request));
    progress.status(`${name}: settling`);
    await delay(settleMs);
    const opened = pssBytes(peer.pids);
    await rig.generator.echoOnce(LOAD);
    await delay(settleMs);
    const used = pssBytes(peer.pids);
    return { opened: (opened - empty) / sessions, used: (used - empty) / sessions };
  } catch (cause) {
    throw withComplaints(cause, peer);
  } finally {
    await rig.generator.close(LOAD);
    await peer.stop();
  }
}

async function attribute(rig: Rig, options: MemoryOptions, progress: Progress): Promise<Attribution> {
  const { sessions, settleMs } = options;
  const nodeArgs = [...binFlags(), '--expose-gc'];
  const child = new ChildScript<AttributionRequest, AttributionReply>(SCRIPT, { core: null, nodeArgs });
  try {
    const { port } = await child.ask({
      kind: 'start',
      backendPort: rig.backendPort,
      keys: keysFor(options.request),
    });
    // The first sessions make what all share, compiled code above all; the first look makes what looking needs.
    await rig.generator.open('first', planFor(port, FIRST_SESSIONS, options.request));
    await rig.generator.echoOnce('first');
    await rig.generator.close('first');
    await child.ask({ kind: 'look' });
    const before = await child.ask({ kind: 'look' });
    progress.status(`attribution: opening ${sessions} sessions`);
    await rig.generator.open(LOAD, planFor(port, sessions, options.request));
    await rig.generator.echoOnce(LOAD);
    await delay(settleMs);
    const after = await child.ask({ kind: 'look' });
    progress.step('attribution: done');
    const classes = growth(mapOf(before.classes), mapOf(after.classes));
    const each = ({ name, count, bytes: sum }: ClassSize) => ({ name, count: count / sessions, bytes: sum / sessions });
    const perSession = classes.map(each);
    const grown = (pick: (usage: NodeJS.MemoryUsage) => number) => (pick(after.usage) - pick(before.usage)) / sessions;
    return {
      heap: grown((usage) => usage.heapUsed),
      external: grown((usage) => usage.external),
      resident: grown((usage) => usage.rss),
      groups: byGroup(perSession),
      classes: perSession.filter((one) => one.bytes >= CLASS_BYTES_MIN).slice(0, CLASSES_SHOWN),
    };
  } finally {
    await rig.generator.close(LOAD);
    await child.stop();
  }
}

function planFor(port: number, connections: number, request: RequestShape) {
  const { pathBytes, cookieBytes, trusted } = request;
  const path = `/${'p'.repeat(pathBytes - 1)}`;
  const cookies = cookieBytes === 0 ? '' : `Cookie: a=${'c'.repeat(Math.max(0, cookieBytes - 2))}\r\n`;
  const claims = 'X-Forwarded-For: 203.0.113.195, 127.0.0.1\r\nX-Request-ID: 0f8fad5b-d9cb-469f-a165-70867728950e\r\n';
  const fields = `${cookies}${trusted ? claims : ''}`;
  return { host: HOST, port, path, fields, connections, payloadBytes: 64, inFlight: 1 };
}

/** What framegate has to be told for such requests. */
function keysFor({ pathBytes, cookieBytes, trusted }: RequestShape): Omit<ConfigInput, 'routes'> {
  const isLarge = pathBytes + cookieBytes > 8_192;
  return {
    ...(isLarge ? { limits: { max_head_size: '64KiB' } } : {}),
    ...(trusted ? { trusted_proxies: ['127.0.0.0/8'] } : {}),
  };
}

function mapOf(classes: readonly ClassSize[]): Map<string, ClassSize> {
  return new Map(classes.map((one) => [one.name, one]));
}

function markdown(report: MemoryReport): string {
  const versions = Object.entries(report.versions).filter(([, version]) => version !== '');
  const rows = report.peers.map(({ peer, rounds, fault }) => {
    if (rounds.length === 0) return [peer, `failed: ${fault ?? 'no rounds'}`];
    const of = (pick: (round: MemoryRound) => number) => rounds.map(pick);
    const goal = peer === 'framegate' ? `at most ${bytes(MEMORY_GOAL.atMost)}` : '-';
    return [peer, range(of((round) => round.used)), range(of((round) => round.opened)), goal];
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

function attributionText(found: Attribution): string {
  const { heap, external, resident, groups, classes } = found;
  const outside = resident - heap - external;
  return [
    '### What a session of framegate holds',
    `In a process of its own after a garbage collection: resident memory grows by ${bytes(resident)} per session, of ` +
      `that the JavaScript heap by ${bytes(heap)}, external memory by ${bytes(external)}. What is left, ` +
      `${bytes(outside)}, is native: handles of libuv, allocator and heap pages that are not full.`,
    markdownTable(
      ['group', 'bytes per session'],
      groups.filter((group) => group.bytes >= CLASS_BYTES_MIN).map((group) => [group.name, figure(group.bytes)]),
    ),
    markdownTable(
      ['class', 'objects per session', 'bytes per session'],
      classes.map((one) => [`\`${one.name}\``, figure(one.count), figure(one.bytes)]),
    ),
  ].join('\n\n');
}

function range(values: readonly number[]): string {
  const ends = values.length > 1 ? ` (${bytes(Math.min(...values))}-${bytes(Math.max(...values))})` : '';
  return `${bytes(median(values))}${ends}`;
}

process.exitCode = await main(process.argv.slice(2));
