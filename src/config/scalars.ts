// Owns the kinds of values that are one number or one word, as zod schemas whose messages say what is expected.
// It must not know any key by name.

import type * as zod from 'zod';
import type { Choice } from './keys/row.ts';
import { NOT_YET } from './later-keys.ts';
import type { CountOrShare } from './shares.ts';
import { didYouMean } from './suggest.ts';
import { guessAmount } from './unit-guess.ts';
import { DURATION_PATTERN, type Parsed, parseDuration, parseSize, SIZE_PATTERN, type UnitRange } from './units.ts';
import { z } from './zod.ts';

interface Range {
  readonly min: number;
  readonly max: number;
}

export function duration(range: UnitRange) {
  const error = (issue: { readonly input?: unknown }) => problemOf(parseDuration(issue.input, range));
  const form = z.union([z.string().regex(DURATION_PATTERN, { error }), z.literal(false)], { error });
  return form.transform((input, ctx) => take(parseDuration(input, range), input, ctx));
}

export function size(range: UnitRange) {
  const error = (issue: { readonly input?: unknown }) => problemOf(parseSize(issue.input, range));
  const form = z.union([z.string().regex(SIZE_PATTERN, { error }), z.literal(false)], { error });
  return form.transform((input, ctx) => take(parseSize(input, range), input, ctx));
}

/** A count, or words that stand for one. `off` may also come as false, which is what YAML 1.1 makes of it. */
export function count({ min, max, words = [] }: Range & { readonly words?: readonly string[] }) {
  if (words.length === 0) return wholeNumber(min, max, '');
  const orWords = `, or ${words.join(', ')}`;
  const error = countError(min, max, orWords);
  const plain = z.union([wholeNumber(min, max, orWords), z.enum(words), z.literal(false)], { error });
  return plain.transform((input) => (input === false || input === 'off' ? Number.POSITIVE_INFINITY : input));
}

const SHARE_PATTERN = /^(?:100|[1-9][0-9]?)%$/;

/** A count, or a share of another one. */
export function countOrShare({ min, max }: Range) {
  const orShare = ', or a share from 1% to 100%';
  const error = countError(min, max, orShare);
  const form = z.union([wholeNumber(min, max, orShare), z.string().regex(SHARE_PATTERN, { error })], { error });
  return form.transform(
    (input): CountOrShare => (typeof input === 'number' ? { count: input } : { percent: Number.parseInt(input, 10) }),
  );
}

/** A number with up to three decimals, or off. */
export function decimal({ min, max, off }: Range & { readonly off?: true }) {
  if (off === undefined) return decimalNumber(min, max, '');
  return z
    .union([decimalNumber(min, max, ', or off'), z.literal('off'), z.literal(false)], {
      error: decimalError(min, max, ', or off'),
    })
    .transform((input) => (typeof input === 'number' ? input : Number.POSITIVE_INFINITY));
}

function decimalNumber(min: number, max: number, words: string) {
  const error = decimalError(min, max, words);
  return z
    .number({ error })
    .min(min, { error, abort: true })
    .max(max, { error, abort: true })
    .refine((value) => Math.round(value * 1000) / 1000 === value, { error });
}

function decimalError(min: number, max: number, words: string) {
  return ({ input }: { readonly input?: unknown }) =>
    `expected a number from ${min} to ${max} with at most three decimals${words}${guessCount(input, min, max, words)}`;
}

const SHARE = /^([1-9]?[0-9]|100)%$/;

/** A share of something, such as 50%, or off. From 0 to 1, Infinity for off. */
export function share() {
  const problem = 'expected a share from 0% to 100%, or off';
  return textOff((text): Parsed<number> => {
    if (text === 'off') return { value: Number.POSITIVE_INFINITY };
    return SHARE.test(text) ? { value: Number.parseInt(text, 10) / 100 } : { problem };
  }, problem);
}

/** On or off; YAML 1.1 makes true and false of these words. */
export function onOff() {
  return z
    .union([z.enum(['on', 'off']), z.boolean()], { error: 'expected on or off' })
    .transform((input) => input === true || input === 'on');
}

