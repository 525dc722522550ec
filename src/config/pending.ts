// Owns problems before they are listed: their order, how many are shown, and which paths they are about.

import { type PathSegments, type Problem, pathText } from './problems.ts';

/** Problems listed; of those beyond, one line says how many there are. */
const PROBLEMS_MAX = 500;

/** A problem whose words are looked for when it is listed: a hostile file can have more than anybody reads. */
export type Pending = Omit<Problem, 'message'> & { readonly message: () => string };

export function inOrder(a: Pending, b: Pending): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  const byPath = a.path === b.path ? 0 : a.path < b.path ? -1 : 1;
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0) || byPath;
}

/** No warning takes the place of an error. */
export function listed(problems: readonly Pending[]): { shown: readonly Pending[]; left: readonly Pending[] } {
  if (problems.length <= PROBLEMS_MAX) return { shown: problems, left: [] };
  const errors = problems.filter(({ severity }) => severity === 'error');
  const ranked = [...errors, ...problems.filter(({ severity }) => severity === 'warning')];
  return { shown: ranked.slice(0, PROBLEMS_MAX).sort(inOrder), left: ranked.slice(PROBLEMS_MAX) };
}

/** Tells whether something at, in or around a path has been reported; in one look-up for each of its parts. */
export function faultyPaths(problems: readonly Pending[]): (path: PathSegments) => boolean {
  const faults = new Set<string>();
  const around = new Set<string>();
  for (const { path } of problems) {
    if (path === '') continue;
    faults.add(path);
    // Every beginning of the text that is a path of its own.
    for (const end of path.matchAll(/[.[]/g)) around.add(path.slice(0, end.index));
  }
  return (path) => {
    if (around.has(pathText(path))) return true;
    return path.some((_, index) => faults.has(pathText(path.slice(0, index + 1))));
  };
}
