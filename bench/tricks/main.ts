// What each trick of the hot path buys: framegate as it is beside builds that lack one trick each, in turns, in front
// of one backend. Traffic stays on loopback.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureCell, type Timing } from '../load/cells.ts';
import { parseCell } from '../load/grid.ts';
import { measureHandshakes } from '../load/handshake-mode.ts';
import { list, numberIn } from '../load/options.ts';
import { Rig } from '../load/rig.ts';
import { endChildrenOnExit, pinSelf } from '../support/child-process.ts';
import { writeSection } from '../support/document.ts';
import { describeMachine, machineLine } from '../support/machine.ts';
import { Progress } from '../support/progress.ts';
import { pairedRatios, spreadOf } from '../support/statistics.ts';
import { figure, markdownTable } from '../support/table.ts';
import { TRICKS } from './tricks.ts';
import { buildVariant } from './variant.ts';

const SECTION = 'bench:tricks';
const SUBJECT = 'framegate';
const PROXY_CORE = 0;
const LOAD_CORE = 1;
const HANDSHAKES = 'handshakes';
const DEFAULT_GRID = `100x64Bx1,100x64Bx16,50x16KiBx1,20x256KiBx1,${HANDSHAKES}`;
const EXIT_USAGE = 2;
const USAGE = `npm run bench:tricks -- [options]

  --grid LIST       cells, and ${HANDSHAKES} (default: ${DEFAULT_GRID})
  --only PATTERN    tricks whose name fits this regular expression (default: all)
  --rounds N        interleaved rounds of every cell (default: 5)
  --seconds N       length of one measurement (default: 1)
  --write FILE      put the table between the markers of a document
`;

interface Options {
  readonly grid: readonly string[];
  readonly only: RegExp;
  readonly rounds: number;
  readonly seconds: number;
  readonly write: string | null;
}

function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      grid: { type: 'string', default: DEFAULT_GRID },
      only: { type: 'string', default: '' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      write: { type: 'string' },
    },
  });
  return {
    grid: list(values.grid),
    only: new RegExp(values.only),
    rounds: numberIn('--rounds', values.rounds, 1, 100),
    seconds: numberIn('--seconds', values.seconds, 0.1, 600),
    write: values.write ?? null,
  };
}

/** Without it divided by with it, by the name of the trick. */
type Column = ReadonlyMap<string, string>;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  let options: Options;
  try {
    options = parseOptions(argv);
    for (const name of options.grid) if (name !== HANDSHAKES) parseCell(name);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  endChildrenOnExit();
  const progress = new Progress();
  const folder = mkdtempSync(join(tmpdir(), 'framegate-tricks-'));
  try {
    const tricks = TRICKS.filter(({ name }) => options.only.test(name));
    const peers = new Map(tricks.map(({ name }, index) => [name, join(folder, String(index))]));
    for (const { name, edits } of tricks) {
      progress.say(`building framegate without: ${name}`);
      const own = peers.get(name) ?? '';
      mkdirSync(own);
      buildVariant(own, edits);
    }
    const table = await measure(options, peers, progress);
    progress.end();
    if (options.write === null) process.stdout.write(table);
    else writeSection(options.write, SECTION, table);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(options: Options, folders: ReadonlyMap<string, string>, progress: Progress): Promise<string> {
  const { rounds, grid } = options;
  const rig = await Rig.start({ proxyCore: PROXY_CORE, loadCore: LOAD_CORE, nodeFlags: [], withFlood: false });
  pinSelf(LOAD_CORE);
  try {
    progress.expect(2 * folders.size * rounds * grid.length);
    const columns = new Map<string, Column>();
    for (const name of grid) {
      const column = new Map<string, string>();
      for (const [trick, folder] of folders) {
        // Next to each other in time: a machine that others use drifts.
        const [own = [], other = []] = await costsOf(rig, name, [SUBJECT, `${SUBJECT}:${folder}`], options, progress);
        column.set(trick, ratioText(pairedRatios(other, own)));
      }
      columns.set(name, column);
    }
    return tableOf(options, folders, columns);
  } finally {
    await rig.stop();
  }
}

/** CPU per round trip, or per handshake, of each peer, round by round. */
async function costsOf(
  rig: Rig,
  name: string,
  peers: readonly string[],
  { rounds, seconds }: Options,
  progress: Progress,
): Promise<number[][]> {
  const timing: Timing = { rounds, warmupMs: 700, measureMs: seconds * 1000, rate: null };
  if (name === HANDSHAKES) {
    const found = await measureHandshakes(rig, peers, timing, progress);
    return found.map((one) => one.rounds.map(({ perCpuSecond }) => 1 / perCpuSecond));
  }
  const found = await measureCell(rig, parseCell(name), peers, timing, progress);
  return found.peers.map((one) => one.rounds.map(({ cpuMicros }) => cpuMicros));
}

function ratioText(ratios: readonly number[]): string {
  if (ratios.length === 0) return 'failed';
  const { median, min, max } = spreadOf(ratios);
  return `${figure(median)} (${figure(min)}-${figure(max)})`;
}

function tableOf(
  { rounds, seconds }: Options,
  folders: ReadonlyMap<string, string>,
  columns: ReadonlyMap<string, Column>,
): string {
  const rows = Array.from(folders.keys(), (name) => [
    name,
    ...Array.from(columns.values(), (column) => column.get(name) ?? '-'),
  ]);
  const said = process.argv.slice(2).join(' ');
  return [
    `CPU per round trip, and per handshake, of framegate without the trick divided by framegate as it is: the ` +
      `median of ${rounds} interleaved rounds of ${seconds} s, with their range. ${machineLine(describeMachine())}, ` +
      `\`npm run bench:tricks${said === '' ? '' : ` -- ${said}`}\`.`,
    markdownTable(['without', ...columns.keys()], rows),
  ].join('\n\n');
}

process.exitCode = await main(process.argv.slice(2));
