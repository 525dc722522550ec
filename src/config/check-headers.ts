// Owns the checks across the keys of `headers`: each field once, placeholders that can have a value where they stand.
// It must not judge a name or a value by itself.

import { parseTemplate, type TemplatePart } from '../protocol/header-template.ts';
import type { PathPattern } from '../protocol/path.ts';
import { printable } from './addresses.ts';
import type { CrossReport, Written } from './cross-report.ts';
import { type PathSegments, pathText } from './problems.ts';
import { didYouMean } from './suggest.ts';
import type { FieldsConfig, ParsedConfig } from './types.ts';

export type Placeholder = Extract<TemplatePart, { kind: 'value' }>;

const WAYS = ['request', 'response'] as const;

export type Headers = ParsedConfig['defaults']['headers'];

export function checkHeaders(config: ParsedConfig, written: Written, report: CrossReport): void {
  const setters = settersOf(config);
  const { defaults, routes } = config;
  const told = new Set<string>();
  checkBlock(defaults.headers, ['defaults', 'headers'], setters, report);
  for (const [index, { headers = {}, match }] of routes.entries()) {
    const path = ['routes', index, 'headers'];
    checkBlock(headers, path, setters, report);
    // What stands in for a faulty path has no names.
    if (written.isFaulty(['routes', index, 'match'])) continue;
    checkPathNames(headers, match.path, (at, problem) => report('error', [...path, ...at], problem));
    const taken: Headers = {
      request: headers.request === undefined ? defaults.headers.request : undefined,
      response: headers.response === undefined ? defaults.headers.response : undefined,
    };
    checkPathNames(taken, match.path, (at, problem) => {
      const place = ['defaults', 'headers', ...at];
      // The first route is enough to see what is meant.
      if (!told.has(pathText(place))) report('error', place, `${problem}, in routes[${index}]`);
      told.add(pathText(place));
    });
  }
}

function checkBlock(
  headers: Headers,
  path: PathSegments,
  setters: ReadonlyMap<string, string>,
  report: CrossReport,
): void {
  for (const way of WAYS) {
    const fields = headers[way];
    if (fields !== undefined) checkOnce(fields, [...path, way], report);
  }
  for (const { at, placeholder } of placeholdersIn(headers)) {
    const { name, argument } = placeholder;
    const setter = name === 'header.' ? setters.get(argument.toLowerCase()) : undefined;
    if (setter === undefined) continue;
    const problem = `never has a value: ${setter} sets this field, so the client's own is removed first`;
    report('error', [...path, ...at], `${shown(placeholder)} ${problem}`);
  }
}

/** `{path.NAME}` stands for a segment that the route's path names. */
function checkPathNames(
  headers: Headers,
  { segments }: PathPattern,
  tell: (at: PathSegments, problem: string) => void,
): void {
  for (const { at, placeholder } of placeholdersIn(headers)) {
    const { name, argument } = placeholder;
    if (name !== 'path.') continue;
    const known = segments.flatMap((segment) => (segment.kind === 'param' ? [segment.name] : []));
    if (known.includes(argument)) continue;
    tell(at, `${shown(placeholder)}: match.path has no {${printable(argument)}}${didYouMean(argument, known)}`);
  }
}

/** Where a field is set in requests, by its name in lower case. */
function settersOf({ defaults, routes }: ParsedConfig): ReadonlyMap<string, string> {
  const setters = new Map<string, string>();
  const add = (headers: Headers | undefined, where: string): void => {
    for (const name of Object.keys(headers?.request?.set ?? {})) {
      const lower = name.toLowerCase();
      if (!setters.has(lower)) setters.set(lower, where);
    }
  };
  add(defaults.headers, 'defaults');
  for (const [index, { headers }] of routes.entries()) add(headers, `routes[${index}]`);
  return setters;
}

/** Names of fields have no case, and what is set is removed first. */
function checkOnce({ set, remove }: FieldsConfig, path: PathSegments, report: CrossReport): void {
  const seen = new Map<string, string>();
  const see = (name: string, at: PathSegments): void => {
    const first = seen.get(name.toLowerCase());
    if (first === undefined) seen.set(name.toLowerCase(), name);
    else report('error', at, `${printable(first)} stands here already: a field is set or removed once`);
  };
  for (const name of Object.keys(set)) see(name, [...path, 'set', name]);
  for (const [index, name] of remove.entries()) see(name, [...path, 'remove', index]);
}

export function placeholdersIn(headers: Headers): readonly { at: PathSegments; placeholder: Placeholder }[] {
  return WAYS.flatMap((way) =>
    Object.entries(headers[way]?.set ?? {}).flatMap(([field, value]) => {
      const parsed = parseTemplate(value);
      const found = parsed.ok ? parsed.parts.filter((part) => part.kind === 'value') : [];
      return found.map((placeholder) => ({ at: [way, 'set', field], placeholder }));
    }),
  );
}

export function shown({ name, argument }: Placeholder): string {
  return `{${name}${printable(argument)}}`;
}
