// What must hold of the table of mutants before any is run, and the edit itself. It runs nothing.

import type { Place, Places } from '../support/places.ts';
import { parse, type SourceFile, walk } from '../support/source.ts';
import type { Mutant } from './mutants.ts';

export interface MutantTable {
  readonly mutants: readonly Mutant[];
  readonly rows: readonly string[];
  readonly places: Places;
}

/** Where an edit goes: `length` characters from `start` on. */
export interface Edit {
  readonly file: SourceFile;
  readonly start: number;
  readonly length: number;
  readonly replace: string;
}

/** Rows without a mutant, mutants without a row, and edits that cannot be made. */
export function tableFaults({ mutants, rows, places }: MutantTable): string[] {
  const written = new Set(mutants.map(({ row }) => row));
  return [
    ...rows.filter((row) => !written.has(row)).map((row) => `${row}: no mutant`),
    ...mutants.flatMap((mutant) => {
      if (!rows.includes(mutant.row)) return [`${mutant.row}: no such row`];
      const edit = findEdit(mutant, places);
      return typeof edit === 'string' ? [`${mutant.row}: ${edit}`] : [];
    }),
  ];
}

/** The edit, or why it cannot be made or would fail for another reason than the rule it removes. */
export function findEdit({ at, search, replace }: Mutant, places: Places): Edit | string {
  const named = places.named(at);
  if (named.length === 0) return `src/ has no ${at}`;
  const found = named.flatMap((place) => startsIn(place, search).map((start) => ({ place, start })));
  const [first, ...more] = found;
  if (first === undefined || more.length > 0) return `the search text stands ${found.length} times in ${at}`;
  if (search === replace) return 'the replacement is the same text';
  const { place, start } = first;
  const edit = { file: place.file, start, length: search.length, replace };
  const unknown = newNames(edit, place);
  return unknown.length === 0 ? edit : `the replacement is not valid in ${at}: ${unknown.join(', ')}`;
}

export function edited({ file, start, length, replace }: Edit): string {
  return file.text.slice(0, start) + replace + file.text.slice(start + length);
}

function startsIn({ file, start, end }: Place, search: string): number[] {
  const found: number[] = [];
  if (search === '') return found;
  for (let i = file.text.indexOf(search, start); i >= 0 && i + search.length <= end; ) {
    found.push(i);
    i = file.text.indexOf(search, i + 1);
  }
  return found;
}

/** Names that are neither in the file before nor global, or why it cannot be parsed. Members of values are free. */
function newNames(edit: Edit, place: Place): string[] {
  const known = namesOnce(edit.file);
  try {
    const names = namesIn({ path: edit.file.path, text: editedPlace(edit, place) });
    return [...names].filter((name) => !known.has(name) && !(name in globalThis));
  } catch (error) {
    return [error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)];
  }
}

/** As text of its own: the rest of the file is as it was, and parsing it would be most of the work. */
function editedPlace({ file, start, length, replace }: Edit, { name, ...place }: Place): string {
  const text = file.text.slice(place.start, start) + replace + file.text.slice(start + length, place.end);
  return name.includes('.') ? `(class extends Object {${text}})` : text;
}

/** Of texts as they are, by their file: many mutants are about the same one. */
const knownNames = new WeakMap<SourceFile, ReadonlySet<string>>();

function namesOnce(file: SourceFile): ReadonlySet<string> {
  const names = knownNames.get(file) ?? namesIn(file);
  knownNames.set(file, names);
  return names;
}

function namesIn(file: SourceFile): Set<string> {
  const names = new Set<string>();
  walk(parse(file), (node, parent) => {
    const isMember = parent?.type === 'MemberExpression' && parent.property === node && parent.computed !== true;
    const isKey = parent?.type === 'Property' && parent.key === node && parent.shorthand !== true;
    if (node.type === 'Identifier' && !isMember && !isKey) names.add(String(node.name));
  });
  return names;
}
