// Owns the table of kinds: for each what its values are in words, its range in words, how it is read and how it is
// written again. It must not know any key by name.

import type * as zod from 'zod';
import type { Item, List, Row, Scalar } from './keys/row.ts';
import type { InputOf, ValueOf } from './row-types.ts';
import { choice, count, countOrShare, decimal, duration, onOff, share, size } from './scalars.ts';
import { countOrShareText } from './shares.ts';
import { closeCode, printText, TEXTS } from './texts.ts';
import { durationRange, formatDuration, formatSize, sizeRange } from './units.ts';
import { z } from './zod.ts';

type ScalarKind = Scalar['kind'];
type RowsByKind = { readonly [K in ScalarKind]: Extract<Scalar, { readonly kind: K }> };
/** A row of one of some kinds; of any without an argument. */
type RowOf<K extends ScalarKind = ScalarKind> = { [P in K]: RowsByKind[P] & { readonly kind: P } }[K];

interface Rules<R> {
  readonly schema: (row: R) => zod.ZodType<ValueOf<R>, InputOf<R>>;
  /** Values in words, for the reference; '' where the row says them. */
  readonly values: (row: R) => string;
  /** '' where there is none. */
  readonly range: (row: R) => string;
  /** As it would be written, or as something that is written so. */
  readonly print: (value: ValueOf<R>, row: R) => unknown;
}

const OFF = Number.POSITIVE_INFINITY;
const none = () => '';

const KINDS: { readonly [K in ScalarKind]: Rules<RowsByKind[K]> } = {
  size: {
    schema: ({ min, max, off = false }) => size({ min, max, off }),
    values: ({ off }) => orOff('size', off),
    range: ({ min, max, off = false }) => sizeRange({ min, max, off }),
    print: (value) => formatSize(value),
  },
  duration: {
    schema: ({ min, max, off = false }) => duration({ min, max, off }),
    values: ({ off }) => orOff('duration', off),
    range: ({ min, max, off = false }) => durationRange({ min, max, off }),
    print: (value) => formatDuration(value),
  },
  count: {
    schema: count,
    values: ({ words = [] }) => ['count', ...words].join(', '),
    range: ({ min, max, words = [] }) => `from ${min} to ${max}${words.length === 0 ? '' : `, or ${words.join(', ')}`}`,
    print: (value) => numberText(value),
  },
  count_or_share: {
    schema: countOrShare,
    values: () => 'count, share',
    range: ({ min, max }) => `from ${min} to ${max}, or from 1% to 100%`,
    print: (value) => countOrShareText(value),
  },
  number: {
    schema: decimal,
    values: ({ off }) => orOff('number', off),
    range: ({ min, max, off }) => `from ${min} to ${max}${off === undefined ? '' : ', or off'}`,
    print: (value) => numberText(value),
  },
  share: {
    schema: share,
    values: () => 'share, off',
    range: () => 'from 0% to 100%, or off',
    print: (value) => (value === OFF ? 'off' : `${Math.round(value * 100)}%`),
  },
  switch: { schema: onOff, values: () => 'on, off', range: none, print: (value) => (value ? 'on' : 'off') },
  truth: { schema: () => z.boolean(), values: () => 'true, false', range: none, print: (value) => value },
  choice: {
    schema: choice,
    values: ({ words, off }) => orOff(words.join(', '), off),
    range: none,
    print: (value) => value,
  },
  close_code: { schema: closeCode, values: () => 'close code', range: none, print: (value) => value },
  text: {
    schema: ({ form }) => TEXTS[form](),
    values: none,
    range: none,
    print: (value, { form }) => printText(form, value),
  },
};

export function scalarSchema<K extends ScalarKind>(row: RowOf<K>): zod.ZodType {
  return KINDS[row.kind].schema(row);
}

/** `value` is what the schema of this row gave. */
export function printScalar<K extends ScalarKind>(row: RowOf<K>, value: ValueOf<RowsByKind[K]>): unknown {
  return KINDS[row.kind].print(value, row);
}

/** What the reference calls the values of a key. */
export function valuesOf(row: Row): string {
  if (row.values !== undefined) return row.values;
  return row.kind === 'list' ? 'list' : isScalar(row) ? scalarValues(row) : 'map';
}

/** What a key means, in short. */
export function meaningOf({ says, scope }: Row): string {
  return scope === 'global' ? says.replace(/\.(?= |$)/, ' (global).') : says;
}

/** What the schema and the reference tell of a key. */
export function descriptionOf(row: Row): string {
  const { more, without } = row;
  const range = isScalar(row) ? scalarRange(row) : '';
  const parts = [meaningOf(row), more ?? '', without === undefined ? '' : `Without it ${without}.`];
  if (range !== '') parts.push(`${range.charAt(0).toUpperCase()}${range.slice(1)}.`);
  return parts.filter((part) => part !== '').join(' ');
}

export function isScalar<R extends Row | Item | List>(row: R): row is Extract<R, Scalar> {
  return row.kind !== 'list' && row.kind !== 'block' && row.kind !== 'named';
}

function scalarValues<K extends ScalarKind>(row: RowOf<K>): string {
  return KINDS[row.kind].values(row);
}

function scalarRange<K extends ScalarKind>(row: RowOf<K>): string {
  return KINDS[row.kind].range(row);
}

function orOff(words: string, off: true | undefined): string {
  return off === undefined ? words : `${words}, off`;
}

function numberText(value: number | string): number | string {
  return value === OFF ? 'off' : value;
}
