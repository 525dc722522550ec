// Where the CPU time of framegate goes in a cell of the load bench, in handshakes, in plain requests or in a storm, by
// the sampling profiler of V8. Its figures are shares; what a round trip costs says bench:load, without a profiler.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureCell } from '../load/cells.ts';
import { parseCell } from '../load/grid.ts';
import { measureHandshakes } from '../load/handshake-mode.ts';
import { list, numberIn } from '../load/options.ts';
import { measurePlain } from '../load/plain-mode.ts';
import { Rig } from '../load/rig.ts';
import { measureStorms } from '../load/storm-mode.ts';
import type { TlsChoice } from '../load/tls.ts';
import { endChildrenOnExit, pinSelf } from '../support/child-process.ts';
import { writeSection } from '../support/document.ts';
import { describeMachine, machineLine } from '../support/machine.ts';
import { Progress } from '../support/progress.ts';
import { markdownTable } from '../support/table.ts';
import { selfShares } from './cpu-profile.ts';

const SECTION = 'bench:profile';
const TLS_SECTION = 'bench:profile-tls';
const PEERS = ['framegate'];
const PROXY_CORE = 0;
const LOAD_CORE = 1;
const SHOWN = 8;
const KINDS = { handshakes: 'plain', 'full-handshakes': 'full', 'resumed-handshakes': 'resumed' } as const;
const STORM = 'storm';
const PLAIN = 'plain';
const GRID = '100x64Bx1,50x16KiBx1,20x256KiBx1';
const TLS_WORK = `wss:100x64Bx1,wss:50x16KiBx1,full-handshakes,resumed-handshakes,${STORM}`;
const EXIT_USAGE = 2;
const USAGE = `npm run bench:profile -- [options]

  --grid LIST       cells of bench:load, ${Object.keys(KINDS).join(', ')}, ${PLAIN}, ${STORM}
                    (default: ${GRID})
  --tls             what there is of TLS instead: ${TLS_WORK}
  --seconds N       length of a measurement (default: 4)
  --storm N         clients that come back (default: 5000)
  --top N           functions that are told (default: ${SHOWN})
  --keep FOLDER     leave the profiles there, for the inspector
  --write FILE      put the tables between the markers of a document
`;

interface Options {
  readonly grid: readonly string[];
  readonly section: string;
  readonly tls: TlsChoice;
  readonly seconds: number;
  readonly storm: number;
  readonly top: number;
  readonly keep: string | null;
  readonly write: string | null;
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  let options: Options;
  try {
    options = parseOptions(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  endChildrenOnExit();
  const progress = new Progress();
  const parts: string[] = [`${machineLine(describeMachine())}; self time by function, kernel time with who called it.`];
  for (const name of options.grid) parts.push(await profile(name, options, progress));
  progress.end();
  const text = parts.join('\n\n');
  if (options.write === null) process.stdout.write(`${text}\n`);
  else writeSection(options.write, options.section, text);
  return 0;
}

function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      grid: { type: 'string' },
      tls: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '4' },
      storm: { type: 'string', default: '5000' },
      top: { type: 'string', default: String(SHOWN) },
      keep: { type: 'string' },
      write: { type: 'string' },
    },
  });
  const grid = list(values.grid ?? (values.tls ? TLS_WORK : GRID));
  for (const name of grid) if (!isHandshake(name) && name !== STORM && name !== PLAIN) parseCell(name);
  return {
    grid,
    section: values.tls ? TLS_SECTION : SECTION,
    tls: { certificate: 'ecdsa', version: '1.3' },
    seconds: numberIn('--seconds', values.seconds, 0.5, 60),
    storm: numberIn('--storm', values.storm, 1, 9_000),
    top: numberIn('--top', values.top, 1, 100),
    keep: values.keep === undefined ? null : resolve(values.keep),
    write: values.write ?? null,
  };
}

/** The profile is written when the proxy ends, which is before this resolves. */
async function workOn(rig: Rig, name: string, options: Options, progress: Progress): Promise<void> {
  const timing = { rounds: 1, warmupMs: 1000, measureMs: options.seconds * 1000, rate: null };
  const faults: { readonly fault: string | null }[] = [];
  if (isHandshake(name)) faults.push(...(await measureHandshakes(rig, PEERS, timing, progress, KINDS[name])));
  else if (name === PLAIN) faults.push(...(await measurePlain(rig, PEERS, timing, progress)));
  else if (name === STORM) {
    faults.push(...(await measureStorms(rig, PEERS, { clients: options.storm, rounds: 1 }, progress)));
  } else faults.push(...(await measureCell(rig, parseCell(name), PEERS, timing, progress)).peers);
  const fault = faults.find((one) => one.fault !== null)?.fault ?? null;
  if (fault !== null) throw new Error(`${name}: ${fault}`);
}

async function profile(name: string, options: Options, progress: Progress): Promise<string> {
  const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'framegate-profile-'));
  const before = new Set(profilesIn(folder));
  const framegateFlags = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const pins = { proxyCore: PROXY_CORE, loadCore: LOAD_CORE };
  const withFlood = name === STORM;
  const rig = await Rig.start({ ...pins, nodeFlags: [], withFlood, tls: options.tls, framegateFlags });
  pinSelf(LOAD_CORE);
  try {
    await workOn(rig, name, options, progress);
    const file = profilesIn(folder).find((one) => !before.has(one));
    if (file === undefined) throw new Error('framegate left no profile');
    const rows = selfShares(JSON.parse(readFileSync(join(folder, file), 'utf8')))
      .slice(0, options.top)
      .map(({ name: place, share }) => [place, `${(100 * share).toFixed(1)} %`]);
    return markdownTable([name, 'share'], rows);
  } finally {
    await rig.stop();
    if (options.keep === null) rmSync(folder, { recursive: true, force: true });
  }
}

function profilesIn(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder).filter((one) => one.endsWith('.cpuprofile'));
}

function isHandshake(name: string): name is keyof typeof KINDS {
  return Object.hasOwn(KINDS, name);
}

process.exitCode = await main(process.argv.slice(2));
