// Keys and users in files of their own, and what of auth no file may stand for.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadSource, TooMuchToRead } from '../../src/cli/load.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblems, type Problem } from '../../src/config/problems.ts';
import { renderConfig } from '../../src/config/render.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { loaded, problemsOf } from './loading.ts';

const HASH = '2b'.repeat(32);
const PASSWORD = `"$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}"`;
const CONFIG = `auth:
  a: { api_key: { keys: { file: keys.yaml } } }
routes:
  - { name: feed, upstream: "builtin:echo", auth: [a] }
`;

/** `file:line:column severity path: message`. */
function told(keys: string, text = CONFIG, now = Date.now()): string[] {
  const show = ({ file, line, column, severity, path, message }: Problem) =>
    `${file}:${line}:${column} ${severity} ${path}: ${message}`;
  return problemsOf(text, { files: { 'keys.yaml': keys }, now }).map(show);
}

test('what is wrong with an entry is told with the file, its own line and its place in the list', () => {
  const keys = [
    `- { name: a, sha256: ${HASH} }`,
    `- { name: a, sha256: ${'3c'.repeat(32)}, routes: [feed, fed] }`,
    `- { name: c, sha256: ${HASH.toUpperCase()}, expires: 2020-01-01T00:00:00Z }`,
    '- { name: d, sha256: 00, quota: { max_session: 1 } }',
  ].join('\n');
  expect(told(keys)).toEqual([
    'keys.yaml:2:11 error [1].name: is the name of entry 1, too: names are unique',
    'keys.yaml:2:103 error [1].routes[1]: there is no route "fed" (did you mean "feed"?)',
    'keys.yaml:3:22 error [2].sha256: is that of entry 1, too: each key has one entry',
    'keys.yaml:3:97 warning [2].expires: ended at 2020-01-01T00:00:00Z',
    'keys.yaml:4:22 error [3].sha256: not everybody reads this number alike: write decimal digits, or quote this value',
    'keys.yaml:4:35 error [3].quota.max_session: unknown key (did you mean "max_sessions"?)',
  ]);
});

test('a warning alone is told as well, and the list is taken', () => {
  const keys = (time: string) => `- { name: a, sha256: ${HASH}, expires: ${time} }`;
  const now = Date.parse('2027-01-01T00:00:00Z');
  expect(told(keys('2027-01-01T00:00:00Z'), CONFIG, now)).toHaveLength(1);
  expect(told(keys('2027-01-01T00:00:00.001Z'), CONFIG, now)).toEqual([]);
});

test('a list without an entry is taken, and told', () => {
  const empty = 'is empty: nobody gets in by it';
  expect(told('[]')).toEqual([`keys.yaml:1:1 warning : ${empty}`]);
  const inline = CONFIG.replace('{ file: keys.yaml }', '[]');
  expect(told('', inline)).toEqual([`config.yaml:2:25 warning auth.a.api_key.keys: ${empty}`]);
});

test('the same is told of lists in the config', () => {
  const inline = (list: string) => CONFIG.replace('{ file: keys.yaml }', list);
  expect(told('', inline(`[{ name: a, sha256: ${HASH}, routes: [x] }, { name: a, sha256: ${HASH} }]`))).toEqual([
    'config.yaml:2:120 error auth.a.api_key.keys[0].routes[0]: there is no route "x"',
    'config.yaml:2:134 error auth.a.api_key.keys[1].name: is the name of entry 1, too: names are unique',
    'config.yaml:2:145 error auth.a.api_key.keys[1].sha256: is that of entry 1, too: each key has one entry',
  ]);
  const users = inline('[]').replace('api_key: { keys: [] }', `basic: { users: [U, U] }`);
  expect(
    told('', users.replaceAll('U', `{ name: a, password: ${PASSWORD} }`).replace('[a]', '[a], origins: []')),
  ).toEqual([
    expect.stringMatching(/^config\.yaml:2:\d+ error auth\.a\.basic\.users\[1\]\.name: is the name of entry 1, too/),
  ]);
  const hmac = inline('[]').replace(
    'api_key: { keys: [] }',
    `hmac: { keys: [{ name: a, secret: ${HASH} }, { name: a, secret: ${HASH}0 }] }`,
  );
  expect(told('', hmac)).toHaveLength(1);
});

