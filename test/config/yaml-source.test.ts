// Hostile and mistaken YAML: each ends as a problem at its place, none as an exception, none takes long.

import { describe, expect, test } from 'vitest';
import { formatProblems } from '../../src/config/problems.ts';
import { errorsOf, loaded, MINIMAL, problemsOf } from './loading.ts';

const MIB = 1024 * 1024;

describe('values that YAML reads otherwise', () => {
  test.each([
    ['listeners:\n  - address: [::1]:8080', '2:14'],
    ['listeners: [{ address: [::1]:8080 }]', '1:24'],
    ['routes: [{ match: { hosts: [*.example.com] }, upstream: "builtin:echo" }]', '1:29'],
    ['routes:\n  - match:\n      hosts: *.example.com\n    upstream: builtin:echo', '3:14'],
    ['routes: [{ match: { hosts: [*] }, upstream: "builtin:echo" }]', '1:29'],
    ['routes: [{ match: { path: /x/{id} }, upstream: "builtin:echo" }]', '1:27'],
    ['routes: [/x/{id}]', '1:10'],
    ['routes:\n  - match:\n      path: {id}/x\n    upstream: builtin:echo', '3:13'],
    ['log:\n  level: @info', '2:10'],
    ['log:\n  level: `info`', '2:10'],
    ['log:\n  level: %info', '2:10'],
    ['log:\n  level: info: x', '2:10'],
    ['log:\n  level: "info" x', '2:10'],
    ['log:\n  level: >info', '2:10'],
    ['log:\n  level: - info', '2:10'],
    ['log:\n  level: !info x', '2:10'],
    ['log:\n  level: #info', '2:3'],
    ['log:\n  level: 0x10', '2:10'],
    ['log:\n  level: 5', '2:10'],
    ['listeners:\n  - name: 5', '2:11'],
    ['listeners:\n  - name: true', '2:11'],
    ['listeners:\n  - name: 1e3', '2:11'],
    [`limits: { max_sessions: \${N} }`, '1:25'],
  ])('%j is told at %s', (text, position) => {
    const [first = ''] = errorsOf(text);
    expect(first.startsWith(`${position} `)).toBe(true);
    if (!/level: 5$/.test(text)) expect(first).toMatch(/(: |or )quote this value$/);
  });

  test('a fault of syntax does not hide the others', () => {
    expect(errorsOf('listeners:\n  - address: [::1]:8080\nlog:\n  levl: info\n')).toEqual([
      '2:14 this reads as YAML syntax, not as one value: quote this value',
      '4:3 log.levl: unknown key (did you mean "level"?)',
    ]);
  });

  test('text that is broken for good is told once, without what the parser makes of the rest', () => {
    expect(errorsOf('log: {\nlevel: info\nlimits: {}\n')).toHaveLength(1);
    expect(errorsOf(']'.repeat(100_000))).toHaveLength(1);
  });
});

describe('L6: aliases', () => {
  test('an anchor can be used again', () => {
    const config = loaded(`${MINIMAL}limits: { from_client: &same { max_fragments: 7 }, from_backend: *same }\n`);
    expect(config.limits.from_backend.max_fragments).toBe(7);
  });

  test('an alias bomb is refused where it crosses the cap', () => {
    const rows = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i <= 20; i += 1) rows.push(`a${i}: &a${i} [${new Array(10).fill(`*a${i - 1}`).join(', ')}]`);
    const bomb = errorsOf(rows.join('\n')).filter((line) => line.includes('100000 values'));
    expect(bomb).toHaveLength(1);
    expect(bomb[0]).toMatch(/^\d+:\d+ a4\[.*: more than 100000 values, what aliases stand for included$/);
  });

  test('an alias to what is around it is refused', () => {
    expect(errorsOf('log: &a { level: *a }')).toEqual(['1:18 log.level: an alias inside its own anchor never ends']);
  });

  test('an alias never refers to an anchor that comes later', () => {
    expect(errorsOf('routes: *r\nx: &r []')).toContainEqual(expect.stringMatching(/^1:9 routes: .*quote this value$/));
  });
});

