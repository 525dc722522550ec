import { describe, expect, test } from 'vitest';
import { plain, refusedTests, sharedPlainGate } from './plain-gate.ts';

const asks = (path: string): string => plain({ line: `GET ${path} HTTP/1.1` });

describe('what a rewrite and the path of a target make of a target', () => {
  const gate = sharedPlainGate((url) => ({
    routes: [
      { name: 'bare', match: { path: '/app/*' }, http: url, rewrite: '/*' },
      { name: 'based', match: { path: '/based/*' }, http: `${url}/base`, rewrite: '/*' },
      { name: 'open', match: { path: '/open/*' }, http: url },
      { name: 'secret', match: { path: '/open/secret/*' }, http: `${url}/secret` },
      { name: 'both', match: { path: '/both' }, http: url },
    ],
  }));

  refusedTests(gate, [
    ['H66: a rest that would begin with the name of a host', [asks('/app//evil.example/x')], '400 double_slash'],
    ['H66: a path that does so by itself', [asks('//evil.example'), asks('//app/x')], '400 double_slash'],
    [
      'H66: an escape that leads to another route where a backend decodes it',
      [asks('/open/%73ecret/x'), asks('/open%2fsecret/x')],
      '400 encoded_path',
    ],
  ]);

  test('H66: the rest stands behind the base of its target, escapes and query as they came', async () => {
    for (const [sent, got] of [
      ['/app/x%20y?z=/../%', '/x%20y?z=/../%'],
      ['/based/x', '/base/x'],
      ['/based//x', '/base//x'],
      ['/open/%41', '/open/%41'],
    ] as const) {
      const { answer, seen } = await gate.ask(asks(sent), 'later');
      expect([sent, answer, seen.map(({ target }) => target)]).toEqual([sent, '200', [got]]);
    }
  });
});
