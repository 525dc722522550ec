// Owns the checks of lists of keys and users of `auth`, in the config or in files of their own: entries that are there
// twice, that have ended, or that name routes which are not there. The time comes in.

import { printable } from './addresses.ts';
import { checkTwice } from './check-names.ts';
import type { CrossReport, Written } from './cross-report.ts';
import type { PathSegments } from './problems.ts';
import { didYouMean } from './suggest.ts';
import type { ApiKeyEntry } from './types.ts';

interface EntriesAround {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Names of the routes that there are; null when some are not known. */
  readonly routes: ReadonlySet<string> | null;
  readonly isFaulty: Written['isFaulty'];
  readonly report: CrossReport;
}

/** `path`: of the list. */
export function checkKeys(keys: readonly ApiKeyEntry[], path: PathSegments, around: EntriesAround): void {
  const { now, routes, report } = around;
  checkNames(keys, path, around);
  const digests = keys.map(({ sha256 }) => sha256);
  checkDifferent(digests, 'sha256', path, around, (first) => `is that of ${first}, too: each key has one entry`);
  for (const [index, { expires, routes: own = [] }] of keys.entries()) {
    const at = [...path, index];
    if (expires !== undefined && expires <= now) report('warning', [...at, 'expires'], `ended at ${timeText(expires)}`);
    if (own.length > 0) checkTwice(own, [...at, 'routes'], report);
    for (const [position, name] of routes === null ? [] : own.entries()) {
      if (routes?.has(name) === true) continue;
      const guess = didYouMean(name, routes ?? []);
      report('error', [...at, 'routes', position], `there is no route "${printable(name)}"${guess}`);
    }
  }
}

export function checkNames(
  entries: readonly { readonly name: string }[],
  path: PathSegments,
  around: EntriesAround,
): void {
  if (entries.length === 0) around.report('warning', path, 'is empty: nobody gets in by it');
  const names = entries.map(({ name }) => name);
  checkDifferent(names, 'name', path, around, (first) => `is the name of ${first}, too: names are unique`);
}

function checkDifferent(
  values: readonly string[],
  key: string,
  path: PathSegments,
  { isFaulty, report }: EntriesAround,
  message: (first: string) => string,
): void {
  const seen = new Map<string, number>();
  for (const [index, value] of values.entries()) {
    const first = seen.get(value);
    if (first === undefined) seen.set(value, index);
    // Something stands in for a faulty one.
    else if (!isFaulty([...path, first, key])) report('error', [...path, index, key], message(`entry ${first + 1}`));
  }
}

function timeText(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}
