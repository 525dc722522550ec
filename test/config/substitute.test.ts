// What stands for something else: the environment and files. Neither ever becomes YAML.

import { describe, expect, test } from 'vitest';
import { renderConfig } from '../../src/config/render.ts';
import { errorsOf, loaded, MINIMAL } from './loading.ts';

const ENV = { PORT: '9000', COUNT: '12', EMPTY: '', TRUE: 'true', YAML: '[a, {b: c}]\nlog: {}', NAME: '123' };

const named = (text: string) => `routes:\n  - name: ${text}\n    upstream: builtin:echo\n`;
const nameOf = (text: string) => loaded(named(text), { env: ENV }).routes[0]?.name;

describe(`\${NAME}`, () => {
  test.each([
    [`a\${PORT}b`, 'a9000b'],
    [`"a\${PORT}b"`, 'a9000b'],
    [`'\${PORT}-\${COUNT}'`, '9000-12'],
    [`\${NO:-fallback}`, 'fallback'],
    [`\${EMPTY:-fallback}`, 'fallback'],
    [`\${PORT:-fallback}`, '9000'],
    [`$\${PORT}`, `\${PORT}`],
    [`a$\${PORT}\${PORT}`, `a\${PORT}9000`],
    ['$PORT', '$PORT'],
    ['a$', 'a$'],
  ])('%s is %s', (text, name) => {
    expect(nameOf(text)).toBe(name);
  });

  test(`a scalar that is one \${...} is typed where a number or true belongs`, () => {
    expect(loaded(`limits: { max_sessions: "\${COUNT}" }`, { env: ENV }).limits.max_sessions).toBe(12);
    expect(loaded(`limits:\n  max_sessions: \${COUNT}`, { env: ENV }).limits.max_sessions).toBe(12);
    expect(loaded(`limits:\n  max_sessions: \${N:-7}`, { env: ENV }).limits.max_sessions).toBe(7);
    expect(loaded(`timeouts:\n  idle: \${N:-off}`).timeouts.idle).toBe(Number.POSITIVE_INFINITY);
  });

  test(`a scalar that is more than one \${...} stays text`, () => {
    expect(errorsOf(`limits:\n  max_sessions: 1\${COUNT}`, { env: ENV })).toEqual([
      '2:17 limits.max_sessions: expected a whole number from 1 to 10000000, or off, found text',
    ]);
  });

  test('digits are text where text belongs', () => {
    expect(nameOf(`\${NAME}`)).toBe('123');
    expect(nameOf(`"\${NAME}"`)).toBe('123');
    expect(nameOf(`\${TRUE}`)).toBe('true');
    const list = `routes: [{ upstream: "builtin:echo", subprotocols: ["\${NAME}"] }]`;
    expect(loaded(list, { env: ENV }).routes[0]?.subprotocols).toEqual(['123']);
  });

  test('a value never becomes YAML', () => {
    expect(errorsOf(`log:\n  level: \${YAML}`, { env: ENV })).toEqual([
      '2:10 log.level: expected one of trace, debug, info, warn, error',
    ]);
    expect(errorsOf(`\${PORT}: 1`, { env: ENV })[0]).toMatch(/^1:1 \["\$\{PORT\}"\]: unknown key/);
  });

  test.each([
    [`\${NO}`, `the environment has no value for NO (write \${NO:-default} to give one here)`],
    [`\${EMPTY}`, `the environment has no value for EMPTY (write \${EMPTY:-default} to give one here)`],
    [
      `\${constructor}`,
      `the environment has no value for constructor (write \${constructor:-default} to give one here)`,
    ],
    [`\${}`, `expected \${NAME} or \${NAME:-default} (write "$\${" for a literal "\${")`],
    [`\${1X}`, `expected \${NAME} or \${NAME:-default} (write "$\${" for a literal "\${")`],
    [`\${A-b}`, `expected \${NAME} or \${NAME:-default} (write "$\${" for a literal "\${")`],
    [`\${A:-\${B}}`, `a default holds no "\${"`],
    [`\${A`, `this "\${" has no "}" (write "$\${" for a literal "\${")`],
  ])('%s: %s', (text, message) => {
    expect(errorsOf(named(text), { env: ENV })).toEqual([`2:11 routes[0].name: ${message}`]);
  });

  test('replacements that unfold without bound are refused', () => {
    const env = { BIG: 'x'.repeat(100_000) };
    const big = `\${BIG}`;
    expect(errorsOf(named(`"${big.repeat(11)}"`), { env })).toEqual([
      '2:11 routes[0].name: this value is over 1MiB after replacement',
    ]);
    const many = errorsOf(`trusted_proxies: [${new Array(60).fill(`"${big}"`).join(', ')}]`, { env });
    expect(many.filter((line) => line.includes('over 4MiB of text'))).toHaveLength(1);
  });

  test(`a rendered "\${" is a literal again`, () => {
    const config = loaded(named(`$\${PORT}`));
    expect(renderConfig(config)).toContain(`name: $\${PORT}`);
    expect(loaded(renderConfig(config)).routes[0]?.name).toBe(`\${PORT}`);
  });
});

