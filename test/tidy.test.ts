import { describe, expect, test } from 'vitest';
import { isNode, lineAt, parse, type SourceFile, type SyntaxNode, sourceFiles, walk } from './support/source.ts';

const LINE_COLUMNS_MAX = 120;
const FUNCTION_LINES_MAX = 70;
const FILE_LINES_MAX = 400;
const PURPOSE_LINES_MAX = 3;

// Words are put together here so that this file does not hold what it looks for.
const leftovers = new RegExp(
  [
    `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`,
    `\\b(test|it|describe|suite|bench)(\\.\\w+)*\\.(only|skip|todo)\\(`,
    'debugger' + ';',
  ].join('|'),
);
const switchedOff = new RegExp([`@ts-(ignore|nocheck|expect-error)`, 'biome' + '-ignore', 'as unknown as'].join('|'));
const outside = new RegExp(
  [
    '\\.\\./shared',
    '/wor' + 'k/',
    '/tm' + 'p/',
    '(contract|hostile|style|libraries|architecture|performance|brief)' + '\\.md',
    '\\bissues? (#|no\\. ?)?\\d',
  ].join('|'),
);

function longLines(file: SourceFile): string[] {
  return matchingLines(file, (line) => line.length > LINE_COLUMNS_MAX, `over ${LINE_COLUMNS_MAX} columns`);
}

function longFiles(file: SourceFile): string[] {
  const lines = file.text.replace(/\n$/, '').split('\n').length;
  return lines > FILE_LINES_MAX ? [`${file.path}: ${lines} lines, more than ${FILE_LINES_MAX}`] : [];
}

/** Functions that do not fit a screen; a `describe` is a heading, not a function. */
function longFunctions(file: SourceFile): string[] {
  const found: string[] = [];
  walk(parse(file), (node, parent) => {
    const isFunction = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type);
    if (!isFunction || isDescribeCall(parent)) return;
    const lines = lineAt(file.text.slice(node.start, node.end), Number.POSITIVE_INFINITY);
    if (lines > FUNCTION_LINES_MAX) {
      const first = lineAt(file.text, node.start);
      found.push(`${file.path}:${first}: a function of ${lines} lines, more than ${FUNCTION_LINES_MAX}`);
    }
  });
  return found;
}

function isDescribeCall(node: SyntaxNode | null): boolean {
  let callee: unknown = node?.type === 'CallExpression' ? node.callee : null;
  while (isNode(callee) && callee.type !== 'Identifier') callee = callee.object ?? callee.callee;
  return isNode(callee) && callee.name === 'describe';
}

/** The first lines say what the file owns, in a comment of at most three lines, before anything else. */
function purposeless(file: SourceFile): string[] {
  const lines = file.text.split('\n');
  const start = lines[0]?.startsWith('#!') === true ? 1 : 0;
  let end = start;
  while (lines[end]?.startsWith('// ') === true) end += 1;
  const count = end - start;
  if (count === 0) return [`${file.path}: does not begin with a comment on its purpose`];
  return count > PURPOSE_LINES_MAX ? [`${file.path}: ${count} lines of purpose, more than ${PURPOSE_LINES_MAX}`] : [];
}

/** Module-level `let` and `var`, and containers that begin empty: state that two proxies in one process would share. */
function sharedState(file: SourceFile): string[] {
  const found: string[] = [];
  for (const statement of [parse(file).body].flat().filter(isNode)) {
    const inner = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    if (!isNode(inner) || inner.type !== 'VariableDeclaration') continue;
    const containers = [inner.declarations].flat().filter((one) => isNode(one) && isEmptyContainer(one.init));
    if (inner.kind !== 'const' || containers.length > 0) {
      found.push(`${file.path}:${lineAt(file.text, inner.start)}: module-level state that can change`);
    }
  }
  return found;
}

