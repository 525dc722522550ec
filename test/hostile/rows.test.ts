import { describe, expect, test } from 'vitest';
import { parse, type SourceFile, sourceFiles, walk } from '../support/source.ts';

const folder = 'test/hostile';

/** The ids in the first column of the tables. */
function listedRows(readme: string): string[] {
  return [...readme.matchAll(/^\| ([A-Z]\d+) \|/gm)].map((match) => match[1] ?? '');
}

/** The ids that names of tests begin with, `F10: `, in a call or a table; or that are put into a name, `F10`. */
function testedRows(file: SourceFile): Set<string> {
  const ids = new Set<string>();
  walk(parse(file), (node, parent) => {
    const text = textOf(node);
    const named = /^([A-Z]\d+): /.exec(text)?.[1];
    const isName = node.type === 'TemplateElement' || /^(Call|Array)Expression$/.test(parent?.type ?? '');
    if (named !== undefined && isName) ids.add(named);
    if (/^[A-Z]\d+$/.test(text)) ids.add(text);
  });
  return ids;
}

function textOf(node: { readonly type: string; readonly [field: string]: unknown }): string {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : '';
  if (node.type !== 'TemplateElement') return '';
  const value: unknown = node.value;
  return typeof value === 'object' && value !== null ? String(Reflect.get(value, 'cooked')) : '';
}

function untested(readme: string, files: readonly SourceFile[]): string[] {
  const tested = new Set(files.flatMap((file) => [...testedRows(file)]));
  return listedRows(readme).filter((id) => !tested.has(id));
}

const readme = sourceFiles(folder, /^README\.md$/)[0]?.text ?? '';
const files = sourceFiles(folder, /\.test\.ts$/).filter((file) => !file.path.endsWith('/rows.test.ts'));

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
    ['H', 'U', 'P', 'X', 'B', 'F', 'D', 'L', 'E'].map((group) => [group, countOf(listed, group)]),
  );
  expect(counts).toEqual({ H: 28, U: 17, P: 7, X: 3, B: 20, F: 30, D: 6, L: 10, E: 25 });
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
