// Keys and passwords that are wrong, said twice, or tried until one is right.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ApiKeyMethod } from '../../src/edge/auth/api-key.ts';
import { BasicMethod } from '../../src/edge/auth/basic.ts';
import { AuthFailures } from '../../src/edge/auth/failures.ts';
import type { AuthAsk } from '../../src/edge/auth/method.ts';
import { PasswordHasher } from '../../src/edge/auth/password-hasher.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { authMeans, authMethodOf } from '../support/auth.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { PlainHashes, plainHash, scryptHash } from '../support/passwords.ts';
import { requestOf, sharedGate, startGate } from './harness.ts';

const KEY = 'fgk_0123456789abcdefghijklmnopqrstuvwxyz';
const key = (name: string, text: string, over: object = {}) => ({
  name,
  sha256: createHash('sha256').update(text).digest('hex'),
  ...over,
});
const LONGEST = `fgk_${'x'.repeat(4_092)}`;
const LONG = 'x'.repeat(1_532);
const user = async (name: string, password: string) => ({ name, password: await scryptHash(password) });
const KEYS = [
  key('acme', KEY),
  key('old', 'fgk_expired', { expires: '2020-01-01T00:00:00Z' }),
  key('elsewhere', 'fgk_elsewhere', { routes: ['basic'] }),
  key('bare', 'noprefix'),
  key('blank', 'fgk_a b'),
  key('long', LONGEST),
  key('too-long', `${LONGEST}x`),
];

const auth: ConfigInput['auth'] = {
  keys: { api_key: { prefix: 'fgk_', keys: KEYS } },
  several: { api_key: { from: ['header:X-API-Key', 'query:key', 'cookie:key', 'header:Authorization'], keys: KEYS } },
  prefixed: { api_key: { from: ['query:token'], prefix: 'fgk_', keys: KEYS } },
  other: { api_key: { from: ['query:token'], prefix: 'own_', keys: [key('own', 'own_1')] } },
  staff: { basic: { realm: 'staff', users: [await user('alice', 'secret'), await user('long', LONG)] } },
};
const limits = { auth_failures_per_minute_per_ip: 'off', max_head_size: '16KiB' } as const;
const routesTo = (upstream: string): ConfigInput['routes'] => [
  { name: 'keys', match: { path: '/keys' }, upstream, auth: ['keys'] },
  { name: 'several', match: { path: '/several' }, upstream, auth: ['several'] },
  { name: 'shared', match: { path: '/shared' }, upstream, auth: ['prefixed', 'other'] },
  { name: 'basic', match: { path: '/basic' }, upstream, auth: ['staff'] },
];
/** Whether a page may ask is not what this is about. */
const defaults = { origins: 'any', missing_origin: 'allow' } as const;

const gate = sharedGate((url) => ({ auth, limits, defaults, routes: routesTo(url) }));
const at = (target: string, ...fields: string[]) => requestOf({ line: `GET ${target} HTTP/1.1`, fields });
const withKey = (text: string) => at('/keys', `X-API-Key: ${text}`);
const basic = (text: string | Buffer) => `Authorization: Basic ${Buffer.from(text).toString('base64')}`;
const CHALLENGE = { 'www-authenticate': 'Basic realm="staff", charset="UTF-8"' };

describe('A13: a key that is wrong', () => {
  test('A13: whatever is wrong, the answer and the cause are the same', async () => {
    await gate.accepts(withKey(KEY), { target: '/keys' });
    await gate.accepts(withKey(LONGEST), { target: '/keys' });
    const wrong = [
      KEY.slice(0, -1),
      `${KEY}x`,
      KEY.replace('fgk_0', 'fgk_1'),
      KEY.replace(/z$/, 'y'),
      KEY.toUpperCase(),
      'fgk_expired',
      'noprefix',
      'fgk_a b',
      `${LONGEST}x`,
      `Bearer ${KEY}`,
      'x',
      `${KEY}\xe9`,
    ];
    for (const text of wrong) {
      const line = await gate.refuses(withKey(text), '401 unauthorized');
      expect([text, line.cause]).toEqual([text, 'key']);
    }
    await gate.refuses(withKey('fgk_elsewhere'), '403 scope_missing');
  });

  test('A13: it takes the same time', () => {
    const method = authMethodOf(
      { api_key: { prefix: 'fgk_', keys: KEYS.filter(({ name }) => name !== 'elsewhere') } },
      (config, means) => (config.kind === 'api_key' ? new ApiKeyMethod(config, means) : null),
    );
    const ask = { route: 'keys' } as unknown as AuthAsk; // nothing else is read
    const kinds = [`${KEY.slice(0, -1)}y`, 'fgk_1', 'x', 'fgk_expired', 'noprefix', 'fgk_a b', `${KEY} `];
    const least = leastTimes(kinds, (text) => method.judge(text, ask));
    const [first = 0] = least;
    for (const [index, ns] of least.entries()) expect(ns / first, kinds[index]).toBeGreaterThan(0.5);
  });
});

