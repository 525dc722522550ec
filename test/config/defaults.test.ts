// `defaults`: what routes do that do not say it, key by key, each value whole.

import { describe, expect, test } from 'vitest';
import { shared } from '../../src/config/keys/routes.ts';
import { renderConfig } from '../../src/config/render.ts';
import { changedPaths } from '../../src/control/config-changes.ts';
import { atOnce } from '../../src/limits/slices.ts';
import { errorsOf, loaded, MINIMAL } from './loading.ts';

const ROUTES = `
routes:
  - { name: silent, match: { path: /a }, upstream: "builtin:echo" }
  - { name: speaks, match: { path: /b }, upstream: "builtin:echo", subprotocols: [own], compression: passthrough }
`;

describe('defaults', () => {
  test('hold for the routes that do not say them, and for no other', () => {
    const [silent, speaks] = loaded(`defaults: { subprotocols: [chat], compression: off }${ROUTES}`).routes;
    expect(silent).toMatchObject({ subprotocols: ['chat'], compression: 'off' });
    expect(speaks).toMatchObject({ subprotocols: ['own'], compression: 'passthrough' });
  });

  test('one list is shared by all silent routes', () => {
    const config = loaded(`defaults: { subprotocols: [chat] }${ROUTES}`);
    expect(config.routes[0]?.subprotocols).toBe(config.defaults.subprotocols);
  });

  test('without them every key has its own default', () => {
    const config = loaded(MINIMAL);
    expect(config.defaults).toMatchObject({ subprotocols: 'any', compression: 'passthrough' });
    expect(config.routes[0]).toMatchObject(config.defaults);
  });

  test('take those keys of a route, and no other', () => {
    expect(Object.keys(loaded(MINIMAL).defaults)).toEqual(Object.keys(shared));
    expect(errorsOf('defaults: { subprotocol: [a] }')).toEqual([
      '1:13 defaults.subprotocol: unknown key (did you mean "subprotocols"?)',
    ]);
    expect(errorsOf('defaults: { rewrite: /x }')).toEqual([expect.stringContaining('defaults.rewrite: unknown key')]);
  });

  test('are judged as those of a route', () => {
    expect(errorsOf('defaults: { subprotocols: [a, a] }')).toEqual([
      '1:31 defaults.subprotocols[1]: stands in this list twice',
    ]);
    expect(errorsOf('defaults: { subprotocols: [{ file: x }] }', { files: { x: 'secret' } })).toEqual([
      '1:28 defaults.subprotocols[0]: is shown in logs and metrics: write it here, not in a file',
    ]);
  });

  test('what needs a route without compression is content with theirs', () => {
    const drop = 'limits: { from_client: { on_rate_exceeded: drop, messages_per_second: 1 } }';
    expect(errorsOf(`defaults: { compression: off }\n${drop}\n${MINIMAL}`)).toEqual([]);
    expect(errorsOf(`${drop}\n${MINIMAL}`)).toHaveLength(1);
    expect(errorsOf(`defaults: { compression: of }\n${drop}\n${MINIMAL}`)).toHaveLength(1);
  });

  test('a config that has them, rendered, loads to the same config', () => {
    const config = loaded(`defaults: { subprotocols: ["on"], compression: off }${ROUTES}`);
    expect(loaded(renderConfig(config))).toEqual(config);
  });

  test('a change of them is one change, not one for each route', () => {
    const before = loaded(`defaults: { subprotocols: [a] }${ROUTES}`);
    const after = loaded(`defaults: { subprotocols: [b] }${ROUTES}`);
    expect(atOnce(changedPaths(before, after))).toEqual(['defaults.subprotocols']);
    const own = loaded(`defaults: { subprotocols: [a] }${ROUTES.replace('[own]', '[other]')}`);
    expect(atOnce(changedPaths(before, own))).toEqual(['routes[speaks].subprotocols']);
  });
});
