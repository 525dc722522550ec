// `allow` and `deny` of a route without sockets: which clients they let in, by the spelling of their addresses too.

import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

const FORBIDDEN = 'HTTP/1.1 403 Forbidden';
type Lists = Pick<ConfigInput['routes'][number], 'allow' | 'deny'>;

const configOf = (lists: Lists, over: Partial<ConfigInput> = {}): Partial<ConfigInput> => ({
  routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo', ...lists }],
  ...over,
});

async function answerTo(address: string, lists: Lists, over: Partial<ConfigInput> = {}, claim?: string) {
  const rig = new Rig(configOf(lists, over));
  const headers: Record<string, string> = claim === undefined ? {} : { 'X-Forwarded-For': claim };
  return rig.answer(rig.connect(upgradeRequest({ path: '/echo', headers }), address));
}

describe('allow', () => {
  const allow = ['192.0.2.0/25', '2001:db8::/32', 'fe80::/10'];

  test.each(['192.0.2.0', '192.0.2.127', '::ffff:192.0.2.1', '2001:db8::1', 'fe80::1%eth0'])(
    'lets %s in',
    async (one) => {
      expect(await answerTo(one, { allow })).toBe(SWITCHED);
    },
  );

  test.each(['192.0.1.255', '192.0.2.128', '::ffff:192.0.2.128', '2001:db9::', 'fec0::1%eth0', '::192.0.2.1'])(
    'refuses %s',
    async (one) => {
      expect(await answerTo(one, { allow })).toBe(FORBIDDEN);
    },
  );

  test('a client without an address is in no list', async () => {
    expect(await answerTo('', { allow: ['0.0.0.0/0', '::/0'] })).toBe(FORBIDDEN);
    expect(await answerTo('', { deny: ['0.0.0.0/0', '::/0'] })).toBe(SWITCHED);
  });

  test('any is any, an empty list is nobody', async () => {
    expect(await answerTo('192.0.2.1', { allow: 'any' })).toBe(SWITCHED);
    expect(await answerTo('192.0.2.1', { allow: [] })).toBe(FORBIDDEN);
  });
});

describe('deny', () => {
  test('wins over allow', async () => {
    const lists = { allow: ['192.0.2.0/24'], deny: ['192.0.2.128/25'] };
    expect(await answerTo('192.0.2.127', lists)).toBe(SWITCHED);
    expect(await answerTo('192.0.2.128', lists)).toBe(FORBIDDEN);
    expect(await answerTo('::ffff:192.0.2.128', lists)).toBe(FORBIDDEN);
  });

  test('alone lets all others in', async () => {
    expect(await answerTo('198.51.100.1', { deny: ['192.0.2.0/24'] })).toBe(SWITCHED);
    expect(await answerTo('192.0.2.1', { deny: ['192.0.2.0/24'] })).toBe(FORBIDDEN);
  });
});

describe('a proxy in front', () => {
  const behind = { trusted_proxies: ['198.51.100.0/24'] };
  const deny = ['192.0.2.0/24'];

  test('that is trusted: its client counts, not itself', async () => {
    expect(await answerTo('198.51.100.1', { deny }, behind, '192.0.2.1')).toBe(FORBIDDEN);
    expect(await answerTo('198.51.100.1', { deny: ['198.51.100.0/24'] }, behind, '203.0.113.1')).toBe(SWITCHED);
    expect(await answerTo('198.51.100.1', { deny }, behind, '203.0.113.1, 192.0.2.1')).toBe(FORBIDDEN);
    expect(await answerTo('198.51.100.1', { deny }, behind, '192.0.2.1, 203.0.113.1')).toBe(SWITCHED);
  });

  test('that is not: what it says counts for nothing', async () => {
    expect(await answerTo('192.0.2.1', { deny }, behind, '203.0.113.1')).toBe(FORBIDDEN);
    expect(await answerTo('203.0.113.1', { allow: ['192.0.2.0/24'] }, behind, '192.0.2.1')).toBe(FORBIDDEN);
  });
});

test('it is asked before Origin, and tells the log who it was', async () => {
  const rig = new Rig(configOf({ deny: ['192.0.2.0/24'] }, { defaults: { origins: ['same'] } }));
  const headers = { Origin: 'https://evil.example' };
  expect(await rig.answer(rig.connect(upgradeRequest({ path: '/echo', headers }), '192.0.2.1'))).toBe(FORBIDDEN);
  expect(rig.tap.lines.at(-1)).toMatchObject({ error: 'address_not_allowed', client: '192.0.2.1', route: 'echo' });
});

test('equal lists are one set, which a reload that leaves them alone keeps', () => {
  const two = (deny: string[]): Partial<ConfigInput> => ({
    routes: ['/echo', '/other'].map((path) => ({ name: path, match: { path }, upstream: 'builtin:echo', deny })),
  });
  const rig = new Rig(two(['192.0.2.0/24']));
  const set = rig.route('/echo').denied;
  expect(rig.route('/other').denied).toBe(set);
  rig.reload(two(['192.0.2.0/24']));
  expect(rig.route('/echo').denied).toBe(set);
  rig.reload(two(['192.0.3.0/24']));
  expect(rig.route('/echo').denied).not.toBe(set);
  rig.reload(two([]));
  expect(rig.route('/echo').denied).toBeNull();
});
