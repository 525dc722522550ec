// Paths: which request paths are refused, which a route's pattern matches, and what a rewrite makes of them.
// All of it works on the raw bytes of the target; no URL object is ever built from one.

import { PATH } from './charset.ts';
import { decodePath } from './path-decoding.ts';

type PathSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'param'; readonly name: string };

/** `/x` is exact; with `prefix` (`/x/*`) it stands for `/x` and all below it. */
export interface PathPattern {
  readonly text: string;
  readonly segments: readonly PathSegment[];
  readonly prefix: boolean;
}

type PatternResult =
  | { readonly ok: true; readonly pattern: PathPattern }
  | { readonly ok: false; readonly problem: string };

/** `rest` is what followed the prefix, byte for byte: '' or a string that begins with '/'. '' for exact patterns. */
interface PathMatch {
  readonly rest: string;
}

type PathVerdict =
  | { readonly ok: true; readonly decoded: string }
  | { readonly ok: false; readonly slug: 'double_slash' | 'dot_segment' | 'encoded_path' };

const PARAM_NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Judge the path of a request. `path` begins with '/' and holds only bytes of the PATH class. */
export function judgePath(path: string): PathVerdict {
  // RFC 3986 4.2: to many URL parsers `//name` is another host, not a path.
  if (path.startsWith('//')) return { ok: false, slug: 'double_slash' };
  const decoded = decodePath(path, 'split');
  if (decoded === null) return { ok: false, slug: 'encoded_path' };
  // RFC 3986 5.2.4: who removes dot segments would end elsewhere than the route says.
  if (hasDotSegment(decoded)) return { ok: false, slug: 'dot_segment' };
  return { ok: true, decoded };
}

/** One slash in place of all that a target's path begins with; `target` is a path with its query, or absolute. */
export function mergeLeadingSlashes(target: string): string {
  return target.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*)?\/{2,}/, '$1/');
}

/** The pattern of a route, or in one sentence what is wrong with its text. */
export function parsePattern(text: string): PatternResult {
  if (!text.startsWith('/')) return problem('a path begins with "/"');
  const prefix = text.endsWith('/*');
  const body = prefix ? text.slice(0, -2) : text;
  const segments: PathSegment[] = [];
  const names = new Set<string>();
  const parts = body === '' ? [] : body.slice(1).split('/');
  for (const part of parts) {
    const wrong = segmentProblem(part);
    if (wrong !== null) return problem(wrong);
    if (!part.startsWith('{')) {
      segments.push({ kind: 'literal', text: part });
      continue;
    }
    const name = part.slice(1, -1);
    if (names.has(name)) return problem(`{${name}} stands twice`);
    names.add(name);
    segments.push({ kind: 'param', name });
  }
  const judged = judgePath(body === '' ? '/' : body.replace(/[{}]/g, '_'));
  if (!judged.ok) return problem(NEVER[judged.slug]);
  return { ok: true, pattern: { text, segments, prefix } };
}

/** Match the raw path of a request, case-sensitively and by whole segments. */
export function matchPath(pattern: PathPattern, path: string): PathMatch | null {
  let at = 0;
  for (const segment of pattern.segments) {
    if (path[at] !== '/') return null;
    const slash = path.indexOf('/', at + 1);
    const end = slash === -1 ? path.length : slash;
    if (segment.kind === 'param') {
      if (end === at + 1) return null;
    } else if (end - at - 1 !== segment.text.length || !path.startsWith(segment.text, at + 1)) {
      return null;
    }
    at = end;
  }
  if (pattern.prefix) return { rest: path.slice(at) };
  return at === path.length ? { rest: '' } : null;
}

/**
 * Order by specificity, the more specific first: segment by segment a literal before `{name}` before `*`. Two patterns
 * that compare as 0 match the same set of paths.
 */
export function comparePatterns(a: PathPattern, b: PathPattern): number {
  const length = Math.max(a.segments.length, b.segments.length) + 1;
  for (let i = 0; i < length; i += 1) {
    const difference = rankAt(a, i) - rankAt(b, i);
    if (difference !== 0) return difference;
    const left = a.segments[i];
    const right = b.segments[i];
    if (left?.kind === 'literal' && right?.kind === 'literal' && left.text !== right.text) {
      return left.text < right.text ? -1 : 1;
    }
  }
  return 0;
}

/** One string for all patterns that match the same set of paths. */
export function patternKey(pattern: PathPattern): string {
  const parts = pattern.segments.map((segment) => (segment.kind === 'literal' ? `/${segment.text}` : '/{}'));
  return `${parts.join('')}${pattern.prefix ? '/*' : ''}`;
}

/** What is wrong with a rewrite for routes of `pattern`, or null. */
export function rewriteProblem(rewrite: string, pattern: PathPattern): string | null {
  const parsed = parsePattern(rewrite);
  if (!parsed.ok) return parsed.problem;
  if (parsed.pattern.segments.some((segment) => segment.kind === 'param')) return 'a rewrite has no {name}';
  if (parsed.pattern.prefix && !pattern.prefix) return '"*" needs a match.path that ends in "/*"';
  return null;
}

/** The path that goes to the backend. `rewrite` passed `rewriteProblem`; `rest` comes from `matchPath`. */
export function rewritePath(rewrite: string, rest: string): string {
  if (!rewrite.endsWith('/*')) return rewrite;
  const path = rewrite.slice(0, -2) + rest;
  return path === '' ? '/' : path;
}

const NEVER = {
  double_slash: 'a path that begins with "//" is always refused',
  dot_segment: 'a path with a "." or ".." segment is always refused',
  encoded_path: '"%" needs two hex digits and is never followed by 00',
} as const;

function problem(text: string): PatternResult {
  return { ok: false, problem: text };
}

function segmentProblem(part: string): string | null {
  if (part.startsWith('{') && part.endsWith('}')) {
    return PARAM_NAME.test(part.slice(1, -1)) ? null : '{name} is a letter, then letters, digits, "_" or "-"';
  }
  if (part.includes('{') || part.includes('}')) return '{name} stands for exactly one whole segment';
  if (part.includes('*')) return '"*" stands only at the end, as "/*"';
  if (part.includes('?')) return 'a path has no query';
  for (const char of part) {
    const code = char.codePointAt(0) ?? 0;
    if (code > 0xff || PATH[code] !== 1) return `${JSON.stringify(char)} never occurs in a path, percent-encode it`;
  }
  return null;
}

/** Literal, `{name}`, the end of an exact pattern, `*`. The end goes before `*`: `/x` before `/x/*` for the path /x. */
function rankAt(pattern: PathPattern, index: number): number {
  const segment = pattern.segments[index];
  if (segment !== undefined) return segment.kind === 'literal' ? 0 : 1;
  return pattern.prefix ? 3 : 2;
}

/** Servlet containers cut `;parameters` off a segment before they resolve it, so `..;x` counts as `..`. */
function hasDotSegment(path: string): boolean {
  return /\/\.\.?(?:[/;]|$)/.test(path);
}
