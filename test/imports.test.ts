import * as path from 'node:path';
import { expect, test } from 'vitest';
import { edgesInCircles, type Graph } from './support/circles.ts';
import { exportsOf, importsOf, type SourceFile, sourceFiles, targetOf } from './support/source.ts';

interface Layer {
  /** Folders of src/, and folders in them, whose values may be used besides the own one. */
  readonly values: readonly string[];
  /** Folders of which types may be used as well. */
  readonly types?: readonly string[];
  /** Packages, and modules of Node where the layer is limited to some. */
  readonly packages?: readonly string[];
  /** Modules of Node; absent: all. */
  readonly node?: readonly string[];
}

const everything = [
  'protocol',
  'limits',
  'config',
  'observe',
  'net',
  'services',
  'acme',
  'upstream',
  'session',
  'edge',
  'control',
  'admin',
  'fleet',
];

/** Dependencies point down only. ARCHITECTURE.md says what each layer owns. */
const layers: Readonly<Record<string, Layer>> = {
  protocol: { values: [], node: ['node:assert', 'node:buffer', 'node:crypto'] },
  limits: { values: [], node: ['node:assert'] },
  config: { values: ['protocol'], packages: ['yaml', 'zod'] },
  observe: { values: [], packages: ['pino', 'pino-pretty'] },
  net: { values: ['limits', 'protocol/addresses', 'protocol/tls'] },
  services: { values: ['protocol', 'limits', 'net'] },
  acme: { values: ['limits', 'observe', 'net', 'services'], packages: ['acme-client'] },
  upstream: { values: ['protocol', 'limits', 'observe', 'net'] },
  session: { values: ['protocol', 'limits', 'observe', 'net'] },
  edge: {
    values: ['protocol', 'limits', 'config', 'observe', 'net', 'services', 'upstream', 'session'],
    packages: ['jose'],
  },
  // Of admin the interface that it implements: what an admin listener asks of a proxy.
  control: {
    values: ['protocol', 'limits', 'config', 'observe', 'net', 'services', 'acme', 'upstream', 'session', 'edge'],
    types: ['admin'],
  },
  admin: { values: ['protocol', 'limits', 'observe', 'net'], types: ['upstream'] },
  fleet: {
    values: [
      'protocol',
      'limits',
      'config',
      'observe',
      'net',
      'services',
      'acme',
      'upstream',
      'session',
      'edge',
      'control',
    ],
    types: ['admin'],
  },
  // For browsers, which find nothing but the files beside it.
  page: { values: [], types: ['admin'], node: [] },
  'unreachable.ts': { values: [], node: [] },
  'proxy.ts': { values: everything },
  cli: { values: [...everything, 'proxy.ts'] },
  'cli.ts': { values: [...everything, 'cli', 'proxy.ts'] },
};

/** The one file whose types every layer may name. */
const sharedTypes = 'config/types.ts';
/** The one file that every layer may use. */
const sharedValues = 'unreachable.ts';

function layerOf(fromSrc: string): string {
  return fromSrc.split('/')[0] ?? '';
}

/** Why each import of `file` that the table does not allow is not allowed. */
function breaches(file: SourceFile): string[] {
  const own = file.path.slice('src/'.length);
  const layer = layers[layerOf(own)];
  if (layer === undefined) return [`${file.path}: ${layerOf(own)} is not in the table of layers`];
  const found: string[] = [];
  for (const { specifier, typeOnly, line } of importsOf(file)) {
    const why = specifier.startsWith('.')
      ? relativeBreach(own, layer, specifier, typeOnly)
      : outsideBreach(layer, specifier);
    if (why !== null) found.push(`${file.path}:${line}: ${specifier}: ${why}`);
  }
  return found;
}

function relativeBreach(own: string, layer: Layer, specifier: string, typeOnly: boolean): string | null {
  if (!specifier.endsWith('.ts')) return 'a relative import ends in .ts';
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(own), specifier));
  if (target.startsWith('..')) return 'src/ imports nothing outside src/';
  const targetLayer = layerOf(target);
  if (targetLayer === layerOf(own) || target === sharedValues) return null;
  if (layer.values.some((folder) => folder === targetLayer || target.startsWith(`${folder}/`))) return null;
  if (typeOnly && (target === sharedTypes || (layer.types ?? []).includes(targetLayer))) return null;
  const most = layer.values.length === 0 ? 'no other layer' : layer.values.join(', ');
  return `${layerOf(own)} may import ${most}${typeOnly ? '' : `, and types of ${sharedTypes}`}`;
}

