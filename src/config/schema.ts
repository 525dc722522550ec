// Turns the rows of the keys into the schema of the config file. It must not read files, environment or clock.

import assert from 'node:assert';
import type * as zod from 'zod';
import { blockMeant, isOn } from './block-guess.ts';
import { QUOTA } from './keys/auth-common.ts';
import { config } from './keys/config.ts';
import type { Item, Keyed, Keys, List, Row } from './keys/row.ts';
import { descriptionOf, isScalar, scalarSchema } from './kinds.ts';
import { MAP_KEY } from './names.ts';
import { TEXTS } from './texts.ts';
import type { ConfigInput, ParsedConfig, QuotaConfig } from './types.ts';
import { z } from './zod.ts';

const MAP_KEY_PROBLEM =
  'a name here begins with a letter or digit and has at most 64 letters, digits, ".", "_" and "-"';

const SINGLE_PROBLEM = 'expected text, or a list of texts';
const FILE_PROBLEM = 'expected a list, or {file: path}';
const fileSchema = z.strictObject({ file: z.string() });
const MAP_KEY_SCHEMA = z.string().regex(MAP_KEY, { error: MAP_KEY_PROBLEM });

// What the schemas take and give is what the types make of the same rows: `kinds.ts` has it so for every kind.
export const configSchema = blockSchema(config) as zod.ZodType<ParsedConfig, ConfigInput>;

const quotaSchema = blockSchema(QUOTA.keys) as zod.ZodType<QuotaConfig>;

/** A quota that does not come from the file, in its form; null when it has another one. */
export function parseQuota(value: unknown): QuotaConfig | null {
  const parsed = quotaSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

function blockSchema(keys: Keys): zod.ZodType {
  return z.strictObject(Object.fromEntries(Object.entries(keys).map(([key, row]) => [key, rowSchema(row)])));
}

function rowSchema(row: Row): zod.ZodType {
  const schema = kindSchema(row).meta({ description: descriptionOf(row) });
  if (row.default !== undefined) return schema.prefault(row.default);
  return row.unset === undefined ? schema : schema.optional();
}

function kindSchema(row: Row): zod.ZodType {
  if (isScalar(row)) return scalarSchema(row);
  switch (row.kind) {
    case 'block':
      return keyedSchema(row);
    case 'named':
      return z.record(row.by === undefined ? MAP_KEY_SCHEMA : TEXTS[row.by](), itemSchema(row.of));
    default:
      return listSchema(row);
  }
}

/** What a key has that is not given; undefined where there is no such value. */
export function usualOf(row: Row): unknown {
  return rowSchema(row).parse(undefined);
}

/** A block, or a word in its place. */
function keyedSchema({ keys, words, one }: Keyed): zod.ZodType {
  const block =
    one === undefined
      ? blockSchema(keys)
      : blockSchema(keys).refine(hasOneKey, { error: one, when: ({ issues }) => issues.length === 0 });
  if (words === undefined) return block;
  const off = words.includes('off') ? [z.literal(false).transform(() => 'off')] : [];
  const map = one === undefined ? 'a map of keys and values' : `a map with ${Object.keys(keys).join(' or ')}`;
  const problem = `expected ${words.join(', ')} or ${map}`;
  return z.union([z.enum(words), ...off, block], {
    error: ({ input }) => (isMap(input) ? undefined : `${problem}${suchAs(keys, input)}`),
  });
}

function suchAs(keys: Keys, input: unknown): string {
  const needsNone = Object.values(keys).every((row) => row.default !== undefined || row.unset !== undefined);
  const meant = needsNone && isOn(input) ? '{}' : blockMeant(keys, input);
  return meant === null ? '' : ` such as ${meant}`;
}

function hasOneKey(value: unknown): boolean {
  return isMap(value) && Object.values(value).filter((one) => one !== undefined).length === 1;
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listSchema({ of, least, or, file, single }: List): zod.ZodType {
  const list = least === undefined ? z.array(itemSchema(of)) : z.array(itemSchema(of)).min(1, { error: least });
  if (single !== undefined) {
    const one = itemSchema(of).transform((item) => [item]);
    return z.union([one, list], { error: ({ input }) => (Array.isArray(input) ? undefined : SINGLE_PROBLEM) });
  }
  if (or === undefined && file === undefined) return list;
  const word = or === undefined ? [] : [z.literal(or.word)];
  return z.union([...word, list, ...(file === undefined ? [] : [fileSchema])], {
    error: (issue) => (Array.isArray(issue.input) ? undefined : (or?.problem ?? FILE_PROBLEM)),
  });
}

function itemSchema(item: Item | List): zod.ZodType {
  if (item.kind === 'list') return listSchema(item);
  const schema = isScalar(item) ? scalarSchema(item) : keyedSchema(item);
  return item.says === undefined ? schema : schema.meta({ description: item.says });
}

/** An upstream that says nothing but one target. */
export function defaultUpstream(): ParsedConfig['upstreams'][string] {
  const upstreams = { default: { targets: [{ url: 'builtin:echo' }] } };
  const { default: upstream } = configSchema.parse({ routes: [{ upstream: 'default' }], upstreams }).upstreams;
  assert(upstream !== undefined, 'an upstream that was given is there');
  return upstream;
}
