// What a token and a service say of a client, in fields that backends believe; and more credentials than one.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { AuthServer } from '../support/auth-server.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { hs256, SECRET_TEXT, tokenOf } from '../support/tokens.ts';
import { acceptanceTests, type RefusedRow, refusalTests, requestOf, sharedGate } from './harness.ts';

const KEY = 'fgk_good';
const keys = [{ name: 'acme', sha256: createHash('sha256').update(KEY).digest('hex') }];
const FOREVER = 253_402_300_799;
const token = (claims: object) =>
  tokenOf({ header: { alg: 'HS256' }, payload: { sub: 'ada', exp: FOREVER, ...claims }, sign: hs256 });
const at = (target: string, ...fields: string[]) => requestOf({ line: `GET ${target} HTTP/1.1`, fields });

const set = { 'X-User': '{identity}', 'X-Method': '{auth}', 'X-Role': '{claim.role}', 'X-Org': '{claim.org.id}' };
const gate = sharedGate((url) => ({
  defaults: { origins: 'any', missing_origin: 'allow' },
  auth: {
    users: { jwt: { from: ['header:Authorization'], secret: SECRET_TEXT, algorithms: ['HS256'] } },
    partners: { api_key: { from: ['header:X-API-Key', 'query:key', 'cookie:key'], keys } },
  },
  routes: [
    {
      match: { path: '/users' },
      upstream: url,
      auth: ['users', 'partners', 'anonymous'],
      headers: { request: { set } },
    },
    { match: { path: '/open' }, upstream: url },
    { match: { path: '/strict' }, upstream: url, auth: ['users', 'partners'] },
  ],
}));
const spoofed = ['X-User: root', 'x-method: root', 'X-ROLE: admin', 'x-Org: 1'];

describe('fields that say who it is', () => {
  const asks = (claims: object) => at('/users', ...spoofed, `Authorization: Bearer ${token(claims)}`);
  const gets = (...passed: string[]) => ({ target: '/users', passed: ['X-User: ada', 'X-Method: users', ...passed] });

  acceptanceTests(gate, [
    ['X4: are ours, where the token says so', asks({ role: 'user', org: { id: 7 } }), gets('X-Role: user', 'X-Org: 7')],
    ["X4: are nobody's, where it lacks the claim, or holds no text there", asks({ org: { id: {} } }), gets()],
    ["X4: are nobody's, where nobody was asked", at('/users', ...spoofed), { target: '/users' }],
    ['X4: nor on a route that asks nobody', at('/open', ...spoofed), { target: '/open' }],
    [
      'X4: are of the method that let it in',
      at('/users', ...spoofed, `X-API-Key: ${KEY}`),
      { target: '/users', passed: ['X-User: acme', 'X-Method: partners'] },
    ],
  ]);

  acceptanceTests(
    gate,
    (
      [
        ['a\r\nX-Admin: 1', 'a%0D%0AX-Admin: 1'],
        ['a\u010d\u010aX-Admin: 1', 'a%C4%8D%C4%8AX-Admin: 1'],
        ['\u0100', '%C4%80'],
        ['\ud800', '%EF%BF%BD'],
        [' 100% \t', '%20100%25 %09'],
        [['a,b', 'c\r\n', 1, true], 'a%2Cb,c%0D%0A,1,true'],
        [`${'x'.repeat(1_020)}\u20ac`, 'x'.repeat(1_020)],
      ] as const
    ).map(([role, value]) => [
      `X5: a claim ${JSON.stringify(role).slice(0, 40)} is one field`,
      asks({ role }),
      gets(`X-Role: ${value}`),
    ]),
  );

  test('X5: so is what a service says, and who it says it is', async () => {
    const service = await AuthServer.listen(() => ({
      headers: { 'X-Framegate-Identity': 'Zo\u00c3\u00ab%0d', 'X-Plan': 'gold\u00e2\u0082\u00ac', 'X-Other': 'no' },
    }));
    const backend = await RawBackend.listen();
    const auth: ConfigInput['auth'] = { ask: { forward: { url: service.url, send: ['x-pass'], take: ['x-plan'] } } };
    const headers = { request: { set: { 'X-Plan': '{forward.X-Plan}', 'X-User': '{identity}' } } };
    const { port } = await startProxy(oneRoute(backend.url, { auth: ['ask'], headers }, { auth }));
    const client = await RawClient.connect(port);
    client.send(at('/', 'X-Plan: free', 'X-Pass: secret'));
    const head = await (await backend.nextConnection()).request();
    const about = head.fields.filter(([name]) => /^x-(plan|user|other|pass)$/i.test(name));
    expect(about.map(([name, value]) => `${name}: ${value}`)).toEqual([
      'X-Plan: gold%E2%82%AC',
      'X-User: Zo%C3%AB%250d',
    ]);
    client.destroy();
  });
});

