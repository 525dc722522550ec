// What a route does to fields, made ready once for each config: names in lower case, values read. And what becomes of
// that for one request.

import type { Config, FieldsConfig, RouteConfig } from '../config/types.ts';
import type { FieldChanges } from '../protocol/field-changes.ts';
import {
  fillTemplate,
  makeTemplate,
  parseTemplate,
  type Template,
  type TemplateFacts,
} from '../protocol/header-template.ts';
import { type PathPattern, parsePattern } from '../protocol/path.ts';

interface FieldSetter {
  readonly name: string;
  readonly lower: string;
  readonly template: Template;
}

interface Edits {
  readonly removed: FieldChanges['removed'];
  readonly set: readonly FieldSetter[];
}

/** Null where nothing is done. */
export interface FieldEdits {
  readonly request: Edits | null;
  readonly response: Edits | null;
}

/**
 * The fields that the config sets in requests, in lower case: what a client sends of them reaches no backend, though
 * its own route sets nothing. A backend of several routes would take it for what another one has set. In small steps.
 */
export function* fieldsSetByAny({ defaults, routes }: Config): Generator<void, ReadonlySet<string>> {
  const { request: usual } = defaults.headers;
  const names = lowerSet(Object.keys(usual?.set ?? {}));
  for (const route of routes) {
    const { request } = route.headers;
    for (const name of Object.keys(request.set)) names.add(name.toLowerCase());
    yield;
  }
  return names;
}

/** `setByAny` is what `fieldsSetByAny` gives. */
export function fieldEditsOf({ headers, match }: RouteConfig, setByAny: ReadonlySet<string>): FieldEdits {
  const { request, response } = headers;
  return {
    request: editsOf(request.set, [setByAny, lowerSet(request.remove)], match.path),
    response: editsOf(response.set, [lowerSet([...Object.keys(response.set), ...response.remove])], match.path),
  };
}

/** What they come to for one request. */
export function changesFor({ removed, set }: Edits, facts: TemplateFacts): FieldChanges {
  const fields = set.flatMap(({ name, lower, template }) => {
    const value = fillTemplate(template, facts);
    return value === null ? [] : [{ name, lower, value }];
  });
  return { removed, set: fields };
}

function lowerSet(names: readonly string[]): Set<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}

function editsOf(set: FieldsConfig['set'], removedFrom: FieldChanges['removed'], path: string): Edits | null {
  const removed = removedFrom.filter(({ size }) => size > 0);
  const entries = Object.entries(set);
  if (entries.length === 0) return removed.length === 0 ? null : { removed, set: [] };
  const pattern = patternOf(path);
  const setters = entries.map(([name, text]) => ({
    name,
    lower: name.toLowerCase(),
    template: templateOf(text, pattern),
  }));
  return { removed, set: setters };
}

function templateOf(text: string, pattern: PathPattern): Template {
  const parsed = parseTemplate(text);
  if (!parsed.ok) throw new Error('a value with placeholders was checked');
  return makeTemplate(parsed.parts, pattern);
}

function patternOf(path: string): PathPattern {
  const parsed = parsePattern(path);
  if (!parsed.ok) throw new Error(`the path ${path} was checked`);
  return parsed.pattern;
}
