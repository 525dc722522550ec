// Methods of auth that ask a service, whole: a client, the service, a backend.

import { expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { type Answer, AuthServer, claims } from '../support/auth-server.ts';
import { deadPort } from '../support/dead.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { closeFrame, type Head } from '../support/wire.ts';
import { workerCount } from '../support/worker-fleet.ts';

type Methods = NonNullable<ConfigInput['auth']>;
type Headers = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

const timeouts = { idle: 'off', client_ping_interval: 'off', backend_ping_interval: 'off' } as const;

async function start(auth: Methods, route: Partial<ConfigInput['routes'][number]> = {}) {
  const clock = new FakeClock();
  const backend = await RawBackend.listen();
  const names = Object.keys(auth);
  const running = await startProxy(
    oneRoute(backend.url, { auth: names, origins: 'any', missing_origin: 'allow', ...route }, { auth, timeouts }),
    {
      clock,
    },
  );
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
  const open = async (headers: Headers) => {
    const client = await RawClient.connect(running.port);
    const answer = client.upgrade({ headers });
    const server = await backend.nextSession();
    expect((await answer).status).toBe(101);
    return { client, server };
  };
  return { backend, running, clock, refused, admitted, open };
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
  const { admitted, refused, running } = await start(
    { ask: { forward: { url: service.url, take: ['x-user'] } } },
    { headers: { request: { set: { 'X-Who': '{forward.x-user} of {auth}' } } } },
  );
  const request = await admitted({ Cookie: 'sid=1', Origin: 'https://app.example.com', 'X-Forwarded-Uri': '/else' });
  expect([request.field('cookie'), request.field('origin')]).toEqual([undefined, 'https://app.example.com']);
  expect(request.field('x-who')).toBe('ann of ask');
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

test('a connection to a service waits for the next question, and ends with the proxy', async () => {
  const service = await AuthServer.listen(() => ({ status: 204 }));
  const { admitted, running } = await start({ ask: { forward: { url: service.url } } });
  await admitted({ Cookie: 'sid=1' });
  await admitted({ Cookie: 'sid=2' });
  expect([service.asked.length, service.connections]).toEqual([2, workerCount]);
  await running.proxy.stop();
  await service.isLeft();
});

test('recheck: a bad answer ends the session, none keeps it', async () => {
  let says: Answer = () => claims({ active: true, sub: 'ann' });
  const service = await AuthServer.listen((asked) => says(asked), { closes: true });
  const { introspection: settings } = introspection(service.url);
  const { open, running, clock } = await start({ opaque: { introspection: { ...settings, recheck: '20s' } } });
  const { client, server } = await open({ Authorization: 'Bearer t' });
  const other = await open({ Authorization: 'Bearer u' });
  says = () => ({ status: 500 });
  clock.advance(20_000);
  await running.waitForLog('auth.unavailable');
  await service.wasAsked(4);
  await service.isLeft();
  says = ({ body }) => claims({ active: !body.includes('token=t'), sub: 'ann' });
  clock.advance(20_000);
  await service.wasAsked(6);
  expect(await client.nextClose()).toEqual({ code: 3003, reason: 'credential revoked' });
  client.send(closeFrame(3003, '', { mask: true }));
  expect(await server.nextClose()).toEqual({ code: 1001, reason: 'credential revoked' });
  server.destroy();
  client.destroy();
  expect(await running.waitForLog('session.end')).toMatchObject({ reason: 'credential_revoked', identity: 'ann' });
  await service.isLeft();
  clock.advance(20_000);
  await service.wasAsked(7);
  expect(running.logsOf('session.end').length).toBe(1);
  other.client.destroy();
});

test('recheck: forward is asked with what the client sent then', async () => {
  const answer: Answer = () => ({ status: service.asked.length > 2 ? 403 : 204 });
  const service = await AuthServer.listen(answer, { closes: true });
  const { open, clock } = await start({ ask: { forward: { url: service.url, recheck: '20s' } } });
  const { client } = await open({ Cookie: 'sid=1', 'X-Other': '1' });
  clock.advance(20_000);
  await service.wasAsked(2);
  await service.isLeft();
  expect(service.asked[1]?.raw).toEqual(service.asked[0]?.raw);
  clock.advance(20_000);
  expect(await client.nextClose()).toEqual({ code: 3003, reason: 'credential revoked' });
});

test('no token, no secret and no word of a service is in a log line or an answer', async () => {
  const service = await AuthServer.listen(({ body, headers }) => ({
    status: body.includes('broken') ? 500 : 200,
    headers: { 'X-Said': 'canary' },
    body: `${headers.authorization} ${body}`,
  }));
  const settings = { url: service.url, client_id: 'canary-id', client_secret: 'canary-secret' };
  const { refused, running } = await start({ opaque: { introspection: { ...settings, client_auth: 'post' } } });
  for (const token of ['canary', 'canary broken', 'canary-broken']) {
    const answer = await refused({ Authorization: `Bearer ${token}` });
    expect([401, 503]).toContain(answer.status);
    expect(answer.raw).not.toContain('canary');
  }
  await running.waitForLog('auth.unavailable');
  expect(JSON.stringify(running.logs)).not.toContain('canary');
  const down = await start({ ask: { forward: { url: `http://127.0.0.1:${deadPort}/canary`, send: ['x-key'] } } });
  expect((await down.refused({ 'X-Key': 'canary' })).status).toBe(503);
  expect(await down.running.waitForLog('auth.unavailable')).toMatchObject({
    cause: 'backend_unreachable ECONNREFUSED',
  });
  expect(JSON.stringify(down.running.logs)).not.toContain('canary');
});
