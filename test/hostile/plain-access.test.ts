// Who may ask without upgrade: by the methods of a handshake, which see the real HTTP method, and what of it a backend
// gets to see.

import { createHash, createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdmin } from '../e2e/operating.ts';
import { AuthServer, claims } from '../support/auth-server.ts';
import { makeAuthority } from '../support/certs.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { scryptHash } from '../support/passwords.ts';
import { RawClient } from '../support/raw-client.ts';
import { hs256, inSeconds, SECRET_TEXT, tokenOf } from '../support/tokens.ts';
import { requestOf } from './harness.ts';

const KEY = 'fgk_canary-good-7f3a';
const keys = [{ name: 'acme', sha256: createHash('sha256').update(KEY).digest('hex') }];
const from = ['header:X-API-Key', 'query:key', 'cookie:sid', 'subprotocol:bearer'];
const bearer = (own: object = {}) =>
  tokenOf({ header: { alg: 'HS256' }, payload: { sub: 'ada', exp: inSeconds(60), ...own }, sign: hs256 });

interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly fields?: readonly string[];
  readonly body?: string;
}

/** The head of the answer, and its body. */
async function answerTo({ port }: Pick<RunningProxy, 'port'>, asked: Asked, tls?: object) {
  const { method = 'GET', target = '/', fields = [], body = '' } = asked;
  const client = await RawClient.connect(port, tls === undefined ? {} : { tls });
  const length = method === 'GET' ? [] : [`Content-Length: ${body.length}`];
  const own = [...fields, ...length, 'Connection: close'];
  client.send(`${[`${method} ${target} HTTP/1.1`, 'Host: a.test', ...own].join('\r\n')}\r\n\r\n${body}`);
  const { head, body: text } = await client.readResponse();
  return { status: head.status, head, error: head.status < 400 ? '' : String(JSON.parse(text.toString()).error) };
}

/** A proxy whose routes lead to `pages`, which hears all that comes by. */
async function start(config: Partial<ConfigInput>, route: Partial<ConfigInput['routes'][number]> = {}) {
  const pages = await AuthServer.listen(() => ({ body: 'page', headers: { 'Content-Length': '4' } }));
  const http = pages.url.replace('/ask', '');
  const running = await startProxy({
    listeners: anyPort,
    routes: [{ name: 'page', match: { path: '/*' }, http, ...route }],
    log: { level: 'debug' },
    ...config,
  });
  return { ...running, pages };
}

/** As a client signs what it sends. */
function signed(text: string, fields: readonly string[], nonce: readonly string[] = []): string[] {
  const date = new Date().toUTCString();
  const all = ['(request-target)', 'host', 'date', ...nonce.map(() => 'x-nonce'), ...fields.map(() => 'digest')];
  const lines = [`(request-target): ${text}`, 'host: a.test', `date: ${date}`];
  const named = [...nonce.map((value) => `x-nonce: ${value}`), ...fields.map((value) => `digest: ${value}`)];
  const signature = createHmac('sha256', SECRET_TEXT)
    .update([...lines, ...named].join('\n'))
    .digest('base64');
  const own = `keyId="one",algorithm="hmac-sha256",headers="${all.join(' ')}",signature="${signature}"`;
  return [`Date: ${date}`, ...named, `Authorization: Signature ${own}`];
}

const hmac = (own: object = {}) => ({ hmac: { keys: [{ name: 'one', secret: SECRET_TEXT }], ...own } });

