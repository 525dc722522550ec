// A service that decides about every handshake: what it is told, and what its answers come to.

import { expect, test } from 'vitest';
import { loadObject } from '../../../src/config/load.ts';
import type { ForwardAuth } from '../../../src/config/types.ts';
import { ForwardMethod } from '../../../src/edge/auth/forward.ts';
import type { AuthAsk, AuthVerdict } from '../../../src/edge/auth/method.ts';
import { Abort } from '../../../src/net/abort.ts';
import { withoutPlaces } from '../../../src/protocol/credential-places.ts';
import { type ServiceAnswer, type ServiceAsk, ServiceClient } from '../../../src/services/service-client.ts';
import { accepted, requestText } from '../../protocol/heads.ts';
import { authMeans } from '../../support/auth.ts';
import { anyPort, nowhere } from '../../support/harness.ts';
import { upstreamMeans } from '../../support/upstreams.ts';

const START = Date.UTC(2026, 10, 30);

class Services extends ServiceClient {
  readonly asked: ServiceAsk[] = [];
  answer: Partial<ServiceAnswer> = {};

  override async ask(ask: ServiceAsk): Promise<ServiceAnswer> {
    this.asked.push(ask);
    return { status: 200, headers: {}, body: Buffer.alloc(0), ...this.answer };
  }
}

/** Loaded once: it takes longer than all else here. */
const { ask: BASE } = loadObject(
  {
    listeners: anyPort,
    routes: [{ ...nowhere, auth: ['ask'], origins: 'any' }],
    auth: { ask: { forward: { url: 'http://127.0.0.1:9/check' } } },
  },
  { baseDir: '.' },
).config.auth;

function methodOf(own: Partial<ForwardAuth> = {}) {
  const means = upstreamMeans();
  const services = new Services(means);
  if (BASE?.kind !== 'forward') throw new Error('it is of its kind');
  return {
    method: new ForwardMethod({ ...BASE, ...own }, authMeans({ services, wallNow: () => START }, means)),
    services,
  };
}

function askOf(fields: readonly string[] = [], arrival: Partial<AuthAsk['arrival']> = {}): AuthAsk {
  const own = {
    client: '192.0.2.1',
    peer: '192.0.2.1',
    peerTrusted: false,
    proto: 'https',
    requestId: 'r1',
    tls: null,
  };
  return {
    request: accepted(requestText({ line: 'GET /a%20b?c=d HTTP/1.1', fields })),
    arrival: { ...own, ...arrival },
    route: 'nowhere',
    clientKey: '192.0.2.1',
    signal: new Abort(),
    deadline: 5_000,
  };
}

/** What the answer comes to. */
async function verdictOf(answer: Partial<ServiceAnswer>, own: Partial<ForwardAuth> = {}): Promise<AuthVerdict> {
  const { method, services } = methodOf(own);
  services.answer = answer;
  return method.judge('', askOf());
}

test('it is told of the handshake by framegate, and gets of the client what send names', async () => {
  const { method, services } = methodOf({
    send: ['authorization', 'cookie', 'x-two', 'x-forwarded-uri'],
  });
  await method.judge(
    '',
    askOf([
      'Authorization: Bearer x',
      'Cookie: a=1',
      'Cookie: b=2',
      'X-Two: 1',
      'X-Other: 1',
      'x-two: 2',
      'X-Forwarded-Uri: /else',
      'X-Forwarded-For: 10.0.0.1',
      'X-Request-ID: mine',
    ]),
  );
  const [asked] = services.asked;
  expect(asked).toMatchObject({ method: 'GET', body: null, timeoutMs: 3_000 });
  expect(asked?.url.path).toBe('/check');
  expect(asked?.headers).toEqual({
    authorization: ['Bearer x'],
    cookie: ['a=1', 'b=2'],
    'x-two': ['1', '2'],
    'X-Forwarded-Method': ['GET'],
    'X-Forwarded-Proto': ['https'],
    'X-Forwarded-Host': ['chat.example.com'],
    'X-Forwarded-Uri': ['/a%20b?c=d'],
    'X-Forwarded-For': ['192.0.2.1'],
    'X-Request-ID': ['r1'],
  });
});

test('without an address there is no X-Forwarded-For, and a trusted peer says by which scheme', async () => {
  const { method, services } = methodOf();
  await method.judge('', askOf(['X-Forwarded-Proto: https'], { client: '', proto: null, peerTrusted: true }));
  await method.judge('', askOf(['X-Forwarded-Proto: ftp\t'], { proto: null, peerTrusted: true }));
  expect(services.asked[0]?.headers['X-Forwarded-For']).toBeUndefined();
  expect(services.asked.map(({ headers }) => headers['X-Forwarded-Proto'])).toEqual([['https'], ['http']]);
});

test('RFC 9110 7.6.1: what Connection names is not sent', async () => {
  const { method, services } = methodOf({ send: ['x-two'] });
  const request = requestText({ without: ['Connection'], fields: ['Connection: Upgrade, X-Two', 'X-Two: 1'] });
  await method.judge('', { ...askOf(), request: accepted(request) });
  expect(services.asked[0]?.headers['x-two']).toBeUndefined();
});

