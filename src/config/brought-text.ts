// Keeps what `${NAME}` and `{file: path}` brought from being read as written text: in values with placeholders its
// braces are doubled, which makes them braces and no more.

import { doubledBraces } from './header-texts.ts';
import { inside, type Place, ROOT } from './key-walk.ts';
import type { Span, Tree } from './tree.ts';

type Container = Record<string | number, unknown>;

/** `value` is plain data of our own, made of `tree`, and is changed in place. */
export function doubleBroughtBraces(value: unknown, tree: Tree, place: Place = ROOT): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, node] of childrenOf(tree)) {
    const child = inside(place, String(key));
    if (child === null) continue;
    // Made by plainValue: objects and arrays only, without accessors.
    const parent = value as Container;
    if (node.kind !== 'scalar') doubleBroughtBraces(parent[key], node, child);
    else if (child.kind === 'text' && child.form === 'template') parent[key] = protectedText(node);
  }
}

function childrenOf(tree: Tree): readonly (readonly [string | number, Tree])[] {
  if (tree.kind === 'list') return [...tree.items.entries()];
  return tree.kind === 'map' ? [...tree.entries].map(([key, { node }]) => [key, node] as const) : [];
}

function protectedText(node: Extract<Tree, { kind: 'scalar' }>): unknown {
  if (node.secret) return doubledBraces(String(node.value));
  if (node.text === null || node.brought === undefined) return node.value;
  return [...partsOf(node.text, node.brought)].join('');
}

function* partsOf(text: string, brought: readonly Span[]): Generator<string> {
  let at = 0;
  for (const { start, end } of brought) {
    yield text.slice(at, start) + doubledBraces(text.slice(start, end));
    at = end;
  }
  yield text.slice(at);
}
