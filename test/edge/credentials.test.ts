// Sessions and handshakes whose credential ends, or leaves the config. On fake clocks.

import { describe, expect, test } from 'vitest';
import { removedFrom } from '../../src/edge/snapshot.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { ask, configOf, open } from '../support/credentials.ts';
import { Rig } from './rig.ts';

const UNAUTHORIZED = 'HTTP/1.1 401 Unauthorized';
const SECOND = 1_000;
const DAY = 86_400 * SECOND;

function pass(rig: Rig, ms: number): void {
  const step = 3_600 * SECOND;
  for (let left = ms; left > 0; left -= step) rig.pass(Math.min(left, step));
}

describe('a session whose credential ends', () => {
  test('ends then, and not before', async () => {
    const rig = new Rig(configOf({ acme: 10 * SECOND }));
    const { session } = await open(rig, 'acme');
    pass(rig, 10 * SECOND - 1);
    expect(session.cause).toBeNull();
    pass(rig, 1);
    expect(session.cause).toBe('credential_expired');
    expect([session.noticeFor('client'), session.noticeFor('backend')]).toEqual([
      { code: 3000, text: 'credential expired' },
      { code: 1001, text: 'credential expired' },
    ]);
  });

  test('ends `grace` later, which lets nobody in', async () => {
    const rig = new Rig(configOf({ acme: 10 * SECOND }, { grace: '5s' }));
    const { session } = await open(rig, 'acme');
    pass(rig, 15 * SECOND - 1);
    expect(session.cause).toBeNull();
    expect(await rig.answer(ask(rig, 'acme'))).toBe(UNAUTHORIZED);
    pass(rig, 1);
    expect(session.cause).toBe('credential_expired');
  });

  test('outlives it where the method says bind: off, until a reload binds it', async () => {
    const rig = new Rig(configOf({ acme: 10 * SECOND }, { bind: 'off' }));
    const record = await open(rig, 'acme');
    pass(rig, 3_600 * SECOND);
    expect(record.session.cause).toBeNull();
    rig.reload(configOf({ acme: 10 * SECOND }, { bind: 'on' }));
    record.retune();
    pass(rig, 1);
    expect(record.session.cause).toBe('credential_expired');
  });

  test('ends after 60 days to the millisecond: more than a timer of 2^31 ms', async () => {
    const rig = new Rig(configOf({ acme: 60 * DAY, other: null }));
    const [{ session }, other] = [await open(rig, 'acme'), await open(rig, 'other')];
    pass(rig, 60 * DAY - 1);
    expect(session.cause).toBeNull();
    pass(rig, 1);
    expect([session.cause, other.session.cause]).toEqual(['credential_expired', null]);
  });

  test.each([
    ['forward: it ends a minute later at most', 3_600 * SECOND, 60 * SECOND],
    ['back: it ends that much later', -3_600 * SECOND, 5_400 * SECOND],
  ])('goes by a wall clock that was set %s', async (_, set, endsAfter) => {
    const rig = new Rig(configOf({ acme: 1_800 * SECOND }));
    const { session } = await open(rig, 'acme');
    rig.wallSetMs = set;
    pass(rig, endsAfter - 1);
    expect(session.cause).toBeNull();
    pass(rig, 1);
    expect(session.cause).toBe('credential_expired');
  });

  test('ends when it was extended to, later or earlier; one that is not bound cannot be', async () => {
    const rig = new Rig(configOf({ acme: 10 * SECOND, other: 10 * SECOND }));
    const [later, earlier] = [await open(rig, 'acme'), await open(rig, 'other')];
    const extended = [later.extend(rig.wallNow() + 20 * SECOND), earlier.extend(rig.wallNow() + 5 * SECOND)];
    pass(rig, 5 * SECOND);
    expect([extended, later.session.cause, earlier.session.cause]).toEqual([[true, true], null, 'credential_expired']);
    pass(rig, 15 * SECOND - 1);
    expect(later.session.cause).toBeNull();
    pass(rig, 1);
    expect(later.session.cause).toBe('credential_expired');
    const unbound = new Rig(configOf({ acme: null }, { bind: 'off' }));
    expect((await open(unbound, 'acme')).extend(unbound.wallNow() + SECOND)).toBe(false);
  });

  test('says in session.open when it will, and who it is', async () => {
    const rig = new Rig(
      configOf({ acme: 10 * SECOND, other: null }, { grace: '2s' }, { log: { session_open: 'info' } }),
    );
    await open(rig, 'acme');
    await open(rig, 'other');
    const lines = rig.tap.lines.filter(({ event }) => event === 'session.open');
    expect(lines.map(({ auth, identity, expires_in }) => [auth, identity, expires_in])).toEqual([
      ['keys', 'acme', 12],
      ['keys', 'other', undefined],
    ]);
  });
});

describe('a handshake whose credential ends before it is a session', () => {
  test.each([
    ['while its backend is asked', async (rig: Rig) => pass(rig, 2 * SECOND), 'expired'],
    ['by a reload', async (rig: Rig) => rig.reload(configOf({ other: null })), 'removed'],
    ['by a reload that lets it end earlier', async (rig: Rig) => rig.reload(configOf({ acme: -SECOND })), 'expired'],
    ['by a reload without the method', async (rig: Rig) => rig.reload(WITHOUT_METHOD), 'removed'],
  ])('is refused %s', async (_, change, cause) => {
    const rig = new Rig(configOf({ acme: 2 * SECOND }));
    const client = ask(rig, 'acme');
    await rig.until(() => (rig.backends[0]?.receivedBytes ?? 0) > 0);
    await change(rig);
    await rig.switchBackend(0);
    expect(await rig.answer(client)).toBe(UNAUTHORIZED);
    const told = rig.tap.lines.at(-1);
    expect([told?.error, told?.cause, rig.edge.sessions.size, rig.backends[0]?.destroyed]).toEqual([
      'unauthorized',
      cause,
      0,
      true,
    ]);
  });
});

/** The method is there under another name. */
const WITHOUT_METHOD: Partial<ConfigInput> = (() => {
  const config = configOf({ acme: null });
  return {
    ...config,
    auth: { others: config.auth?.keys ?? {} },
    routes: [{ ...config.routes?.[0], auth: ['others'] }],
  };
})() as Partial<ConfigInput>;

describe('what a reload takes away', () => {
  test.each([
    ['its key', configOf({ other: null }), 'credential_revoked'],
    ['its method', WITHOUT_METHOD, 'credential_revoked'],
    ['the method of its route only', { ...configOf({ acme: null }), routes: [OPEN_ROUTE()] }, null],
    ['nothing', configOf({ acme: null, other: null }), null],
  ])('%s', async (_, config, cause) => {
    const rig = new Rig(configOf({ acme: null }));
    const record = await open(rig, 'acme');
    rig.reload(config);
    record.retune();
    expect(removedFrom(rig.edge.snapshot, record)).toBe(cause);
  });

  test('a session that is not bound stays, also without its method', async () => {
    const rig = new Rig(configOf({ acme: null }, { bind: 'off' }));
    const record = await open(rig, 'acme');
    for (const config of [configOf({ other: null }, { bind: 'off' }), WITHOUT_METHOD]) {
      rig.reload(config);
      record.retune();
      expect(removedFrom(rig.edge.snapshot, record)).toBeNull();
    }
  });
});

function OPEN_ROUTE() {
  return { name: 'echo', match: { path: '/echo' }, upstream: 'one', auth: [] };
}
