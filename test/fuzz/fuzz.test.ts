import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Random } from '../support/random.ts';
import { CRASHES } from './crashes.ts';
import { bytesTarget, type FuzzTarget, isBytesTarget } from './fuzz-target.ts';
import { parseOptions } from './options.ts';
import { runCase, runTarget } from './runner.ts';
import { canary } from './targets/canary.ts';
import { CANARIES, TARGETS } from './targets.ts';

const SEED = 20_260_101;
/** The short run that belongs to all tests: whichever comes first. */
const CASES_MAX = 2_000;
const MILLIS_MAX = 500;
/** For what takes a second or two where nothing else runs. */
const PATIENT = 60_000;

const ENDLESS = { seed: 1, casesMax: Number.POSITIVE_INFINITY, millisMax: 10_000 };

const failsAt = (index: number): FuzzTarget & { readonly seeds: number[] } => {
  const seeds: number[] = [];
  const run = (random: Random) => {
    seeds.push(random.seed);
    if (seeds.length === index) throw new Error('here');
  };
  return { name: 'fails', run, seeds };
};

describe('the runner', () => {
  test('reports the canary, which fails always, and its case fails alone too', async () => {
    const { cases, failure } = await runTarget(canary, ENDLESS);
    expect(cases).toBe(1);
    expect(failure?.message).toContain('the canary was fed');
    const again = await runCase(canary, failure?.caseSeed ?? 0);
    expect(again?.message).toContain('the canary was fed');
    expect([again?.caseSeed, again?.input]).toEqual([failure?.caseSeed, failure?.input]);
  });

  test('stops at the first case that fails and names its seed', async () => {
    const target = failsAt(3);
    const { cases, failure } = await runTarget(target, { ...ENDLESS, seed: 7 });
    expect(cases).toBe(3);
    expect(target.seeds).toEqual([0, 1, 2].map((index) => Random.caseSeed(7, index)));
    expect(failure?.caseSeed).toBe(target.seeds[2]);
  });

  test('ends at its number of cases, or at its time after one case at least', async () => {
    const counted = await runTarget(failsAt(0), { ...ENDLESS, casesMax: 5 });
    expect([counted.cases, counted.failure]).toEqual([5, null]);
    expect((await runTarget(failsAt(0), { ...ENDLESS, millisMax: 0 })).cases).toBe(1);
  });

  test('sees a rejection as a failure, and says before each case which comes', async () => {
    const seen: number[] = [];
    const target: FuzzTarget = { name: 'late', run: () => Promise.reject(new Error('late')) };
    const { failure } = await runTarget(target, { ...ENDLESS, onCase: (caseSeed) => seen.push(caseSeed) });
    expect(failure?.message).toContain('late');
    expect(seen).toEqual([failure?.caseSeed]);
  });

  test('makes a failing input as small as it can', async () => {
    const target = bytesTarget({
      name: 'two parts',
      make: (random) => Buffer.from(`${random.bytes(200).toString('hex')}XY${'-'.repeat(70)}Z`),
      check: (input) => {
        if (/X.*Z/.test(input.toString())) throw new Error(input.toString());
      },
    });
    const { failure } = await runTarget(target, ENDLESS);
    expect(failure?.input?.toString()).toBe('XZ');
    expect(failure?.message).toContain('XZ');
  });

  test('keeps the input of a case that fails only once', async () => {
    let checks = 0;
    const target = bytesTarget({
      name: 'once',
      make: () => Buffer.from('input'),
      check: () => {
        checks += 1;
        if (checks === 1) throw new Error('first');
      },
    });
    const { failure } = await runTarget(target, ENDLESS);
    expect(failure?.input?.toString()).toBe('input');
    expect(failure?.message).toContain('it did not fail again');
  });
});

describe('the command line', () => {
  const parse = (...args: string[]) => parseOptions(args, [failsAt(0)], CANARIES);

  test('leaves the canary out unless it is named', () => {
    expect(parse().targets.map(({ name }) => name)).toEqual(['fails']);
    expect(parse('--only', 'canary,fails').targets.map(({ name }) => name)).toEqual(['canary', 'fails']);
    expect(() => parse('--only', 'nobody')).toThrow('there are fails, canary');
  });

  test('takes seeds of 32 bits and a time above 0', () => {
    expect(parse('--seed', '4294967295', '--minutes', '0.5')).toMatchObject({ seed: 4_294_967_295, minutes: 0.5 });
    expect(parse('--seed', '0', '--only', 'canary', '--case', '5')).toMatchObject({ seed: 0, caseSeed: 5 });
    expect(() => parse('--seed', '4294967296')).toThrow('--seed takes');
    expect(() => parse('--seed', '-1')).toThrow();
    for (const minutes of ['0', 'x', '1e9']) expect(() => parse('--minutes', minutes)).toThrow('--minutes takes');
    expect(() => parse('--only', 'canary,fails', '--case', '5')).toThrow('--case needs one target');
  });

  test(
    'prints the seed, the failed case and how to run it again, and exits 1',
    async () => {
      const run = promisify(execFile)(process.execPath, [
        '--import',
        'tsx',
        'test/fuzz/main.ts',
        '--only',
        'canary',
        '--seed',
        '9',
      ]);
      const failed = await run.then(
        () => null,
        (error: { code: number; stdout: string }) => error,
      );
      expect(failed?.code).toBe(1);
      expect(failed?.stdout).toContain('seed 9, ');
      expect(failed?.stdout).toContain(`--only canary --case ${Random.caseSeed(9, 0)}\ninput, 0 bytes: `);
    },
    PATIENT,
  );
});

test(
  'a case that never ends is named before the process is killed',
  async () => {
    const script = `
    const { startWatchdog } = await import('./test/fuzz/watchdog.ts');
    startWatchdog(1).begin('npm run fuzz -- --only x --case 7');
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (;;);
  `;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const killed = await promisify(execFile)(process.execPath, args).then(
      () => null,
      (error: { signal: string; stdout: string }) => error,
    );
    expect(killed?.signal).toBe('SIGKILL');
    expect(killed?.stdout).toBe('FAILED: no end after 1 s: run it again with npm run fuzz -- --only x --case 7\n');
  },
  PATIENT,
);

describe(`a short run with seed ${SEED}`, () => {
  test.each(TARGETS)('of $name finds nothing', async (target) => {
    const { failure } = await runTarget(target, { seed: SEED, casesMax: CASES_MAX, millisMax: MILLIS_MAX });
    expect(failure).toBeNull();
  });
});

test.each(CRASHES)(
  'what broke $target stays mended: $title',
  ({ target: name, input }) => {
    const target = TARGETS.find((each) => each.name === name);
    if (target === undefined || !isBytesTarget(target)) throw new Error(`no target ${name} that takes bytes`);
    target.check(Buffer.from(input, 'latin1'));
  },
  PATIENT,
);
