import { describe, expect, test } from 'vitest';
import { MemoryRecord } from './memory-record.ts';
import { parseSoakOptions } from './options.ts';
import { runSoak } from './soak.ts';

const MIB = 1_048_576;

test('a few seconds of everything at once: no violation', async () => {
  const seed = 3;
  const { faultCount, faults, sessions, counts } = await runSoak({ seed, seconds: 4, say: () => {} });
  expect({ faultCount, faults }, `seed ${seed}`).toEqual({ faultCount: 0, faults: [] });
  expect(sessions).toBeGreaterThan(10);
  for (const what of ['echoes', 'illegal frames', 'bad heads', 'ends: client_close']) {
    expect(counts.get(what) ?? 0, what).toBeGreaterThan(0);
  }
}, 120_000);

describe('memory over a run', () => {
  function courseOf(rssAt: (second: number) => number, seconds = 100): MemoryRecord {
    const record = new MemoryRecord(seconds);
    for (let second = 0; second < seconds; second++) record.add(second, rssAt(second) * MIB);
    return record;
  }

  test('may grow while it warms up, jump now and then, and shrink', () => {
    expect(courseOf((second) => Math.min(100, 40 + 3 * second)).faults()).toEqual([]);
    expect(courseOf((second) => (second % 7 === 0 ? 200 : 100)).faults()).toEqual([]);
    expect(courseOf((second) => 200 - second).faults()).toEqual([]);
  });

  test('a leak is a fault: more than 12 MiB and a twentieth, from the warm-up to the end', () => {
    expect(courseOf((second) => (second < 70 ? 100 : 117)).faults()).toEqual([]);
    expect(courseOf((second) => (second < 70 ? 100 : 118)).faults()).toHaveLength(1);
    expect(courseOf((second) => 60 + second).faults()).toHaveLength(1);
  });

  test('less than a minute is warm-up alone', () => {
    expect(courseOf((second) => 60 + 5 * second, 59).faults()).toEqual([]);
    expect(courseOf((second) => 60 + 5 * second, 60).faults()).toHaveLength(1);
  });

  test('without samples there is nothing to judge, and the summary says so', () => {
    expect(new MemoryRecord(100).faults()).toHaveLength(1);
  });
});

describe('the command line', () => {
  test('has a default for everything', () => {
    expect(parseSoakOptions([])).toEqual({ seed: 1, minutes: 10, slowLink: false });
    expect(parseSoakOptions(['--seed', '7', '--minutes', '0.5', '--slow-link'])).toEqual({
      seed: 7,
      minutes: 0.5,
      slowLink: true,
    });
  });

  test.each([
    ['--seed', 'x'],
    ['--seed', '-1'],
    ['--minutes', '0'],
    ['--minutes', '1441'],
    ['--minutes', 'many'],
    ['--hours', '1'],
    ['more', 'words'],
  ])('refuses %s %s', (...argv) => {
    expect(() => parseSoakOptions(argv)).toThrow();
  });
});