describe('text that a fault repeats', () => {
  test.each(['>\r', 'a: |\u202e', 'a: |\u2028', '!\u202e!x y'])('%j is shown without what a terminal obeys', (text) => {
    const problems = problemsOf(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(formatProblems(problems, text)).not.toMatch(/[\r\u202e\u2028]/);
  });

  test('is cut', () => {
    for (const message of problemsOf('!'.repeat(10_000)).map((problem) => problem.message)) {
      expect(message.length).toBeLessThanOrEqual(300);
    }
  });
});

describe('L7: names, nesting, documents, tags', () => {
  test.each([
    ['__proto__: { polluted: true }', '1:1 __proto__: this name is refused: it has a meaning of its own in JavaScript'],
    ['constructor: {}', '1:1 constructor: this name is refused: it has a meaning of its own in JavaScript'],
    [
      'upstreams:\n  constructor: { targets: [{ url: "builtin:echo" }] }',
      '2:3 upstreams.constructor: this name is refused: it has a meaning of its own in JavaScript',
    ],
    ['log: { "__proto__": {} }', '1:8 log.__proto__: this name is refused: it has a meaning of its own in JavaScript'],
    ['<<: { __proto__: {} }', '1:1 ["<<"]: merge keys are refused: write the keys out'],
    ['log:\n  <<: { level: info }', '2:3 log["<<"]: merge keys are refused: write the keys out'],
    ['log: {}\nlog: {}', '2:1 log: duplicate key'],
    ['log: { level: info, "level": debug }', '1:21 log.level: duplicate key'],
    ['log: {}\n---\nlog: {}', '2:1 a second document: a config is one document'],
    ['%YAML 1.1\n---\nlog: {}', '1:1 directives (%YAML, %TAG) are refused'],
    ['log: !!map {}', '1:6 log: a YAML tag is refused: quote this value'],
    ['log: { level: !!binary aGk= }', '1:15 log.level: a YAML tag is refused: quote this value'],
    ['? [a]\n: b', '1:3 a key is plain text'],
    ['&a log: {}', '1:4 log: a key has neither anchor nor tag'],
    ['\tlog: {}', '1:1 tabs are not allowed as indentation'],
    ['- log', '1:1 expected a map of keys and values, found a list'],
    ['log', '1:1 expected a map of keys and values, found text'],
    ['\u001b[31m: 1', '1:1 a control character: this is no YAML text (binary, or another encoding?)'],
    ['log: {}\n\0', '2:1 a control character: this is no YAML text (binary, or another encoding?)'],
  ])('%j', (text, error) => {
    expect(errorsOf(text)).toContain(error);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test.each([
    ['[', 33],
    ['{ a: ', 161],
    ['- ', 65],
  ])('20000 levels of %j are refused at the first too deep', (level, column) => {
    expect(errorsOf(level.repeat(20_000))).toEqual([`1:${column} nested more than 32 levels deep`]);
  });

  test('32 levels are taken, 33 are not', () => {
    const nested = (levels: number) => `log: ${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}`;
    expect(errorsOf(nested(32))).toEqual(['1:6 log: expected a map of keys and values, found a list']);
    expect(errorsOf(nested(33))).toEqual(['1:37 nested more than 32 levels deep']);
  });

  test('1 MiB is taken, one byte more is not', () => {
    const padded = (bytes: number) => MINIMAL + '#'.repeat(bytes - MINIMAL.length);
    expect(problemsOf(padded(MIB))).toEqual([]);
    expect(errorsOf(padded(MIB + 1))).toEqual(['1:1 the file is over 1MiB']);
    expect(errorsOf(Buffer.from(padded(MIB + 1)))).toEqual(['1:1 the file is over 1MiB']);
  });

  test('bytes that are not UTF-8 are told where they are', () => {
    expect(errorsOf(Buffer.from('log: {}\n# \xe9\n', 'latin1'))).toEqual(['2:3 this file is not UTF-8 text']);
    expect(errorsOf(Buffer.from('log: {}\n# \xe9\n', 'utf8'))).toEqual([]);
    expect(errorsOf(Buffer.from(MINIMAL, 'utf16le'))[0]).toMatch(/control character/);
  });

  test('a byte order mark and CR LF change nothing', () => {
    const text = `\ufeff${MINIMAL}log:\n  levl: info\n`.replaceAll('\n', '\r\n');
    expect(errorsOf(text)).toEqual(['3:3 log.levl: unknown key (did you mean "level"?)']);
    expect(errorsOf(Buffer.from(text))).toEqual(['3:3 log.levl: unknown key (did you mean "level"?)']);
  });

  test('a file without content is a map without keys', () => {
    for (const text of ['', '\n', '# nothing\n', '---\n', '{}']) expect(errorsOf(text)).toEqual([]);
  });
});

describe('text that is wide instead of deep', () => {
  const wide = (unit: string, before = '', after = '') => {
    const times = Math.floor((MIB - before.length - after.length) / unit.length);
    return `${before}${unit.repeat(times)}${after}`;
  };
  const listed = (from: number, to: number, itemOf: (index: number) => string) =>
    Array.from({ length: to - from }, (_, index) => itemOf(from + index)).join('');

  test.each([
    ['commas', wide(',', '['), '1:400001 '],
    ['quotes', wide('"'), '1:800001 '],
    ['items', wide('- a\n'), '200001:1 '],
    ['empty items', '-\n'.repeat(100_000), '100000:2 '],
  ])('text of %s is refused where it crosses the cap', (_, text, position) => {
    const errors = errorsOf(text).filter((error) => error.includes('more than 100000 values'));
    expect(errors).toEqual([expect.stringContaining(position)]);
  });

  test('comments and blanks are no values', () => {
    expect(errorsOf('#\n'.repeat(400_001))).toEqual([]);
  });

  test('500 problems are listed in their order, and how many more there are', () => {
    const text = (count: number) => `${MINIMAL}${listed(0, count, (i) => `k${i}: 1\n`)}`;
    expect(errorsOf(text(500))).toHaveLength(500);
    const errors = errorsOf(text(502));
    expect(errors).toHaveLength(501);
    expect(errors[0]).toMatch(/^2:1 k0: unknown key: there are listeners, /);
    expect(errors.slice(-2)).toEqual([
      expect.stringMatching(/^501:1 k499: unknown key/),
      '501:1 and 2 more problems, not listed',
    ]);
    expect(errorsOf(text(501)).at(-1)).toBe('501:1 and 1 more problem, not listed');
  });

  test('no warning takes the place of an error', () => {
    const unused = listed(0, 550, (i) => `  u${i}: { targets: [{ url: "builtin:echo" }] }\n`);
    const problems = problemsOf(`${MINIMAL}upstreams:\n${unused}log: { levl: info }\n`);
    expect(problems).toHaveLength(501);
    expect(problems.filter(({ severity }) => severity === 'error').map(({ path }) => path)).toEqual(['log.levl']);
    expect(problems.at(-1)).toMatchObject({ severity: 'warning', message: 'and 51 more problems, not listed' });
  });

  test('a long line of faults takes no longer than many lines of them', () => {
    const userMs = (text: string, first: RegExp): number => {
      const before = process.cpuUsage();
      expect(errorsOf(text)[0]).toMatch(first);
      return process.cpuUsage(before).user / 1_000;
    };
    const keys = (separator: string) => `{${listed(10_000, 40_000, (i) => `k${i}, ${separator}`)}}`;
    const manyLines = userMs(keys('\n'), /^1:2 k10000: /);
    // What grows with the square of the line's length takes ten times as long, and more.
    expect(userMs(keys(''), /^1:2 k10000: /)).toBeLessThan(4 * manyLines + 200);
    expect(userMs(`log: ${'"" '.repeat(20_000)}`, /^1:6 .*quote this value$/)).toBeLessThan(4 * manyLines + 200);
  });
});

describe('L8: numbers', () => {
  test.each(['-1', '.nan', '.inf', '1e3', '0x10', '010', '"10"', '2147483648', '1.5', '+1'])(
    'limits.max_header_fields: %s is refused',
    (text) => {
      expect(errorsOf(`limits:\n  max_header_fields: ${text}\n`)).toEqual([
        expect.stringMatching(/^2:22 limits\.max_header_fields: (expected a whole number|not everybody reads)/),
      ]);
    },
  );

  test.each(['-1', '.nan', '1e3', '0x10', '"10"', '10', '2147483648', '.inf', 'Infinity', '10min', '-1s'])(
    'timeouts.idle: %s is refused',
    (text) => {
      expect(errorsOf(`timeouts:\n  idle: ${text}\n`)).toEqual([
        expect.stringMatching(/^2:9 timeouts\.idle: (a duration needs a unit|expected a duration|not everybody reads)/),
      ]);
    },
  );

  test('10m is ten minutes', () => {
    expect(loaded('timeouts: { idle: 10m }').timeouts.idle).toBe(600_000);
  });
});

test('L9: a delay of 2^31 ms and 30 days are kept as they are', () => {
  expect(loaded('timeouts: { idle: 2147483648ms }').timeouts.idle).toBe(2 ** 31);
  expect(loaded('timeouts: { idle: 720h }').timeouts.idle).toBe(30 * 24 * 3_600_000);
});
