// Owns the checks of lists whose entries have to differ: names, and values. It must not know any key by name.

import { printable } from './addresses.ts';
import type { CrossReport } from './cross-report.ts';
import type { PathSegments } from './problems.ts';

export function checkTwice(values: readonly string[], path: PathSegments, report: CrossReport): void {
  const seen = new Set<string>();
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) report('error', [...path, index], 'stands in this list twice');
    seen.add(value);
  }
}

export function checkUnique(
  names: readonly (string | null)[],
  list: string,
  report: CrossReport,
  path: PathSegments = [],
): void {
  const first = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    if (name === null) continue;
    const other = first.get(name);
    if (other === undefined) first.set(name, index);
    else
      report(
        'error',
        [...path, list, index, 'name'],
        `"${printable(name)}" is the name of ${list}[${other}] too: names are unique`,
      );
  }
}
