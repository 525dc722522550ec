// Methods of auth that ask a service, whole: a client, the service, a backend.

import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { AuthServer, claims } from '../support/auth-server.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { Head } from '../support/wire.ts';

type Methods = NonNullable<ConfigInput['auth']>;
type Headers = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

async function start(auth: Methods, route: Partial<ConfigInput['routes'][number]> = {}) {
  const backend = await RawBackend.listen();
  const names = Object.keys(auth);
  const running = await startProxy(oneRoute(backend.url, { auth: names, origins: 'any', ...route }, { auth }));
  const refused = async (headers: Headers): Promise<Head> => {
    const client = await RawClient.connect(running.port);
    return client.upgrade({ path: '/chat?room=1', headers });
  };
  const admitted = async (headers: Headers): Promise<Head> => {
    const client = await RawClient.connect(running.port);
    const answer = client.upgrade({ path: '/chat?room=1', headers });
    const session = await Promise.race([
      backend.nextSession(),
      answer.then((head) => Promise.reject(new Error(head.raw))),
    ]);
    expect((await answer).status).toBe(101);
    return session.request();
  };
  return { backend, running, refused, admitted };
}

const introspection = (url: string) => ({ introspection: { url, client_id: 'fg', client_secret: 's' } });

test('introspection: the server is asked, its active true lets in, and the token stays here', async () => {
  const service = await AuthServer.listen(({ body }) =>
    claims(body.includes('token=good') ? { active: true, sub: 'ann' } : { active: false }),
  );
  const { admitted, refused, running } = await start({ opaque: introspection(service.url) });
  const request = await admitted({ Authorization: 'Bearer good' });
  expect(request.field('authorization')).toBeUndefined();
  expect(service.asked).toMatchObject([
    { method: 'POST', body: 'token=good&token_type_hint=access_token', headers: { accept: 'application/json' } },
  ]);
  const answer = await refused({ Authorization: 'Bearer bad' });
  expect([answer.status, answer.field('www-authenticate')]).toEqual([401, 'Bearer realm="framegate"']);
  expect(await running.waitForLog('handshake.refused')).toMatchObject({ auth: 'opaque', cause: 'inactive' });
  expect((await refused({})).status).toBe(401);
});

test('forward: the service is asked about every handshake, and decides', async () => {
  const service = await AuthServer.listen(({ headers }) =>
    headers.cookie === 'sid=1'
      ? { headers: { 'X-User': 'ann', 'X-Framegate-Identity': 'ann', 'X-Framegate-Expires': '60' } }
      : { status: 401, headers: { 'WWW-Authenticate': 'Custom', 'Set-Cookie': ['a=1', 'b=2'] } },
  );
  const { admitted, refused, running } = await start({ ask: { forward: { url: service.url, take: ['x-user'] } } });
  const request = await admitted({ Cookie: 'sid=1', Origin: 'https://app.example.com', 'X-Forwarded-Uri': '/else' });
  expect([request.field('cookie'), request.field('origin')]).toEqual([undefined, 'https://app.example.com']);
  const [asked] = service.asked;
  expect(asked).toMatchObject({ method: 'GET', url: '/ask', body: '' });
  expect(asked?.headers).toMatchObject({
    'x-forwarded-method': 'GET',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'framegate.test',
    'x-forwarded-uri': '/chat?room=1',
    'x-forwarded-for': '127.0.0.1',
    cookie: 'sid=1',
    origin: 'https://app.example.com',
  });
  for (const name of ['upgrade', 'sec-websocket-key', 'sec-websocket-version'])
    expect(asked?.headers[name], name).toBeUndefined();
  const answer = await refused({ Cookie: 'sid=2' });
  expect([answer.status, answer.field('www-authenticate'), answer.all('set-cookie')]).toEqual([
    401,
    'Custom',
    ['a=1', 'b=2'],
  ]);
  expect(await running.waitForLog('handshake.refused')).toMatchObject({ auth: 'ask', cause: 'forward 401' });
});
