// What a revoke ends, for how long it refuses, and what an extension is answered. On fake clocks.

import { expect, test } from 'vitest';
import type { RevokeAsk } from '../../src/admin/subject.ts';
import { Credentials } from '../../src/control/credentials.ts';
import { Slices } from '../../src/limits/slices.ts';
import { Rig } from '../edge/rig.ts';
import { ask, configOf, open } from '../support/credentials.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;

function world(keys: Parameters<typeof configOf>[0], more: Parameters<typeof configOf>[2] = {}) {
  const rig = new Rig(configOf(keys, {}, more), 1_000);
  const slices = new Slices({ now: () => rig.clock.now(), nextTurn: (run) => setImmediate(run) });
  const credentials = new Credentials(rig.edge, slices);
  const revoke = (own: Partial<RevokeAsk>) =>
    credentials.revoke({ auth: 'keys', kind: 'identity', value: 'acme', forMs: null, ...own });
  return { rig, credentials, revoke };
}

test('a revoke ends those that it is about, once, and none of the others', async () => {
  const { rig, revoke } = world({ acme: null, other: null });
  const acme = [await open(rig, 'acme'), await open(rig, 'acme')];
  const other = await open(rig, 'other');
  expect(await revoke({})).toMatchObject({ ended: 2, durable: false });
  expect(acme.map(({ session }) => session.cause)).toEqual(['credential_revoked', 'credential_revoked']);
  expect(other.session.cause).toBeNull();
  expect(await revoke({})).toMatchObject({ ended: 0 });
  expect(await revoke({ kind: 'all', value: '' })).toMatchObject({ ended: 1 });
});

test('it refuses for as long as it was asked to, else a day; a key until its own end', async () => {
  const { rig, revoke } = world({ acme: 10 * DAY, other: null });
  const now = rig.wallNow();
  const untilOf = async (own: Partial<RevokeAsk>) => {
    const result = await revoke(own);
    return 'until' in result ? Date.parse(result.until) - now : result.error;
  };
  expect(await untilOf({})).toBe(DAY);
  expect(await untilOf({ forMs: 5 * SECOND })).toBe(5 * SECOND);
  expect(await untilOf({ kind: 'key' })).toBe(10 * DAY);
  expect(await untilOf({ kind: 'key', forMs: DAY })).toBe(DAY);
  expect(await untilOf({ kind: 'key', value: 'other' })).toBe(DAY);
  expect(await untilOf({ auth: 'others' })).toBe('no_method');
  expect(await untilOf({ kind: 'jti' })).toBe('not_of_method');
});

test('a handshake that waits for its turn is told at once', async () => {
  const { rig, revoke } = world({ acme: null, other: null }, { limits: { max_handshakes: 1 } });
  ask(rig, 'other');
  await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
  const waiting = ask(rig, 'acme');
  await rig.turns(5);
  expect(waiting.receivedBytes).toBe(0);
  await revoke({});
  expect(await rig.answer(waiting)).toBe('HTTP/1.1 401 Unauthorized');
});

test('what a method remembers or asks is forgotten when a revoke counts', async () => {
  const { rig, revoke } = world({ acme: null });
  let times = 0;
  const method = rig.edge.snapshot.auth.get('keys');
  Object.assign(method ?? {}, { forget: () => (times += 1) });
  await revoke({});
  expect(times).toBe(1);
});

test('an extension says why not', async () => {
  const { rig, credentials } = world({ acme: 10 * SECOND });
  const record = await open(rig, 'acme');
  const { session: id } = record.facts;
  const later = rig.wallNow() + 20 * SECOND;
  expect(credentials.extend('cafe-1', later)).toBe('no_session');
  expect(credentials.extend(id, rig.wallNow())).toBe('bad_until');
  expect(credentials.extend(id, later)).toBe('ok');
  rig.pass(10 * SECOND);
  expect(record.session.cause).toBeNull();
  rig.pass(10 * SECOND);
  expect(record.session.cause).toBe('credential_expired');
  expect(credentials.extend(id, later + 20 * SECOND)).toBe('ending');
});
