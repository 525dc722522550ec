// Owns the warnings about paths that a backend may read otherwise than they are routed: escapes in a route's own path,
// and slashes that `encoded_slashes: keep` lets through. It must not judge anything else.

import { comparePatterns, type PathPattern, patternKey } from '../protocol/path.ts';
import { decodePath, type EncodedSlashes, hasEncodedSlash } from '../protocol/path-decoding.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { listenerName } from './names.ts';
import type { ParsedConfig } from './types.ts';

type ParsedMatch = ParsedConfig['routes'][number]['match'];

/** Pairs of segments that are compared for warnings, in all: a config of a hostile size is not worth more. */
const STEPS_MAX = 2_000_000;

export function checkPaths(config: ParsedConfig, { isFaulty }: Written, report: CrossReport): void {
  const matches = config.routes.map(({ match }, index) => (isFaulty(['routes', index, 'match']) ? null : match));
  const auths = config.routes.map(({ auth = config.defaults.auth }) => auth.join());
  const everywhere = config.listeners.map(listenerName);
  const budget = { steps: STEPS_MAX };
  for (const [index, match] of matches.entries()) {
    if (match === null) continue;
    const path = ['routes', index, 'match', 'path'];
    const keeps = match.encoded_slashes === 'keep';
    if (!keeps && !match.path.text.includes('%')) continue;
    if (!keeps && hasEncodedSlash(match.path.text)) {
      report('warning', path, 'never matches: %2F and %5C are refused here unless encoded_slashes is keep');
      continue;
    }
    const key = decodedKey(match);
    const crosses = (one: ParsedMatch | null): boolean => {
      budget.steps -= 1;
      if (one === null || one === match || budget.steps < 0) return false;
      return (keeps ? isReached(match, one, budget) : decodedKey(one) === key) && meet(one, match, everywhere, budget);
    };
    const isOther = (at: number): boolean => auths[at] !== auths[index];
    // Who goes around a credential is worth more than who goes around a limit.
    const around = new Set(auths).size > 1 ? matches.findIndex((one, at) => isOther(at) && crosses(one)) : -1;
    const other = around < 0 ? matches.findIndex(crosses) : around;
    if (other < 0) continue;
    const taken = `a backend that decodes paths can take one of this route for one of routes[${other}]`;
    report('warning', path, around < 0 ? taken : `${taken}, whose auth is another`);
  }
}

/** Whether some request has a host and a listener of both. */
function meet(a: ParsedMatch, b: ParsedMatch, everywhere: readonly string[], budget: { steps: number }): boolean {
  const listeners = a.listeners?.length ? a.listeners : everywhere;
  const others = b.listeners?.length ? b.listeners : everywhere;
  const hosts = a.hosts?.length ? a.hosts : [''];
  const otherHosts = b.hosts?.length ? b.hosts : [''];
  budget.steps -= hosts.length * otherHosts.length + listeners.length * others.length;
  if (budget.steps < 0) return false;
  if (!listeners.some((name) => others.includes(name))) return false;
  return hosts.some((host) => otherHosts.some((other) => covers(host, other) || covers(other, host)));
}

function covers(pattern: string, host: string): boolean {
  if (pattern === '' || pattern === host) return true;
  return pattern.startsWith('*.') && host.endsWith(pattern.slice(1));
}

interface Part {
  /** A literal; null for `{name}`. */
  readonly text: string | null;
  /** An escaped slash in it can make several segments of it. */
  readonly many: boolean;
}

/** One string for all paths that differ in escapes alone. */
function decodedKey({ path }: ParsedMatch): string {
  return path.text.includes('%') ? (decodePath(patternKey(path), 'keep') ?? '') : patternKey(path);
}

/**
 * Whether a path of `own` with an escaped slash can decode to one of `other`. Only what the slash changes counts:
 * without it the routes are told apart as ever.
 */
function isReached(own: ParsedMatch, other: ParsedMatch, budget: { steps: number }): boolean {
  // What decodes to a path of `own` again stays there, unless `other` goes before it.
  if (!leavesItself(own.path) && comparePatterns(other.path, own.path) > 0) return false;
  const wanted = partsOf(other, 'keep').map((part) => part.text);
  const parts = partsOf(own, 'split');
  const more = hasEncodedSlash(own.path.text);
  return overlaps({ parts, tail: own.path.prefix, wanted, wantedTail: other.path.prefix, more, budget });
}

function partsOf({ path }: ParsedMatch, slashes: EncodedSlashes): Part[] {
  return path.segments.flatMap((segment): Part[] => {
    if (segment.kind === 'param') return [{ text: null, many: true }];
    const [first = '', ...more] = (decodePath(segment.text, slashes) ?? '').split('/');
    return [{ text: first, many: false }, ...more.map((text) => ({ text, many: false }))];
  });
}

function fits(text: string | null, part: Part): boolean {
  return text === null || part.text === null || part.text === text;
}

/** Whether an escaped slash can make a path that is not `own` any more: all but in `/x/{name}/*` and `/x/*`. */
function leavesItself({ segments, prefix, text }: PathPattern): boolean {
  if (hasEncodedSlash(text)) return true;
  const first = segments.findIndex((segment) => segment.kind === 'param');
  if (first < 0) return false;
  return !prefix || segments.slice(first).some((segment) => segment.kind === 'literal');
}

interface Pair {
  readonly parts: readonly Part[];
  readonly tail: boolean;
  readonly wanted: readonly (string | null)[];
  readonly wantedTail: boolean;
  /** There is a slash more to begin with. */
  readonly more: boolean;
  readonly budget: { steps: number };
}

/** Whether some path with at least one slash more than it had is of both, by the places in both that can be reached. */
function overlaps({ parts, tail, wanted, wantedTail, more: moreAtStart, budget }: Pair): boolean {
  const seen = new Set<number>();
  // A place: how many parts and wanted segments are taken, and whether a slash was added on the way.
  const open: (readonly [i: number, j: number, more: boolean])[] = [[0, 0, moreAtStart]];
  const go = (i: number, j: number, more: boolean) => {
    const key = (i * (wanted.length + 1) + j) * 2 + (more ? 1 : 0);
    if (!seen.has(key)) open.push([i, j, more]);
    seen.add(key);
  };
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const [i, j, more] = place;
    budget.steps -= 1;
    if (budget.steps < 0) return false;
    const part = parts[i];
    const left = wanted.length - j;
    if (part === undefined) {
      const isEnd = more && left === 0;
      const isRest = tail && (more || left > 1 || (left === 1 && wantedTail));
      if (isEnd || isRest) return true;
    } else if (left === 0 ? wantedTail : fits(wanted[j] ?? null, part)) {
      const next = Math.min(j + 1, wanted.length);
      go(i + 1, next, more);
      if (part.many) go(i, next, true);
    }
  }
  return false;
}
