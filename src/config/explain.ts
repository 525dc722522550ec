// Owns the sentences for what the schema found: one finding per problem, at the key or value that is wrong.
// It must not validate and must not know positions.

import type * as zod from 'zod';
import { printable } from './addresses.ts';
import { blockMeant, isOn } from './block-guess.ts';
import { neededIn, placeAt } from './key-walk.ts';
import type { Row } from './keys/row.ts';
import { isScalar, scalarSchema } from './kinds.ts';
import type { PathSegments } from './problems.ts';
import { unknownKey } from './unknown-key.ts';

export interface Finding {
  readonly path: PathSegments;
  readonly at: 'key' | 'value';
  /** Found when it is asked for: looking for what was meant costs more than telling that something is wrong. */
  readonly message: () => string;
  /** The key wants text and got a number or a boolean. */
  readonly wantsText: boolean;
}

type Issue = zod.core.$ZodIssue;

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  object: 'a map of keys and values',
  record: 'a map of keys and values',
  array: 'a list',
  boolean: 'true or false',
};

/** The message of a schema that has none of its own: `explain` finds the words. */
export const NO_MESSAGE = '';

export function explain(issue: Issue, around: PathSegments = []): readonly Finding[] {
  const path = [...around, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  if (issue.code === 'unrecognized_keys') return unknownKeys(path, issue);
  if (issue.code === 'invalid_key') {
    return [finding(path, 'key', issue.issues[0]?.message ?? 'this name is not allowed')];
  }
  if (issue.code === 'invalid_union' && issue.message === NO_MESSAGE) return inUnion(issue, path);
  if (issue.message !== NO_MESSAGE || issue.code !== 'invalid_type') {
    return [{ ...finding(path, 'value', issue.message), wantsText: takesText(issue) }];
  }
  const wantsText = issue.expected === 'string' && /^(number|boolean)$/.test(typeof issue.input);
  const message = (wantsText ? problemAsText(path, issue.input) : null) ?? wrongType(issue, path, wantsText);
  return [{ ...finding(path, 'value', message), wantsText }];
}

/** Quotes are no help where the text would be wrong, too; that there is a unit to add is. */
function problemAsText(path: PathSegments, input: unknown): string | null {
  const place = placeAt(path);
  if (place === null || !isScalar(place)) return null;
  const judged = scalarSchema(place).safeParse(String(input));
  return judged.success ? null : (judged.error.issues[0]?.message ?? null);
}

/** One of some kinds of values, text of any kind among them, and none of the others. */
function takesText(issue: Issue): boolean {
  if (issue.code !== 'invalid_union' || !/^(number|boolean)$/.test(typeof issue.input)) return false;
  return issue.errors.some((errors) =>
    errors.some((one) => one.code === 'invalid_type' && one.expected === 'string' && one.path.length === 0),
  );
}

/** The option whose parts were judged is the one that was meant. */
function inUnion(issue: Issue & { readonly code: 'invalid_union' }, path: PathSegments): readonly Finding[] {
  const isJudged = ({ path: at, code }: Issue) => at.length > 0 || code === 'unrecognized_keys' || code === 'custom';
  const meant = issue.errors.find((issues) => issues.some(isJudged)) ?? [];
  return meant.flatMap((inner) => explain(inner, path));
}

type KeysIssue = Issue & { readonly code: 'unrecognized_keys' };

function unknownKeys(path: PathSegments, { keys, input = {} }: KeysIssue): readonly Finding[] {
  return keys.map((key) => ({
    path: [...path, key],
    at: 'key',
    // Taken out of `input` when it is told.
    message: unknownWith(path, key, input[key]),
    wantsText: false,
  }));
}

function unknownWith(path: PathSegments, key: string, value: unknown): () => string {
  return () => unknownKey(path, key, value);
}

type TypeIssue = Issue & { readonly code: 'invalid_type' };

function wrongType({ expected, input }: TypeIssue, path: PathSegments, wantsText: boolean): string {
  if (input === undefined) return 'is required';
  if (input === null) return 'needs a value';
  const example = exampleFor(expected, path, input);
  const noun = `${EXPECTED[expected] ?? expected}${example === '' ? '' : ` such as ${example}`}`;
  return `expected ${noun}, found ${nounOf(input)}${wrongTypeHint(input, path, wantsText)}`;
}

function wrongTypeHint(input: unknown, path: PathSegments, wantsText: boolean): string {
  if (wantsText) return ': quote this value';
  if (isLoneItem(input, path)) return ': put it in [ ]';
  const isLoneEntry = nounOf(input) === 'a map' && placeAt(path)?.kind === 'list';
  return isLoneEntry ? ': each entry begins with "- "' : '';
}

/** What would be right there, with `input` in it where that can be what was meant. */
function exampleFor(expected: string, path: PathSegments, input: unknown): string {
  const place = path.length === 0 ? null : placeAt(path);
  const isInList = expected === 'array' && place?.kind === 'list';
  const needed = neededIn(isInList ? place.of : place);
  const [only] = needed;
  const meant = needed.length === 1 && only !== undefined ? blockWith(only, input) : null;
  if (isInList) return meant === null ? '' : `[${meant}]`;
  if (needed.length === 0 && place?.kind === 'block') return isOn(input) ? '{}' : (blockMeant(place.keys, input) ?? '');
  return meant ?? (needed.length === 0 ? '' : `{ ${needed.map(([key]) => `${key}: ...`).join(', ')} }`);
}

/** The one value of a block in place of the block, or what is left when its colon or its scheme is forgotten. */
function blockWith([key, row]: readonly [string, Row], input: unknown): string | null {
  if (!isScalar(row) || !/^(string|number)$/.test(typeof input)) return null;
  // As plain text, such as where a route leads, anything is right.
  if (row.kind === 'text' && row.form === 'plain' && !/:\/\//.test(`${input}`)) return null;
  const schema = scalarSchema(row);
  const meant = [`${input}`, `:${input}`, `ws://${input}`].find((text) => schema.safeParse(text).success);
  return meant === undefined ? null : `{ ${key}: "${printable(meant)}" }`;
}

function isLoneItem(input: unknown, path: PathSegments): boolean {
  const place = placeAt(path);
  return typeof input === 'string' && place?.kind === 'list' && isScalar(place.of);
}

function nounOf(input: unknown): string {
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a map';
  if (typeof input === 'string') return 'text';
  return typeof input === 'boolean' ? String(input) : `a ${typeof input}`;
}

function finding(path: PathSegments, at: 'key' | 'value', message: string): Finding {
  return { path, at, message: () => message, wantsText: false };
}
