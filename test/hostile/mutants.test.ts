import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Places } from '../support/places.ts';
import { projectRoot, sourceFiles } from '../support/source.ts';
import { judge, ProjectCopy, type RunResult, readReport, type Selection, type TestBed } from './mutant-runner.ts';
import { findEdit, tableFaults } from './mutant-table.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { hostileReadme, listedRows } from './rows.ts';

test('every row has a mutant, every mutant a row, and each edit fits the source', () => {
  const places = new Places(sourceFiles('src', /\.ts$/));
  const rows = listedRows(hostileReadme());
  expect(tableFaults({ mutants: MUTANTS, rows, places })).toEqual([]);
});

const made: Mutant = { row: 'Z1', at: 'isMore', search: 'n > 0', replace: 'n > 1' };
const source = 'export const isMore = (n: number): boolean => n > 0;\n';
const rest = 'export const isLess = (n: number): boolean => n < 0;\nclass A {\n  get a() {\n    return 1;\n  }\n}\n';
const placesOf = (...texts: readonly string[]): Places =>
  new Places(texts.map((text, i) => ({ path: `src/${'abc'[i]}.ts`, text })));

describe('these checks can fail', () => {
  test('rows without mutants and mutants without rows are found', () => {
    const faultsOf = (rows: readonly string[]): string[] =>
      tableFaults({ mutants: [made], rows, places: placesOf(source) });
    expect(faultsOf(['Z1'])).toEqual([]);
    expect(faultsOf(['Z1', 'Z2'])).toEqual(['Z2: no mutant']);
    expect(faultsOf(['Z2'])).toEqual(['Z2: no mutant', 'Z1: no such row']);
  });

  const faultOf = (change: Partial<Mutant>, ...texts: readonly string[]): string | null => {
    const edit = findEdit({ ...made, ...change }, placesOf(...texts));
    return typeof edit === 'string' ? edit : null;
  };

  test('an edit that cannot be made is found', () => {
    expect(faultOf({}, source)).toBeNull();
    expect(faultOf({})).toBe('src/ has no isMore');
    expect(faultOf({ at: 'isGone' }, source)).toBe('src/ has no isGone');
    expect(faultOf({ search: 'gone' }, source)).toBe('the search text stands 0 times in isMore');
    expect(faultOf({ search: '' }, source)).toBe('the search text stands 0 times in isMore');
    expect(faultOf({ search: 'n' }, source)).toMatch(/^the search text stands \d times in isMore/);
    expect(faultOf({ replace: 'n > 0' }, source)).toBe('the replacement is the same text');
  });

  test('an edit is found wherever its place is, and only there', () => {
    expect(faultOf({}, rest, source)).toBeNull();
    expect(faultOf({ search: 'n < 0' }, `${source}${rest}`)).toBe('the search text stands 0 times in isMore');
    expect(faultOf({ at: 'A.a', search: 'return 1', replace: 'return 2' }, source, rest)).toBeNull();
    expect(faultOf({ at: 'A', search: 'return 1', replace: 'return 2' }, source, rest)).toBeNull();
    expect(faultOf({ at: 'A.b', search: 'return 1' }, source, rest)).toBe('src/ has no A.b');
    expect(faultOf({}, source, source)).toBe('the search text stands 2 times in isMore');
    expect(faultOf({}, source, source.replace('n > 0', 'n > 2')), 'of two with a name the one').toBeNull();
  });

  test('an edit that would fail by its syntax or by an unknown name is found', () => {
    const replaced = (replace: string): string | null => faultOf({ replace }, source);
    expect(replaced('n >')).toMatch(/^the replacement is not valid in isMore: ./);
    expect(replaced('m > 0')).toBe('the replacement is not valid in isMore: m');
    expect(replaced('isMore(n - Infinity)')).toBeNull();
    expect(replaced('n.constructor({ m: n })')).toBeNull();
    expect(replaced('n[m]')).toMatch(/: m$/);
    expect(replaced('n({ m })')).toMatch(/: m$/);
  });
});

