// Owns the kinds of values a config key can take, as zod schemas whose messages say what is expected.
// It must not know any key by name.

import type * as zod from 'zod';
import { printable } from './addresses.ts';
import { NOT_YET } from './later-keys.ts';
import type { CountOrShare } from './shares.ts';
import { didYouMean } from './suggest.ts';
import {
  DURATION_PATTERN,
  durationRange,
  type Parsed,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
  sizeRange,
  type UnitRange,
} from './units.ts';
import { z } from './zod.ts';

/** What the reference says about a key besides its description; removed from JSON Schema. */
export const TYPE_NOTE = 'x-type';
export const DEFAULT_NOTE = 'x-default';

interface KeyNotes {
  /** Values in words, for the reference. */
  readonly type: string;
  /** The default in words where no literal default exists: "= the address". */
  readonly default?: string;
}

/** Describe a key. The description is what editors, `framegate schema` and the reference show. */
export function documented<T extends zod.ZodType>(schema: T, description: string, notes: KeyNotes): T {
  const fallback = notes.default === undefined ? {} : { [DEFAULT_NOTE]: notes.default };
  return schema.meta({ description, [TYPE_NOTE]: notes.type, ...fallback });
}

export function duration(description: string, range: UnitRange) {
  const error = (issue: { readonly input?: unknown }) => problemOf(parseDuration(issue.input, range));
  const form = z.union([z.string().regex(DURATION_PATTERN, { error }), z.literal(false)], { error });
  const schema = form.transform((input, ctx) => take(parseDuration(input, range), input, ctx));
  return documented(schema, `${description} ${capital(durationRange(range))}.`, {
    type: range.off ? 'duration, off' : 'duration',
  });
}

export function size(description: string, range: UnitRange, notes: Partial<KeyNotes> = {}) {
  const error = (issue: { readonly input?: unknown }) => problemOf(parseSize(issue.input, range));
  const form = z.union([z.string().regex(SIZE_PATTERN, { error }), z.literal(false)], { error });
  const schema = form.transform((input, ctx) => take(parseSize(input, range), input, ctx));
  const type = range.off ? 'size, off' : 'size';
  return documented(schema, `${description} ${capital(sizeRange(range))}.`, { type, ...notes });
}

export function count(description: string, min: number, max: number) {
  return documented(wholeNumber(min, max, ''), `${description} From ${min} to ${max}.`, { type: 'count' });
}

/** A count, or words that stand for one. `off` may also come as false, which is what YAML 1.1 makes of it. */
export function countOr<const W extends string>(description: string, min: number, max: number, words: readonly W[]) {
  const orWords = `, or ${words.join(', ')}`;
  const error = countError(min, max, orWords);
  const plain = z.union([wholeNumber(min, max, orWords), z.enum(words), z.literal(false)], { error });
  const schema = plain.transform((input): number | Exclude<W, 'off'> =>
    input === false || input === 'off' ? Number.POSITIVE_INFINITY : (input as number | Exclude<W, 'off'>),
  );
  return documented(schema, `${description} From ${min} to ${max}, or ${words.join(', ')}.`, {
    type: `count, ${words.join(', ')}`,
  });
}

const SHARE_PATTERN = /^(?:100|[1-9][0-9]?)%$/;

/** A count, or a share of another one. */
export function countOrShare(description: string, min: number, max: number) {
  const orShare = ', or a share from 1% to 100%';
  const error = countError(min, max, orShare);
  const form = z.union([wholeNumber(min, max, orShare), z.string().regex(SHARE_PATTERN, { error })], { error });
  const schema = form.transform(
    (input): CountOrShare => (typeof input === 'number' ? { count: input } : { percent: Number.parseInt(input, 10) }),
  );
  return documented(schema, `${description} From ${min} to ${max}, or from 1% to 100%.`, { type: 'count, share' });
}

/** A number with up to three decimals: what token buckets count without rounding. */
export function decimal(description: string, min: number, max: number, notes: Partial<KeyNotes> = {}) {
  const whole = `${description} From ${min} to ${max}.`;
  return documented(decimalNumber(min, max, ''), whole, { type: 'number', ...notes });
}

/** The same, or off. */
export function decimalOff(description: string, min: number, max: number) {
  const error = decimalError(min, max, ', or off');
  const schema = z
    .union([decimalNumber(min, max, ', or off'), z.literal('off'), z.literal(false)], { error })
    .transform((input) => (typeof input === 'number' ? input : Number.POSITIVE_INFINITY));
  return documented(schema, `${description} From ${min} to ${max}, or off.`, { type: 'number, off' });
}