test('no credential that it reads reaches a backend; what is none does', () => {
  const { method } = methodOf({ send: ['authorization', 'cookie', 'origin', 'user-agent', 'x-key', 'host'] });
  const { request } = askOf(['Authorization: x', 'Cookie: a=1; b=2', 'Origin: https://a', 'User-Agent: u', 'X-Key: k']);
  const names = withoutPlaces(request, method.places).head.fields.map(({ lower }) => lower);
  expect(names.filter((name) => !name.startsWith('sec-'))).toEqual([
    'host',
    'upgrade',
    'connection',
    'origin',
    'user-agent',
  ]);
});

test('what is found tells one credential from another', () => {
  const { method } = methodOf();
  const found = (...fields: string[]) => method.find(askOf(fields));
  expect(found()).toBe('');
  expect(found('Origin: https://a')).toBe('');
  expect(found('Cookie: a=1')).not.toBe(found('Cookie: a=2'));
});

test('2xx lets in, with what the answer says of it', async () => {
  expect(await verdictOf({ status: 204 })).toMatchObject({
    kind: 'good',
    grant: { auth: 'ask', identity: null, expiresAt: Number.POSITIVE_INFINITY, forwarded: new Map() },
  });
  const utf8 = Buffer.from('J\u00f6rg').toString('latin1');
  const headers = {
    'x-framegate-identity': [utf8],
    'x-framegate-expires': ['60'],
    'x-user': ['a', 'b'],
    'x-long': ['x'.repeat(1_025)],
    'x-most': ['x'.repeat(1_024)],
    'x-control': ['a\tb'],
    'x-bytes': ['\xff'],
    'x-empty': [''],
    'x-not-asked-for': ['1'],
  };
  const take = ['x-user', 'x-long', 'x-most', 'x-control', 'x-bytes', 'x-empty', 'x-none'];
  expect(await verdictOf({ status: 200, headers }, { take })).toMatchObject({
    kind: 'good',
    grant: {
      identity: 'J\u00f6rg',
      expiresAt: START + 60_000,
      forwarded: new Map([
        ['x-user', 'a, b'],
        ['x-most', 'x'.repeat(1_024)],
      ]),
    },
  });
});

test('what it says of identity and expiry holds, or nobody is let in', async () => {
  const kindWith = async (name: string, ...values: string[]) => (await verdictOf({ headers: { [name]: values } })).kind;
  for (const value of ['1', '007', '9999999999']) expect(await kindWith('x-framegate-expires', value)).toBe('good');
  for (const value of ['', '0', '-1', '1.5', '1e3', 'soon', '10000000000', ' 1'])
    expect(await kindWith('x-framegate-expires', value), value).toBe('unavailable');
  expect(await kindWith('x-framegate-expires', '1', '2')).toBe('unavailable');
  for (const value of ['', 'x'.repeat(256)]) expect(await kindWith('x-framegate-identity', value)).toBe('good');
  for (const value of ['x'.repeat(257), 'a\tb', '\xff'])
    expect(await kindWith('x-framegate-identity', value)).toBe('unavailable');
  expect(await kindWith('x-framegate-identity', 'a', 'b')).toBe('unavailable');
});

test('401 and 403 are relayed with what belongs to them, 3xx is a 401', async () => {
  const headers = {
    'www-authenticate': ['Basic realm="x"', 'Bearer'],
    location: ['https://login'],
    'set-cookie': ['a=1', 'b=\xe9', 'c=3'],
    'x-other': ['1'],
    'content-type': ['text/html'],
  };
  const relayed = (names: readonly string[]) =>
    [
      ['WWW-Authenticate', 'Basic realm="x"'],
      ['WWW-Authenticate', 'Bearer'],
      ['Location', 'https://login'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'c=3'],
    ].filter(([name = '']) => names.includes(name));
  const all = relayed(['WWW-Authenticate', 'Location', 'Set-Cookie']);
  expect(await verdictOf({ status: 401, headers })).toEqual({
    kind: 'refused',
    refusal: { slug: 'unauthorized', cause: 'forward 401', fields: all },
  });
  expect(await verdictOf({ status: 403, headers })).toEqual({
    kind: 'refused',
    refusal: { slug: 'scope_missing', cause: 'forward 403', fields: all },
  });
  for (const status of [300, 302, 399])
    expect(await verdictOf({ status, headers })).toEqual({
      kind: 'refused',
      refusal: { slug: 'unauthorized', cause: `forward ${status}`, fields: relayed(['Location', 'Set-Cookie']) },
    });
  for (const status of [400, 402, 404, 499])
    expect(await verdictOf({ status, headers })).toEqual({
      kind: 'refused',
      refusal: { slug: 'scope_missing', cause: `forward ${status}` },
    });
  for (const status of [500, 503, 599]) expect((await verdictOf({ status, headers })).kind).toBe('unavailable');
});

test('429 is relayed with its Retry-After, in seconds or as a date', async () => {
  const retry = async (...values: string[]) => {
    const verdict = await verdictOf({ status: 429, headers: { 'retry-after': values } });
    if (verdict.kind !== 'refused') throw new Error(verdict.kind);
    expect(verdict.refusal).toMatchObject({ slug: 'too_many_handshakes_per_identity', cause: 'forward 429' });
    return verdict.refusal.retryAfter;
  };
  expect(await retry('30')).toBe(30);
  expect(await retry(new Date(START + 90_000).toUTCString())).toBe(90);
  for (const value of ['', '0', '-1', 'soon', '86401', new Date(START - 1_000).toUTCString()])
    expect(await retry(value), value).toBeUndefined();
  expect(await retry()).toBeUndefined();
});
