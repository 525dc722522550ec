import * as path from 'node:path';
import { expect, test } from 'vitest';
import { importsOf, type SourceFile, sourceFiles } from './support/source.ts';

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
  'upstream',
  'session',
  'edge',
  'control',
  'admin',
];

/** Dependencies point down only. ARCHITECTURE.md says what each layer owns. */
const layers: Readonly<Record<string, Layer>> = {
  protocol: { values: [], node: ['node:assert', 'node:buffer', 'node:crypto'] },
  limits: { values: [], node: ['node:assert'] },
  config: { values: ['protocol'], packages: ['yaml', 'zod'] },
  observe: { values: [], packages: ['pino', 'pino-pretty'] },
  net: { values: ['limits', 'protocol/addresses'] },
  upstream: { values: ['protocol', 'limits', 'observe', 'net'] },
  session: { values: ['protocol', 'limits', 'observe', 'net'] },
  edge: { values: ['protocol', 'limits', 'config', 'observe', 'net', 'upstream', 'session'] },
  // Of admin the interface that it implements: what an admin listener asks of a proxy.
  control: {
    values: ['protocol', 'limits', 'config', 'observe', 'net', 'upstream', 'session', 'edge'],
    types: ['admin'],
  },
  admin: { values: ['protocol', 'limits', 'observe', 'net'] },
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
    ['src/net/a.ts', "import { x } from '../protocol/addresses/b.ts';"],
    ['src/limits/a.ts', "import { unreachable } from '../unreachable.ts';"],
    ['src/config/a.ts', "import { z } from 'zod';\nimport { parseDocument } from 'yaml';"],
    ['src/cli.ts', "import { createProxy } from './proxy.ts';\nimport { usage } from './cli/help.ts';"],
  ];
  for (const [name, text] of good) expect(breaches({ path: name, text }), `${name}: ${text}`).toEqual([]);
});
