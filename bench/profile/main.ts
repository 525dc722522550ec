// Where the CPU time of framegate goes in a cell of the load bench, by the sampling profiler of V8. Its figures are
// shares; what a round trip costs is what bench:load says, without a profiler.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureCell } from '../load/cells.ts';
import { type Cell, parseCell } from '../load/grid.ts';
import { list, numberIn } from '../load/options.ts';
import { Rig } from '../load/rig.ts';
import { endChildrenOnExit, pinSelf } from '../support/child-process.ts';
import { writeSection } from '../support/document.ts';
import { describeMachine, machineLine } from '../support/machine.ts';
import { Progress } from '../support/progress.ts';
import { markdownTable } from '../support/table.ts';
import { selfShares } from './cpu-profile.ts';

const SECTION = 'bench:profile';
const PROXY_CORE = 0;
const LOAD_CORE = 1;
const SHOWN = 8;
const EXIT_USAGE = 2;
const USAGE = `npm run bench:profile -- [options]

  --grid LIST       cells (default: 100x64Bx1,50x16KiBx1,20x256KiBx1)
  --seconds N       length of a measurement (default: 4)
  --write FILE      put the table between the markers of a document
`;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { values } = parseArgs({
    args: [...argv],
    options: {
      grid: { type: 'string', default: '100x64Bx1,50x16KiBx1,20x256KiBx1' },
      seconds: { type: 'string', default: '4' },
      write: { type: 'string' },
    },
  });
  let cells: Cell[];
  let seconds: number;
  try {
    cells = list(values.grid).map(parseCell);
    seconds = numberIn('--seconds', values.seconds, 0.5, 60);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  endChildrenOnExit();
  const progress = new Progress();
  const parts: string[] = [`${machineLine(describeMachine())}; self time by function, kernel time with who called it.`];
  for (const cell of cells) parts.push(await profileCell(cell, seconds, progress));
  progress.end();
  const text = parts.join('\n\n');
  if (values.write === undefined) process.stdout.write(`${text}\n`);
  else writeSection(values.write, SECTION, text);
  return 0;
}

async function profileCell(cell: Cell, seconds: number, progress: Progress): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-profile-'));
  const framegateFlags = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const pins = { proxyCore: PROXY_CORE, loadCore: LOAD_CORE };
  const rig = await Rig.start({ ...pins, nodeFlags: [], withFlood: false, framegateFlags });
  pinSelf(LOAD_CORE);
  try {
    const timing = { rounds: 1, warmupMs: 1000, measureMs: seconds * 1000, rate: null };
    // The profile is written when the proxy ends, which is before this resolves.
    await measureCell(rig, cell, ['framegate'], timing, progress);
    const [file] = readdirSync(folder);
    if (file === undefined) throw new Error('framegate left no profile');
    const rows = selfShares(JSON.parse(readFileSync(join(folder, file), 'utf8')))
      .slice(0, SHOWN)
      .map(({ name, share }) => [name, `${(100 * share).toFixed(1)} %`]);
    return markdownTable([cell.name, 'share'], rows);
  } finally {
    await rig.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