describe('{file: path}', () => {
  const hosted = (text: string) =>
    `routes: [{ upstream: u }]\nupstreams:\n  u:\n    targets: [{ url: "builtin:echo" }]\n    host: ${text}\n`;

  test.each([
    ['secret.example\n', 'secret.example'],
    ['secret.example\r\n', 'secret.example'],
    ['secret.example', 'secret.example'],
  ])('%j reads as %s', (content, literal) => {
    const config = loaded(hosted('{ file: host.txt }'), { files: { 'host.txt': content } });
    expect(config.upstreams.u?.host).toEqual({ literal });
  });

  test('one newline is dropped, not two', () => {
    expect(errorsOf(hosted('{ file: h }'), { files: { h: 'a.example\n\n' } })).toHaveLength(1);
  });

  test(`paths start at the folder of the config file, and may hold \${NAME}`, () => {
    const around = {
      file: '/etc/framegate/config.yaml',
      files: { '/etc/framegate/h': 'a', '/run/h': 'b' },
      env: { H: 'h' },
    };
    expect(loaded(hosted('{ file: h }'), around).upstreams.u?.host).toEqual({ literal: 'a' });
    expect(loaded(hosted(`{ file: /run/\${H} }`.replace(/\$\{H\}/, 'h')), around).upstreams.u?.host).toEqual({
      literal: 'b',
    });
    expect(loaded(hosted(`{ file: "\${H}" }`), around).upstreams.u?.host).toEqual({ literal: 'a' });
  });

  test.each([
    ['{ file: gone }', '5:19 upstreams.u.host: cannot read this file (ENOENT)'],
    ['{ file: "" }', '5:19 upstreams.u.host: expected the path of a file'],
    ['{ file: "a\\0b" }', '5:19 upstreams.u.host: expected the path of a file'],
    ['{ file: binary }', '5:19 upstreams.u.host: this file is not UTF-8 text'],
    ['{ file: big }', '5:19 upstreams.u.host: this file is over 1MiB'],
    ['{ file: h, more: x }', '5:11 upstreams.u.host: expected text, found a map'],
  ])('%s: %s', (text, error) => {
    const files = { binary: Buffer.from([0xff]), big: 'x'.repeat(1024 * 1024 + 1), h: 'a' };
    expect(errorsOf(hosted(text), { files })).toEqual([error]);
  });

  test('what a file holds is neither told nor rendered', () => {
    const canary = 'canary-7f3a';
    const [error] = errorsOf(hosted('{ file: h }'), { files: { h: `${canary} x` } });
    expect(error).toBe('5:11 upstreams.u.host: the text of this file is not what this key takes');
    const rendered = renderConfig(loaded(hosted('{ file: h }'), { files: { h: canary } }));
    expect(rendered).not.toContain(canary);
    expect(rendered).toContain('host: "***"');
  });
});

test('a config without replacements needs no environment', () => {
  expect(loaded(MINIMAL).routes).toHaveLength(1);
});
