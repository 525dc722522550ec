import { describe, expect, test } from 'vitest';
import { renderConfig } from '../../src/config/render.ts';
import { errorsOf, loaded } from './loading.ts';

const ROUTE = 'routes: [{ upstream: "builtin:echo" }]';
const files = { list: '192.0.2.0/24\n# a comment\n2001:db8::/32\n', bad: '192.0.2.0/24\ncanary\n' };

describe('allow and deny', () => {
  test('any, a list, or a file of blocks', () => {
    const config = loaded(`defaults: { allow: { file: list }, deny: [192.0.2.1] }\n${ROUTE}`, { files });
    const [route] = config.routes;
    expect([route?.allow, route?.deny]).toEqual([config.defaults.allow, config.defaults.deny]);
    expect(route?.allow).toMatchObject({ file: 'list', words: [] });
    expect(loaded(`defaults: { allow: any }\n${ROUTE}`).routes[0]).toMatchObject({
      allow: 'any',
      deny: loaded(ROUTE).routes[0]?.deny,
    });
  });

  test('rendered they load to the same config', () => {
    const text =
      'defaults: { allow: { file: list } }\n' +
      'routes: [{ upstream: "builtin:echo", allow: [10.0.0.0/8, "fd00::/8"], deny: { file: list } }]';
    const config = loaded(text, { files });
    expect(loaded(renderConfig(config), { files })).toEqual(config);
  });

  test.each([
    ['allow: 10.0.0.0/8', /allow: expected any, a list of address blocks, or \{file: path\}$/],
    ['allow: [any]', /allow\[0\]: expected an address block/],
    ['allow: [unix]', /allow\[0\]: expected an address block/],
    ['deny: any', /deny: expected a list, or \{file: path\}$/],
    ['deny: [10.0.0.1/8]', /deny\[0\]: /],
    ['deny: { file: none }', /deny\.file: /],
    ['deny: { file: bad }', /deny\.file: line 2 of this file: /],
  ])('%s is told', (text, message) => {
    for (const config of [`defaults: { ${text} }`, `routes: [{ upstream: "builtin:echo", ${text} }]`]) {
      const errors = errorsOf(config, { files });
      expect(errors).toEqual([expect.stringMatching(message)]);
      expect(errors.join()).not.toContain('canary');
    }
  });
});
