// Owns the sentences for what the schema found: one finding per problem, at the key or value that is wrong.
// It must not validate and must not know positions.

import type * as zod from 'zod';
import { blockAt, holdersOf, neededAt, placeAt } from './key-walk.ts';
import { isScalar, scalarSchema } from './kinds.ts';
import { misplacedKey } from './later-keys.ts';
import type { PathSegments } from './problems.ts';
import { didYouMean } from './suggest.ts';

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
  if (issue.code === 'unrecognized_keys') return unknownKeys(path, issue.keys);
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

function unknownKeys(path: PathSegments, unknown: readonly string[]): readonly Finding[] {
  const { block, keys } = blockAt(path);
  return unknown.map((key) => ({
    path: [...path, key],
    at: 'key',
    message: () => misplacedKey(block, key) ?? notOneOf(path, key) ?? unknownKey(path, key, keys),
    wantsText: false,
  }));
}

function unknownKey(path: PathSegments, key: string, keys: readonly string[]): string {
  return `unknown key${belongsIn(path, key) ?? didYouMean(key, keys)}`;
}

/** In a block that is one of some kinds: so few that all can be told. Its own name is easily forgotten. */
function notOneOf(path: PathSegments, key: string): string | null {
  const place = placeAt(path);
  if (place?.kind !== 'block' || place.one === undefined) return null;
  const kinds = Object.keys(place.keys);
  const name = String(path.at(-1));
  if (kinds.includes(name)) return `unknown key: a name stands above "${name}", as in { NAME: { ${name}: ... } }`;
  const told = belongsIn(path, key) ?? (didYouMean(key, kinds) || `: there are ${kinds.join(', ')}`);
  return `unknown key${told}`;
}

/** A key of the blocks within this one, written a level too high. */
function belongsIn(path: PathSegments, key: string): string | null {
  const holders = holdersOf(path, key);
  return holders.length === 0 ? null : ` (it goes into ${holders.map((holder) => `"${holder}"`).join(' or ')})`;
}

type TypeIssue = Issue & { readonly code: 'invalid_type' };

function wrongType({ expected, input }: TypeIssue, path: PathSegments, wantsText: boolean): string {
  if (input === undefined) return 'is required';
  if (input === null) return 'needs a value';
  const needed = expected === 'object' ? neededAt(path) : '';
  const noun = `${EXPECTED[expected] ?? expected}${needed === '' ? '' : ` such as ${needed}`}`;
  const hint = wantsText ? ': quote this value' : isLoneItem(input, path) ? ': put it in [ ]' : '';
  return `expected ${noun}, found ${nounOf(input)}${hint}`;
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
