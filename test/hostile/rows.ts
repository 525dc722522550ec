// The rows of the README and the tests that name them, read from the text of both.

import { parse, type SourceFile, sourceFiles, walk } from '../support/source.ts';

const FOLDER = 'test/hostile';

export function hostileReadme(): string {
  return sourceFiles(FOLDER, /^README\.md$/)[0]?.text ?? '';
}

/** Those with tests of rows: what checks the rows themselves is left out. */
export function hostileTests(): SourceFile[] {
  const own = sourceFiles(FOLDER, /\.test\.ts$/).filter((file) => !/\/(rows|mutants)\.test\.ts$/.test(file.path));
  return [...own, ...sourceFiles('test/browser', /^page-hostile\.test\.ts$/)];
}

/** The ids in the first column of the tables. */
export function listedRows(readme: string): string[] {
  return [...readme.matchAll(/^\| ([A-Z]\d+) \|/gm)].map((match) => match[1] ?? '');
}

/** The ids that names of tests begin with, `F10: `, in a call or a table; or that are put into a name, `F10`. */
export function testedRows(file: SourceFile): Set<string> {
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
