import { expect, test } from 'vitest';
import { errorsOf, loaded, warningsOf } from './loading.ts';

const ECHO = 'upstream: builtin:echo';

test('a route and an upstream each have their checks; none is switched off unless it is named', () => {
  const config = loaded(
    'routes: [{ upstream: u, relax: [key, connection_token] }]\n' +
      'upstreams: { u: { targets: [{ url: "ws://a" }], relax: [bare_lf, accept], max_head_size: 64KiB } }',
  );
  expect(config.routes[0]?.relax).toEqual(['key', 'connection_token']);
  expect(config.upstreams.u).toMatchObject({ relax: ['bare_lf', 'accept'], max_head_size: 65_536 });
  const strict = loaded(`routes: [{ ${ECHO} }]\nupstreams: { u: { targets: [{ url: "ws://a" }] } }`);
  expect([strict.routes[0]?.relax, strict.upstreams.u?.relax]).toEqual([[], []]);
  expect(strict.upstreams['builtin:echo']).toMatchObject({ relax: [], max_head_size: 16_384 });
  expect(strict.upstreams.u?.max_head_size).toBe(16_384);
});

test.each([
  [
    `routes: [{ ${ECHO}, relax: [accept] }]`,
    "1:44 routes[0].relax[0]: accept is a check of the backend's 101: it belongs in upstreams.*.relax",
  ],
  [
    `routes: [{ ${ECHO}, relax: [key, bare_lf] }]`,
    "1:49 routes[0].relax[1]: bare_lf is a check of the backend's 101: it belongs in upstreams.*.relax",
  ],
  [
    'upstreams: { u: { targets: [{ url: "ws://a" }], relax: [key] } }',
    '1:57 upstreams.u.relax[0]: key is a check of requests: it belongs in routes[].relax',
  ],
  [
    'upstreams: { u: { targets: [{ url: "ws://a" }], relax: [connection_token] } }',
    '1:57 upstreams.u.relax[0]: connection_token is a check of requests: it belongs in routes[].relax',
  ],
  [
    `routes: [{ ${ECHO}, relax: [keys] }]`,
    '1:44 routes[0].relax[0]: expected one of connection_token, key (did you mean "key"?)',
  ],
  [`routes: [{ ${ECHO}, relax: [key, key] }]`, '1:49 routes[0].relax[1]: stands in this list twice'],
  [
    'upstreams: { u: { targets: [{ url: "ws://a" }], relax: [accept, accept] } }',
    '1:65 upstreams.u.relax[1]: stands in this list twice',
  ],
  [
    'upstreams: { u: { targets: [{ url: "ws://a" }], max_head_size: 63B } }',
    '1:64 upstreams.u.max_head_size: out of range: from 64B to 1MiB',
  ],
])('%s', (text, error) => {
  expect(errorsOf(text)).toEqual([error]);
});

test('connection_token is warned of: it is safe only where no unknown proxy is in front', () => {
  expect(warningsOf(`routes: [{ ${ECHO}, relax: [key, connection_token] }]`)).toEqual([
    '1:49 routes[0].relax[1]: requests can be smuggled through any proxy in front that trusted_proxies does not name',
  ]);
});
