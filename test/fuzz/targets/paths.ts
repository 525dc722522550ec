// Paths: which are refused, which pattern matches, what a rewrite makes of them, and which route the router takes.
// Accepted: what a reader that splits the whole path says, and of several routes the one that sorting them finds.

import assert from 'node:assert/strict';
import type { RouteConfig } from '../../../src/config/types.ts';
import { Router } from '../../../src/edge/router.ts';
import {
  comparePatterns,
  judgePath,
  matchPath,
  type PathPattern,
  parsePattern,
  patternKey,
  rewritePath,
  rewriteProblem,
} from '../../../src/protocol/path.ts';
import type { Random } from '../../support/random.ts';
import { inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';

export const paths = bytesTarget({ name: 'paths', make, check });

const SEGMENTS = [
  'a',
  'b',
  'ab',
  'a',
  'b',
  '',
  '.',
  '..',
  '..;x',
  '%2e',
  '%2E%2e',
  '%2F',
  '%5c',
  '%41',
  '%00',
  '%',
  '~',
  '{x}',
  '*',
];
const TOKENS = [...SEGMENTS, '/', '//', '/*', '{', '}', '{y}', '?', '#', ' ', '\xe9', '\\', '\n', '*.', '.'];
const HOSTS = ['', 'a.example', '*.example', '*.a.example', 'b.a.example', 'x', '*.x'];
const ROUTES_MAX = 12;

/** A host and a path, then one route a line: host, path, rewrite. */
function make(random: Random): Buffer {
  const path = (segments: readonly string[]) =>
    `/${Array.from({ length: random.between(0, 4) }, () => random.pick(segments)).join('/')}`;
  const lines = [`${random.pick(['a.example', 'b.a.example', 'x', 'y.x', 'c.b.a.example', '.x'])} ${path(SEGMENTS)}`];
  for (let left = random.between(1, 8); left > 0; left -= 1) {
    const pattern = random.chance(0.1)
      ? path(SEGMENTS)
      : path(['a', 'b', 'ab', '{x}', '{y}', '%61', 'a%2Fb', '%25', '%7E']);
    const rewrite = `${path(['a', 'z'])}${random.pick(['', '/*'])}`;
    lines.push(`${random.pick(HOSTS)} ${pattern.replace(/\/$/, '')}${random.pick(['', '/*', '/'])} ${rewrite}`);
  }
  const bytes = Buffer.from(lines.join('\n'), 'latin1');
  return random.chance(0.4) ? mutate(random, bytes, TOKENS) : bytes;
}

interface Route {
  readonly host: string;
  readonly pattern: PathPattern;
  readonly config: RouteConfig;
}

function check(input: Buffer): void {
  const [first = '', ...lines] = input.toString('latin1').split('\n');
  const [host = '', path = ''] = first.split(' ');
  const routes: Route[] = [];
  const taken = new Set<string>();
  for (const line of lines.slice(0, ROUTES_MAX)) {
    const [routeHost = '', text = '', rewrite = ''] = line.split(' ');
    const parsed = inBoundedTime(() => parsePattern(text));
    assert.equal(parsed.ok, isPattern(text), parsed.ok ? text : `${text}: ${parsed.problem}`);
    if (!parsed.ok) continue;
    const key = `${routeHost} ${patternKey(parsed.pattern)}`;
    if (HOSTS.includes(routeHost) && !taken.has(key)) routes.push(routeOf(routeHost, text, parsed.pattern));
    taken.add(key);
    if (path.startsWith('/')) checkMatch(parsed.pattern, path, rewrite);
  }
  for (const a of routes) for (const b of routes) checkOrder(a, b);
  const isPath = /^\/[!$-;=@-[\]^_a-z|~]*$/.test(path);
  if (!isPath) return;
  const verdict = inBoundedTime(() => judgePath(path));
  assert.equal(verdict.ok, isHarmless(path), path);
  checkRouter(routes, host, path);
  if (!verdict.ok) return;
  assert.equal(verdict.decoded, decoded(path, '/', '/'), path);
  checkDecoded(routes, host, path);
}

/** Whatever decodes before it splits finds no segment that leads elsewhere. */
function isHarmless(path: string): boolean {
  if (path.startsWith('//') || /%(?![0-9A-Fa-f]{2})|%00/.test(path)) return false;
  const plain = path
    .replace(/%2e/gi, '.')
    .replace(/%3b/gi, ';')
    .replace(/%2f|%5c/gi, '/');
  return !plain.split('/').some((segment) => /^\.\.?(;|$)/s.test(segment));
}

function isPattern(text: string): boolean {
  if (!text.startsWith('/')) return false;
  const body = text.endsWith('/*') ? text.slice(0, -2) : text;
  const segments = body.split('/').slice(1);
  const names = segments.filter((segment) => segment.startsWith('{'));
  const isKnown = (segment: string) =>
    /^\{[A-Za-z_][A-Za-z0-9_-]*\}$/.test(segment) || /^[!$-)+-.0-;=@-[\]^_a-z|~]*$/.test(segment);
  return (
    segments.every(isKnown) && new Set(names).size === names.length && isHarmless(body.replace(/[{}]/g, '') || '/')
  );
}