function decimalNumber(min: number, max: number, words: string) {
  const error = decimalError(min, max, words);
  return z
    .number({ error })
    .min(min, { error, abort: true })
    .max(max, { error, abort: true })
    .refine((value) => Math.round(value * 1000) / 1000 === value, { error });
}

function decimalError(min: number, max: number, words: string): string {
  return `expected a number from ${min} to ${max} with at most three decimals${words}`;
}

const SHARE = /^([1-9]?[0-9]|100)%$/;

/** A share of something, such as 50%, or off. From 0 to 1, Infinity for off. */
export function shareOff(description: string) {
  const problem = 'expected a share from 0% to 100%, or off';
  const parse = (text: string): Parsed<number> => {
    if (text === 'off') return { value: Number.POSITIVE_INFINITY };
    return SHARE.test(text) ? { value: Number.parseInt(text, 10) / 100 } : { problem };
  };
  return textOff(`${description} From 0% to 100%, or off.`, parse, problem, { type: 'share, off' });
}

/** On or off; YAML 1.1 makes true and false of these words. */
export function onOff(description: string) {
  const schema = z
    .union([z.enum(['on', 'off']), z.boolean()], { error: 'expected on or off' })
    .transform((input) => input === true || input === 'on');
  return documented(schema, description, { type: 'on, off' });
}

function wholeNumber(min: number, max: number, words: string) {
  const error = countError(min, max, words);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

function countError(min: number, max: number, words: string) {
  return (issue: { readonly input?: unknown }) => {
    const found = typeof issue.input === 'string' && /^[0-9]+$/.test(issue.input) ? ', found text' : '';
    return `expected a whole number from ${min} to ${max}${words}${found}`;
  };
}

/** Values that later versions know, and what to write until then. */
type LaterValues = Readonly<Record<string, string>>;

/** One of some words. */
export function choice<const W extends string>(description: string, words: readonly W[], later: LaterValues = {}) {
  const schema = z.enum(words, { error: (issue) => choiceProblem(issue.input, words, later) });
  return documented(schema, description, { type: words.join(', ') });
}

/** One of some words, `off` among them, which may also come as false. */
export function choiceOff<const W extends string>(description: string, words: readonly W[]) {
  const all: readonly (W | 'off')[] = [...words, 'off'];
  const error = (issue: { readonly input?: unknown }) => choiceProblem(issue.input, all, {});
  const schema = z
    .union([z.enum(all), z.literal(false)], { error })
    .transform((word): W | 'off' => (word === false ? 'off' : word));
  return documented(schema, description, { type: all.join(', ') });
}

function choiceProblem(input: unknown, words: readonly string[], later: LaterValues): string {
  const name = typeof input === 'string' ? input : objectKey(input);
  const instead = name !== null && Object.hasOwn(later, name) ? later[name] : undefined;
  if (instead !== undefined) return `${NOT_YET}: ${instead}`;
  const guess = typeof input === 'string' ? didYouMean(input, words) : '';
  return `expected ${words.length === 1 ? '' : 'one of '}${words.join(', ')}${guess}`;
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
export function textOff<T>(description: string, parse: (text: string) => Parsed<T>, problem: string, notes: KeyNotes) {
  const schema = z
    .union([z.string(), z.literal(false)], { error: problem })
    .transform((input, ctx) => take(parse(input === false ? 'off' : input), input, ctx));
  return documented(schema, description, notes);
}

export const NAME_LENGTH_MAX = 128;
/** Names in logs and metric labels. */
export const NAME = /^[\x21-\x7e]{1,128}$/;

export function nameText() {
  return parsedText((text) =>
    NAME.test(text) ? { value: text } : { problem: 'a name has 1 to 128 visible ASCII characters and no space' },
  );
}

/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** A subprotocol, or with a "*" at its end the beginning of some. */
export function subprotocolText() {
  return parsedText((text) => {
    if (text === '*') return { problem: 'every name begins with nothing: leave the list out, or write any' };
    return TOKEN.test(text)
      ? { value: text }
      : { problem: `"${printable(text)}" is no subprotocol name (a token, RFC 6455 11.3.4)` };
  });
}

/** Keys of maps whose keys are names. */
export const MAP_KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

function problemOf(parsed: Parsed<unknown>): string {
  return 'problem' in parsed ? parsed.problem : 'not understood';
}

function take<T>(parsed: Parsed<T>, input: unknown, ctx: zod.core.$RefinementCtx): T {
  if ('value' in parsed) return parsed.value;
  ctx.issues.push({ code: 'custom', message: parsed.problem, input });
  return z.NEVER;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
