// What must hold of the table of mutants before any is run, and the edit itself. It runs nothing.

import { parse, walk } from '../support/source.ts';
import type { Mutant } from './mutants.ts';

export interface MutantTable {
  readonly mutants: readonly Mutant[];
  readonly rows: readonly string[];
  /** The text of a file by its path from the project's root; null if there is none. */
  readonly textOf: (file: string) => string | null;
}

/** Rows without a mutant, mutants without a row, and edits that cannot be made. */
export function tableFaults({ mutants, rows, textOf }: MutantTable): string[] {
  const written = new Set(mutants.map(({ row }) => row));
  return [
    ...rows.filter((row) => !written.has(row)).map((row) => `${row}: no mutant`),
    ...mutants.flatMap((mutant) => {
      if (!rows.includes(mutant.row)) return [`${mutant.row}: no such row`];
      const fault = editFault(mutant, textOf(mutant.file));
      return fault === null ? [] : [`${mutant.row}: ${fault}`];
    }),
  ];
}

/** Why the edit cannot be made in `text`, or would fail for another reason than the rule it removes. */
export function editFault(mutant: Mutant, text: string | null): string | null {
  const { file, search, replace } = mutant;
  if (!file.startsWith('src/') || text === null) return `no file ${file} in src/`;
  const count = search === '' ? 0 : text.split(search).length - 1;
  if (count !== 1) return `the search text stands ${count} times in ${file}`;
  if (search === replace) return 'the replacement is the same text';
  const unknown = newNames(file, text, mutated(mutant, text));
  return unknown.length === 0 ? null : `the replacement is not valid in ${file}: ${unknown.join(', ')}`;
}

export function mutated({ search, replace }: Mutant, text: string): string {
  // Not a plain string: `$` has a meaning there.
  return text.replace(search, () => replace);
}

/** Names in `after` that are neither in `before` nor global, or why it cannot be parsed. Members of values are free. */
function newNames(file: string, before: string, after: string): string[] {
  const known = namesOnce(file, before);
  try {
    return [...namesIn(file, after)].filter((name) => !known.has(name) && !(name in globalThis));
  } catch (error) {
    return [error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)];
  }
}

/** Of texts as they are, by their file: many mutants are about the same one. */
const knownNames = new Map<string, { readonly text: string; readonly names: ReadonlySet<string> }>();

function namesOnce(path: string, text: string): ReadonlySet<string> {
  const known = knownNames.get(path);
  if (known?.text === text) return known.names;
  const names = namesIn(path, text);
  knownNames.set(path, { text, names });
  return names;
}

function namesIn(path: string, text: string): Set<string> {
  const names = new Set<string>();
  walk(parse({ path, text }), (node, parent) => {
    const isMember = parent?.type === 'MemberExpression' && parent.property === node && parent.computed !== true;
    const isKey = parent?.type === 'Property' && parent.key === node && parent.shorthand !== true;
    if (node.type === 'Identifier' && !isMember && !isKey) names.add(String(node.name));
  });
  return names;
}