/** What is left behind the pattern, or null. */
function restOf(pattern: PathPattern, path: string): string | null {
  const given = path.split('/').slice(1);
  const wanted = pattern.segments;
  const fits = wanted.every((segment, i) => {
    const part = given[i];
    return segment.kind === 'literal' ? part === segment.text : part !== undefined && part !== '';
  });
  if (!fits) return null;
  const rest = given.slice(wanted.length).map((part) => `/${part}`);
  if (pattern.prefix) return rest.join('');
  return rest.length === 0 ? '' : null;
}

function checkMatch(pattern: PathPattern, path: string, rewrite: string): void {
  const match = inBoundedTime(() => matchPath(pattern, path));
  const rest = restOf(pattern, path);
  assert.equal(match?.rest ?? null, rest, `${pattern.text} on ${path}`);
  if (match === null || rewriteProblem(rewrite, pattern) !== null) return;
  const target = rewritePath(rewrite, match.rest);
  assert.equal(target, rewrite.endsWith('/*') ? rewrite.slice(0, -2) + rest || '/' : rewrite);
  assert(target.startsWith('/'), `a rewrite to ${target}`);
}

/** The order is one: it holds both ways round, and only patterns with one key are equal in it. */
function checkOrder(a: Route, b: Route): void {
  const order = Math.sign(comparePatterns(a.pattern, b.pattern));
  assert.equal(order, -Math.sign(comparePatterns(b.pattern, a.pattern)) + 0, `${a.pattern.text} and ${b.pattern.text}`);
  assert.equal(order === 0, patternKey(a.pattern) === patternKey(b.pattern));
}

function checkRouter(routes: readonly Route[], host: string, path: string): void {
  const router = new Router(
    routes.map(({ config }) => config),
    ['public'],
  );
  const found = inBoundedTime(() => router.match(host, path, 'public'));
  const fitting = routes
    .filter((route) => hostRank(route.host, host) >= 0 && restOf(route.pattern, path) !== null)
    .sort((a, b) => hostRank(b.host, host) - hostRank(a.host, host) || comparePatterns(a.pattern, b.pattern));
  const [best] = fitting;
  assert.equal(found?.route.name ?? null, best?.config.name ?? null, `${host} ${path}`);
  if (found !== null && best !== undefined) assert.equal(found.rest, restOf(best.pattern, path));
  assert.equal(router.match(host, path, 'gone'), null);
}

/** Every escape but `%25` decoded, of slashes and backslashes what is wanted. */
function decoded(text: string, slash: string, backslash: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => {
    const byte = Buffer.from(digits, 'hex').toString('latin1');
    return byte === '%' ? '%25' : byte === '/' ? slash : byte === '\\' ? backslash : byte;
  });
}

/** Decoded paths take the route that sorting finds among patterns that are decoded, too; all that are equal there. */
function checkDecoded(routes: readonly Route[], host: string, path: string): void {
  const router = new Router(
    routes.map(({ config }) => config),
    ['public'],
  );
  const plain = routes.map(({ host: routeHost, pattern, config }) => {
    const segments = pattern.segments.map((segment) =>
      segment.kind === 'literal' ? { ...segment, text: decoded(segment.text, '%2F', '%5C') } : segment,
    );
    return { host: routeHost, pattern: { ...pattern, segments }, config };
  });
  for (const readAs of [decoded(path, '/', '/'), decoded(path, '%2F', '%5C')]) {
    const found = inBoundedTime(() => router.matchDecoded(host, readAs, 'public'));
    const [best, ...others] = plain
      .filter((route) => hostRank(route.host, host) >= 0 && restOf(route.pattern, readAs) !== null)
      .sort((a, b) => hostRank(b.host, host) - hostRank(a.host, host) || comparePatterns(a.pattern, b.pattern));
    assert.equal(found === null, best === undefined, `${host} ${readAs}`);
    if (found === null || best === undefined) continue;
    const equal = others.filter((one) => one.host === best.host && comparePatterns(one.pattern, best.pattern) === 0);
    assert.deepEqual(new Set(found.twins), new Set([best, ...equal].map(({ config }) => config)), `${host} ${readAs}`);
    assert.equal(found.rest, restOf(best.pattern, readAs));
  }
}

/** Exact before the longest `*.` before any; below 0 when it does not fit. */
function hostRank(pattern: string, host: string): number {
  if (pattern === '') return 0;
  if (!pattern.startsWith('*.')) return pattern === host ? 1_000 : -1;
  return host.length > pattern.length - 1 && host.endsWith(pattern.slice(1)) ? pattern.length : -1;
}

function routeOf(host: string, path: string, pattern: PathPattern): Route {
  const name = `${host}${path}`;
  const match = { hosts: host === '' ? [] : [host], path, listeners: [] };
  // The router reads name and match of a route and nothing else.
  return { host, pattern, config: { name, match } as unknown as RouteConfig };
}
