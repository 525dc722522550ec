// Durations and sizes: every unit, both sides of every edge, and the texts that other programs would take.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DURATION_MAX,
  formatDuration,
  formatSize,
  type Parsed,
  parseDuration,
  parseSize,
} from '../../src/config/units.ts';

const TIME = { min: 1, max: DURATION_MAX, off: true };
const SIZE = { min: 64, max: 1024 * 1024, off: false };

function problem(parsed: Parsed<number>): string {
  return 'problem' in parsed ? parsed.problem : `no problem: ${parsed.value}`;
}

describe('durations', () => {
  test.each([
    ['1ms', 1],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['2147483647ms', 2_147_483_647],
    ['2147483648ms', 2_147_483_648],
    ['87600h', DURATION_MAX],
    ['off', Number.POSITIVE_INFINITY],
    [false, Number.POSITIVE_INFINITY],
  ])('%j is %d ms', (text, ms) => {
    expect(parseDuration(text, TIME)).toEqual({ value: ms });
  });

  test.each(['0ms', '87601h', '315360000001ms', `${'9'.repeat(400)}s`, '99999999999999999h'])(
    '%s is out of range, and never overflows',
    (text) => {
      const meant = text === '0ms' ? ' (did you mean "off"?)' : '';
      expect(problem(parseDuration(text, TIME))).toBe(`out of range: from 1ms to 87600h, or off${meant}`);
    },
  );

  test.each([10, -1, 0, Number.NaN, Number.POSITIVE_INFINITY, '10', '007'])('%j lacks its unit', (text) => {
    expect(problem(parseDuration(text, TIME))).toMatch(/^a duration needs a unit: expected a duration such as 500ms/);
  });

  test.each([
    '-1s',
    '1.5s',
    '1e3s',
    '0x10s',
    '010s',
    ' 1s',
    '1s ',
    '1 s',
    '1S',
    '1sec',
    '1d',
    '1h30m',
    '+1s',
    '',
    's',
    '１s',
  ])('%j is no duration', (text) => {
    expect(problem(parseDuration(text, TIME))).toMatch(/^expected a duration such as 500ms, 30s, 5m or 24h, or off\b/);
  });

  test.each([
    ['1d', '24h'],
    ['2 weeks', '336h'],
    ['1h30m', '90m'],
    ['1h 30min', '90m'],
    ['1.5h', '90m'],
    ['1 s', '1s'],
    ['1S', '1s'],
    ['500msec', '500ms'],
    ['3650d', '87600h'],
    ['never', 'off'],
  ])('%j was meant as %s', (text, meant) => {
    const told = `expected a duration such as 500ms, 30s, 5m or 24h, or off (did you mean "${meant}"?)`;
    expect(problem(parseDuration(text, TIME))).toBe(told);
  });

  test.each(['3651d', '0d', '1.5ms', '-1s', '1e3s', '010s', 's', '1h30', '1x', `${'9'.repeat(400)}d`, '1h'.repeat(99)])(
    'what is out of range, or no duration in any words, gets no guess: %j',
    (text) => {
      expect(problem(parseDuration(text, TIME))).toBe('expected a duration such as 500ms, 30s, 5m or 24h, or off');
    },
  );

  test('off is no guess where a key has to have a value', () => {
    const told = 'expected a duration such as 500ms, 30s, 5m or 24h';
    expect(problem(parseDuration('never', { ...TIME, off: false }))).toBe(told);
  });

  test.each([null, true, undefined, [], {}])('%j is no duration', (input) => {
    expect(problem(parseDuration(input, TIME))).toMatch(/^expected a duration/);
  });

  test('off is refused where a key has to have a value', () => {
    expect(problem(parseDuration('off', { ...TIME, off: false }))).toBe('cannot be off: from 1ms to 87600h');
    expect(problem(parseDuration(false, { ...TIME, off: false }))).toBe('cannot be off: from 1ms to 87600h');
  });

  test('text made from a value gives that value back', () => {
    void fc.assert(
      fc.property(fc.integer({ min: 1, max: DURATION_MAX }), (ms) => {
        expect(parseDuration(formatDuration(ms), TIME)).toEqual({ value: ms });
      }),
    );
    expect(formatDuration(Number.POSITIVE_INFINITY)).toBe('off');
    expect(formatDuration(90_000)).toBe('90s');
  });
});

describe('sizes', () => {
  test.each([
    ['64B', 64],
    ['1KiB', 1024],
    ['1024KiB', 1024 * 1024],
    ['1MiB', 1024 * 1024],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text, SIZE)).toEqual({ value: bytes });
  });

  test.each(['63B', '1048577B', '1025KiB', '2MiB', '1GiB', '0B'])('%s is out of range', (text) => {
    expect(problem(parseSize(text, SIZE))).toBe('out of range: from 64B to 1MiB');
  });

  test.each(['1KB', '1kib', '1k', '1K', '1M', '1MB', '1TiB', '1.5MiB', '-1KiB', '1e3KiB'])('%s is no size', (text) => {
    expect(problem(parseSize(text, SIZE))).toMatch(/^expected a size such as 512B, 64KiB, 1MiB or 2GiB\b/);
  });

  test.each([
    ['64KB', '64KiB'],
    ['64k', '64KiB'],
    ['1M', '1MiB'],
    ['0.5 MB', '512KiB'],
    ['100 bytes', '100B'],
  ])('%j was meant as %s', (text, meant) => {
    const told = `expected a size such as 512B, 64KiB, 1MiB or 2GiB (did you mean "${meant}"?)`;
    expect(problem(parseSize(text, SIZE))).toBe(told);
  });

  test.each(['2MB', '63 B', '0.1KB', '1TB'])('%j gets no guess', (text) => {
    expect(problem(parseSize(text, SIZE))).toBe('expected a size such as 512B, 64KiB, 1MiB or 2GiB');
  });

  test('a bare number lacks its unit', () => {
    expect(problem(parseSize(65_536, SIZE))).toMatch(/^a size needs a unit/);
    expect(problem(parseSize('65536', SIZE))).toMatch(/^a size needs a unit/);
  });

  test('text made from a value gives that value back', () => {
    const range = { min: 0, max: Number.MAX_SAFE_INTEGER, off: true };
    void fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => {
        expect(parseSize(formatSize(bytes), range)).toEqual({ value: bytes });
      }),
    );
    expect(formatSize(0)).toBe('0B');
    expect(formatSize(1000)).toBe('1000B');
  });
});
