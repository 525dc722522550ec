// Owns what a config says of names, also where it is wrong: a reference to a faulty one is no second fault.

import { isSecretAt } from './check-secrets.ts';
import type { Written } from './cross-report.ts';
import { listenerName, routeName } from './names.ts';
import type { PathSegments } from './problems.ts';
import { nodeAt, secretPaths, type Tree } from './tree.ts';
import type { ParsedConfig } from './types.ts';

export function secretFileAt(tree: Tree, path: PathSegments): string | null {
  const node = nodeAt(tree, path);
  return node?.kind === 'scalar' ? (node.file ?? null) : null;
}

export function writtenNames(parsed: ParsedConfig, tree: Tree): Omit<Written, 'isFaulty'> {
  const listeners = new Set<string>();
  for (const [index, listener] of parsed.listeners.entries()) {
    // What a file holds is no name, and is not to be proposed as one.
    if (!['name', 'address'].some((key) => isSecretAt(tree, ['listeners', index, key]))) {
      listeners.add(listenerName(listener));
    }
    for (const key of ['name', 'address']) {
      const node = nodeAt(tree, ['listeners', index, key]);
      if (node?.kind === 'scalar' && !node.secret) listeners.add(String(node.value));
    }
  }
  const keysOf = (key: 'upstreams' | 'auth') => {
    const node = nodeAt(tree, [key]);
    return new Set(node?.kind === 'map' ? node.entries.keys() : Object.keys(parsed[key]));
  };
  const isGiven = (path: PathSegments) => nodeAt(tree, path) !== null;
  return { listeners, upstreams: keysOf('upstreams'), methods: keysOf('auth'), isGiven };
}

/** Those of the routes; null when some are not known. */
export function routeNames(
  { routes }: ParsedConfig,
  tree: Tree,
  isFaulty: Written['isFaulty'],
): ReadonlySet<string> | null {
  if (isFaulty(['routes'])) return null;
  const known = routes.filter(
    (_, index) => !['name', 'match'].some((key) => holdsSecret(tree, ['routes', index, key])),
  );
  return new Set(known.map(routeName));
}

function holdsSecret(tree: Tree, path: PathSegments): boolean {
  const node = nodeAt(tree, path);
  return node !== null && !secretPaths(node).next().done;
}
