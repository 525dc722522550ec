// Owns the tree that config text and config objects become before the schema sees them: values with their positions.
// It must not know any config key.

import type { PathSegments } from './problems.ts';

export type Scalar = string | number | boolean | null;

/** A part of a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `start` is the offset in the source text, -1 without text. `broken` stands for what has been reported already. */
export type Tree =
  | {
      readonly kind: 'scalar';
      readonly start: number;
      readonly value: Scalar;
      /** What a replaced `${NAME}` said before it was typed, for the keys that want text; else null. */
      readonly text: string | null;
      /** Where in that text stands what `${NAME}` brought. */
      readonly brought?: readonly Span[];
      /** Read through `{file: path}`: no message and no dump shows it. */
      readonly secret: boolean;
      /** The path of that file. */
      readonly file?: string;
    }
  | { readonly kind: 'map'; readonly start: number; readonly entries: ReadonlyMap<string, Entry> }
  | { readonly kind: 'list'; readonly start: number; readonly items: readonly Tree[] }
  | { readonly kind: 'broken'; readonly start: number };

export interface Entry {
  readonly keyStart: number;
  readonly node: Tree;
}

/** Where problems found on the way go. */
export type Report = (start: number, path: PathSegments, message: string) => void;

/** Maps and lists inside each other, the document itself included. */
export const DEPTH_MAX = 32;
/** Values in one config, aliases counted as often as they are used: no text of 1 MiB may unfold to more. */
export const NODES_MAX = 100_000;

/** Names that mean something else to JavaScript objects; none of them is ever a key of ours. */
const POISONED = new Set(['__proto__', 'constructor', 'prototype']);

export function keyProblem(key: string): string | null {
  return POISONED.has(key) ? 'this name is refused: it has a meaning of its own in JavaScript' : null;
}

/** Plain data without prototypes; broken parts are undefined. */
export function plainValue(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'broken') return undefined;
  if (tree.kind === 'list') return tree.items.map(plainValue);
  const value: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of tree.entries) value[key] = plainValue(entry.node);
  return value;
}

/** The node at `path`, or null when there is none. */
export function nodeAt(tree: Tree, path: PathSegments): Tree | null {
  let node: Tree | undefined = tree;
  for (const part of path) {
    if (node?.kind === 'list' && typeof part === 'number') node = node.items[part];
    else if (node?.kind === 'map') node = node.entries.get(String(part))?.node;
    else return null;
  }
  return node ?? null;
}

/** The offset to show for `path`: of the value, or of its key; of the nearest thing around it when it is missing. */
export function offsetOf(tree: Tree, path: PathSegments, at: 'key' | 'value'): number {
  if (at === 'key') {
    const parent = nodeAt(tree, path.slice(0, -1));
    const entry = parent?.kind === 'map' ? parent.entries.get(String(path[path.length - 1])) : undefined;
    if (entry !== undefined) return entry.keyStart;
  }
  for (let length = path.length; length >= 0; length -= 1) {
    const node = nodeAt(tree, path.slice(0, length));
    if (node !== null) return node.start;
  }
  return tree.start;
}

/** True when something at `path` or around it is broken, so that nothing more can be said about it. */
export function isBroken(tree: Tree, path: PathSegments): boolean {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = nodeAt(tree, path.slice(0, length));
    if (node !== null) return node.kind === 'broken';
  }
  return false;
}

/** Every path below `tree` that holds a secret, as segments. */
export function* secretPaths(tree: Tree, path: PathSegments = []): Generator<PathSegments> {
  if (tree.kind === 'scalar' && tree.secret) yield path;
  if (tree.kind === 'list')
    for (const [index, item] of tree.items.entries()) yield* secretPaths(item, [...path, index]);
  if (tree.kind === 'map') for (const [key, entry] of tree.entries) yield* secretPaths(entry.node, [...path, key]);
}
