// The load bench: framegate and its peers in front of one echo backend, the same work for each, in turns.
// Results go to stdout and files, progress to stderr. Traffic stays on loopback.

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { endChildrenOnExit, hasProgram, pinSelf } from '../support/child-process.ts';
import { writeSection } from '../support/document.ts';
import { describeMachine, machineLine } from '../support/machine.ts';
import { Progress } from '../support/progress.ts';
import { measureAuth } from './auth-mode.ts';
import { measureCell, type Timing } from './cells.ts';
import { svgChart } from './chart.ts';
import { FLOOD_NAMES, measureFairness } from './fairness.ts';
import { type Cell, isLarge } from './grid.ts';
import { measureHandshakes } from './handshake-mode.ts';
import { type LoadOptions, parseLoadOptions, USAGE } from './options.ts';
import { absence, relaysSessions, servesPlain, speaksTls, versionOf } from './peers.ts';
import { measureBeside } from './plain-beside.ts';
import { measurePlain, PLAIN_WORK } from './plain-mode.ts';
import { markdownReport, sectionsOf } from './report.ts';
import type { CellResult, PeerHandshakes, Report } from './results.ts';
import { Rig } from './rig.ts';
import { measureStorms } from './storm-mode.ts';
import { tlsText } from './tls.ts';

const EXIT_USAGE = 2;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  let options: LoadOptions;
  const present: string[] = [];
  const skipped: string[] = [];
  try {
    options = parseLoadOptions(argv);
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
  deliver(report, options);
  const { cells, handshakes, fairness, storms, plain, beside } = report;
  const faults = [...cells.flatMap((cell) => cell.peers), ...handshakes, ...fairness, ...storms, ...plain, ...beside];
  return faults.some((one) => one.fault !== null && one.peer.startsWith('framegate')) ? 1 : 0;
}

async function measure(
  options: LoadOptions,
  present: readonly string[],
  skipped: string[],
  progress: Progress,
): Promise<Report> {
  const { modes, rounds, seconds, rate } = options;
  const rig = await startRig(options, progress);
  try {
    if (rig.libraryWhy !== null) {
      const why = `uWebSockets.js does not load (${rig.libraryWhy}), the backend is ws: npm --prefix bench ci`;
      skipped.push(why);
      progress.say(`SKIPPED: ${why}`);
    }
    const small = present.filter((peer) => relaysSessions(peer) && !peer.endsWith('-64k'));
    const plain = present.filter((peer) => servesPlain(peer));
    const secure = small.filter(speaksTls);
    const proxies = secure.filter((peer) => peer !== 'direct');
    const peersOf = (cell: Cell) => {
      const all = isLarge(cell) ? present.filter(relaysSessions) : small;
      return cell.tls === 'none' ? all : all.filter(speaksTls);
    };
    const timing: Timing = { rounds, warmupMs: options.warmupSeconds * 1000, measureMs: seconds * 1000, rate };
    if (modes.includes('grid')) for (const cell of options.grid) progress.expect(peersOf(cell).length * rounds);
    if (modes.includes('handshakes')) progress.expect(small.length * rounds);
    if (modes.includes('fairness')) progress.expect(small.length * rounds * FLOOD_NAMES.length);
    if (modes.includes('tls-handshakes')) progress.expect(2 * secure.length * rounds);
    if (modes.includes('storm')) progress.expect(proxies.length * rounds);
    if (modes.includes('plain')) progress.expect(plain.length * rounds * PLAIN_WORK.length);
    const both = plain.filter((peer) => relaysSessions(peer) && peer !== 'direct');
    if (modes.includes('beside')) progress.expect(both.length * rounds);
    if (modes.includes('auth')) progress.expect((1 + options.auth.length) * rounds);
    const cells: CellResult[] = [];
    if (modes.includes('grid')) {
      for (const cell of options.grid) cells.push(await measureCell(rig, cell, peersOf(cell), timing, progress));
    }
    const handshakes: PeerHandshakes[] = [];
    if (modes.includes('handshakes')) handshakes.push(...(await measureHandshakes(rig, small, timing, progress)));
    if (modes.includes('tls-handshakes')) {
      for (const kind of ['full', 'resumed'] as const) {
        handshakes.push(...(await measureHandshakes(rig, secure, timing, progress, kind)));
      }
    }
    if (modes.includes('auth')) handshakes.push(...(await measureAuth(rig, options.auth, timing, progress)));
    const storm = { clients: options.stormClients, rounds };
    return {
      machine: describeMachine(),
      command: `npm run bench:load${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`,
      versions: Object.fromEntries([...new Set([...small, ...plain])].map((peer) => [peer, versionOf(peer)])),
      backend: rig.library,
      rounds,
      seconds,
      rate,
      skipped,
      cells,
      handshakes,
      fairness: modes.includes('fairness') ? await measureFairness(rig, small, timing, progress) : [],
      storms: modes.includes('storm') ? await measureStorms(rig, proxies, storm, progress) : [],
      plain: modes.includes('plain') ? await measurePlain(rig, plain, timing, progress) : [],
      beside: modes.includes('beside') ? await measureBeside(rig, both, timing, progress) : [],
      tls: rig.tls === null ? null : tlsText(rig.tls),
    };
  } finally {
    await rig.stop();
  }
}

/** Proxies on one core, everything else on another, this process too; where that is not possible, on any. */
function startRig(options: LoadOptions, progress: Progress): Promise<Rig> {
  const cores = availableParallelism();
  const canPin = hasProgram('taskset') && cores > Math.max(options.proxyCore, options.loadCore);
  if (!canPin) progress.say('WARNING: processes are not kept on cores of their own: too few cores, or no taskset');
  const proxyCore = canPin ? options.proxyCore : null;
  const loadCore = canPin ? options.loadCore : null;
  const { nodeFlags, modes, grid } = options;
  const withFlood = (['fairness', 'storm', 'beside'] as const).some((mode) => modes.includes(mode));
  const hasTlsCells = modes.includes('grid') && grid.some((cell) => cell.tls !== 'none');
  const needsTls = hasTlsCells || modes.includes('tls-handshakes') || modes.includes('storm');
  const starting = Rig.start({ proxyCore, loadCore, nodeFlags, withFlood, tls: needsTls ? options.tls : null });
  pinSelf(loadCore);
  return starting;
}

function deliver(report: Report, options: LoadOptions): void {
  const text = markdownReport(report);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.svg !== null) writeFileSync(options.svg, svgChart(report));
  if (options.write !== null) {
    for (const { section, part } of sectionsOf(report)) writeSection(options.write, section, markdownReport(part));
  }
  if (options.markdown) process.stdout.write(text);
}

process.exitCode = await main(process.argv.slice(2));
