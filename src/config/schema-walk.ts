// Owns walking the schema beside a value or a path: which keys a block has, where blocks are, every key of all.
// It must not validate.

import type * as zod from 'zod';
import type { PathSegments } from './problems.ts';
import { DEFAULT_NOTE, TYPE_NOTE } from './scalars.ts';
import { configSchema } from './schema.ts';
import { z } from './zod.ts';

/** What the reference tells about one key. */
export interface KeyDescription {
  /** `listeners[].name`, `upstreams.*.targets[].url`. */
  readonly path: string;
  /** The default as it would be written, or in words after "= "; "required" when there is none. */
  readonly default: string;
  readonly type: string;
  readonly description: string;
}

/** The schema below optional, prefault and transform: an object, a record, an array, or a kind of value. */
function coreOf(schema: zod.core.$ZodType): zod.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault) return coreOf(schema.unwrap());
  return schema instanceof z.ZodPipe ? coreOf(schema.in) : schema;
}

/** The block that `path` leads to: its name with `[]` and `*` for positions and names, and the keys it has. */
export function blockAt(path: PathSegments): { readonly block: string; readonly keys: readonly string[] } {
  let schema = coreOf(configSchema);
  let block = '';
  for (const part of path) {
    if (schema instanceof z.ZodObject) {
      block += `${block === '' ? '' : '.'}${part}`;
      schema = coreOf(schema.shape[String(part)] ?? z.never());
    } else if (schema instanceof z.ZodRecord) {
      block += '.*';
      schema = coreOf(schema.valueType);
    } else if (schema instanceof z.ZodArray) {
      block += '[]';
      schema = coreOf(schema.element);
    }
  }
  return { block, keys: schema instanceof z.ZodObject ? Object.keys(schema.shape) : [] };
}

/** Blocks and lists without content (`limits:` with only comments below it) come as null: they count as absent. */
export function withoutEmptyBlocks(value: unknown, schema: zod.core.$ZodType = configSchema): unknown {
  const core = coreOf(schema);
  if (core instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((item: unknown) => withoutEmptyBlocks(item, core.element));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) {
    const child = childOf(core, key);
    if (child !== null && item === null && isBlock(coreOf(child))) continue;
    kept[key] = child === null ? item : withoutEmptyBlocks(item, child);
  }
  return kept;
}

/** Every key of the schema in its order, blocks before what they hold. */
export function describeKeys(): readonly KeyDescription[] {
  return [...keysOf(configSchema, '')];
}

function* keysOf(schema: zod.core.$ZodType, path: string): Generator<KeyDescription> {
  const core = coreOf(schema);
  if (core instanceof z.ZodArray && isBlock(coreOf(core.element))) yield* keysOf(core.element, `${path}[]`);
  if (core instanceof z.ZodRecord) yield* keysOf(core.valueType, `${path}.*`);
  if (!(core instanceof z.ZodObject)) return;
  for (const [key, child] of Object.entries<zod.core.$ZodType>(core.shape)) {
    const at = path === '' ? key : `${path}.${key}`;
    yield describe(at, child);
    yield* keysOf(child, at);
  }
}

function describe(path: string, schema: zod.core.$ZodType): KeyDescription {
  const notes = notesOf(schema);
  const words = text(notes[DEFAULT_NOTE]);
  const literal = defaultOf(schema);
  let fallback = literal === undefined ? 'required' : JSON.stringify(literal);
  if (typeof literal === 'string') fallback = literal;
  if (words !== '') fallback = words === 'required' ? words : `= ${words}`;
  return { path, default: fallback, type: text(notes[TYPE_NOTE]), description: text(notes.description) };
}

/** Notes stand on the outermost schema that has any: `.optional()` and `.prefault()` wrap what was described. */
function notesOf(schema: zod.core.$ZodType): Readonly<Record<string, unknown>> {
  const notes = z.globalRegistry.get(schema);
  if (notes !== undefined && 'description' in notes) return notes;
  return schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault ? notesOf(schema.unwrap()) : {};
}

function defaultOf(schema: zod.core.$ZodType): unknown {
  if (schema instanceof z.ZodPrefault) return schema.def.defaultValue;
  return schema instanceof z.ZodOptional ? defaultOf(schema.unwrap()) : undefined;
}

function childOf(core: zod.core.$ZodType, key: string): zod.core.$ZodType | null {
  if (core instanceof z.ZodRecord) return core.valueType;
  if (!(core instanceof z.ZodObject) || !Object.hasOwn(core.shape, key)) return null;
  return core.shape[key] ?? null;
}

function isBlock(core: zod.core.$ZodType): boolean {
  return core instanceof z.ZodObject || core instanceof z.ZodRecord || core instanceof z.ZodArray;
}

function text(note: unknown): string {
  return typeof note === 'string' ? note : '';
}
