// The command line of `npm run fuzz`.

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { FuzzTarget } from './fuzz-target.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly targets: readonly FuzzTarget[];
  /** Run this one case alone. */
  readonly caseSeed: number | null;
}

export const USAGE = 'usage: npm run fuzz -- [--seed N] [--minutes M] [--only NAME[,NAME]] [--case SEED]';

const MINUTES_DEFAULT = 1;
const MINUTES_MAX = 7 * 24 * 60;
const SEED_MAX = 2 ** 32 - 1;

/** `byDefault` run when none is named; `hidden` only by name. Throws an Error that says what is wrong. */
export function parseOptions(
  args: readonly string[],
  byDefault: readonly FuzzTarget[],
  hidden: readonly FuzzTarget[],
): FuzzOptions {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { seed: string, minutes: string, only: string, case: string },
  });
  const targets = values.only === undefined ? byDefault : named(values.only, [...byDefault, ...hidden]);
  const minutes = values.minutes === undefined ? MINUTES_DEFAULT : Number(values.minutes);
  if (!(minutes > 0 && minutes <= MINUTES_MAX)) throw new Error('--minutes takes a number above 0');
  if (values.case !== undefined && targets.length !== 1) throw new Error('--case needs one target: --only NAME');
  return {
    seed: values.seed === undefined ? randomInt(SEED_MAX) : seedOf('--seed', values.seed),
    minutes,
    targets,
    caseSeed: values.case === undefined ? null : seedOf('--case', values.case),
  };
}

function named(list: string, all: readonly FuzzTarget[]): FuzzTarget[] {
  return list.split(',').map((name) => {
    const target = all.find((each) => each.name === name);
    if (target === undefined)
      throw new Error(`no target ${name}; there are ${all.map((each) => each.name).join(', ')}`);
    return target;
  });
}

function seedOf(option: string, text: string): number {
  const seed = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seed <= SEED_MAX)) throw new Error(`${option} takes a whole number from 0 to ${SEED_MAX}`);
  return seed;
}
