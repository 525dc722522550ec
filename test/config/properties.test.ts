// Whatever the text or object is: problems or a config, never an exception, and what is rendered loads again.

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { describeKeys } from '../../src/config/key-walk.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblems } from '../../src/config/problems.ts';
import { objectErrors, problemsOf } from './loading.ts';

const RUNS = 400;

const names = describeKeys().map(({ path }) => path.split('.').pop()?.replace('[]', '') ?? '');
const piece = fc.constantFrom(
  ...names,
  ...[': ', '\n', '  ', '- ', '[', ']', '{', '}', ',', '*a', '&a ', '!x ', '|', '>', '"', "'", '#', '?', '%', '@', '`'],
  ...[
    '---',
    '...',
    '<<',
    '__proto__',
    `\${A}`,
    `\${`,
    `$\${`,
    '\t',
    '\r',
    '\0',
    '\ufeff',
    'off',
    '1',
    '1s',
    '1KiB',
    '/x/*',
    '~',
  ],
);

function mustNotThrow(text: string | Uint8Array): void {
  const problems = problemsOf(text, { env: { A: 'x: [y' } });
  const shown = typeof text === 'string' ? text : Buffer.from(text).toString();
  expect(formatProblems(problems, shown)).not.toMatch(/\n\s+at .*:\d+:\d+\)/);
  for (const { line, column } of problems) expect(Math.min(line ?? 0, column ?? 0)).toBeGreaterThan(0);
}

test('text out of pieces of configs never throws', () => {
  void fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => mustNotThrow(pieces.join(''))),
    { numRuns: RUNS },
  );
});

test('any text and any bytes never throw', () => {
  void fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), mustNotThrow), { numRuns: RUNS });
  void fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), mustNotThrow), { numRuns: RUNS });
});

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(
      null,
      true,
      false,
      'off',
      'auto',
      '1s',
      '1KiB',
      'builtin:echo',
      'ws://a',
      '/x/*',
      0,
      1,
      -1,
      1.5,
      '',
    ),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names, 'u', 'file', 'x'), tie('any'), { maxKeys: 6 }),
  ),
})).any;

test('any structure of known keys never throws, as text and as object', () => {
  void fc.assert(
    fc.property(value, (structure) => {
      mustNotThrow(stringify(structure));
      for (const error of objectErrors(structure)) expect(error).not.toBe('');
    }),
    { numRuns: RUNS },
  );
});

test('every problem has words', () => {
  void fc.assert(
    fc.property(value, (structure) => {
      for (const { message } of problemsOf(stringify(structure))) expect(message).toMatch(/\w/);
    }),
    { numRuns: RUNS },
  );
});

test('a file that cannot be read is a problem, whatever reading it throws', () => {
  const text = 'upstreams: { u: { targets: [{ url: "ws://a" }], host: { file: x } } }';
  for (const thrown of [new Error('x'), 'text', null, { code: 5 }]) {
    const readFile = (): Buffer => {
      throw thrown;
    };
    expect(loadConfig({ text, file: 'c', env: {}, readFile })).toHaveProperty('problems');
  }
});