describe('H80: a credential of a request without upgrade', () => {
  test.each([
    ['a field', { fields: [`X-API-Key: ${KEY}`] }, '/'],
    ['the query', { target: `/a?b=%20c&k%65y=${KEY}&d` }, '/a?b=%20c&d'],
    ['a cookie', { fields: [`Cookie: a=b; sid=${KEY}`] }, '/'],
  ])('H80: lets in from %s, and is gone from what the backend gets', async (_, asked, url) => {
    const proxy = await start({ auth: { own: { api_key: { from, keys } } } }, { auth: ['own'] });
    const answer = await answerTo(proxy, { method: 'PUT', body: 'x', ...asked });
    expect(answer.status).toBe(200);
    const [seen] = proxy.pages.asked;
    expect([seen?.method, seen?.url, seen?.body]).toEqual(['PUT', url, 'x']);
    expect(JSON.stringify(seen)).not.toContain(KEY);
    const line = await proxy.waitForLog('http.request');
    expect(line).toMatchObject({
      auth: 'own',
      identity: 'acme',
      status: 200,
      method: 'PUT',
      bytes_in: 1,
      bytes_out: 4,
    });
    expect(JSON.stringify(proxy.logs)).not.toContain(KEY);
  });

  test('H80: is none where only an upgrade has one, and no field of ours is made of it', async () => {
    const set = { 'X-Offer': '{header.Sec-WebSocket-Protocol}', 'X-Query': '{query.key}', 'X-Who': '{identity}' };
    const proxy = await start(
      { auth: { own: { api_key: { from, keys } } } },
      { auth: ['own', 'anonymous'], headers: { request: { set } } },
    );
    const offered = [`Sec-WebSocket-Protocol: bearer, ${KEY}`];
    expect((await answerTo(proxy, { fields: offered })).status).toBe(200);
    expect((await answerTo(proxy, { fields: offered, target: `/?key=${KEY}` })).status).toBe(200);
    expect(JSON.stringify(proxy.pages.asked)).not.toContain(KEY);
    expect(proxy.pages.asked.map(({ headers }) => headers['x-who'])).toEqual([undefined, 'acme']);
  });

  test('H80: that is bad is told as one of a handshake is, and counts against its address', async () => {
    const limits = { auth_failures_per_minute_per_ip: 2 };
    const proxy = await start({ auth: { own: { api_key: { keys } } }, limits }, { auth: ['own'] });
    const answers = [];
    for (const key of ['bad1', 'bad2', 'bad3', KEY])
      answers.push((await answerTo(proxy, { fields: [`X-API-Key: ${key}`] })).error);
    expect(answers).toEqual(['unauthorized', 'unauthorized', 'too_many_auth_failures', 'too_many_auth_failures']);
    expect(proxy.pages.asked).toEqual([]);
  });

  test('H80: two of them are refused', async () => {
    const proxy = await start({ auth: { own: { api_key: { from, keys } } } }, { auth: ['own'] });
    const asked = { fields: [`X-API-Key: ${KEY}`], target: `/?key=${KEY}` };
    expect((await answerTo(proxy, asked)).error).toBe('multiple_credentials');
  });
});

describe('H81: what decides about a request without upgrade', () => {
  test('H81: a name and a password, which a browser asks for', async () => {
    const users = [{ name: 'ada', password: await scryptHash('secret') }];
    const proxy = await start({ auth: { own: { basic: { users } } } }, { auth: ['own'] });
    const first = await answerTo(proxy, {});
    expect([first.status, first.head.field('www-authenticate')]).toEqual([
      401,
      'Basic realm="framegate", charset="UTF-8"',
    ]);
    const brought = [`Authorization: Basic ${Buffer.from('ada:secret').toString('base64')}`];
    expect((await answerTo(proxy, { fields: brought, method: 'POST', body: 'x' })).status).toBe(200);
    expect(proxy.pages.asked[0]?.headers.authorization).toBeUndefined();
  });

  test('H81: a token by its claims, and nothing', async () => {
    const proxy = await start(
      { auth: { own: { jwt: { secret: SECRET_TEXT, algorithms: ['HS256'] } } } },
      { auth: ['own', 'anonymous'] },
    );
    const bring = async (own: object) =>
      (await answerTo(proxy, { method: 'POST', fields: [`Authorization: Bearer ${bearer(own)}`] })).status;
    expect([await bring({}), await bring({ exp: inSeconds(-600) })]).toEqual([200, 401]);
    expect((await answerTo(proxy, {})).status).toBe(200);
  });

  test('H81: a service that knows its tokens', async () => {
    const service = await AuthServer.listen(({ body }) => claims({ active: body.includes('good'), sub: 'ada' }));
    const own = { introspection: { url: service.url, client_id: 'me', client_secret: 'secret of framegate' } };
    const proxy = await start({ auth: { own } }, { auth: ['own'] });
    const bring = async (token: string) =>
      (await answerTo(proxy, { fields: [`Authorization: Bearer ${token}`] })).status;
    expect([await bring('good'), await bring('other')]).toEqual([200, 401]);
  });

  test('H81: a service, which hears the real method', async () => {
    const service = await AuthServer.listen(({ headers }) => ({
      status: headers['x-forwarded-method'] === 'DELETE' ? 403 : 204,
    }));
    const proxy = await start({ auth: { own: { forward: { url: service.url } } } }, { auth: ['own'] });
    expect((await answerTo(proxy, { method: 'POST', body: 'x' })).status).toBe(200);
    expect((await answerTo(proxy, { method: 'DELETE' })).status).toBe(403);
    expect(service.asked.map(({ method, body }) => [method, body])).toEqual([
      ['GET', ''],
      ['GET', ''],
    ]);
    expect(proxy.pages.asked.map(({ method }) => method)).toEqual(['POST']);
  });

  test('H81: a service that says nothing, for as long as timeouts.auth', async () => {
    const service = await AuthServer.listen(() => null);
    const proxy = await start(
      { auth: { own: { forward: { url: service.url } } }, timeouts: { auth: '50ms' } },
      { auth: ['own'] },
    );
    expect((await answerTo(proxy, {})).error).toBe('auth_unavailable');
  });

  test('H81: a certificate', async () => {
    const authority = await makeAuthority();
    const certificates = [await authority.issue({ dns: ['a.test'] })];
    const tls = { certificates, client_auth: 'request' as const, client_ca: authority.ca };
    const proxy = await start(
      {
        listeners: [{ name: 'test', address: '127.0.0.1:0', tls }],
        auth: { own: { certificate: { subject: 'cn' } } },
      },
      { auth: ['own'] },
    );
    const base = { rejectUnauthorized: false, servername: 'a.test' };
    expect((await answerTo(proxy, {}, base)).status).toBe(401);
    const own = await authority.issue({ client: true, commonName: 'device' });
    expect((await answerTo(proxy, { method: 'POST', body: 'x' }, { ...base, ...own })).status).toBe(200);
  });

  test('H81: a signature, which is of one method and none other', async () => {
    const proxy = await start({ auth: { own: hmac() } }, { auth: ['own'] });
    const ask = async (method: string, text: string, body = '') =>
      (await answerTo(proxy, { method, target: '/a?b', fields: signed(text, []), body })).status;
    expect(await ask('POST', 'post /a?b', 'x')).toBe(200);
    expect(await ask('DELETE', 'post /a?b')).toBe(401);
    expect(await ask('DELETE', 'get /a?b')).toBe(401);
    expect(await ask('GET', 'get /a?b')).toBe(200);
  });
});

