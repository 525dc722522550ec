import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/types.ts';
import { ApiKeyMethod } from '../../../src/edge/auth/api-key.ts';
import { type AuthAsk, type AuthMethod, SEVERAL } from '../../../src/edge/auth/method.ts';
import { SessionCredential } from '../../../src/edge/session-credential.ts';
import { placeKey } from '../../../src/protocol/credential-places.ts';
import { authMeans, authMethodOf } from '../../support/auth.ts';

type Spec = NonNullable<NonNullable<ConfigInput['auth']>[string]['api_key']>;
type Entry = Extract<Spec['keys'], readonly unknown[]>[number];

const NOW = Date.UTC(2030, 0, 1);
const at = (ms: number) => new Date(NOW + ms).toISOString();
const entry = (name: string, over: Partial<Entry> = {}): Entry => ({
  name,
  sha256: createHash('sha256').update(name).digest('hex'),
  ...over,
});

function method(keys: Entry[], over: Partial<Spec> = {}): AuthMethod {
  return authMethodOf({ api_key: { keys, ...over } }, (config) =>
    config.kind === 'api_key' ? new ApiKeyMethod(config, authMeans({ wallNow: () => NOW })) : null,
  );
}

/** What is found in a request with these fields and this offer, where other methods read the same places, or none. */
function found(one: AuthMethod, request: object, isSole: boolean): unknown {
  const ask = { request: { head: { fields: [] }, query: '', protocols: [], ...request } } as unknown as AuthAsk;
  return one.find(ask, new Set(isSole ? one.places.map(placeKey) : []), () => []);
}

const authorization = (value: string) => ({
  head: { fields: [{ name: 'Authorization', lower: 'authorization', value }] },
});
const judged = (one: AuthMethod, key: string) => one.judge(key, { route: 'r' } as unknown as AuthAsk);

describe('api_key', () => {
  test('where others read Authorization too, what has its prefix and no blank is its own, bare or Bearer', () => {
    const one = method([], { from: ['header:Authorization'], prefix: 'fgk_' });
    for (const [value, shared, sole] of [
      ['fgk_a', 'fgk_a', 'fgk_a'],
      ['Bearer fgk_a', 'fgk_a', 'fgk_a'],
      ['bEARER fgk_a', 'fgk_a', 'fgk_a'],
      ['Bearer other', null, 'other'],
      ['Bearer fgk_a b', null, 'fgk_a b'],
      ['Basic fgk_a', null, 'Basic fgk_a'],
    ])
      expect([found(one, authorization(value ?? ''), false), found(one, authorization(value ?? ''), true)]).toEqual([
        shared,
        sole,
      ]);
  });

  test('an entry behind a prefix is decoded where clients encode it; what is not encoded so is bad', () => {
    const encoded = Buffer.from('fgk_/+').toString('base64url');
    const from = ['subprotocol_prefix:key.', 'subprotocol:key'];
    const one = method([], { from, prefix: 'fgk_', decode: 'base64url' });
    const offer = (...protocols: string[]) => ({ protocols });
    expect(found(one, offer('chat', `key.${encoded}`), false)).toBe('fgk_/+');
    expect(found(one, offer('key', 'fgk_plain'), false)).toBe('fgk_plain');
    expect(found(one, offer('key.fgk_a'), false)).toBeNull();
    expect(found(one, offer('key.fgk_a'), true)).toBe('');
    expect(found(one, offer(`key.${encoded}`, `key.${encoded}`), true)).toBe(SEVERAL);
    expect(judged(one, '')).toEqual({ kind: 'bad', cause: 'key' });
    expect(found(method([], { from, prefix: 'fgk_' }), offer('key.fgk_a'), false)).toBe('fgk_a');
  });

  test('a key is good before it expires, and not at that time', () => {
    const one = method([entry('soon', { expires: at(1) }), entry('now', { expires: at(0) })]);
    expect(judged(one, 'soon')).toMatchObject({ kind: 'good', grant: { identity: 'soon', expiresAt: NOW + 1 } });
    expect(judged(one, 'now')).toEqual({ kind: 'bad', cause: 'key' });
  });

  test('a grant stands on name and digest; what else its entry says holds for open sessions after a reload', () => {
    const first = method([entry('acme', { expires: at(60_000) })]);
    const verdict = judged(first, 'acme');
    if (verdict instanceof Promise || verdict.kind !== 'good') throw new Error('it is good');
    const { grant } = verdict;
    const byName = (one: AuthMethod) => ({ get: () => one });
    const session = new SessionCredential({ grant, methods: byName(first), wallNow: () => NOW, now: 0 });
    expect([session.leftMs, session.quota?.max_sessions]).toEqual([60_000, Number.POSITIVE_INFINITY]);
    session.retune(byName(method([entry('acme', { expires: at(30_000), quota: { max_sessions: 3 } })])), 0);
    expect([session.leftMs, session.quota?.max_sessions]).toEqual([30_000, 3]);
    // Extended, it stays so while its entry says nothing new.
    session.extend(NOW + 90_000, 0);
    session.retune(byName(method([entry('acme', { expires: at(30_000) })])), 0);
    expect(session.leftMs).toBe(90_000);
    session.retune(byName(method([entry('acme')])), 0);
    expect(session.leftMs).toBe(Number.POSITIVE_INFINITY);
    const other = { ...entry('acme'), name: 'other' };
    const changed = { ...entry('changed'), name: 'acme' };
    for (const [entries, isGone] of [
      [[entry('acme')], false],
      [[other], true],
      [[changed], true],
      [[], true],
    ] as const)
      expect(session.isRemovedFrom(byName(method([...entries])))).toBe(isGone);
  });
});