/** Of batches in turn the fastest of each: what else runs makes some of them slower, and none faster. */
function leastTimes(texts: readonly string[], judge: (text: string) => unknown): number[] {
  const least = texts.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 60; round += 1) {
    for (const [index, text] of texts.entries()) {
      const begin = process.hrtime.bigint();
      for (let n = 0; n < 100; n += 1) judge(text);
      least[index] = Math.min(least[index] ?? 0, Number(process.hrtime.bigint() - begin));
    }
  }
  return least;
}

describe('A14: names and passwords that are wrong', () => {
  test('A14: 401, and the right pair is let in; any case of the scheme', async () => {
    await gate.accepts(at('/basic', basic('alice:secret')), { target: '/basic' });
    await gate.accepts(at('/basic', basic('alice:secret').replace('Basic', 'bASIC')), { target: '/basic' });
    const right = Buffer.from('alice:secret').toString('base64');
    const wrong = [
      ...['alice:Secret', 'alice:', 'alice', 'ALICE:secret', 'mallory:secret', 'alice:secret\0', 'alice\0:secret'],
      ...[':secret', ':', '', `long:${LONG}`, Buffer.from('alice:\xffsecret', 'latin1')],
    ].map(basic);
    // `secret` ends where Base64 needs no padding: a pair that does, spelled otherwise, is in the tests of the parser.
    const spelled = [
      `Basic ${right}=`,
      `Basic ${right.slice(0, -1)}`,
      `Basic ${right} x`,
      `Basic ${right.slice(0, 4)} ${right.slice(4)}`,
    ];
    const schemes = [`Bearer ${right}`, right, `Digest ${right}`, 'Basic'];
    for (const field of [...wrong, ...[...spelled, ...schemes].map((text) => `Authorization: ${text}`)])
      await gate.refuses(at('/basic', field), '401 unauthorized', 'whole', CHALLENGE);
  });

  test('A14: a name that nobody has costs the same hash', async () => {
    const hashes = new PlainHashes();
    const clock = new FakeClock();
    const passwords = new PasswordHasher(clock, 1, hashes.hash);
    const method = authMethodOf(
      { basic: { users: [{ name: 'alice', password: plainHash('secret', 12) }] } },
      (config) => (config.kind === 'basic' ? new BasicMethod(config, authMeans({ clock, passwords })) : null),
    );
    const ask = { clientKey: '192.0.2.1', deadline: 5_000, signal: new AbortController().signal } as unknown as AuthAsk;
    for (const pair of ['alice:wrong', 'mallory:wrong'])
      expect(await method.judge(Buffer.from(pair).toString('base64'), ask)).toEqual({ kind: 'bad', cause: 'password' });
    const costs = hashes.asked.map(({ ln, r, p, size, salt }) => [ln, r, p, size, salt.length]);
    expect(costs).toEqual([costs[0], costs[0]]);
  });
});

