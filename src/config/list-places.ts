// Owns the parts of a config that are judged alone: lists that can be files of their own, where each stands in a
// config, and the smallest config around it; around `admin`, too. It must not load any.

import type { EntryLists } from './load-auth.ts';
import type { PathSegments } from './problems.ts';
import type { Tree } from './tree.ts';

/** Of a file of targets, which programs write. */
const TARGETS_BYTES_MAX = 8 * 1024 * 1024;
/** What a list that is a file of its own belongs to in the config that it is judged in. */
export const OWNER = 'list';

/** A list that can be a file of its own: where it stands in a config, and the rest of the smallest config with it. */
export interface ListPlace {
  readonly path: PathSegments;
  readonly around: (list: Tree) => Tree;
  readonly bytesMax?: number;
}

export const TARGETS: ListPlace = {
  path: ['upstreams', OWNER, 'targets'],
  bytesMax: TARGETS_BYTES_MAX,
  // With discover a list may be empty.
  around: (targets) =>
    mapTree(targets, {
      routes: routesTree(targets, OWNER),
      upstreams: mapTree(targets, {
        [OWNER]: mapTree(targets, {
          targets,
          discover: mapTree(targets, { file: mapTree(targets, { path: textTree(targets, '-') }) }),
        }),
      }),
    }),
};

/** Of `auth`: by the kind of the method. */
export const ENTRIES: { readonly [K in keyof EntryLists]: ListPlace } = {
  api_key: entriesPlace('api_key', 'keys'),
  basic: entriesPlace('basic', 'users'),
};

/** The smallest config with this `admin`. */
export function aroundAdmin(admin: Tree): Tree {
  return mapTree(admin, { routes: routesTree(admin, 'builtin:echo'), admin });
}

function entriesPlace(kind: string, key: string): ListPlace {
  return {
    path: ['auth', OWNER, kind, key],
    around: (list) =>
      mapTree(list, {
        routes: routesTree(list, 'builtin:echo'),
        auth: mapTree(list, { [OWNER]: mapTree(list, { [kind]: mapTree(list, { [key]: list }) }) }),
      }),
  };
}

function mapTree({ start }: Tree, entries: Readonly<Record<string, Tree>>): Tree {
  return {
    kind: 'map',
    start,
    entries: new Map(Object.entries(entries).map(([key, node]) => [key, { keyStart: start, node }])),
  };
}

function textTree({ start }: Tree, value: string): Tree {
  return { kind: 'scalar', start, value, text: null, secret: false };
}

function routesTree(at: Tree, upstream: string): Tree {
  return { kind: 'list', start: at.start, items: [mapTree(at, { upstream: textTree(at, upstream) })] };
}
