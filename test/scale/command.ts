// The command line that runs demands: one after the other, plain lines, a summary, and exit code 1 when one is not met.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { endChildrenOnExit } from '../../bench/support/child-process.ts';
import { type Demand, Findings } from './demand.ts';
import { runDemand } from './run.ts';

const EXIT_USAGE = 2;

/** A command and the demands that it runs. */
export interface DemandCommand {
  /** As in `npm run NAME`. */
  readonly name: string;
  readonly demands: readonly Demand[];
  /** How long all of them take. */
  readonly takes: string;
}

/** Gives the exit code. */
export async function runCommand(command: DemandCommand, args: string[]): Promise<number> {
  const usage = usageOf(command);
  let chosen: readonly Demand[];
  let seed: number;
  let share: number;
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true, default: [] },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
        share: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(usage);
      return 0;
    }
    chosen = choose(command.demands, [...positionals, ...values.only]);
    seed = numberIn('--seed', values.seed, 2 ** 32);
    share = numberIn('--share', values.share, 1);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return EXIT_USAGE;
  }
  endChildrenOnExit();
  process.stdout.on('error', () => process.exit(1)); // nobody reads what is said
  return runAll(chosen, seed, share);
}

async function runAll(chosen: readonly Demand[], seed: number, share: number): Promise<number> {
  const limit = openFiles();
  const size = share === 1 ? 'full size' : `${share} of the full size`;
  say(`seed ${seed}, ${size}, node ${process.version}, ${limit} open files`);
  const summary: string[] = [];
  let isMet = true;
  for (const demand of chosen) {
    const { name, title } = demand;
    say(`\n${name}: ${title}`);
    const startedAt = performance.now();
    const findings = new Findings(say);
    // Node raises its soft limit to the hard one when it starts, so what is left is the hard one.
    if (limit < demand.openFiles * share) {
      const needs = `needs ${Math.ceil(demand.openFiles * share)} open files, ${limit} are allowed (ulimit -Hn)`;
      findings.check('enough open files', false, needs);
    } else await runDemand(demand, { seed, share, findings });
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const { unmet } = findings;
    isMet = isMet && unmet.length === 0;
    summary.push(`${unmet.length === 0 ? 'met    ' : 'NOT MET'}  ${name}, ${seconds} s`);
    summary.push(...unmet.map((one) => `         ${one}`));
  }
  say(`\nsummary, seed ${seed}\n${summary.join('\n')}`);
  return isMet ? 0 : 1;
}

function usageOf({ name, demands, takes }: DemandCommand): string {
  return `npm run ${name} -- [NAME...] [options]

  NAME, --only NAME   only these (default: all, ${takes})
  --seed N            what random choices begin with (default: another one each time)
  --share S           less than the full size, such as 0.05: for a quick look; heaps are told, not judged

${demands.map((one) => `  ${one.name.padEnd(15)} ${one.title}`).join('\n')}
`;
}

function choose(demands: readonly Demand[], names: readonly string[]): readonly Demand[] {
  for (const name of names) {
    if (!demands.some((one) => one.name === name)) throw new Error(`there is no ${name}`);
  }
  return names.length === 0 ? demands : demands.filter(({ name }) => names.includes(name));
}

function numberIn(option: string, text: string, max: number): number {
  const number = Number(text);
  if (text === '' || !(number >= 0 && number <= max)) throw new Error(`${option} ${text}: a number up to ${max}`);
  return number;
}

function openFiles(): number {
  const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