describe('A15: more than one credential', () => {
  const X = `X-API-Key: ${KEY}`;

  test('A15: in two places of a method, or twice in one, however good', async () => {
    for (const field of [
      `X-API-Key: ${KEY}`,
      `Cookie: key=${KEY}`,
      `Authorization: Bearer ${KEY}`,
      `Authorization: ${KEY}`,
    ])
      await gate.accepts(at('/several', field), { target: '/several' });
    await gate.accepts(at(`/several?key=${KEY}`), { target: '/several' });
    const twice: string[] = [
      at('/several', X, `Cookie: key=${KEY}`),
      at(`/several?key=${KEY}`, X),
      at(`/several?key=${KEY}`, X, `Cookie: key=${KEY}`),
      at('/several', X, `Authorization: Bearer ${KEY}`),
      at('/several', X, 'X-API-Key: wrong'),
      at('/several', X, X),
      at(`/several?key=${KEY}&key=${KEY}`),
      at(`/several?key=${KEY}&%6bey=${KEY}`),
      at('/several', `Cookie: key=${KEY}; key=${KEY}`),
    ];
    for (const request of twice) await gate.refuses(request, '400 multiple_credentials');
  });

  test('A15: twice in one place, of two kinds', async () => {
    await gate.accepts(at(`/shared?token=${KEY}`), { target: '/shared' });
    await gate.accepts(at('/shared?token=own_1'), { target: '/shared' });
    await gate.refuses(at(`/shared?token=${KEY}&token=own_1`), '400 multiple_credentials');
    await gate.refuses(at(`/shared?token=own_1&token=${KEY}`), '400 multiple_credentials');
  });

  test('A15: Authorization twice is refused before any method hears of it', async () => {
    for (const target of ['/several', '/basic', '/keys'])
      await gate.refuses(at(target, basic('alice:secret'), `Authorization: Bearer ${KEY}`), '400 dup_field');
  });
});

describe('A19: guesses', () => {
  test('A19: so many different bad ones of an address, and no more within the minute', async () => {
    const own = await startGate((url) => ({
      auth,
      defaults,
      limits: { auth_failures_per_minute_per_ip: 3 },
      routes: routesTo(url),
    }));
    // Each of them takes a second.
    for (const text of ['fgk_1', 'fgk_1', 'fgk_2', 'fgk_1']) await own.refuses(withKey(text), '401 unauthorized');
    await own.accepts(withKey(KEY), { target: '/keys' });
    await own.refuses(at('/basic', basic('alice:wrong')), '401 unauthorized', 'whole', CHALLENGE);
    const line = await own.refuses(withKey(KEY), '429 too_many_auth_failures', 'whole', { 'retry-after': '55' });
    expect([line.auth, line.identity, line.cause]).toEqual(['keys', undefined, 'auth_failures_per_minute_per_ip']);
    await own.refuses(at('/basic', basic('alice:secret')), '429 too_many_auth_failures', 'whole', {
      'retry-after': '54',
    });
    own.clock.advance(54_000);
    await own.accepts(withKey(KEY), { target: '/keys' });
  });

  test('A19: IPv6 counts by its /64, and what is counted of whom is bounded', () => {
    const failures = new AuthFailures(1);
    failures.note('2001:db8:0:1::/64', 'x', 0);
    expect(failures.against('2001:db8:0:1::/64', 0)).not.toBeNull();
    expect(failures.against('2001:db8:0:2::/64', 0)).toBeNull();
    for (let n = 0; n < 9_999; n += 1) failures.note(`10.0.${n >> 8}.${n & 255}`, 'x', 0);
    expect(failures.against('2001:db8:0:1::/64', 0)).not.toBeNull();
    failures.note('192.0.2.1', 'x', 0);
    expect([failures.against('2001:db8:0:1::/64', 0), failures.against('192.0.2.1', 0)]).toEqual([
      null,
      expect.anything(),
    ]);
  });

  test('A19: ten for one name, from whatever addresses, but for those that were let in as it', () => {
    const failures = new AuthFailures(60);
    failures.succeeded('staff alice', '192.0.2.1', 0);
    for (let n = 0; n < 10; n += 1) {
      expect(failures.againstAs('staff alice', '198.51.100.1', 0)).toBeNull();
      failures.noteAs('staff alice', `198.51.100.${n}`, `x${n}`, 0);
    }
    expect(failures.againstAs('staff alice', '198.51.100.1', 0)).toMatchObject({ retryAfter: 60 });
    expect(failures.againstAs('staff alice', '192.0.2.1', 0)).toBeNull();
  });
});
