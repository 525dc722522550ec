// `npm run mutants [-- --only F10,H3] [-- --jobs 2]`: removes the rule of each row in turn and expects the tests of the
// row to fail. One line per mutant, one for all at the end; exits 1 unless every one is killed.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Places } from '../support/places.ts';
import { projectRoot, sourceFiles } from '../support/source.ts';
import { judge, ProjectCopy, type Selection, type Verdict } from './mutant-runner.ts';
import { tableFaults } from './mutant-table.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { hostileReadme, hostileTests, listedRows, testedRows } from './rows.ts';

const ROW_DEADLINE_MS = 90_000;
const ALL_DEADLINE_MS = 600_000;

const { values } = parseArgs({ options: { only: { type: 'string' }, jobs: { type: 'string' } } });
const rows = listedRows(hostileReadme());
const only = values.only?.split(',') ?? rows;
// Most of what a run does is waiting for an answer that the mutant holds back.
const jobs = Number(values.jobs ?? 2 * availableParallelism());
const tests = hostileTests().map((file) => ({
  file: file.path,
  rows: testedRows(file),
  built: /\/(?:cli-process|command)\.ts'/.test(file.text),
  page: file.path.startsWith('test/browser/'),
}));
const places = new Places(sourceFiles('src', /\.ts$/));
const copies: ProjectCopy[] = [];
process.on('exit', () => {
  for (const copy of copies) copy.remove();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
process.exitCode = await main();

async function main(): Promise<number> {
  const strangers = only.filter((row) => !rows.includes(row));
  if (strangers.length > 0 || !Number.isInteger(jobs) || jobs < 1) {
    say(strangers.length > 0 ? `no row ${strangers.join(', ')}` : '--jobs is a number from 1 on');
    return 2;
  }
  const faults = tableFaults({ mutants: MUTANTS, rows, places });
  const counted =
    values.only === undefined ? faults : faults.filter((fault) => only.includes(fault.split(':')[0] ?? ''));
  for (const fault of counted) say(fault);
  const mutants = MUTANTS.filter(({ row }) => only.includes(row));
  for (let i = 0; i < Math.min(jobs, mutants.length); i += 1) copies.push(new ProjectCopy(projectRoot));
  const green = await passesUnmutated(mutants);
  const verdicts = green ? await judgeAll(mutants) : [];
  const count = (kind: Verdict['kind']): number => verdicts.filter((verdict) => verdict.kind === kind).length;
  const broken = count('broken') > 0 ? `, ${count('broken')} not judged` : '';
  say(`${count('killed')} killed, ${count('survived')} survived${broken}`);
  return green && counted.length === 0 && count('killed') === verdicts.length ? 0 : 1;
}

/** A test that fails anyway kills nothing. */
async function passesUnmutated(mutants: readonly Mutant[]): Promise<boolean> {
  const startedAt = performance.now();
  const result = await copies[0]?.run({
    ...selectionOf(mutants.map(({ row }) => row)),
    deadlineMs: ALL_DEADLINE_MS,
  });
  if (result === undefined) return true;
  for (const name of result.failed) say(`fails without a mutant: ${name}`);
  if (result.fault !== null) say(`fails without a mutant: ${result.fault}`);
  if (result.failed.length > 0 || result.fault !== null) return false;
  say(`${result.passed.length} tests pass without a mutant ${secondsSince(startedAt)}`);
  return true;
}

async function judgeAll(mutants: readonly Mutant[]): Promise<Verdict[]> {
  const waiting = [...mutants];
  const verdicts: Verdict[] = [];
  const work = async (copy: ProjectCopy): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const startedAt = performance.now();
      const verdict = await judge({ mutant, places, selection: selectionOf([mutant.row]), bed: copy });
      verdicts.push(verdict);
      say(`${mutant.row} ${verdict.kind} ${secondsSince(startedAt)}${detail(mutant, verdict)}`);
    }
  };
  await Promise.all(copies.map(work));
  return verdicts;
}

function selectionOf(ids: readonly string[]): Selection {
  const chosen = tests.filter((one) => ids.some((id) => one.rows.has(id)));
  return {
    rows: [...new Set(ids)],
    files: chosen.map(({ file }) => file),
    built: chosen.some(({ built }) => built),
    page: chosen.some(({ page }) => page),
    deadlineMs: ROW_DEADLINE_MS,
  };
}

function detail({ at, search, replace }: Mutant, verdict: Verdict): string {
  if (verdict.kind === 'killed') return '';
  if (verdict.kind === 'broken') return `: ${verdict.why}`;
  return `\n  ${at}\n  - ${search.replaceAll('\n', '\n    ')}\n  + ${replace.replaceAll('\n', '\n    ')}`;
}

function secondsSince(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