function isEmptyContainer(value: unknown): boolean {
  if (!isNode(value)) return false;
  if (value.type === 'ArrayExpression') return [value.elements].flat().length === 0;
  if (value.type === 'ObjectExpression') return [value.properties].flat().length === 0;
  if (value.type !== 'NewExpression' || !isNode(value.callee)) return false;
  const container = /^(Map|Set|WeakMap|WeakSet|Array)$/.test(String(value.callee.name));
  return container && [value.arguments].flat().length === 0;
}

/** `console` as the global object: what is said goes through the log or the command line. */
function usesConsole(file: SourceFile): string[] {
  const found: string[] = [];
  walk(parse(file), (node, parent) => {
    if (node.type === 'Identifier' && node.name === 'console' && !isJustAName(node, parent)) {
      found.push(`${file.path}:${lineAt(file.text, node.start)}: uses console`);
    }
  });
  return found;
}

/** `process` as the global object or as a module: only the command line may look at it. */
function touchesProcess(file: SourceFile): string[] {
  if (file.path === 'src/cli.ts') return [];
  const found: string[] = [];
  walk(parse(file), (node, parent) => {
    const isModule = node.type === 'Literal' && (node.value === 'node:process' || node.value === 'process');
    const isImport = isModule && parent !== null && parent.source === node;
    if (isImport || (node.type === 'Identifier' && node.name === 'process' && !isJustAName(node, parent))) {
      found.push(`${file.path}:${lineAt(file.text, node.start)}: only src/cli.ts touches process`);
    }
  });
  return found;
}

/** `x.process` and `{ process: 1 }` name a member, not the global; `globalThis.process` is the global again. */
function isJustAName(node: SyntaxNode, parent: SyntaxNode | null): boolean {
  if (parent === null || parent.computed === true || parent.shorthand === true) return false;
  if (isNode(parent.object) && parent.object.name === 'globalThis') return false;
  return parent.property === node || parent.key === node;
}

function matchingLines(file: SourceFile, matches: (line: string) => boolean, what: string): string[] {
  const lines = file.text.split('\n');
  return lines.flatMap((line, index) => (matches(line) ? [`${file.path}:${index + 1}: ${what}: ${line.trim()}`] : []));
}

function marked(pattern: RegExp, what: string): (file: SourceFile) => string[] {
  return (file) => matchingLines(file, (line) => pattern.test(line), what);
}

interface Rule {
  readonly name: string;
  readonly over: readonly SourceFile[];
  readonly check: (file: SourceFile) => string[];
  /** Texts that break the rule once each, as a file of src/. */
  readonly bad: readonly string[];
  /** Texts close to the edge that do not. */
  readonly good: readonly string[];
}

const scripts = sourceFiles('', /\.(ts|mjs|js)$|^run$/);
const below = (folder: string) => scripts.filter((file) => file.path.startsWith(folder) && file.path.endsWith('.ts'));
const src = below('src/');
const allCode = [...src, ...below('test/')];
const allText = sourceFiles(
  '',
  /\.(ts|mjs|js|md|ya?ml|json|html|css)$|^(run|LICENSE|\.gitignore|\.gitattributes)$/,
).filter((file) => file.path !== 'package-lock.json');
const lines = (count: number) => 'x;\n'.repeat(count);