const rows: RefusedRow[] = [
  [
    'A15: one method brings two',
    [
      at(`/strict?key=${KEY}`, `X-API-Key: ${KEY}`),
      at('/strict', `X-API-Key: ${KEY}`, `Cookie: key=${KEY}`),
      at(`/strict?key=${KEY}`, 'Cookie: key=x'),
      at(`/strict?key=${KEY}&key=${KEY}`),
      at('/strict', `Cookie: key=${KEY}; key=${KEY}`),
      at('/strict', `X-API-Key: ${KEY}`, 'X-API-Key: x'),
      at(`/strict?key=x`, `X-API-Key: ${KEY}`, `Cookie: key=${KEY}`),
    ],
    '400 multiple_credentials',
  ],
  ['A15: Authorization twice', [at('/strict', 'Authorization: Bearer x', 'Authorization: Bearer x')], '400 dup_field'],
];
refusalTests(gate, rows);
acceptanceTests(gate, [
  [
    'A15: two methods bring one each: the first decides, and neither goes on',
    at('/users?key=x', ...spoofed, `Authorization: Bearer ${token({})}`, 'X-API-Key: '),
    { target: '/users', passed: ['X-User: ada', 'X-Method: users'] },
  ],
]);
refusalTests(gate, [
  [
    'A15: the first decides, though the second is good',
    [at('/strict', `Authorization: Bearer ${token({ exp: 1 })}`, `X-API-Key: ${KEY}`)],
    '401 unauthorized',
  ],
]);

describe('a target that is made anew', () => {
  test('A16: a rewrite, a base path and the next target get what is left of the query', async () => {
    const [gone, backend] = [await RawBackend.listen(), await RawBackend.listen()];
    await gone.close();
    const { port, logsOf } = await startProxy({
      listeners: [{ name: 'test', address: '127.0.0.1:0' }],
      defaults: { origins: 'any' },
      auth: { partners: { api_key: { from: ['query:key'], keys } } },
      upstreams: {
        two: { balance: 'round_robin', retries: 1, targets: [{ url: gone.url }, { url: `${backend.url}/base` }] },
      },
      routes: [{ match: { path: '/api/*' }, upstream: 'two', rewrite: '/v1/*', auth: ['partners'] }],
    });
    for (let round = 0; round < 2; round += 1) {
      const client = await RawClient.connect(port);
      client.send(at(`/api/a%2Fb?x=1&key=${KEY}&y`));
      expect((await (await backend.nextConnection()).request()).line).toBe('GET /base/v1/a%2Fb?x=1&y HTTP/1.1');
      client.destroy();
    }
    expect(logsOf('target.dial_failed').length).toBeGreaterThan(0);
  });

  test('A41: Proxy-Authorization is of this hop, whatever a method reads', async () => {
    const passed = ['X-User: ada', 'X-Method: users'];
    const fields = [`Authorization: Bearer ${token({})}`, 'Proxy-Authorization: Basic eDp5'];
    await gate.accepts(at('/users', ...fields), { target: '/users', passed });
  });
});

test('one identity goes to one target, whatever else its requests hold; who is nobody goes by fallback', async () => {
  // Each refuses, and says which one it is.
  const backends = await Promise.all(
    ['a', 'b', 'c'].map((name) => AuthServer.listen(() => ({ status: 403, body: name }))),
  );
  const targets = backends.map((one) => ({ url: `http://127.0.0.1:${one.port}` }));
  const { port } = await startProxy({
    listeners: [{ name: 'test', address: '127.0.0.1:0' }],
    auth: { users: { jwt: { secret: SECRET_TEXT, algorithms: ['HS256'] } } },
    upstreams: {
      byIdentity: { targets, balance: { hash: 'identity' }, fallback: 'round_robin' },
      byTenant: { targets, balance: { hash: 'claim:org.id' } },
    },
    routes: [
      { match: { path: '/id/*' }, upstream: 'byIdentity', auth: ['users', 'anonymous'] },
      { match: { path: '/org/*' }, upstream: 'byTenant', auth: ['users'] },
    ],
  });
  const seen = async (target: string, claims: object | null): Promise<string> => {
    const client = await RawClient.connect(port);
    client.send(at(target, ...(claims === null ? [] : [`Authorization: Bearer ${token(claims)}`])));
    return (await client.readResponse()).body.toString();
  };
  for (const claims of [{ sub: 'ada' }, { sub: 'bob' }, { sub: 'eve' }]) {
    const first = await seen('/id/a', { ...claims, n: 1 });
    expect(await seen('/id/b?c', { ...claims, n: 2 }), claims.sub).toBe(first);
  }
  const tenant = await seen('/org/a', { sub: 'ada', org: { id: 7 } });
  expect(await seen('/org/b', { sub: 'bob', 'org.id': '7' })).toBe(tenant);
  const nobody = [await seen('/id/a', null), await seen('/id/a', null), await seen('/id/a', null)];
  expect(new Set(nobody).size).toBe(3);
});