test('a file that is empty, no list, too large or not there is an error', () => {
  expect(told('')).toEqual([expect.stringMatching(/^keys\.yaml:1:1 error : expected a list, found nothing/)]);
  const map = 'keys.yaml:1:1 error : expected a list, found a map: each entry begins with "- "';
  expect(told(`keys:\n  - { name: a, sha256: ${HASH} }`)).toEqual([map]);
  expect(told('#'.repeat(1024 * 1024))).toEqual([expect.stringMatching(/found nothing/)]);
  expect(told('#'.repeat(1024 * 1024 + 1))).toEqual([
    'config.yaml:2:25 error auth.a.api_key.keys: this file is over 1MiB',
  ]);
  expect(told('', CONFIG.replace('keys.yaml', 'gone'))).toEqual([
    'config.yaml:2:25 error auth.a.api_key.keys: cannot read this file (ENOENT)',
  ]);
});

test('lines of the config are not shown for problems of another file', () => {
  const files = { 'keys.yaml': `- { name: a, sha256: ${HASH} }\n- { name: a, sha256: canary }` };
  const shown = formatProblems(problemsOf(CONFIG, { files }), CONFIG, 'config.yaml');
  expect(shown).toContain('keys.yaml:2:11: error: [1].name');
  expect(shown).not.toMatch(/\^|canary|file: keys/);
});

test('config prints the name of the file, and loads again to the same', () => {
  const files = { 'keys.yaml': `- { name: a, sha256: ${HASH} }` };
  const config = loaded(CONFIG, { files });
  const printed = renderConfig(config);
  expect(printed).toMatch(/keys:\s*(\{ )?file: "?keys\.yaml/);
  expect(loaded(printed, { files })).toEqual(config);
});

test('every file that auth names is among those that are watched', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write('keys.yaml', `- { name: a, sha256: ${HASH} }`);
  write('users.yaml', `- { name: a, password: ${PASSWORD} }`);
  write('set.json', '{ "keys": [] }');
  write('secret', 'x'.repeat(64));
  write(
    'config.yaml',
    `auth:
  a: { api_key: { keys: { file: keys.yaml } } }
  b: { basic: { users: { file: users.yaml } } }
  c: { jwt: { jwks: { file: set.json }, algorithms: [RS256] } }
  d: { hmac: { keys: [{ name: k, secret: { file: secret } }] } }
routes: [{ upstream: "builtin:echo" }]
`,
  );
  const around = { env: {}, stdin: (async function* () {})() };
  const source = { kind: 'file', path: join(folder, 'config.yaml') } as const;
  const files = (await loadSource(source, around))?.files ?? [];
  const names = ['config.yaml', 'keys.yaml', 'secret', 'set.json', 'users.yaml'];
  expect([...files].sort()).toEqual(names.map((name) => join(folder, name)));
  // What is read without stopping traffic: YAML is dearer than lists of addresses.
  write('keys.yaml', '#'.repeat(5_000));
  await expect(loadSource(source, around, { bytesMax: 64 * 1024 })).rejects.toThrow(TooMuchToRead);
});

test('what is shown anywhere comes from no file', () => {
  const text = `auth:
  a: { api_key: { from: [{ file: f }], keys: [{ name: { file: f }, sha256: ${HASH}, routes: [{ file: f }] }] } }
  b: { basic: { realm: { file: f }, users: { file: { file: f } } } }
  c: { jwt: { jwks: { url: { file: u } }, algorithms: [RS256], subject: { file: f } } }
  d: { hmac: { keys: [{ name: { file: f }, secret: x }], headers: [date, { file: f }] } }
  e: { forward: { url: { file: u }, take: [{ file: f }] } }
routes: [{ upstream: "builtin:echo", auth: [{ file: f }] }]
`;
  const files = { f: 'header:canary', u: 'https://canary/' };
  const result = loadConfig({
    text,
    file: 'config.yaml',
    env: {},
    readFile: (path) => Buffer.from(files[path as 'f' | 'u'] ?? ''),
  });
  const problems = 'problems' in result ? result.problems : [];
  expect(JSON.stringify(problems, null, 1)).not.toContain('canary');
  const shown = problems.filter(({ message }) => message.startsWith('is shown in logs')).map(({ path }) => path);
  expect(shown).toEqual([
    'auth.a.api_key.from[0]',
    'auth.a.api_key.keys[0].name',
    'auth.a.api_key.keys[0].routes[0]',
    'auth.b.basic.realm',
    'auth.b.basic.users.file',
    'auth.c.jwt.jwks.url',
    'auth.c.jwt.subject',
    'auth.d.hmac.keys[0].name',
    'auth.d.hmac.headers[1]',
    'auth.e.forward.url',
  ]);
});
