// `npm run fuzz`: runs the targets one after another, each for its share of the time. At the first failure it prints
// how to run that case again alone and exits 1.

import { type FuzzOptions, parseOptions, USAGE } from './options.ts';
import { type Failure, runCase, runTarget } from './runner.ts';
import { CANARIES, TARGETS } from './targets.ts';
import { startWatchdog } from './watchdog.ts';

/** Of an input; the case makes all of it again. */
const INPUT_SHOWN_MAX = 2_000;

/** The case at hand, for faults that arrive outside of it: a late rejection, an exception in a callback. */
let current = 'before the first case';

for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error: unknown) => {
    say(`FAILED (${event}) ${current}\n${error instanceof Error ? error.stack : String(error)}`);
    process.exit(1);
  });
}

const options = optionsOrExit();
const watchdog = startWatchdog();
process.exitCode = options.caseSeed === null ? await runAll(options) : await runOne(options, options.caseSeed);

async function runAll({ seed, minutes, targets }: FuzzOptions): Promise<number> {
  say(`seed ${seed}, ${minutes} min, ${targets.length} targets`);
  const millisMax = (minutes * 60_000) / targets.length;
  for (const target of targets) {
    const onCase = (caseSeed: number) => begin(target.name, caseSeed);
    const report = await runTarget(target, { seed, casesMax: Number.POSITIVE_INFINITY, millisMax, onCase });
    const perSecond = Math.round((report.cases * 1000) / report.millis);
    say(`${target.name.padEnd(16)} ${String(report.cases).padStart(9)} cases ${String(perSecond).padStart(8)} cases/s`);
    if (report.failure !== null) {
      sayFailure(target.name, report.failure);
      return 1;
    }
  }
  return 0;
}

async function runOne({ targets }: FuzzOptions, caseSeed: number): Promise<number> {
  for (const target of targets) {
    begin(target.name, caseSeed);
    const failure = await runCase(target, caseSeed);
    if (failure !== null) {
      sayFailure(target.name, failure);
      return 1;
    }
    say(`${target.name}: case ${caseSeed} is in order`);
  }
  return 0;
}

function begin(name: string, caseSeed: number): void {
  current = again(name, caseSeed);
  watchdog.begin(current);
}

function sayFailure(name: string, { caseSeed, input, message }: Failure): void {
  say(`FAILED ${name}, case ${caseSeed}: run it again with ${again(name, caseSeed)}`);
  // In the form that the table of crashes takes.
  if (input !== null)
    say(`input, ${input.length} bytes: ${JSON.stringify(input.toString('latin1', 0, INPUT_SHOWN_MAX))}`);
  say(message);
}

function again(name: string, caseSeed: number): string {
  return `npm run fuzz -- --only ${name} --case ${caseSeed}`;
}

function optionsOrExit(): FuzzOptions {
  try {
    return parseOptions(process.argv.slice(2), TARGETS, CANARIES);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    process.exit(2);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
