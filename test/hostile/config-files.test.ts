// Config files made to harm whoever reads them. Asked of the command line where its limits and its exit code matter.

import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createProxy } from '../../src/proxy.ts';
import { runCli } from '../support/cli-process.ts';
import { requestOf, sharedGate, withTarget } from './harness.ts';

const routes = 'routes: [{ upstream: "builtin:echo" }]\n';
const MIB = 2 ** 20;

/** The problems of a text, each as `line:column path: message`. */
function problemsOf(text: string): string[] {
  const readFile = () => {
    throw new Error('no file is read here');
  };
  const result = loadConfig({ text, file: 'a.yaml', env: {}, readFile });
  return 'problems' in result
    ? result.problems.map((one) => `${one.line}:${one.column} ${one.path}: ${one.message}`)
    : [];
}

async function check(input: string): Promise<string[]> {
  const begun = performance.now();
  const { code, stdout, stderr } = await runCli(['check', '-c', '-', '--format', 'json'], { input });
  expect([code, stderr]).toEqual([78, '']);
  expect(performance.now() - begun, 'in time').toBeLessThan(10_000);
  expect(stdout.length, 'a text that somebody can read').toBeLessThan(100_000);
  const problems: { message: string; line: number; column: number }[] = JSON.parse(stdout);
  expect(problems.every(({ line, column }) => line > 0 && column > 0)).toBe(true);
  return problems.map(({ message }) => message);
}

