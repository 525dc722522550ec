// What clients send of the fields that a config sets, and what they put into the values of these.

import { describe, expect, test } from 'vitest';
import { bytesBetween, type Forwarded, requestOf, sharedGate, startGate, withFields } from './harness.ts';

describe('two routes to one backend, one of which sets fields', () => {
  const gate = sharedGate((url) => ({
    trusted_proxies: [],
    routes: [
      { name: 'open', upstream: url, match: { path: '/open' } },
      { name: 'other', upstream: url, match: { path: '/other' }, headers: { request: { set: { 'X-Role': 'guest' } } } },
      {
        name: 'users',
        upstream: url,
        match: { path: '/users/{name}' },
        headers: {
          request: { set: { 'X-Auth-User': '{path.name}', 'X-Token': '{query.token}' }, remove: ['X-Debug'] },
        },
      },
    ],
  }));
  const at = (target: string, ...fields: string[]) => requestOf({ line: `GET ${target} HTTP/1.1`, fields });
  const spellings = ['X-Auth-User: root', 'x-auth-user: root', 'X-AUTH-USER: root', 'X-Auth-User:', 'x-ROLE: admin'];
  const expectAtBackend = async (target: string, fields: string[], forwarded: Forwarded) => {
    await gate.accepts(at(target, ...fields), { target, ...forwarded });
    await gate.accepts(at(target, ...fields), { target, ...forwarded }, 'bytewise');
  };

  test('X4: on the route that sets them the client has no say', async () => {
    await expectAtBackend('/users/ada', [...spellings, 'X: y'], { passed: ['X: y', 'X-Auth-User: ada'] });
  });

  test('X4: one whose value is missing is absent, and the client does not fill it', async () => {
    await expectAtBackend('/users/ada', ['X-Token: mine'], { passed: ['X-Auth-User: ada'] });
    await expectAtBackend('/users/ada?token=', ['X-Token: mine'], { passed: ['X-Auth-User: ada'] });
    await expectAtBackend('/users/ada?token=1', ['X-Token: mine'], { passed: ['X-Auth-User: ada', 'X-Token: 1'] });
  });

  test('X4: on a route that sets none, or others, they are removed too', async () => {
    await expectAtBackend('/open', [...spellings, 'X-Token: mine', 'X-Auth: y'], { passed: ['X-Auth: y'] });
    await expectAtBackend('/other', [...spellings, 'X-Token: mine'], { passed: ['X-Role: guest'] });
  });

  test('X4: Connection does not take out what we set', async () => {
    const nominating = requestOf({
      line: 'GET /users/ada HTTP/1.1',
      omit: ['connection'],
      fields: ['Connection: upgrade, x-auth-user, x-role', 'X-Auth-User: root'],
    });
    await gate.accepts(nominating, { target: '/users/ada', passed: ['X-Auth-User: ada'] });
  });

  test('X4: what a route removes goes there, and nowhere else', async () => {
    await expectAtBackend('/users/ada', ['x-DEBUG: 1', 'X-Debug: 2'], { passed: ['X-Auth-User: ada'] });
    await expectAtBackend('/open', ['x-DEBUG: 1'], { passed: ['x-DEBUG: 1'] });
  });

  test('X3: a second spelling of a field that we set does not go on', async () => {
    const spelt = [
      'X_Auth_User: root',
      'X.Auth.User: root',
      'X-Auth_User: root',
      'X-Auth-User~: root',
      'X_Role: admin',
    ];
    await expectAtBackend('/users/ada', [...spelt, 'X: y'], { passed: ['X: y', 'X-Auth-User: ada'] });
    await expectAtBackend('/open', spelt, {});
  });

  test.each([
    ['a%0d%0aX-Admin:%201', 'a%0D%0AX-Admin: 1'],
    ['a%0aX-Admin:%201', 'a%0AX-Admin: 1'],
    ['a%c4%8d%c4%8aX-Admin:%201', 'a%C4%8D%C4%8AX-Admin: 1'],
    ['%C4%80', '%C4%80'],
    ['%20a%09', '%20a%09'],
    ['%ff%7f', '%FF%7F'],
    ['%250d%250a', '%250d%250a'],
  ])('X5: %s in a path and a query is one field', async (sent, value) => {
    await expectAtBackend(`/users/${sent}`, [], { passed: [`X-Auth-User: ${value}`] });
    const passed = ['X-Auth-User: a', `X-Token: ${value}`];
    await expectAtBackend(`/users/a?token=${sent}`, [], { passed });
  });

  test('X5: NUL, and a stray percent sign, in a query', async () => {
    const passed = (value: string) => ({ passed: ['X-Auth-User: a', `X-Token: ${value}`] });
    await expectAtBackend('/users/a?token=%00', [], passed('%00'));
    await expectAtBackend('/users/a?token=%', [], passed('%25'));
    await expectAtBackend('/users/a?token=%0', [], passed('%250'));
  });

  test('X5: a value has 1024 bytes, and no character of it is cut', async () => {
    const passed = (value: string) => ({ passed: ['X-Auth-User: a', `X-Token: ${value}`] });
    await expectAtBackend(`/users/a?token=${'a'.repeat(1024)}`, [], passed('a'.repeat(1024)));
    await expectAtBackend(`/users/a?token=${'a'.repeat(4096)}`, [], passed('a'.repeat(1024)));
    await expectAtBackend(`/users/a?token=${'a'.repeat(1018)}%C3%A9`, [], passed(`${'a'.repeat(1018)}%C3%A9`));
    await expectAtBackend(`/users/a?token=${'a'.repeat(1019)}%C3%A9`, [], passed('a'.repeat(1019)));
  });
});