function outsideBreach(layer: Layer, specifier: string): string | null {
  if (specifier.startsWith('node:')) {
    const allowed = layer.node === undefined || layer.node.includes(specifier);
    return allowed ? null : `this layer may import ${layer.node?.join(', ')} of Node`;
  }
  const name = specifier.split('/')[0] ?? '';
  return (layer.packages ?? []).includes(name) ? null : 'this layer may not import that package';
}

const files = sourceFiles('src', /\.ts$/);

test('every import in src/ points down the layers', () => {
  expect(files.length).toBeGreaterThan(0);
  expect(files.flatMap(breaches)).toEqual([]);
});

test('the check refuses what it must, by every form of import', () => {
  const bad: readonly (readonly [string, string])[] = [
    ['src/protocol/a.ts', "import { x } from '../net/b.ts';"],
    ['src/protocol/a.ts', "import type { X } from '../net/b.ts';"],
    ['src/protocol/a.ts', "import { x } from '../config/types.ts';"],
    ['src/protocol/a.ts', "import { type X, y } from '../config/types.ts';"],
    ['src/protocol/a.ts', "import * as net from 'node:net';"],
    ['src/limits/a.ts', "import { performance } from 'node:perf_hooks';"],
    ['src/net/a.ts', "import { x } from '../protocol/b.ts';"],
    ['src/net/a.ts', "import { x } from '../protocol/addresses.ts';"],
    ['src/unreachable.ts', "import { x } from './protocol/b.ts';"],
    ['src/net/a.ts', "export { x } from '../session/b.ts';"],
    ['src/net/a.ts', "export * from '../session/b.ts';"],
    ['src/net/a.ts', "const x = await import('../session/b.ts');"],
    ['src/net/a.ts', "type X = import('../session/b.ts').X;"],
    ['src/net/a.ts', "import '../upstream/b.ts';"],
    ['src/session/a.ts', "import { x } from '../edge/b.ts';"],
    ['src/edge/a.ts', "import { x } from '../proxy.ts';"],
    ['src/admin/a.ts', "import { x } from '../session/b.ts';"],
    ['src/admin/a.ts', "import type { X } from '../session/b.ts';"],
    ['src/control/a.ts', "import { x } from '../admin/b.ts';"],
    ['src/proxy.ts', "import { x } from './cli.ts';"],
    ['src/net/a.ts', "import { x } from './b';"],
    ['src/net/a.ts', "import { x } from '../../test/b.ts';"],
    ['src/net/a.ts', "import { z } from 'zod';"],
    ['src/config/a.ts', "import { pino } from 'pino';"],
    ['src/session/a.ts', "import { WebSocket } from 'ws';"],
    ['src/page/a.ts', "import { x } from '../admin/b.ts';"],
    ['src/page/a.ts', "import { readFile } from 'node:fs';"],
    ['src/page/a.ts', "import uPlot from 'uplot';"],
    ['src/proxy.ts', "import { x } from './page/a.ts';"],
    ['src/other/a.ts', ''],
  ];
  for (const [name, text] of bad) expect(breaches({ path: name, text }), `${name}: ${text}`).toHaveLength(1);
});

test('the check accepts what the table allows', () => {
  const good: readonly (readonly [string, string])[] = [
    ['src/protocol/a.ts', "import type { X } from '../config/types.ts';"],
    ['src/protocol/a.ts', "import { type X, type Y } from '../config/types.ts';"],
    ['src/protocol/a.ts', "import { createHash } from 'node:crypto';\nimport { x } from './b.ts';"],
    ['src/net/a.ts', "import * as net from 'node:net';\nimport { x } from '../limits/b.ts';"],
    ['src/control/a.ts', "import type { X } from '../admin/b.ts';"],
    ['src/page/a.ts', "import type { X } from '../admin/b.ts';"],
    ['src/net/a.ts', "import { x } from '../protocol/addresses/b.ts';"],
    ['src/limits/a.ts', "import { unreachable } from '../unreachable.ts';"],
    ['src/config/a.ts', "import { z } from 'zod';\nimport { parseDocument } from 'yaml';"],
    ['src/cli.ts', "import { createProxy } from './proxy.ts';\nimport { usage } from './cli/help.ts';"],
  ];
  for (const [name, text] of good) expect(breaches({ path: name, text }), `${name}: ${text}`).toEqual([]);
});

function graphOf(sources: readonly SourceFile[]): Graph {
  const targets = (file: SourceFile) => importsOf(file).flatMap((one) => targetOf(file, one) ?? []);
  return new Map(sources.map((file) => [file.path, new Set(targets(file))]));
}

