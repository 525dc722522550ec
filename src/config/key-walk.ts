// Owns walking the rows beside a value or a path: which keys a block has, where blocks are, every key of all.
// It must not validate.

import { config } from './keys/config.ts';
import type { Item, Keys, List, Row } from './keys/row.ts';
import { descriptionOf, valuesOf } from './kinds.ts';
import type { PathSegments } from './problems.ts';

/** What the reference tells about one key. */
export interface KeyDescription {
  /** `listeners[].name`, `upstreams.*.targets[].url`. */
  readonly path: string;
  /** The default as it would be written, or in words after "= "; "required" when there is none. */
  readonly default: string;
  readonly type: string;
  readonly description: string;
}

/** Where a value may stand: at a key, or in a list or under a name. */
export type Place = Row | Item | List;

export const ROOT: Place = { kind: 'block', keys: config };

/** The block that `path` leads to: its name with `[]` and `*` for positions and names, and the keys it has. */
export function blockAt(path: PathSegments): { readonly block: string; readonly keys: readonly string[] } {
  let place: Place | null = ROOT;
  let block = '';
  for (const part of path) {
    if (place?.kind === 'block') block += `${block === '' ? '' : '.'}${part}`;
    if (place?.kind === 'named') block += '.*';
    if (place !== null && isList(place)) block += '[]';
    place = place !== null && isBlock(place) ? inside(place, String(part)) : place;
  }
  return { block, keys: place?.kind === 'block' ? Object.keys(place.keys) : [] };
}

/** What is declared at `path`; null where nothing is. */
export function placeAt(path: PathSegments): Place | null {
  let place: Place | null = ROOT;
  for (const part of path) place = place === null ? null : inside(place, String(part));
  return place;
}

/** Whether `{ file }` there is read as a list. */
export function takesListFile(path: PathSegments): boolean {
  const place = placeAt(path);
  if (place?.kind === 'block') return Object.hasOwn(place.keys, 'file');
  return place?.kind === 'list' && place.file === true;
}

/** Every block that has a key of this name, called as `blockAt` calls it. */
export function blocksWith(key: string): readonly string[] {
  return [...blocksOf(config, '')].flatMap(({ block, keys }) => (Object.hasOwn(keys, key) ? [block] : []));
}

function* blocksOf(keys: Keys, block: string): Generator<{ readonly block: string; readonly keys: Keys }> {
  yield { block, keys };
  for (const [key, row] of Object.entries(keys)) {
    const at = block === '' ? key : `${block}.${key}`;
    if (row.kind === 'block') yield* blocksOf(row.keys, at);
    if (row.kind === 'named' && row.of.kind === 'block') yield* blocksOf(row.of.keys, `${at}.*`);
    if (row.kind === 'list' && row.of.kind === 'block') yield* blocksOf(row.of.keys, `${at}[]`);
  }
}

/** What a map there has to hold, or mostly does; nothing where nothing is required, or no map stands. */
export function neededIn(place: Place | null): readonly (readonly [key: string, row: Row])[] {
  if (place?.kind !== 'block') return [];
  return Object.entries(place.keys).filter(
    ([, row]) => row.usual === true || (row.default === undefined && row.unset === undefined),
  );
}

/** Blocks and lists without content (`limits:` with only comments below it) come as null: they count as absent. */
export function withoutEmptyBlocks(value: unknown, place: Place = ROOT): unknown {
  if (isList(place) && Array.isArray(value)) {
    return value.map((item: unknown) => withoutEmptyBlocks(item, place.of));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) {
    const child = isList(place) ? null : inside(place, key);
    if (child !== null && item === null && isBlock(child) && !hasWords(child)) continue;
    kept[key] = child === null ? item : withoutEmptyBlocks(item, child);
  }
  return kept;
}

/** Every key in its order, blocks before what they hold. */
export function describeKeys(): readonly KeyDescription[] {
  return [...keysOf(config, '')];
}

function* keysOf(keys: Keys, path: string): Generator<KeyDescription> {
  for (const [key, row] of Object.entries(keys)) {
    const at = path === '' ? key : `${path}.${key}`;
    yield { path: at, default: defaultOf(row), type: valuesOf(row), description: descriptionOf(row) };
    if (row.kind === 'block') yield* keysOf(row.keys, at);
    if (row.kind === 'named' && row.of.kind === 'block') yield* keysOf(row.of.keys, `${at}.*`);
    if (row.kind === 'list' && row.of.kind === 'block') yield* keysOf(row.of.keys, `${at}[]`);
  }
}

function defaultOf(row: Row): string {
  if (row.unset !== undefined) return `= ${row.unset}`;
  if (row.default === undefined) return 'required';
  return typeof row.default === 'string' ? row.default : JSON.stringify(row.default);
}

/** What stands in a list, under a name, or at a key; null when there is no such key. */
export function inside(place: Place, key: string): Place | null {
  if (place.kind === 'list' || place.kind === 'named') return place.of;
  if (place.kind !== 'block' || !Object.hasOwn(place.keys, key)) return null;
  return place.keys[key] ?? null;
}

/** A list, not one that a word may stand for. */
function isList(place: Place): place is List {
  return place.kind === 'list' && place.or === undefined && place.single === undefined;
}

function hasWords(place: Place): boolean {
  return place.kind === 'block' && place.words !== undefined;
}

function isBlock(place: Place): boolean {
  return place.kind === 'block' || place.kind === 'named' || isList(place);
}
