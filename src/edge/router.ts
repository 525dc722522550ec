// Chooses the route of a request: a map of hosts, then a tree of path segments, so that a thousand routes cost a few
// look-ups. A host whose routes do not match the path falls through to the next less specific host, since a route
// stands for a pair of host and path. It never changes what it is given: a path as sent, or a decoded one.

import assert from 'node:assert/strict';
import type { RouteConfig } from '../config/types.ts';
import { atOnce } from '../limits/slices.ts';
import { type PathPattern, parsePattern } from '../protocol/path.ts';
import { decodePath } from '../protocol/path-decoding.ts';

export interface RouteMatch {
  readonly route: RouteConfig;
  /** What followed the prefix of the route's path: '' or a string that begins with '/'. */
  readonly rest: string;
  /** All that stand where `route` does. More than one only among decoded paths: `/%61` is `/a` there. */
  readonly twins: readonly RouteConfig[];
}

/** One place in the tree of paths: after `/a/b` has been taken. */
interface PathNode {
  readonly literals: Map<string, PathNode>;
  param: PathNode | null;
  /** The routes whose pattern ends here: one at most, unless they differ in escapes alone. */
  exact: readonly RouteConfig[];
  /** Those whose pattern goes on with `/*`. */
  prefix: readonly RouteConfig[];
}

/** The routes of one listener. */
interface HostTable {
  readonly exact: Map<string, PathNode>;
  /** By what follows `*.`. */
  readonly wildcards: Map<string, PathNode>;
  wildcardLengthMax: number;
  readonly any: PathNode;
}

type Tables = ReadonlyMap<string, HostTable>;

export class Router {
  private readonly asSent: Tables;
  /** The same routes with the escapes of their own paths decoded. */
  private readonly decoded: Tables;

  /** `routes` come from a checked config: their patterns parse, and no two match the same requests. */
  constructor(
    routes: readonly RouteConfig[],
    listenerNames: readonly string[],
    tables = atOnce(bothTables(routes, listenerNames)),
  ) {
    const { asSent, decoded } = tables;
    this.asSent = asSent;
    this.decoded = decoded;
  }

  /** The same in small steps. */
  static *inSteps(routes: readonly RouteConfig[], listenerNames: readonly string[]): Generator<void, Router> {
    return new Router(routes, listenerNames, yield* bothTables(routes, listenerNames));
  }

  /**
   * `hostname` is lower-case without port and trailing dot, `path` begins with '/': exact host, then the longest `*.`,
   * then any host; among the routes of a host, segment by segment literal, `{name}`, `*`.
   */
  match(hostname: string, path: string, listener: string): RouteMatch | null {
    return find(this.asSent, hostname, path, listener);
  }

  /** Whether any route of that listener is for this host, whatever its path. */
  serves(hostname: string, listener: string): boolean {
    const table = this.asSent.get(listener);
    if (table === undefined) return false;
    return table.exact.has(hostname) || hasRoutes(table.any) || wildcardsOf(table, hostname).next().done !== true;
  }

  /** The route of a path that `decodePath` has made, with its rest, which is decoded too. */
  matchDecoded(hostname: string, decodedPath: string, listener: string): RouteMatch | null {
    return find(this.decoded, hostname, decodedPath, listener);
  }
}

interface BothTables {
  readonly asSent: Tables;
  readonly decoded: Tables;
}

function* bothTables(routes: readonly RouteConfig[], listenerNames: readonly string[]): Generator<void, BothTables> {
  const asSent = yield* tablesOf(routes, listenerNames, false);
  const hasEscapes = routes.some((route) => route.match.path.includes('%'));
  return { asSent, decoded: hasEscapes ? yield* tablesOf(routes, listenerNames, true) : asSent };
}

function* tablesOf(
  routes: readonly RouteConfig[],
  listenerNames: readonly string[],
  decoded: boolean,
): Generator<void, Tables> {
  const tables = new Map<string, HostTable>();
  for (const listener of listenerNames) {
    const table = { exact: new Map(), wildcards: new Map(), wildcardLengthMax: 0, any: makeNode() };
    tables.set(listener, table);
    for (const route of routes) {
      const { listeners } = route.match;
      if (listeners.length === 0 || listeners.includes(listener)) addRoute(table, route, decoded);
      yield;
    }
  }
  return tables;
}

