// The library's way in: plain objects in the form of the file, and what is refused that is none.

import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { loaded, MINIMAL, objectErrors } from './loading.ts';

const echo = { upstream: 'builtin:echo' };

test('an object is the same config as the same text', () => {
  const { config, warnings } = loadObject({ routes: [echo] }, { baseDir: '.' });
  expect(config).toEqual(loaded(MINIMAL));
  expect(warnings).toEqual([]);
});

test('a value that is undefined is absent', () => {
  const input: Record<string, unknown> = { routes: [echo], log: undefined, timeouts: { idle: undefined } };
  expect(objectErrors(input)).toEqual([]);
});

test('the error holds every problem, without a position', () => {
  let error: unknown;
  try {
    loadObject({ routes: [{ upstream: 'u' }], timeouts: { idle: '5' } }, { baseDir: '.' });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ConfigError);
  if (!(error instanceof ConfigError)) return;
  expect(error.problems.map(({ file, line, column, path }) => [file, line, column, path])).toEqual([
    ['config', null, null, 'routes[0].upstream'],
    ['config', null, null, 'timeouts.idle'],
  ]);
  expect(error.message).toContain('config: error: routes[0].upstream: there is no upstream "u"');
});

test.each([
  [null, ': needs a value'],
  ['text', ': expected a map of keys and values, found text'],
  [[], ': expected a map of keys and values, found a list'],
  [{ log: new Date(0) }, 'log: expected plain data, found an instance'],
  [{ log: new Map() }, 'log: expected plain data, found an instance'],
  [{ log: () => 1 }, 'log: a function is no config value'],
  [{ log: 5n }, 'log: a bigint is no config value'],
  [{ log: Symbol('x') }, 'log: a symbol is no config value'],
  [{ routes: [undefined] }, 'routes[0]: a undefined is no config value'],
  [
    JSON.parse('{"__proto__":{"polluted":true}}'),
    '__proto__: this name is refused: it has a meaning of its own in JavaScript',
  ],
  [
    { log: JSON.parse('{"constructor":1}') },
    'log.constructor: this name is refused: it has a meaning of its own in JavaScript',
  ],
  [{ limits: { max_sessions: Number.NaN } }, 'limits.max_sessions: expected a whole number from 1 to 10000000, or off'],
  [
    { limits: { max_sessions: Number.POSITIVE_INFINITY } },
    'limits.max_sessions: expected a whole number from 1 to 10000000, or off',
  ],
  [
    {
      get log() {
        throw new Error('never run');
      },
    },
    'log: expected plain data, found a getter',
  ],
  [{ routes: new Array(1_000_000_000) }, 'routes: more than 100000 values'],
])('%# is refused with words', (input, error) => {
  expect(objectErrors(input)).toEqual([error]);
});

test('a cycle ends at the depth that a config may have', () => {
  const cycle: Record<string, unknown> = {};
  cycle.log = cycle;
  expect(objectErrors(cycle).some((error) => error.endsWith('nested more than 32 levels deep'))).toBe(true);
});

test('an object that throws when it is looked at is a problem, not a crash', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect(objectErrors({ log: proxy })).toEqual([': this object cannot be read']);
});

test('{file: path} works from the base folder, and the environment is not asked', () => {
  const input = {
    routes: [{ ...echo, name: `\${HOME}`, upstream: 'u' }],
    upstreams: { u: { targets: [{ url: 'ws://a' }], host: { file: 'h' } } },
  };
  expect(objectErrors(input, { '/etc/framegate/h': 'a.example' })).toEqual([]);
  expect(objectErrors(input)).toEqual(['upstreams.u.host: cannot read this file (ENOENT)']);
});
