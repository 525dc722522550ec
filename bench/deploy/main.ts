// The deploy bench: what a new generation of the proxy costs those who are connected, and those who come meanwhile, for
// framegate and its peers in turns. Results go to stdout and files, progress to stderr. Traffic stays on loopback.

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { versionOf } from '../load/peers.ts';
import { endChildrenOnExit, hasProgram, pinSelf } from '../support/child-process.ts';
import { writeSection } from '../support/document.ts';
import { describeMachine, machineLine } from '../support/machine.ts';
import { Progress } from '../support/progress.ts';
import { deployAbsence } from './deploy-peers.ts';
import { STOPPED } from './launches.ts';
import { DeployRig } from './measure.ts';
import { type DeployOptions, parseDeployOptions, USAGE } from './options.ts';
import { deployMarkdown } from './report.ts';
import type { DeployReport } from './results.ts';

const SECTION = 'bench:deploy';
const EXIT_USAGE = 2;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  let options: DeployOptions;
  const present: string[] = [];
  const skipped: string[] = [];
  try {
    options = parseDeployOptions(argv);
    for (const peer of options.peers) {
      const why = deployAbsence(peer);
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
  const text = deployMarkdown(report);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.write !== null) writeSection(options.write, SECTION, text);
  if (options.markdown) process.stdout.write(text);
  return report.peers.some(({ peer, fault }) => fault !== null && peer.startsWith('framegate')) ? 1 : 0;
}

async function measure(
  options: DeployOptions,
  present: readonly string[],
  skipped: string[],
  progress: Progress,
): Promise<DeployReport> {
  const { proxyCore, loadCore } = options;
  const canPin = hasProgram('taskset') && availableParallelism() > Math.max(proxyCore, loadCore);
  if (!canPin) progress.say('WARNING: processes are not kept on cores of their own: too few cores, or no taskset');
  const rig = await DeployRig.start(canPin ? proxyCore : null, canPin ? loadCore : null);
  pinSelf(canPin ? loadCore : null);
  try {
    if (rig.libraryWhy !== null) {
      const why = `uWebSockets.js does not load (${rig.libraryWhy}), the backend is ws: npm --prefix bench ci`;
      skipped.push(why);
      progress.say(`SKIPPED: ${why}`);
    }
    progress.expect(present.length * options.rounds);
    const { sessions, rate, newcomers, windowSeconds, spreadSeconds } = options;
    const programs = new Set(present.map((peer) => (peer === STOPPED ? 'framegate' : peer)));
    return {
      machine: describeMachine(),
      command: `npm run bench:deploy${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`,
      versions: Object.fromEntries([...programs].map((program) => [program, versionOf(program)])),
      backend: rig.library,
      ...{ sessions, rate, newcomers, windowSeconds, spreadSeconds, skipped },
      peers: await rig.measure(present, options, progress),
    };
  } finally {
    await rig.stop();
  }
}

process.exitCode = await main(process.argv.slice(2));
