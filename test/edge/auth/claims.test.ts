// What claims say of who it is and what they hold.

import { expect, test } from 'vitest';
import { missingClaim, subjectOf } from '../../../src/edge/auth/claims.ts';
import { claimAt } from '../../../src/protocol/claims.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../../../src/protocol/strict-json.ts';

function claims(own: Record<string, unknown>): JsonObject {
  const value = parseStrictJson(Buffer.from(JSON.stringify(own)))?.value;
  if (!isJsonObject(value)) throw new Error('claims are an object');
  return value;
}

test('a claim is found by its exact name first, then as a path', () => {
  const own = claims({ 'a.b': 1, a: { b: 2, c: { d: 3 } } });
  expect([claimAt(own, 'a.b'), claimAt(own, 'a.c.d'), claimAt(own, 'a.x'), claimAt(own, 'a.b.c')]).toEqual([
    1,
    3,
    undefined,
    undefined,
  ]);
  for (const name of ['__proto__', 'constructor', 'a.toString', '']) expect(claimAt(own, name), name).toBeUndefined();
});

test('a subject is a text of 1 to 256 bytes', () => {
  expect(subjectOf(claims({ sub: 'x'.repeat(256) }), 'sub')).toBe('x'.repeat(256));
  expect(subjectOf(claims({}), null)).toBeNull();
  for (const sub of ['', 'x'.repeat(257), '\u00e9'.repeat(129), 1, null, ['a']])
    expect(subjectOf(claims({ sub }), 'sub')).toBeUndefined();
  expect(subjectOf(claims({}), 'sub')).toBeUndefined();
});

test('what is required is there as a whole, as a word or as an item, all of it', () => {
  const own = claims({ scope: 'chat read', roles: ['a', 'b'], level: 3, ok: true, realm: { roles: ['x'] } });
  expect(
    missingClaim(own, { scope: ['chat', 'read'], roles: ['b'], level: ['3'], ok: ['true'], 'realm.roles': ['x'] }),
  ).toBeNull();
  expect(missingClaim(own, { scope: ['chat read'] })).toBeNull();
  expect(missingClaim(own, {})).toBeNull();
  expect(missingClaim(own, { scope: ['chat', 'write'] })).toBe('scope');
  expect(missingClaim(own, { scope: ['cha'] })).toBe('scope');
  expect(missingClaim(own, { scope: [''] })).toBe('scope');
  expect(missingClaim(own, { roles: ['a', 'c'] })).toBe('roles');
  expect(missingClaim(own, { realm: ['[object Object]'] })).toBe('realm');
  expect(missingClaim(own, { none: ['undefined'] })).toBe('none');
});
