// Owns the sentences for what the schema found: one finding per problem, at the key or value that is wrong.
// It must not validate and must not know positions.

import type * as zod from 'zod';
import { blockAt } from './key-walk.ts';
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
  return [{ ...finding(path, 'value', wrongType(issue.expected, issue.input, wantsText)), wantsText }];
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
    message: () => misplacedKey(block, key) ?? `unknown key${didYouMean(key, keys)}`,
    wantsText: false,
  }));
}

function wrongType(expected: string, input: unknown, wantsText: boolean): string {
  if (input === undefined) return 'is required';
  if (input === null) return 'needs a value';
  const noun = EXPECTED[expected] ?? expected;
  return `expected ${noun}, found ${nounOf(input)}${wantsText ? ': quote this value' : ''}`;
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