describe('fields of the client in those that we set', () => {
  test('X5: each byte that a value may hold', async () => {
    const set = { 'X-Copy': '<{header.X-Own}>' };
    const gate = await startGate((url) => ({
      routes: [{ name: 'test', upstream: url, headers: { request: { set, remove: ['X-Own'] } } }],
    }));
    const bytes = ['\t', ...bytesBetween(0x20, 0x7e), ...bytesBetween(0x80, 0xff)];
    const values = bytes.map((byte) => {
      const isKept = byte >= ' ' && byte <= '~' && byte !== '%';
      return isKept ? byte : `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    });
    const sent = `X-Own: a${bytes.join('')}b`;
    await gate.accepts(withFields(sent), { passed: [`X-Copy: <a${values.join('')}b>`] }, 'bytewise');
    await gate.accepts(withFields('X-Own: 1', 'x-own: 2'), { passed: ['X-Copy: <1,2>'] });
    await gate.accepts(withFields('X-Copy: mine'), {});
  });

  test('X4: what only a proxy may claim is read of a trusted one alone', async () => {
    const headers = { request: { set: { 'X-User': '{header.Remote-User}' } } };
    for (const trusted of [false, true]) {
      const gate = await startGate((url) => ({
        trusted_proxies: trusted ? ['127.0.0.0/8'] : [],
        routes: [{ name: 'test', upstream: url, headers }],
      }));
      const passed = trusted ? ['Remote-User: ada', 'X-User: ada'] : [];
      await gate.accepts(withFields('Remote-User: ada', 'X-User: root'), { passed });
    }
  });
});

test('X5: what a backend and a client say together makes one 101 with one field of each', async () => {
  const gate = await startGate((url) => ({
    routes: [
      {
        name: 'test',
        upstream: url,
        headers: {
          response: { set: { 'X-Seen': '{query.a}', Server: 'edge', 'X-None': '{query.b}' }, remove: ['X-Powered-By'] },
        },
      },
    ],
  }));
  const target = '/?a=1%0d%0aSet-Cookie:%20a';
  const { client, server } = await gate.reaches(requestOf({ line: `GET ${target} HTTP/1.1` }), { target });
  await server.accept({ server: 'backend', 'X-POWERED-BY': 'php', 'Set-Cookie': 'b', 'x-none': 'backend' });
  const answer = await client.readHead();
  expect(answer.fields.slice(3)).toEqual([
    ['Set-Cookie', 'b'],
    ['X-Seen', '1%0D%0ASet-Cookie: a'],
    ['Server', 'edge'],
  ]);
  client.destroy();
});
