// A/B against a revision of git: its src/ beside the bench of now, compiled in a folder of its own; each side in a
// fresh process, the order turned round each time.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT } from '../load/peer-configs.ts';
import type { Progress } from '../support/progress.ts';
import { pairedRatios, type Spread, spreadOf } from '../support/statistics.ts';
import { figure, markdownTable } from '../support/table.ts';
import type { MicroReport } from './micro-case.ts';

const MAIN = 'bench/dist/bench/micro/main.js';
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export interface CompareOptions {
  readonly reference: string;
  readonly rounds: number;
  /** Passed on to each run. */
  readonly args: readonly string[];
}

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  /** Nanoseconds per operation of the revision and of now. */
  readonly before: Spread;
  readonly after: Spread;
  /** Now divided by then, round by round. */
  readonly ratio: Spread;
}

export function compare(options: CompareOptions, progress: Progress): Comparison[] {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-compare-'));
  try {
    progress.say(`building ${options.reference}`);
    build(options.reference, folder);
    const before: MicroReport[] = [];
    const after: MicroReport[] = [];
    progress.expect(2 * options.rounds);
    for (let round = 1; round <= options.rounds; round++) {
      const sides = [
        { folder, name: options.reference, reports: before },
        { folder: PROJECT, name: 'now', reports: after },
      ];
      for (const side of round % 2 === 1 ? sides : sides.reverse()) {
        progress.status(`round ${round}/${options.rounds}, ${side.name}`);
        const report = runSide(side.folder, options.args);
        side.reports.push(report);
        progress.step(`round ${round}/${options.rounds}, ${side.name}: ${report.results.length} cases`);
        if (round === 1) for (const why of report.missing) progress.say(`${side.name} cannot run ${why}`);
      }
    }
    return comparisons(before, after);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function comparisonTable(reference: string, found: readonly Comparison[]): string {
  const rows = found.map(({ name, unit, before, after, ratio }) => [
    `${name} (ns per ${unit})`,
    spreadText(before),
    spreadText(after),
    spreadText(ratio),
  ]);
  return markdownTable(['case', reference, 'now', `now / ${reference}`], rows);
}

/** Cases that both sides ran in every round. */
function comparisons(before: readonly MicroReport[], after: readonly MicroReport[]): Comparison[] {
  const of = (reports: readonly MicroReport[], name: string) =>
    reports.flatMap((report) => report.results.filter((result) => result.name === name).map((result) => result.ns));
  const found: Comparison[] = [];
  for (const { name, unit } of after[0]?.results ?? []) {
    const [then, now] = [of(before, name), of(after, name)];
    const ratios = pairedRatios(now, then);
    if (ratios.length === 0) continue;
    found.push({ name, unit, before: spreadOf(then), after: spreadOf(now), ratio: spreadOf(ratios) });
  }
  return found;
}

/** Not a worktree of git: nothing is left in the repository when this is interrupted. */
function build(reference: string, folder: string): void {
  const archive = spawnSync('git', ['-C', PROJECT, 'archive', reference, 'src', 'package.json', 'tsconfig.json'], {
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  if (archive.status !== 0) throw new Error(`git archive ${reference}: ${archive.stderr}`);
  const unpack = spawnSync('tar', ['-x', '-C', folder], { input: archive.stdout });
  if (unpack.status !== 0) throw new Error(`tar: ${unpack.stderr}`);
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'bench'));
  for (const part of ['micro', 'support', 'load', 'package.json', 'tsconfig.json']) {
    cpSync(join(PROJECT, 'bench', part), join(folder, 'bench', part), { recursive: true });
  }
  // Cases that this revision lacks something for do not type-check: they are compiled all the same, and told of later.
  const compiler = join(PROJECT, 'node_modules/.bin/tsc');
  spawnSync(compiler, ['-p', 'bench/tsconfig.json'], { cwd: folder, stdio: 'ignore' });
  if (!existsSync(join(folder, MAIN))) throw new Error(`${reference} does not compile with this bench`);
}

function runSide(folder: string, args: readonly string[]): MicroReport {
  const json = join(mkdtempSync(join(tmpdir(), 'framegate-micro-')), 'report.json');
  try {
    const child = spawnSync(process.execPath, [join(folder, MAIN), '--json', json, ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    if (child.status !== 0) throw new Error(`a run in ${folder} failed: ${child.stderr.slice(-2_000)}`);
    return JSON.parse(readFileSync(json, 'utf8'));
  } finally {
    rmSync(join(json, '..'), { recursive: true, force: true });
  }
}

function spreadText(spread: Spread): string {
  return `${figure(spread.median)} (${figure(spread.min)}-${figure(spread.max)})`;
}
