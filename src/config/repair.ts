// Runs the schema until it has a result: every fault is reported once, then taken out of a copy of the value, so that
// the checks across keys still see the rest. What it returns after a fault is for those checks only.

import { explain, type Finding, NO_MESSAGE } from './explain.ts';
import { type Place, placeAt } from './key-walk.ts';
import { type PathSegments, pathText } from './problems.ts';
import { configSchema } from './schema.ts';
import { nodeAt, type Tree } from './tree.ts';
import type { ParsedConfig } from './types.ts';

/** A round can uncover what the round before hid behind a fault; each block has few levels to hide things in. */
const ROUNDS_MAX = 8;

type Container = Record<string | number, unknown>;

/** `value` is plain data of our own and is changed in place. */
export function parseRepairing(value: unknown, tree: Tree, report: (finding: Finding) => void): ParsedConfig | null {
  const told = new Set<string>();
  const around = new Set<string>();
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const result = configSchema.safeParse(value, { reportInput: true, error: () => NO_MESSAGE });
    if (result.success) return result.data;
    const findings = result.error.issues.flatMap((issue) => explain(issue));
    const retyped = findings.filter((finding) => finding.wantsText && asText(value, tree, finding.path));
    // A replaced ${NAME} that looks like a number is text where the key wants text: nothing was wrong.
    if (retyped.length > 0) continue;
    for (const finding of findings) {
      // What stands in for a part that was taken out can lack keys of its own, and the block around it has too few.
      const isEcho = round > 0 && (around.has(pathText(finding.path)) || prefixesOf(finding.path).some(told.has, told));
      if (!isEcho) report(finding);
      told.add(pathText(finding.path));
      for (const prefix of prefixesOf(finding.path)) around.add(prefix);
      if (finding.path.length === 0) return null;
      takeOut(value, finding.path);
    }
  }
  return null;
}

/** The path itself, too. */
function prefixesOf(path: PathSegments): string[] {
  return path.map((_, index) => pathText(path.slice(0, index + 1)));
}

function asText(value: unknown, tree: Tree, path: PathSegments): boolean {
  const node = nodeAt(tree, path);
  const parent = containerAt(value, path.slice(0, -1));
  const last = path[path.length - 1];
  if (node?.kind !== 'scalar' || node.text === null || parent === null || last === undefined) return false;
  parent[last] = node.text;
  return true;
}

function takeOut(value: unknown, path: PathSegments): void {
  const parent = containerAt(value, path.slice(0, -1));
  const last = path[path.length - 1];
  if (parent === null || last === undefined) return;
  if (typeof last === 'string') {
    const standIn = standInFor(placeAt(path));
    if (standIn === undefined) delete parent[last];
    else parent[last] = standIn;
    return;
  }
  const item = parent[last];
  // An item of a list of blocks leaves an empty block, so that the others keep their position.
  const isBlock = placeAt(path)?.kind === 'block';
  if (isBlock && (typeof item !== 'object' || item === null || Array.isArray(item))) parent[last] = {};
  else takeOut(value, path.slice(0, -1));
}

/** What a required key is taken for: a text of its own, or one item with what that requires. */
function standInFor(place: Place | null): unknown {
  if (place === null || 'default' in place || 'unset' in place) return undefined;
  if ('standIn' in place) return place.standIn;
  if (place.kind === 'list' && place.of.kind === 'choice') return place.of.words.slice(0, 1);
  if (place.kind !== 'list' || place.of.kind !== 'block') return undefined;
  const required = Object.entries(place.of.keys).flatMap(([key, row]): [string, unknown][] => {
    const standIn = standInFor(row);
    return standIn === undefined ? [] : [[key, standIn]];
  });
  return [Object.fromEntries(required)];
}

function containerAt(value: unknown, path: PathSegments): Container | null {
  let at: unknown = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return null;
    at = (at as Container)[part];
  }
  // The value was made by plainValue: objects and arrays only, without accessors.
  return typeof at === 'object' && at !== null ? (at as Container) : null;
}
