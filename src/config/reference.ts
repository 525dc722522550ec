// Owns the JSON Schema of the config file, and what the reference tells of its keys.

import { describeKeys, type KeyDescription } from './key-walk.ts';
import { configSchema } from './schema.ts';
import { z } from './zod.ts';

/** Blocks of a route that repeat the keys of top-level blocks, and the block that repeats keys of a route. */
const OVERRIDES = /^(routes\[\]\.(limits|timeouts|close_codes)|defaults)\./;

/** JSON Schema (draft 2020-12) of the config file, for editors. */
export function jsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(configSchema, { io: 'input' }), title: 'framegate config' };
}

/** The reference as a Markdown table: key, default, values, meaning. Keys that are only repeated are left out. */
export function referenceTable(): string {
  const rows = describeKeys().filter(({ path }) => !OVERRIDES.test(path));
  return ['| key | default | values | meaning |', '|---|---|---|---|', ...rows.map(referenceRow), ''].join('\n');
}

/** One row of the table, as a README has to hold it. */
export function referenceRow(key: KeyDescription): string {
  const fallback = key.default.startsWith('= ') || key.default === 'required' ? key.default : `\`${key.default}\``;
  return `| \`${key.path}\` | ${cell(fallback)} | ${cell(key.type)} | ${cell(key.description)} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
