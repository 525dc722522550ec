// Tokens whose signature is good: what of their claims counts, until when, and for whom.

import { expect, test } from 'vitest';
import { loadObject } from '../../../src/config/load.ts';
import { JwtMethod } from '../../../src/edge/auth/jwt.ts';
import type { AuthVerdict } from '../../../src/edge/auth/method.ts';
import type { ConfigInput } from '../../../src/proxy.ts';
import { authMeans } from '../../support/auth.ts';
import { anyPort, nowhere } from '../../support/harness.ts';
import { hs256, SECRET_TEXT, tokenOf } from '../../support/tokens.ts';

const NOW = Date.UTC(2026, 10, 30);
const SECONDS = NOW / 1000;

type Settings = NonNullable<NonNullable<ConfigInput['auth']>[string]['jwt']>;

function methodOf(own: Partial<Settings> = {}): JwtMethod {
  const auth = { users: { jwt: { secret: SECRET_TEXT, algorithms: ['HS256' as const], ...own } } };
  const { users } = loadObject(
    { listeners: anyPort, routes: [{ ...nowhere, auth: ['users'] }], auth },
    { baseDir: '.' },
  ).config.auth;
  if (users?.kind !== 'jwt') throw new Error('it is of its kind');
  return new JwtMethod(users, authMeans({ wallNow: () => NOW }));
}

async function judged(method: JwtMethod, claims: object): Promise<AuthVerdict> {
  const payload = { sub: 'u1', exp: SECONDS + 60, ...claims };
  return method.judge(tokenOf({ header: { alg: 'HS256' }, payload, sign: (input) => hs256(input) }));
}

async function outcome(method: JwtMethod, claims: object): Promise<string> {
  const verdict = await judged(method, claims);
  if (verdict.kind === 'refused') return verdict.refusal.slug;
  return verdict.kind === 'good' ? 'good' : verdict.cause;
}

test('a grant says who it is, since when and until when', async () => {
  const method = methodOf();
  const verdict = await judged(method, { jti: 'j1', iat: SECONDS - 10, extra: { deep: [1] } });
  if (verdict.kind !== 'good') throw new Error('it is good');
  const { grant } = verdict;
  expect(grant).toMatchObject({ auth: 'users', identity: 'u1', key: null, jti: 'j1', quota: null });
  expect([grant.issuedAt, grant.expiresAt]).toEqual([NOW - 10_000, NOW + 90_000]);
  expect(Object.getPrototypeOf(grant.claims)).toBeNull();
  // Another key of the same method, and a method of another kind.
  expect(methodOf({ secret: `${SECRET_TEXT} 2` }).holds(grant)).toBe(true);
  expect(method.holds({ ...grant, key: 'u1', entry: 'ab'.repeat(32) })).toBe(false);
  expect(method.holds({ ...grant, entry: null })).toBe(false);
});

test('times count to the millisecond, with their leeway', async () => {
  const method = methodOf();
  for (const [claims, wanted] of [
    [{ exp: SECONDS - 30 }, 'exp'],
    [{ exp: SECONDS - 29.999 }, 'good'],
    [{ nbf: SECONDS + 30 }, 'good'],
    [{ nbf: SECONDS + 30.001 }, 'nbf'],
    [{ iat: SECONDS + 30 }, 'good'],
    [{ iat: SECONDS + 30.001 }, 'iat'],
    [{ exp: 0 }, 'exp'],
    [{ exp: undefined }, 'exp'],
    [{ jti: 7 }, 'jti'],
  ] as const)
    expect([claims, await outcome(method, claims)]).toEqual([claims, wanted]);
  const endless = await judged(methodOf({ require_exp: 'off' }), { exp: undefined });
  expect(endless).toMatchObject({ kind: 'good', grant: { expiresAt: Number.POSITIVE_INFINITY } });
});

test('max_age ends a token before its exp', async () => {
  const method = methodOf({ max_age: '60s' });
  expect(await outcome(method, {})).toBe('iat');
  expect(await outcome(method, { iat: SECONDS - 90 })).toBe('iat');
  const verdict = await judged(method, { iat: SECONDS - 89, exp: SECONDS + 600 });
  expect(verdict).toMatchObject({ kind: 'good', grant: { expiresAt: NOW + 1_000 } });
});

test('what is required of a good token is 403, and of a bad one nothing', async () => {
  const method = methodOf({ required: { scope: 'chat', 'realm_access.roles': ['a', 'b'] } });
  const roles = { realm_access: { roles: ['b', 'c', 'a'] } };
  expect(await outcome(method, { scope: 'mail chat', ...roles })).toBe('good');
  expect(await outcome(method, { scope: 'chats', ...roles })).toBe('scope_missing');
  expect(await outcome(method, { scope: 'chat', realm_access: { roles: ['a'] } })).toBe('scope_missing');
  expect(await outcome(method, { scope: 'chats', exp: 1 })).toBe('exp');
  const refusal = { slug: 'scope_missing', cause: 'required realm_access.roles' };
  expect(await judged(method, { scope: 'chat' })).toMatchObject({ kind: 'refused', refusal });
});

test('a quota in a claim has the form of a key, or the token is bad', async () => {
  const method = methodOf({ quota_claim: 'fg.quota', subject: 'off' });
  const quota = { max_sessions: 2, handshakes: { count: 10, every: '1h' }, from_client: { messages_per_second: 5 } };
  expect(await judged(method, { fg: { quota } })).toMatchObject({
    kind: 'good',
    grant: { identity: null, quota: { max_sessions: 2, handshakes: { count: 10, every: 3_600_000 } } },
  });
  expect(await judged(method, {})).toMatchObject({ kind: 'good', grant: { quota: null } });
  for (const wrong of [null, 1, [], { max_session: 2 }, { max_sessions: -1 }, { handshakes: { count: 1 } }, '2'])
    expect([wrong, await outcome(method, { fg: { quota: wrong } })]).toEqual([wrong, 'quota_claim']);
});
