// Owns the texts of durations and sizes: reading them, writing them, their ranges. It must not know any config key.

import { guessAmount, type UnitWords } from './unit-guess.ts';

/** A value, or the sentence that says why there is none. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** Smallest and largest value a key takes, both allowed; `off` tells whether the key can be switched off. */
export interface UnitRange {
  readonly min: number;
  readonly max: number;
  readonly off: boolean;
}

interface UnitSystem {
  /** Largest first. */
  readonly units: readonly (readonly [name: string, factor: number])[];
  readonly form: RegExp;
  /** What other programs call them. */
  readonly words: UnitWords;
  readonly noun: string;
  readonly examples: string;
}

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];
const [KIB, MIB, GIB] = [1024, 1024 ** 2, 1024 ** 3];

const DURATION: UnitSystem = {
  units: [
    ['h', HOUR],
    ['m', MINUTE],
    ['s', SECOND],
    ['ms', 1],
  ],
  form: /^(0|[1-9][0-9]*)(ms|s|m|h)$/,
  words: {
    ...{
      ms: 1,
      msec: 1,
      millisecond: 1,
      s: SECOND,
      sec: SECOND,
      second: SECOND,
      m: MINUTE,
      min: MINUTE,
      minute: MINUTE,
    },
    ...{ h: HOUR, hr: HOUR, hour: HOUR, d: 24 * HOUR, day: 24 * HOUR, w: 168 * HOUR, week: 168 * HOUR },
  },
  noun: 'duration',
  examples: '500ms, 30s, 5m or 24h',
};

const SIZE: UnitSystem = {
  units: [
    ['GiB', GIB],
    ['MiB', MIB],
    ['KiB', KIB],
    ['B', 1],
  ],
  form: /^(0|[1-9][0-9]*)(B|KiB|MiB|GiB)$/,
  words: { b: 1, byte: 1, k: KIB, kb: KIB, kib: KIB, m: MIB, mb: MIB, mib: MIB, g: GIB, gb: GIB, gib: GIB },
  noun: 'size',
  examples: '512B, 64KiB, 1MiB or 2GiB',
};

/** Ten years: far above any use, far below where milliseconds stop being exact integers. */
export const DURATION_MAX = 87_600 * 3_600_000;

/** Digits that can never exceed 2^53 with any factor above would still be longer than this. */
const DIGITS_MAX = 15;

/** Patterns for JSON Schema: what an editor may accept. `${NAME}` is typed only when it was replaced. */
export const DURATION_PATTERN = /^((0|[1-9][0-9]*)(ms|s|m|h)|off|[\s\S]*\$\{[\s\S]*)$/;
export const SIZE_PATTERN = /^((0|[1-9][0-9]*)(B|KiB|MiB|GiB)|off|[\s\S]*\$\{[\s\S]*)$/;

export function parseDuration(input: unknown, range: UnitRange): Parsed<number> {
  return parse(input, range, DURATION);
}

export function parseSize(input: unknown, range: UnitRange): Parsed<number> {
  return parse(input, range, SIZE);
}

export function formatDuration(ms: number): string {
  return format(ms, DURATION);
}

export function formatSize(bytes: number): string {
  return format(bytes, SIZE);
}

function parse(input: unknown, range: UnitRange, system: UnitSystem): Parsed<number> {
  const orOff = range.off ? ', or off' : '';
  const expected = `expected a ${system.noun} such as ${system.examples}${orOff}`;
  if (input === false || input === 'off') {
    return range.off ? { value: Number.POSITIVE_INFINITY } : { problem: `cannot be off: ${rangeText(range, system)}` };
  }
  if (typeof input === 'number') {
    const off = input === 0 && range.min > 0 && range.off ? didYouMeanText('off') : '';
    return { problem: `a ${system.noun} needs a unit: ${expected}${off}` };
  }
  if (typeof input !== 'string') return { problem: expected };
  const match = system.form.exec(input);
  if (match === null) {
    const guess = guessOf(input, range, system);
    return { problem: /^[0-9]+$/.test(input) ? `a ${system.noun} needs a unit: ${expected}` : `${expected}${guess}` };
  }
  const digits = match[1] ?? '';
  const factor = system.units.find(([name]) => name === match[2])?.[1] ?? 1;
  const value = digits.length > DIGITS_MAX ? Number.POSITIVE_INFINITY : Number(digits) * factor;
  if (value >= range.min && value <= range.max) return { value };
  const off = value === 0 && range.off ? didYouMeanText('off') : '';
  return { problem: `out of range: ${rangeText(range, system)}${off}` };
}

/** In the form that is taken, and only what would be. */
function guessOf(input: string, range: UnitRange, system: UnitSystem): string {
  const value = guessAmount(input, system.words);
  if (value === null) return '';
  const isTaken = value === Number.POSITIVE_INFINITY ? range.off : value >= range.min && value <= range.max;
  return isTaken ? didYouMeanText(format(value, system)) : '';
}

function didYouMeanText(text: string): string {
  return ` (did you mean "${text}"?)`;
}

function rangeText(range: UnitRange, system: UnitSystem): string {
  return `from ${format(range.min, system)} to ${format(range.max, system)}${range.off ? ', or off' : ''}`;
}

/** The range in words, for descriptions. */
export function durationRange(range: UnitRange): string {
  return rangeText(range, DURATION);
}

export function sizeRange(range: UnitRange): string {
  return rangeText(range, SIZE);
}

/** The shortest exact text: the largest unit that divides the value. */
function format(value: number, system: UnitSystem): string {
  if (value === Number.POSITIVE_INFINITY) return 'off';
  const smallest = system.units[system.units.length - 1]?.[0] ?? '';
  if (value === 0) return `0${smallest}`;
  for (const [name, factor] of system.units) {
    if (value % factor === 0) return `${value / factor}${name}`;
  }
  return `${value}${smallest}`;
}
