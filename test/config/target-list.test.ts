// A list of targets that is a file of its own: read as `targets` of an upstream, with places for what is wrong.

import { describe, expect, test } from 'vitest';
import { loadTargets } from '../../src/config/load.ts';
import type { TargetConfig } from '../../src/config/types.ts';

const ENV = { PORT: '9007' };

function load(text: string | Uint8Array): ReturnType<typeof loadTargets> {
  const readFile = (path: string) => {
    if (path !== '/etc/app/url.txt') throw Object.assign(new Error(path), { code: 'ENOENT' });
    return Buffer.from('ws://10.9.9.9:1/secret\n');
  };
  return loadTargets({ text, file: '/etc/app/targets.yaml', env: ENV, readFile });
}

function targets(text: string): readonly TargetConfig[] {
  const result = load(text);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.targets;
}

function problems(text: string | Uint8Array): readonly string[] {
  const result = load(text);
  if ('targets' in result) return [];
  return result.problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}

describe('a list', () => {
  test('in YAML and in JSON, with what a target of a config may say', () => {
    const first = ['- url: ws://10.0.0.1:9001/base', 'name: a', 'weight: 7', 'max_sessions: 5', 'backup: true'];
    const yaml = `${first.join('\n  ')}\n- url: wss://b.test\n`;
    const json = JSON.stringify([
      { url: 'ws://10.0.0.1:9001/base', name: 'a', weight: 7, max_sessions: 5, backup: true },
      { url: 'wss://b.test' },
    ]);
    expect(targets(yaml)).toEqual([
      {
        name: 'a',
        url: 'ws://10.0.0.1:9001/base',
        endpoint: { kind: 'tcp', host: '10.0.0.1', port: 9001, secure: false, base: '/base' },
        weight: 7,
        max_sessions: 5,
        backup: true,
      },
      {
        name: 'b.test:443',
        url: 'wss://b.test',
        endpoint: { kind: 'tcp', host: 'b.test', port: 443, secure: true, base: '' },
        weight: 1,
        max_sessions: Number.POSITIVE_INFINITY,
        backup: false,
      },
    ]);
    expect(targets(json)).toEqual(targets(yaml));
    expect(targets(JSON.stringify(JSON.parse(json), null, '\t'))).toEqual(targets(yaml));
  });

  test('may be empty, when it says so', () => {
    expect(targets('[]')).toEqual([]);
  });

  test('relative paths start at its folder; variables and {file: path} stand for what they do in a config', () => {
    const [unix, port, secret] = targets(
      `- url: ws+unix:run/a.sock\n- url: "ws://b.test:\${PORT}"\n- { name: c, url: { file: url.txt } }\n`,
    );
    expect(unix?.endpoint).toEqual({ kind: 'unix', path: '/etc/app/run/a.sock', base: '' });
    expect(port?.name).toBe('b.test:9007');
    expect(secret).toMatchObject({ url: '***', endpoint: { host: '10.9.9.9' } });
  });
});

describe('what is wrong is told with its place', () => {
  test.each<[string, string | Uint8Array, readonly string[]]>([
    ['no list', 'targets: []', ['1:1 : expected a list']],
    ['an empty file', '', ['1:1 : expected a list, found nothing']],
    ['only comments', '# soon\n', ['1:1 : expected a list, found nothing']],
    [
      'a key that there is not',
      '- url: ws://a:1\n  wieght: 2\n',
      ['2:3 [0].wieght: unknown key (did you mean "weight"?)'],
    ],
    ['a value', '- url: ws://a:1\n- url: ftp://b\n', ['2:8 [1].url: unknown scheme']],
    ['a name twice', '- url: ws://a:1\n- url: ws://a:1\n', ['[1]']],
    ['broken YAML', '- url: "ws://a:1\n', ['2:1 : missing closing']],
    ['a list cut short', '[{"url": "ws://a:1"}, {"url": "ws://b', ['1:']],
    ['no text', Buffer.from([0xff, 0xfe, 0]), ['1:']],
    ['a variable that is not set', `- url: "\${NOBODY}"\n`, ['1:8 [0].url']],
    [
      'a file that is not there',
      '- { name: a, url: { file: gone.txt } }\n',
      ['[0].url: cannot read this file (ENOENT)'],
    ],
    ['a url from a file without a name', '- { url: { file: url.txt } }\n', ['[0].name: is required']],
    ['too large', Buffer.alloc(8 * 1024 * 1024 + 1, ' '), ['the file is over 8MiB']],
  ])('%s', (_, text, expected) => {
    const found = problems(text);
    expect(found.length).toBeGreaterThan(0);
    for (const [at, part] of expected.entries()) expect(found[at]).toContain(part);
    expect(found.join('\n')).not.toMatch(/upstreams|routes|10\.9\.9\.9/);
  });
});
