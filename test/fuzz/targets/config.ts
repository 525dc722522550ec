// The config loader on texts that were right, changed, and on wide ones. Accepted: a frozen config, whose rendered form
// is its own; or problems with words, each at a place inside the file. Never an exception, never a changed prototype,
// and no more CPU time than a large honest file takes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config/load.ts';
import { formatProblems, type Problem } from '../../../src/config/problems.ts';
import { renderConfig } from '../../../src/config/render.ts';
import type { Config } from '../../../src/config/types.ts';
import type { Random } from '../../support/random.ts';
import { projectRoot } from '../../support/source.ts';
import { inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';

/** Of small texts; what is left of it is for machines under load. */
const CPU_MILLIS_MAX = 2_000;
/** Of texts of up to 1 MiB, which the library alone takes a second for. */
const WIDE_CPU_MILLIS_MAX = 20_000;
const WIDE_BYTES = 64 * 1024;
const PROBLEMS_MAX = 501;
const ENV = { A: 'x: [y', PORT: '8080', EMPTY: '', LONG: 'x'.repeat(2_000) };
const FILES: ReadonlyMap<string, string> = new Map([
  ['secret', 'key\n'],
  ['bad', '\xff\xfe'],
]);

const shipped = readFileSync(join(projectRoot, 'config.yaml'), 'utf8');
/** Every comment that holds a key, without its mark. */
const uncommented = shipped.replace(/^(\s*)#(?!#) ?(?=\s*(?:- )*\w+:(?: |$))/gm, '$1');
const BLOCKS = uncommented.split(/^(?=[a-z_]+:)/m);
const SMALL = [
  'routes: [{ upstream: "builtin:echo" }]\n',
  'listeners:\n  - { name: public, address: "[::1]:8080", backlog: 128 }\n',
  'routes:\n  - match: { hosts: [a.example, "*.example.com"], path: "/x/{id}/*" }\n    upstream: "ws://a:1/b"\n',
  'upstreams:\n  chat:\n    targets:\n      - { url: "ws://127.0.0.1:9001", weight: 3 }\n    host: target\n',
  'limits: { from_client: &d { max_message_size: 64KiB, max_fragments: off }, from_backend: *d }\n',
  'timeouts:\n  idle: 5m\n  close: 1500ms\n  lifetime: off\n',
  'close_codes: { backend_lost: 4000 }\n',
  `listeners: [{ address: "127.0.0.1:\${PORT}" }]\n`,
  'log:\n  level: >-\n    in\n    fo\n',
];

const TOKENS = [
  ...[
    ': ',
    ':',
    '\n',
    '  ',
    '\t',
    '- ',
    '? ',
    '[',
    ']',
    '{',
    '}',
    ',',
    '#',
    ' #',
    '&a ',
    '*a',
    '*',
    '!x ',
    '!!map ',
    '|\n',
    '>-\n',
  ],
  ...[
    '"',
    "'",
    '\\',
    '\\u0000',
    '"\\ud800"',
    '%YAML 1.1\n',
    '---\n',
    '...\n',
    '<<: ',
    '__proto__: ',
    'constructor: ',
    'prototype',
  ],
  ...[
    `\${A}`,
    `\${PORT}`,
    `\${NONE}`,
    `\${NONE:-x}`,
    `\${`,
    `$\${`,
    `\${EMPTY}`,
    `\${LONG}`,
    '{file: secret}',
    '{file: bad}',
    '{file: none}',
  ],
  ...[
    'off',
    'on',
    'yes',
    'null',
    '~',
    'true',
    '0',
    '-1',
    '010',
    '0x10',
    '1e3',
    '.inf',
    '.nan',
    '1_000',
    '2147483648',
    '9007199254740993',
  ],
  ...[
    '1s',
    '1ms',
    '10m',
    '1KiB',
    '1GiB',
    '1.5',
    '1 s',
    '99999999999h',
    '12:30',
    '2001-01-01',
    '=',
    '/x/*',
    '/{a}/{a}',
    '*.a',
    'ws://',
    '\ufeff',
  ],
  ...[
    'routes',
    'upstream',
    'limits',
    'targets',
    'url',
    'listeners',
    'tls:\n',
    'trusted_proxies: [10.0.0.0/33]\n',
    '\xe9',
    '\x85',
    '\u2028',
  ],
].map((token) => Buffer.from(token).toString('latin1'));

export const config = bytesTarget({ name: 'config', make, check });

function make(random: Random): Buffer {
  if (random.chance(0.002)) return wide(random);
  const parts: string[] = [];
  if (random.chance(0.7)) for (let left = random.between(1, 4); left > 0; left -= 1) parts.push(random.pick(SMALL));
  else parts.push(...BLOCKS.filter(() => random.chance(0.4)));
  const bytes = Buffer.from(parts.join(''));
  return random.chance(0.9) ? mutate(random, bytes, TOKENS) : bytes;
}

/** One piece, over and over. */
function wide(random: Random): Buffer {
  const piece = Array.from({ length: random.between(1, 4) }, () => random.pick(TOKENS)).join('');
  const before = random.pick(['', '[', '{', 'routes: [', 'routes:\n', 'a: "', 'upstreams: {', 'log: ']);
  const size = random.between(1, 1024 * 1024 - before.length);
  return Buffer.from(
    `${before}${piece.repeat(Math.ceil(size / piece.length))}`.slice(0, before.length + size),
    'latin1',
  );
}

function check(input: Buffer): void {
  const millis = input.length > WIDE_BYTES ? WIDE_CPU_MILLIS_MAX : CPU_MILLIS_MAX;
  const result = inBoundedTime(() => load(input), millis);
  const text = input.toString();
  const problems = 'problems' in result ? result.problems : result.warnings;
  checkProblems(problems, text);
  assert(Object.keys(Object.prototype).length === 0, 'the prototype of all objects has been changed');
  if ('problems' in result) {
    assert(
      problems.some(({ severity }) => severity === 'error'),
      'refused without an error',
    );
    return;
  }
  assert(
    problems.every(({ severity }) => severity === 'warning'),
    'accepted with an error',
  );
  checkFrozen(result.config, 'config');
  checkRendered(result.config);
}

function load(text: Buffer | string): ReturnType<typeof loadConfig> {
  const readFile = (path: string): Buffer => {
    const content = FILES.get(path.replace(/^.*\//, ''));
    if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return Buffer.from(content, 'latin1');
  };
  return loadConfig({ text, file: 'c.yaml', env: ENV, readFile });
}

function checkProblems(problems: readonly Problem[], text: string): void {
  const lines = text.replace(/^\ufeff/, '').split('\n');
  assert(problems.length <= PROBLEMS_MAX, `${problems.length} problems`);
  for (const { file, line, column, message, path } of problems) {
    const where = `${line}:${column} ${path} ${message}`;
    assert.equal(file, 'c.yaml');
    assert.match(message, /\w/, where);
    assert(line !== null && column !== null, `${where}: no place`);
    assert(line >= 1 && line <= lines.length, `${where}: no such line`);
    assert(column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1, `${where}: no such column`);
  }
  const shown = formatProblems(problems, text);
  assert.doesNotMatch(shown, /[^\n\t\P{Cc}]|[\u2028\u2029\u202e]/u, 'what a terminal obeys is shown');
}

function checkFrozen(value: unknown, name: string): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  assert(Object.isFrozen(value), `${name} can be changed`);
  for (const [key, item] of Object.entries(value)) checkFrozen(item, `${name}.${key}`);
}

/** What `framegate config` prints loads to the same, but for secrets. */
function checkRendered(loaded: Config): void {
  const rendered = renderConfig(loaded);
  if (rendered.includes('***')) return;
  const again = load(rendered);
  assert(
    'config' in again,
    `the rendered config is refused:\n${'problems' in again ? formatProblems(again.problems, rendered) : ''}`,
  );
  assert.equal(renderConfig(again.config), rendered);
}
