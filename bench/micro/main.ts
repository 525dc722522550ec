// The micro benches: what single parts of framegate cost, without sockets; with `--compare REF` against a revision.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { numberIn } from '../load/options.ts';
import { describeMachine, machineLine } from '../support/machine.ts';
import { Progress } from '../support/progress.ts';
import { bytes, figure, markdownTable } from '../support/table.ts';
import { compare, comparisonTable } from './compare.ts';
import type { MicroReport, MicroResult } from './micro-case.ts';
import { runCases } from './run-cases.ts';

const EXIT_USAGE = 2;
const USAGE = `npm run bench -- [options]

  --only PATTERN    cases whose name fits this regular expression (default: all)
  --time MS         how long each case runs (default: 500)
  --json FILE       write what was measured
  --compare REF     run against a revision of git, each side in fresh processes
  --rounds N        rounds of a comparison (default: 5)
`;

interface MicroOptions {
  readonly only: string | null;
  readonly timeMs: number;
  readonly json: string | null;
  readonly compare: string | null;
  readonly rounds: number;
}

function parseOptions(argv: readonly string[]): MicroOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string' },
      time: { type: 'string', default: '500' },
      json: { type: 'string' },
      compare: { type: 'string' },
      rounds: { type: 'string', default: '5' },
    },
  });
  return {
    only: values.only ?? null,
    timeMs: numberIn('--time', values.time, 1, 600_000),
    json: values.json ?? null,
    compare: values.compare ?? null,
    rounds: numberIn('--rounds', values.rounds, 1, 1_000),
  };
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  let options: MicroOptions;
  try {
    options = parseOptions(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  const progress = new Progress();
  process.stdout.write(`${machineLine(describeMachine())}\n\n`);
  if (options.compare !== null) {
    const args = ['--time', String(options.timeMs), ...(options.only === null ? [] : ['--only', options.only])];
    const found = compare({ reference: options.compare, rounds: options.rounds, args }, progress);
    progress.end();
    process.stdout.write(`Median and range of ${options.rounds} runs. ${comparisonNote(found.length)}\n\n`);
    process.stdout.write(comparisonTable(options.compare, found));
    if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(found, null, 2)}\n`);
    return found.length > 0 ? 0 : 1;
  }
  const report = await runCases({
    timeMs: options.timeMs,
    only: options.only === null ? null : new RegExp(options.only),
    onResult: (result) => progress.status(`${result.name}: ${figure(result.ns)} ns`),
  });
  progress.end();
  print(report);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report)}\n`);
  return report.results.length > 0 ? 0 : 1;
}

function comparisonNote(cases: number): string {
  return cases === 0 ? 'No case ran on both sides.' : 'Below 1 it has become faster.';
}

function print(report: MicroReport): void {
  const rows = report.results.map((result) => [
    result.name,
    `${figure(result.ns)} per ${result.unit}`,
    `${figure(result.low)}-${figure(result.high)}`,
    result.bytesPerSecond > 0 ? `${bytes(result.bytesPerSecond)}/s` : '-',
    String(result.samples),
    againstWs(result, report),
  ]);
  const head = ['case', 'ns, median', 'middle 98 %', 'bytes', 'runs', '/ ws Receiver'];
  process.stdout.write(markdownTable(head, rows));
  for (const why of report.missing) process.stdout.write(`\nNOT RUN: ${why}\n`);
}

/** The scanner judges and passes on; the receiver unmasks and collects: the difference is what a relay need not do. */
function againstWs(result: MicroResult, report: MicroReport): string {
  const name = result.name.replace(/^scanner: /, 'ws Receiver: ');
  const other = report.results.find((one) => one.name === name);
  return other === undefined || other === result ? '-' : figure(result.ns / other.ns);
}

process.exitCode = await main(process.argv.slice(2));