test('no file of src/ imports itself by way of others, types included', () => {
  expect(edgesInCircles(graphOf(files))).toEqual([]);
});

test('the check finds circles of two and three, and of types', () => {
  const graph = graphOf([
    { path: 'src/a.ts', text: "import { b } from './in/b.ts';\nimport * as net from 'node:net';" },
    { path: 'src/in/b.ts', text: "import type { C } from './c.ts';" },
    { path: 'src/in/c.ts', text: "export { a } from '../a.ts';\nexport type D = import('./d.ts').D;" },
    { path: 'src/in/d.ts', text: "const e = await import('./e.ts');" },
    { path: 'src/in/e.ts', text: "import './d.ts';\nimport { f } from '../f.ts';" },
    { path: 'src/f.ts', text: '' },
  ]);
  const two = ['src/in/d.ts -> src/in/e.ts', 'src/in/e.ts -> src/in/d.ts'];
  const three = ['src/a.ts -> src/in/b.ts', 'src/in/b.ts -> src/in/c.ts', 'src/in/c.ts -> src/a.ts'];
  expect(edgesInCircles(graph)).toEqual([...three, ...two]);
});

/** What the package exports. */
const libraryEntry = 'src/proxy.ts';

/** Exports of `sources` that none of `users` imports. */
function unused(sources: readonly SourceFile[], users: readonly SourceFile[]): string[] {
  const imported = new Set<string>();
  const whole = new Set<string>();
  for (const user of users) {
    for (const one of importsOf(user)) {
      const target = targetOf(user, one);
      if (one.names === null) whole.add(target ?? '');
      for (const name of one.names ?? []) imported.add(`${target}: ${name}`);
    }
  }
  return sources
    .filter((file) => file.path !== libraryEntry && !whole.has(file.path))
    .flatMap((file) => exportsOf(file).map((name) => `${file.path}: ${name}`))
    .filter((name) => !imported.has(name));
}

test('whatever src/ exports is imported somewhere in src/, bench/ or test/', () => {
  const users = [...files, ...['bench', 'test'].flatMap((folder) => sourceFiles(folder, /\.ts$/))];
  expect(unused(files, users)).toEqual([]);
});

test('the check finds what nobody imports, by every form of export', () => {
  const exporting: SourceFile = {
    path: 'src/a.ts',
    text: [
      'export const two = 2, three = 3;',
      'export function four() {}',
      'export class Five {}',
      'export interface Six {}',
      'export type Seven = 7;',
      'const eight = 8;',
      'export { eight as nine };',
      "export { ten } from './b.ts';",
      'const eleven = 11;',
    ].join('\n'),
  };
  const ofA = (...names: readonly string[]) => names.map((name) => `src/a.ts: ${name}`);
  const after = (text: string) => unused([exporting], [exporting, { path: 'src/in/user.ts', text }]);
  expect(after('')).toEqual(ofA('two', 'three', 'four', 'Five', 'Six', 'Seven', 'nine', 'ten'));
  expect(after("import { two, three, four as other } from '../a.ts';")).toEqual(
    ofA('Five', 'Six', 'Seven', 'nine', 'ten'),
  );
  expect(after("export { Five } from '../a.ts';\ntype X = import('../a.ts').Six;")).toEqual(
    ofA('two', 'three', 'four', 'Seven', 'nine', 'ten'),
  );
  expect(after("import type { Seven } from '../b.ts';\nimport { nine } from './a.ts';")).toHaveLength(8);
  expect(after("import * as a from '../a.ts';")).toEqual([]);
  expect(after("const { ten } = await import('../a.ts');")).toEqual([]);
  expect(unused([{ ...exporting, path: libraryEntry }], [])).toEqual([]);
});

/** A second reading is worth something as long as it shares no mistake with the first. */
test('the readings of test/reference and the bytes of test/support/wire know nothing of src/', () => {
  const own = [...sourceFiles('test/reference', /\.ts$/), ...sourceFiles('test/support', /^wire\.ts$/)];
  const allowed = /^(node:|\.\/|\.\.\/reference\/|\.\.\/support\/wire\.ts$)/;
  const foreign = (file: SourceFile) => importsOf(file).filter(({ specifier }) => !allowed.test(specifier));
  expect(own.length).toBeGreaterThan(7);
  expect(own.flatMap(foreign)).toEqual([]);
  expect(foreign({ path: 'test/reference/a.ts', text: "import { x } from '../../src/protocol/b.ts';" })).toHaveLength(
    1,
  );
});