describe('texts that unfold, or never end', () => {
  const lists = (count: number, item: string) => `[${Array<string>(count).fill(item).join(', ')}]`;
  const lol = Array.from({ length: 12 }, (_, i) => `  a${i + 1}: &a${i + 1} ${lists(9, i === 0 ? 'x' : `*a${i}`)}`);

  test.each([
    ['twelve levels of nine aliases each', `${routes}limits:\n${lol.join('\n')}\n`, /more than \d+ values/],
    [
      'one large list, many times',
      `${routes}limits:\n  a: &a ${lists(3000, 'x')}\n  b: ${lists(3000, '*a')}\n`,
      /more than/,
    ],
    ['an alias inside of its anchor', `${routes}limits: &a\n  from_client: *a\n`, /never ends/],
    ['over 1 MiB', routes + `# ${'x'.repeat(98)}\n`.repeat(MIB / 100), /1 ?MiB/],
    ['33 lists in one another', `${routes}limits: ${'['.repeat(33)}${']'.repeat(33)}\n`, /32 levels/],
    ['20,000 lists in one another', `${routes}limits: ${'['.repeat(20_000)}`, /32 levels/],
    ['20,000 maps in one another', `${routes}limits: ${'{a: '.repeat(20_000)}`, /32 levels/],
    [
      '20,000 blocks in one another',
      Array.from({ length: 1400 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      /32 levels/,
    ],
  ])('L6: %s: a problem with its place, exit code 78', async (_name, text, said) => {
    expect((await check(text)).join('\n')).toMatch(said);
  });

  test('L6: twice the text takes no more than a few times the time', () => {
    const time = (count: number): number => {
      const text = `${routes}limits:\n${Array.from({ length: count }, (_, i) => `  k${i}: [1, 2, 3]\n`).join('')}`;
      const begun = performance.now();
      expect(problemsOf(text)).not.toEqual([]);
      return performance.now() - begun;
    };
    time(1000);
    expect(time(4000)).toBeLessThan(50 + 20 * time(1000));
  });

  test('L6: aliases that a person would write are taken', () => {
    const text = [
      'listeners: [{ address: "127.0.0.1:0" }]',
      'routes:',
      '  - { name: a, match: { path: /a }, upstream: "builtin:echo", limits: &caps { max_buffered: 64KiB } }',
      '  - { name: b, match: { path: /b }, upstream: "builtin:echo", limits: *caps }',
    ];
    expect(problemsOf(`${text.join('\n')}\n`)).toEqual([]);
  });
});

describe('names that objects have of themselves', () => {
  const prototype = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));

  test.each([
    ['__proto__ as a key', `${routes}__proto__: { polluted: yes }\n`, /__proto__/],
    ['__proto__ in a block', `${routes}limits: { __proto__: { max_sessions: 1 } }\n`, /__proto__/],
    ['constructor', `${routes}constructor: { prototype: { polluted: yes } }\n`, /constructor/],
    [
      '__proto__ as a name',
      `routes: [{ upstream: __proto__ }]\nupstreams: { __proto__: { targets: [] } }\n`,
      /__proto__/,
    ],
    ['a merge key', `${routes}limits: { <<: { __proto__: { polluted: yes } } }\n`, /merge keys are refused/],
    ['a quoted merge key', `${routes}limits: { "<<": { polluted: yes } }\n`, /unknown key/],
    ['the same key twice', `${routes}limits: {}\nlimits: {}\n`, /duplicate key/],
    ['a second document', `${routes}---\n${routes}`, /second document/],
    ['a tag', `${routes}log: !!js/function "function () { return 1 }"\n`, /tag is refused/],
    ['a directive', `%TAG ! tag:x,2026:\n---\n${routes}`, /directives/],
    ['a key that is a list', `${routes}? [a, b]\n: c\n`, /a key is plain text/],
    ['a key nobody knows', `${routes}limts: {}\n`, /unknown key \(did you mean "limits"\?\)/],
  ])('L7: %s is a problem with its place', (_name, text, said) => {
    const problems = problemsOf(text);
    expect(problems.join('\n')).toMatch(said);
    expect(problems.every((problem) => /^[1-9]\d*:[1-9]\d* /.test(problem))).toBe(true);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(JSON.stringify(Object.getOwnPropertyNames(Object.prototype))).toBe(prototype);
  });

  test('L7: an object of a program is judged the same way', () => {
    const poisoned: unknown = JSON.parse(
      '{"routes":[{"upstream":"builtin:echo"}],"__proto__":{"polluted":1},"limits":{"__proto__":{"max_sessions":1}}}',
    );
    // The type cannot forbid what JSON.parse gives.
    expect(() => createProxy(poisoned as Parameters<typeof createProxy>[0])).toThrow(/__proto__/);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});

describe('numbers that are none', () => {
  const texts = [
    '-1',
    'NaN',
    '.nan',
    '1e3',
    '0x10',
    '0o17',
    '"10"',
    '10',
    '2147483648',
    '.inf',
    'Infinity',
    '-.inf',
    '1_000',
  ];
  const more = [
    '10 m',
    '1.5h',
    '-5s',
    '+5s',
    '5S',
    '5sec',
    '05s',
    '1h30m',
    '""',
    '[]',
    '{}',
    '~',
    '2147483648h',
    '9e999',
  ];

  test.each([...texts, ...more])('L8: %s is no duration', (text) => {
    expect(problemsOf(`${routes}timeouts: { idle: ${text} }\n`)).not.toEqual([]);
  });

  test.each([
    ...texts,
    '10 KiB',
    '1.5MiB',
    '-5B',
    '5KB',
    '5kib',
    '05B',
    '""',
    '[]',
    '{}',
    '~',
    '99999999999999999999B',
  ])('L8: %s is no size', (text) => {
    expect(problemsOf(`${routes}limits: { max_head_size: ${text} }\n`)).not.toEqual([]);
  });

  test.each([...texts.filter((text) => text !== '10'), '0', '1.5', '5s', '""', '[]', '{}', '~', 'ten'])(
    'L8: %s is no count',
    (text) => {
      expect(problemsOf(`${routes}limits: { max_header_fields: ${text} }\n`)).not.toEqual([]);
    },
  );

  test.each(['0.0001', '1e400', '"1"', '-0.1', '1/2'])('L8: %s is no rate', (text) => {
    const limits = `limits: { from_client: { messages_per_second: ${text} } }\n`;
    expect(problemsOf(routes + limits)).not.toEqual([]);
  });

  test('L8: the problem says what is expected, and where', async () => {
    expect(problemsOf(`${routes}timeouts: { idle: 10 }\n`)).toEqual([
      expect.stringMatching(/^2:19 timeouts\.idle: a duration needs a unit: expected a duration such as /),
    ]);
    expect(await check(`${routes}timeouts: { idle: 2147483648h }\n`)).toEqual([
      'out of range: from 1ms to 87600h, or off',
    ]);
  });
});

describe('patterns', () => {
  const evil = '(a+)+$';
  const gate = sharedGate((upstream) => ({
    routes: [
      { name: 'many', match: { path: `/${Array.from({ length: 30 }, (_, i) => `{n${i}}`).join('/')}/end` }, upstream },
      { name: 'literal', match: { path: '/a.c/[x]/(a+)+$' }, upstream },
      { name: 'dots', match: { hosts: ['a.example.test'], path: '/only' }, upstream },
    ],
  }));

  test('L10: what looks like a regular expression is the text it is written in', async () => {
    await gate.accepts(withTarget('/a.c/[x]/(a+)+$'), { target: '/a.c/[x]/(a+)+$' });
    await gate.refuses(withTarget('/abc/x/aaaa'), '404 no_route');
    await gate.refuses(withTarget('/a.c/x/(a+)+$'), '404 no_route');
    const dotted = requestOf({ line: 'GET /only HTTP/1.1', omit: ['host'], fields: ['Host: axexample.test'] });
    await gate.refuses(dotted, '404 no_route');
  });

  test.each([
    ['a host', `routes: [{ match: { hosts: ["${evil}"] }, upstream: "builtin:echo" }]\n`],
    ['a host with a star within', 'routes: [{ match: { hosts: ["a*.test"] }, upstream: "builtin:echo" }]\n'],
    ['a path with a star within', 'routes: [{ match: { path: "/a*b" }, upstream: "builtin:echo" }]\n'],
    ['a segment with an expression', 'routes: [{ match: { path: "/{id:[0-9]+}" }, upstream: "builtin:echo" }]\n'],
    ['a subprotocol', `routes: [{ subprotocols: ["${evil}"], upstream: "builtin:echo" }]\n`],
  ])('L10: %s is a problem', (_name, text) => {
    expect(problemsOf(text)).not.toEqual([]);
  });

  test('L10: no path takes longer to route than its length', async () => {
    const segments = (count: number) => `/${Array<string>(count).fill('a').join('/')}`;
    const time = async (target: string): Promise<number> => {
      const begun = performance.now();
      await gate.refuses(withTarget(target), '404 no_route');
      return performance.now() - begun;
    };
    await time(segments(10));
    const short = Math.max(5, await time(segments(100)));
    expect(await time(segments(4000))).toBeLessThan(100 * short);
    expect(await time(`/${'a'.repeat(8000)}!`)).toBeLessThan(100 * short);
  });
});