describe('the verdict on a mutant', () => {
  const selection: Selection = { rows: ['Z1'], files: ['a.test.ts'], built: false, page: false, deadlineMs: 60_000 };

  async function verdictOn(mutant: Mutant, result: Partial<RunResult>): Promise<unknown> {
    let text = source;
    const seen: string[] = [];
    const bed: TestBed = {
      write: (_, changed) => {
        text = changed;
      },
      run: async () => {
        seen.push(text);
        return { passed: [], failed: [], fault: null, ...result };
      },
    };
    const verdict = await judge({ mutant, places: placesOf(source), selection, bed });
    expect(text, 'taken back').toBe(source);
    expect(seen).toEqual(verdict.kind === 'broken' && seen.length === 0 ? [] : [source.replace('n > 0', 'n > 1')]);
    return verdict;
  }

  test('a failed test kills it, and nothing else does', async () => {
    expect(await verdictOn(made, { failed: ['x'], passed: ['y'], fault: 'z' })).toEqual({ kind: 'killed' });
    expect(await verdictOn(made, { passed: ['y'] })).toEqual({ kind: 'survived' });
    expect(await verdictOn(made, {})).toEqual({ kind: 'broken', why: 'no test ran' });
    expect(await verdictOn(made, { passed: ['y'], fault: 'z' })).toEqual({ kind: 'broken', why: 'z' });
  });

  test('a search text that is gone is reported, and nothing is run', async () => {
    const why = 'the search text stands 0 times in isMore';
    expect(await verdictOn({ ...made, search: 'gone' }, { failed: ['x'] })).toEqual({ kind: 'broken', why });
  });

  test('without a report there is no verdict', () => {
    expect(readReport(null, '\nError: x\nat y')).toEqual({ passed: [], failed: [], fault: 'no report: Error: x' });
  });

  test('a real run tells which mutant survived, was killed, and did not load', async () => {
    const tiny = tinyProject();
    const copies = [1, 2, 3].map(() => new ProjectCopy(tiny));
    try {
      const mutants: Mutant[] = [made, { ...made, replace: 'n > 0.5' }, { ...made, replace: 'isMore(n)' }];
      const files = ['test/a.test.ts'];
      const verdicts = mutants.map((mutant, i) =>
        judge({
          mutant,
          places: placesOf(source),
          selection: { ...selection, files },
          bed: copies[i] ?? new ProjectCopy(tiny),
        }),
      );
      expect((await Promise.all(verdicts)).map(({ kind }) => kind)).toEqual(['killed', 'survived', 'broken']);
      expect(readFileSync(path.join(tiny, 'src/a.ts'), 'utf8')).toBe(source);
    } finally {
      for (const copy of copies) copy.remove();
      rmSync(tiny, { recursive: true });
    }
  });
});

/** One row, one test of it, and one that fails and belongs to no row. */
function tinyProject(): string {
  const root = mkdtempSync(path.join(tmpdir(), 'framegate-tiny-'));
  for (const folder of ['src', 'test']) mkdirSync(path.join(root, folder));
  symlinkSync(path.join(projectRoot, 'node_modules'), path.join(root, 'node_modules'));
  writeFileSync(path.join(root, 'package.json'), '{ "type": "module" }');
  writeFileSync(path.join(root, 'src/a.ts'), source);
  const config = "export default { test: { projects: [{ test: { name: 'handle' } }] } };";
  writeFileSync(path.join(root, 'vitest.config.ts'), config);
  const tests = [
    "import { describe, expect, test } from 'vitest';",
    "import { isMore } from '../src/a.ts';",
    "if (isMore(7) !== true) throw new Error('does not load');",
    "describe('in a group', () => test('Z1: one is more', () => expect(isMore(1)).toBe(true)));",
    "test('Z11: another row', () => expect(1).toBe(2));",
  ];
  writeFileSync(path.join(root, 'test/a.test.ts'), tests.join('\n'));
  return root;
}