describe('H82: a signed request without upgrade', () => {
  test('H82: counts once under replay: refuse, also when it is another kind of request', async () => {
    const proxy = await start(
      { auth: { own: hmac({ replay: 'refuse', headers: ['(request-target)', 'host', 'date', 'x-nonce'] }) } },
      { auth: ['own'], upstream: 'builtin:echo' },
    );
    const fields = signed('post /', [], ['n1']);
    const ask = async () => (await answerTo(proxy, { method: 'POST', fields, body: 'x' })).status;
    expect([await ask(), await ask()]).toEqual([200, 401]);
    const get = signed('get /', [], ['n2']);
    expect((await answerTo(proxy, { fields: get })).status).toBe(200);
    const client = await RawClient.connect(proxy.port);
    client.send(requestOf({ omit: ['host'], fields: ['Host: a.test', ...get] }));
    expect((await client.readHead()).status).toBe(401);
  });

  test('H82: brings its Digest to the backend, whose business the body is', async () => {
    const proxy = await start({ auth: { own: hmac() } }, { auth: ['own'] });
    const digest = `SHA-256=${createHash('sha256').update('x').digest('base64')}`;
    const fields = signed('put /', [digest]).map((line) => line.replace(/^digest/, 'Digest'));
    expect((await answerTo(proxy, { method: 'PUT', fields, body: 'x' })).status).toBe(200);
    expect(proxy.pages.asked[0]?.headers).toMatchObject({ digest });
  });
});

describe('H86: who asks without upgrade', () => {
  test('H86: pays with no seat, rate or quota of sessions, however many requests there are', async () => {
    const quota = { max_sessions: 1, handshakes_per_second: 0.5 };
    const limits = { max_sessions_per_identity: 1, handshakes_per_second_per_identity: 0.001 };
    const own = { api_key: { keys: keys.map((key) => ({ ...key, quota })) } };
    const proxy = await start({ auth: { own }, limits }, { auth: ['own'], upstream: 'builtin:echo' });
    for (let n = 0; n < 3; n += 1) expect((await answerTo(proxy, { fields: [`X-API-Key: ${KEY}`] })).status).toBe(200);
    const client = await RawClient.connect(proxy.port);
    client.send(requestOf({ fields: [`X-API-Key: ${KEY}`] }));
    expect((await client.readHead()).status).toBe(101);
    expect((await answerTo(proxy, { fields: [`X-API-Key: ${KEY}`] })).status).toBe(200);
  });

  test('H86: is refused from when its credential is revoked, on an open connection, too', async () => {
    const admin = { address: '127.0.0.1:0' };
    const proxy = await start({ auth: { own: { api_key: { keys } } }, admin }, { auth: ['own'] });
    const client = await RawClient.connect(proxy.port);
    const ask = async () => {
      client.send(`GET / HTTP/1.1\r\nHost: a.test\r\nX-API-Key: ${KEY}\r\n\r\n`);
      return (await client.readResponse()).status;
    };
    expect([await ask(), await ask()]).toEqual([200, 200]);
    expect((await askAdmin(proxy, 'POST /api/v1/revoke?auth=own&key=acme')).status).toBe(200);
    expect(await ask()).toBe(401);
    expect(proxy.pages.asked).toHaveLength(2);
  });
});