function wholeNumber(min: number, max: number, words: string) {
  const error = countError(min, max, words);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

function countError(min: number, max: number, words: string) {
  return (issue: { readonly input?: unknown }) => {
    const found = typeof issue.input === 'string' && /^[0-9]+$/.test(issue.input) ? ', found text' : '';
    return `expected a whole number from ${min} to ${max}${words}${found}${guessCount(issue.input, min, max, words)}`;
  };
}

const K = 1000;
const COUNT_WORDS = { k: K, m: K * K, g: K * K * K };

/** What other programs write: 10k, and for no limit 0, -1 or a word. */
function guessCount(input: unknown, min: number, max: number, words: string): string {
  const none = (input === 0 && min > 0) || input === -1;
  const value = none ? Number.POSITIVE_INFINITY : typeof input === 'string' ? guessAmount(input, COUNT_WORDS) : null;
  if (value === Number.POSITIVE_INFINITY) return /\boff\b/.test(words) ? ' (did you mean "off"?)' : '';
  return value !== null && value >= min && value <= max ? ` (did you mean ${value}?)` : '';
}

/** One of some words; `off` may also come as false. */
export function choice(row: Choice) {
  const words = row.off === undefined ? row.words : [...row.words, 'off'];
  const error = (issue: { readonly input?: unknown }) => choiceProblem(issue.input, words, row);
  if (row.off === undefined) return z.enum(words, { error });
  return z.union([z.enum(words), z.literal(false)], { error }).transform((word) => (word === false ? 'off' : word));
}

function choiceProblem(input: unknown, words: readonly string[], { later = {}, elsewhere = {} }: Choice): string {
  const name = typeof input === 'string' ? input : objectKey(input);
  const instead = name !== null && Object.hasOwn(later, name) ? later[name] : undefined;
  if (instead !== undefined) return `${NOT_YET}: ${instead}`;
  const other = typeof input === 'string' && Object.hasOwn(elsewhere, input) ? elsewhere[input] : undefined;
  if (other !== undefined) return other;
  const guess = typeof input === 'string' ? didYouMean(input, words) || longerOrShorter(input, words) : '';
  return `expected ${words.length === 1 ? '' : 'one of '}${words.join(', ')}${guess}`;
}

/** The beginning of which is enough to tell a word; `err` and `warning` are words of other logs. */
const BEGINNING_MIN = 3;

function longerOrShorter(input: string, words: readonly string[]): string {
  const name = input.toLowerCase();
  const meant = words.find((word) => {
    const [short, long] = word.length < name.length ? [word, name] : [name, word];
    return short.length >= BEGINNING_MIN && short !== 'off' && long.startsWith(short);
  });
  return meant === undefined ? '' : ` (did you mean "${meant}"?)`;
}

/** `{ hash: ... }` is known by its only key. */
function objectKey(input: unknown): string | null {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return null;
  return Object.keys(input)[0] ?? null;
}

/** Text that a function turns into a value or refuses with a sentence. */
export function parsedText<T>(parse: (text: string) => Parsed<T>) {
  return z.string().transform((text, ctx) => take(parse(text), text, ctx));
}

/** Text that a function turns into a value, `off` and what YAML 1.1 makes of it included. */
export function textOff<T>(parse: (text: string) => Parsed<T>, problem: string) {
  return z
    .union([z.string(), z.literal(false)], { error: problem })
    .transform((input, ctx) => take(parse(input === false ? 'off' : input), input, ctx));
}

function problemOf(parsed: Parsed<unknown>): string {
  return 'problem' in parsed ? parsed.problem : 'not understood';
}

export function take<T>(parsed: Parsed<T>, input: unknown, ctx: zod.core.$RefinementCtx): T {
  if ('value' in parsed) return parsed.value;
  ctx.issues.push({ code: 'custom', message: parsed.problem, input });
  return z.NEVER;
}
