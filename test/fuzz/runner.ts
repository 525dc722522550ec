// Runs the cases of one target, one after another, each with a seed of its own, until the first that fails.

import { Random } from '../support/random.ts';
import { type FuzzTarget, isBytesTarget } from './fuzz-target.ts';
import { minimise } from './minimise.ts';

export interface RunOptions {
  readonly seed: number;
  /** It ends at whichever comes first; the first case always runs. */
  readonly casesMax: number;
  readonly millisMax: number;
  /** Called before each case, so that a crash of the whole process can be told from which case it came. */
  readonly onCase?: (caseSeed: number) => void;
}

export interface Failure {
  readonly caseSeed: number;
  readonly message: string;
  /** The smallest input found that fails, for targets whose case is a run of bytes. */
  readonly input: Buffer | null;
}

export interface TargetReport {
  readonly name: string;
  readonly cases: number;
  readonly millis: number;
  readonly failure: Failure | null;
}

/** A case that waits for longer waits for something that never comes. */
const CASE_MILLIS_MAX = 60_000;

export async function runTarget(target: FuzzTarget, options: RunOptions): Promise<TargetReport> {
  const startedAt = performance.now();
  let cases = 0;
  let failure: Failure | null = null;
  do {
    const caseSeed = Random.caseSeed(options.seed, cases);
    options.onCase?.(caseSeed);
    cases += 1;
    const pending = runCase(target, caseSeed);
    // Most targets are synchronous; a turn of the loop for each of their cases would cost more than the case.
    failure = pending instanceof Promise ? await pending : pending;
  } while (failure === null && cases < options.casesMax && performance.now() - startedAt < options.millisMax);
  return { name: target.name, cases, millis: performance.now() - startedAt, failure };
}

/** Null when the case is in order. */
export function runCase(target: FuzzTarget, caseSeed: number): Failure | null | Promise<Failure | null> {
  try {
    const pending = target.run(new Random(caseSeed));
    if (!(pending instanceof Promise)) return null;
    return ended(pending).then(
      () => null,
      (error: unknown) => failureOf(target, caseSeed, error),
    );
  } catch (error) {
    return failureOf(target, caseSeed, error);
  }
}

async function ended(pending: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${CASE_MILLIS_MAX} ms`)), CASE_MILLIS_MAX);
  });
  try {
    await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

function failureOf(target: FuzzTarget, caseSeed: number, error: unknown): Failure {
  if (!isBytesTarget(target)) return { caseSeed, message: textOf(error), input: null };
  const fails = (input: Buffer) => faultOf(() => target.check(input)) !== null;
  const made = target.make(new Random(caseSeed));
  // What fails once and not again would otherwise be "minimised" to nothing.
  if (!fails(made)) return { caseSeed, message: `${textOf(error)} (it did not fail again)`, input: made };
  const input = minimise(made, fails);
  return { caseSeed, message: faultOf(() => target.check(input)) ?? textOf(error), input };
}

function faultOf(run: () => void): string | null {
  try {
    run();
    return null;
  } catch (error) {
    return textOf(error);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
