import { describe, expect, test } from 'vitest';
import type { SourceFile } from '../support/source.ts';
import { hostileReadme, hostileTests, listedRows, testedRows } from './rows.ts';

function untested(readme: string, files: readonly SourceFile[]): string[] {
  const tested = new Set(files.flatMap((file) => [...testedRows(file)]));
  return listedRows(readme).filter((id) => !tested.has(id));
}

const readme = hostileReadme();
const files = hostileTests();

test('every row of the README has a test whose name begins with its id', () => {
  expect(untested(readme, files)).toEqual([]);
});

test('every test of a row belongs to a row of the README', () => {
  const listed = new Set(listedRows(readme));
  const unknown = files.flatMap((file) =>
    [...testedRows(file)].filter((id) => !listed.has(id)).map((id) => `${file.path}: ${id}`),
  );
  expect(unknown).toEqual([]);
});

test('the rows stand in their groups in order, none twice and none lost', () => {
  const listed = listedRows(readme);
  expect(new Set(listed).size).toBe(listed.length);
  const counts = Object.fromEntries(
    ['H', 'U', 'O', 'P', 'X', 'B', 'F', 'D', 'L', 'E', 'G'].map((group) => [group, countOf(listed, group)]),
  );
  expect(counts).toEqual({
    H: 78,
    U: 21,
    O: 10,
    P: 12,
    X: 28,
    B: 25,
    F: 34,
    D: 14,
    L: 15,
    E: 49,
    G: 38,
  });
});

function countOf(ids: readonly string[], group: string): number {
  const numbers = ids.filter((id) => id.startsWith(group)).map((id) => Number(id.slice(1)));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  return numbers.length;
}

describe('these checks can fail', () => {
  const row = (id: string): string => `| ${id} | x | y |\n`;
  const file = (text: string): SourceFile => ({ path: 'made-up.test.ts', text });
  const id = 'Z1';

  test('a row without a test is found', () => {
    expect(untested(row('Z1') + row('Z2'), [file(`test('${id}: x', () => {});`)])).toEqual(['Z2']);
    expect(untested(row('Z1'), [])).toEqual(['Z1']);
  });

  test('names in tables and templates count, comments and other text do not', () => {
    for (const text of [
      `test.each([['${id}: x', 1]])('%s', f);`,
      `test(\`${id}: \${x}\`, f);`,
      `f([\`${id}: \${x}\`]);`,
    ]) {
      expect(untested(row('Z1'), [file(text)])).toEqual([]);
    }
    for (const text of [
      `// ${id}: x`,
      `test('x ${id}: y', f);`,
      `test('${id}x: y', f);`,
      `test('${id}0: y', f);`,
      `const x = { y: '${id}: z' };`,
    ]) {
      expect(untested(row('Z1'), [file(text)])).toEqual(['Z1']);
    }
  });

  test('the README and the tests were found', () => {
    expect(listedRows(readme).length).toBeGreaterThan(100);
    expect(files.length).toBeGreaterThan(3);
  });
});