function find(tables: Tables, hostname: string, path: string, listener: string): RouteMatch | null {
  const table = tables.get(listener);
  // A connection outlives its listener, which a reload may take away: no route is for that one any more.
  if (table === undefined) return null;
  const exact = table.exact.get(hostname);
  const found = exact === undefined ? null : findPath(exact, path, 0);
  return found ?? matchWildcards(table, hostname, path) ?? findPath(table.any, path, 0);
}

function addRoute(table: HostTable, route: RouteConfig, decoded: boolean): void {
  const pattern = patternOf(route);
  for (const host of hostsOf(route)) {
    const node = endOf(rootFor(table, host), pattern, decoded);
    const kind = pattern.prefix ? 'prefix' : 'exact';
    if (node[kind].includes(route)) continue;
    assert(decoded || node[kind].length === 0, `route ${route.name} matches what another one does`);
    node[kind] = [...node[kind], route];
  }
}

function rootFor(table: HostTable, host: string): PathNode {
  if (host === '') return table.any;
  if (!host.startsWith('*.')) return childOf(table.exact, host);
  const suffix = host.slice(2);
  table.wildcardLengthMax = Math.max(table.wildcardLengthMax, suffix.length);
  return childOf(table.wildcards, suffix);
}

function endOf(root: PathNode, pattern: PathPattern, decoded: boolean): PathNode {
  let node = root;
  for (const segment of pattern.segments) {
    if (segment.kind === 'literal') {
      node = childOf(node.literals, decoded ? decodedLiteral(segment.text) : segment.text);
    } else {
      node.param ??= makeNode();
      node = node.param;
    }
  }
  return node;
}

function childOf(nodes: Map<string, PathNode>, key: string): PathNode {
  const known = nodes.get(key);
  if (known !== undefined) return known;
  const node = makeNode();
  nodes.set(key, node);
  return node;
}

function matchWildcards(table: HostTable, hostname: string, path: string): RouteMatch | null {
  for (const root of wildcardsOf(table, hostname)) {
    const found = findPath(root, path, 0);
    if (found !== null) return found;
  }
  return null;
}

/** The longest `*.` first. Dots left of the longest configured one are not looked at, however many the client sends. */
function* wildcardsOf(table: HostTable, hostname: string): Generator<PathNode> {
  if (table.wildcards.size === 0) return;
  // From 1: `*` stands for one label or more, and a label is not empty.
  let dot = hostname.indexOf('.', Math.max(1, hostname.length - 1 - table.wildcardLengthMax));
  while (dot !== -1) {
    const root = table.wildcards.get(hostname.slice(dot + 1));
    if (root !== undefined) yield root;
    dot = hostname.indexOf('.', dot + 1);
  }
}

function hasRoutes({ literals, param, exact, prefix }: PathNode): boolean {
  return literals.size > 0 || param !== null || exact.length > 0 || prefix.length > 0;
}

/** `path[at]` is the '/' before the next segment, or the end. Each node is visited once at most. */
function findPath(node: PathNode, path: string, at: number): RouteMatch | null {
  if (at === path.length && node.exact.length > 0) return matchOf(node.exact, '');
  if (at < path.length && (node.literals.size > 0 || node.param !== null)) {
    const slash = path.indexOf('/', at + 1);
    const end = slash === -1 ? path.length : slash;
    const literal = node.literals.get(path.slice(at + 1, end));
    const found = literal === undefined ? null : findPath(literal, path, end);
    if (found !== null) return found;
    // `{name}` is exactly one segment, and an empty one is none.
    const named = node.param === null || end === at + 1 ? null : findPath(node.param, path, end);
    if (named !== null) return named;
  }
  return matchOf(node.prefix, path.slice(at));
}

function matchOf(routes: readonly RouteConfig[], rest: string): RouteMatch | null {
  const [route] = routes;
  return route === undefined ? null : { route, rest, twins: routes };
}

/** An escaped slash in a route's own path ends no segment of it. */
function decodedLiteral(text: string): string {
  const decoded = decodePath(text, 'keep');
  assert(decoded !== null, 'the escapes of a pattern were checked');
  return decoded;
}

function hostsOf(route: RouteConfig): readonly string[] {
  return route.match.hosts.length === 0 ? [''] : route.match.hosts;
}

function patternOf(route: RouteConfig): PathPattern {
  const parsed = parsePattern(route.match.path);
  assert(parsed.ok, `the path of route ${route.name} was checked`);
  return parsed.pattern;
}

function makeNode(): PathNode {
  return { literals: new Map(), param: null, exact: [], prefix: [] };
}
