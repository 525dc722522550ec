import { describe, expect, test } from 'vitest';
import { openFileLimit, openFilesNeededFor, sessionsMaxFor } from '../../src/net/open-files.ts';

const LIMITS = [
  'Limit                     Soft Limit           Hard Limit           Units     ',
  'Max processes             96365                96365                processes ',
  'Max open files            1024                 524288               files     ',
  'Max locked memory         8388608              8388608              bytes     ',
  '',
].join('\n');

describe('the soft limit on open files', () => {
  test('is the soft column of /proc/self/limits', () => {
    expect(openFileLimit(() => LIMITS)).toBe(1024);
  });

  test('unlimited is Infinity', () => {
    const text = LIMITS.replace('1024                 524288   ', 'unlimited            unlimited');
    expect(openFileLimit(() => text)).toBe(Number.POSITIVE_INFINITY);
  });

  test('is Infinity where the file is missing or reads otherwise', () => {
    const missing = () => {
      throw new Error('ENOENT');
    };
    expect(openFileLimit(missing)).toBe(Number.POSITIVE_INFINITY);
    expect(openFileLimit(() => 'Max open files? many')).toBe(Number.POSITIVE_INFINITY);
    expect(openFileLimit(() => '')).toBe(Number.POSITIVE_INFINITY);
  });

  test.runIf(process.platform === 'linux')('is known on Linux', () => {
    expect(openFileLimit()).toBeGreaterThan(0);
  });
});

describe('the most sessions of a limit', () => {
  test('32 descriptors are kept below a limit of 1600, 2 % of it above', () => {
    expect(sessionsMaxFor(1024)).toBe(496);
    expect(sessionsMaxFor(1600)).toBe(784);
    expect(sessionsMaxFor(20_000)).toBe(9800);
    expect(sessionsMaxFor(1_048_576)).toBe(513_802);
  });

  test('is rounded down, and never negative', () => {
    expect(sessionsMaxFor(35)).toBe(1);
    expect(sessionsMaxFor(33)).toBe(0);
    expect(sessionsMaxFor(10)).toBe(0);
  });

  test('is Infinity without a limit', () => {
    expect(sessionsMaxFor(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });

  test('the limit that a number of sessions needs is the smallest that carries them', () => {
    for (const sessions of [0, 1, 496, 784, 785, 9800, 10_000, 123_457]) {
      const limit = openFilesNeededFor(sessions);
      expect(sessionsMaxFor(limit)).toBeGreaterThanOrEqual(sessions);
      if (sessions > 0) expect(sessionsMaxFor(limit - 1)).toBeLessThan(sessions);
    }
  });
});