const rules: readonly Rule[] = [
  {
    name: `lines are at most ${LINE_COLUMNS_MAX} columns`,
    over: scripts,
    check: longLines,
    bad: [`// ${'x'.repeat(LINE_COLUMNS_MAX - 2)}\n`],
    good: [`// ${'x'.repeat(LINE_COLUMNS_MAX - 3)}\n`],
  },
  {
    name: `files in src/ are at most ${FILE_LINES_MAX} lines`,
    over: src,
    check: longFiles,
    bad: [lines(FILE_LINES_MAX + 1)],
    good: [lines(FILE_LINES_MAX)],
  },
  {
    name: `functions are at most ${FUNCTION_LINES_MAX} lines`,
    over: allCode,
    check: longFunctions,
    bad: [
      `function a() {\n${lines(FUNCTION_LINES_MAX - 1)}}`,
      `const ä = () => {\n${lines(FUNCTION_LINES_MAX - 1)}};`,
      `class A { m(): void {\n${lines(FUNCTION_LINES_MAX - 1)}} }`,
      `test('a', () => {\n${lines(FUNCTION_LINES_MAX - 1)}});`,
    ],
    good: [
      `function a() {\n${lines(FUNCTION_LINES_MAX - 2)}}`,
      `describe('a', () => {\n${lines(FUNCTION_LINES_MAX)}});`,
      `describe.each([1])('a', () => {\n${lines(FUNCTION_LINES_MAX)}});`,
    ],
  },
  {
    name: 'no leftover markers, no tests switched off',
    over: scripts,
    check: marked(leftovers, 'leftover'),
    bad: [`// ${'TO'}${'DO'}: later`, `test${'.only'}('a', f);`, `describe${'.skip'}('a', f);`],
    good: ['const todos = 1;', 'scanner.skip(1);', 'if (x.skipped()) y();'],
  },
  {
    name: 'src/ switches no checks off',
    over: src,
    check: marked(switchedOff, 'switched off'),
    bad: ['// @ts-ignore', 'x as unknown as Y;', `// biome${'-ignore'} lint: x`],
    good: ['const anything = x as Y;', 'type A = unknown;'],
  },
  {
    name: `every file in src/ begins with its purpose, in at most ${PURPOSE_LINES_MAX} lines`,
    over: src,
    check: purposeless,
    bad: ["import { x } from './x.ts';", '\n// Late.\n', '// 1\n// 2\n// 3\n// 4\n', '#!/usr/bin/env node\nx;'],
    good: ['// 1\n\nx;', '// 1\n// 2\n// 3\n\nx;', '#!/usr/bin/env node\n// 1\n\nx;'],
  },
  {
    name: 'src/ holds no module-level state that can change',
    over: src,
    check: sharedState,
    bad: [
      'let a = 1;',
      'export let a: number;',
      'var a;',
      'const seen = new Map();',
      'const list: X[] = [];',
      'const o = {};',
    ],
    good: [
      'const a = 1;',
      "const names = new Set(['a']);",
      'function f() { let a = 1; }',
      'export const o = { a: 1 } as const;',
    ],
  },
  {
    name: 'src/ does not use console',
    over: src,
    check: usesConsole,
    bad: ['console.log(1);', 'globalThis.console.log(1);', 'f(console);'],
    good: ["const script = 'console.log(1)';", 'this.console();', '// console.log(1)\n'],
  },
  {
    name: 'only src/cli.ts touches process',
    // The one more reads Node's stream internals through it, once.
    over: src.filter((file) => file.path !== 'src/net/stream-base.ts'),
    check: touchesProcess,
    bad: [
      'process.exit(1);',
      "import { env } from 'node:process';",
      "import process from 'node:process';".replace('process ', 'p '),
      'f(process);',
      'globalThis.process.pid;',
      'const { pid } = process;',
    ],
    good: ['this.process();', 'const o = { process: 1 };', '// process\n', "f('process');"],
  },
  {
    name: 'the project text stands alone',
    over: allText,
    check: marked(outside, 'points outside the project'),
    bad: [
      `// see ../${'shared'}/x`,
      `// ${'contract'}${'.md'} 3`,
      `// /wor${'k'}/main`,
      `// iss${'ue'} 2`,
      `// issue${' #'}12`,
    ],
    good: ['// see ARCHITECTURE.md', '// a tissue 2', '// the issue at hand', '// network/x'],
  },
];

describe.each(rules)('$name', ({ over, check, bad, good }) => {
  test('in the whole project', () => {
    expect(over.length).toBeGreaterThan(0);
    expect(over.flatMap(check)).toEqual([]);
  });

  test('and the check can fail', () => {
    for (const text of bad) expect(check({ path: 'src/sample.ts', text }), JSON.stringify(text)).toHaveLength(1);
    for (const text of good) expect(check({ path: 'src/sample.ts', text }), JSON.stringify(text)).toEqual([]);
  });
});

test('the command line itself may touch process', () => {
  expect(touchesProcess({ path: 'src/cli.ts', text: 'process.exit(1);' })).toEqual([]);
});
