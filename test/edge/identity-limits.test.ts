import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/config/types.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { upgradeRequest } from '../support/wire.ts';
import { Rig, SWITCHED } from './rig.ts';

type Limits = NonNullable<ConfigInput['limits']>;
type Route = ConfigInput['routes'][number];
type Keys = NonNullable<NonNullable<NonNullable<ConfigInput['auth']>[string]['api_key']>['keys']>;
type Quota = Extract<Keys, readonly unknown[]>[number]['quota'];

interface Spec {
  readonly limits?: Limits;
  readonly own?: NonNullable<Route['limits']>;
  readonly quota?: Quota;
}

/** Keys of acme and of bob; `two` is another route for both, without limits of its own. */
function configOf({ limits = {}, own = {}, quota = {} }: Spec): Partial<ConfigInput> {
  const entry = (name: string) => ({ name, sha256: createHash('sha256').update(name).digest('hex'), quota });
  const route = { upstream: 'builtin:echo', auth: ['keys', 'anonymous'] };
  return {
    limits,
    auth: { keys: { api_key: { keys: [entry('acme'), entry('bob')] } } },
    routes: [
      { ...route, name: 'one', match: { path: '/one' }, limits: own },
      { ...route, name: 'two', match: { path: '/two' } },
    ],
  };
}

class Identities {
  readonly rig: Rig;

  constructor(spec: Spec) {
    this.rig = new Rig(configOf(spec));
  }

  connect(name: string, path = '/one', address = '192.0.2.1'): MemoryTransport {
    const headers: [string, string][] = name === '' ? [] : [['X-API-Key', name]];
    return this.rig.connect(upgradeRequest({ path, headers }), address);
  }

  /** 101, or slug, cause and Retry-After of its refusal. */
  async answer(client: MemoryTransport): Promise<string> {
    const status = await this.rig.answer(client);
    if (status === SWITCHED) return '101';
    const text = client.received.toString('latin1');
    const line = this.rig.tap.lines.filter(({ event }) => event === 'handshake.refused').at(-1);
    return `${line?.error} ${line?.cause} ${/Retry-After: (\d+)/.exec(text)?.[1]}`;
  }

  ask(name: string, path?: string): Promise<string> {
    return this.answer(this.connect(name, path));
  }

  sessionsOf(name: string): number {
    return this.rig.edge.identities.sessionsOf('keys', name);
  }
}

const TOO_MANY = /^too_many_sessions_per_identity max_sessions_per_identity [1-5]$/;
const TOO_FAST = /^too_many_handshakes_per_identity handshakes_per_second_per_identity [1-5]$/;

describe('sessions of an identity', () => {
  test('the cap is let in, one more is not; another identity is, and who has none', async () => {
    const identities = new Identities({ limits: { max_sessions_per_identity: 2 } });
    const first = identities.connect('acme');
    expect(await identities.answer(first)).toBe('101');
    expect(await identities.ask('acme', '/two')).toBe('101');
    expect(await identities.ask('acme', '/two')).toMatch(TOO_MANY);
    expect(identities.sessionsOf('acme')).toBe(2);
    for (const name of ['bob', '', '', '']) expect(await identities.ask(name)).toBe('101');
    first.rst();
    first.pump();
    await identities.rig.until(() => identities.sessionsOf('acme') === 1);
    expect(await identities.ask('acme')).toBe('101');
    expect(await identities.ask('acme')).toMatch(TOO_MANY);
  });

  test("a route's own cap holds on that route alone, besides the global one", async () => {
    const identities = new Identities({
      limits: { max_sessions_per_identity: 2 },
      own: { max_sessions_per_identity: 1 },
    });
    expect(await identities.ask('acme')).toBe('101');
    expect(await identities.ask('acme')).toMatch(TOO_MANY);
    expect(await identities.ask('acme', '/two')).toBe('101');
    expect(await identities.ask('acme', '/two')).toMatch(TOO_MANY);
  });

  test('a reload that sets a cap knows what is open, on the route and in all', async () => {
    const identities = new Identities({});
    for (let n = 0; n < 3; n += 1) expect(await identities.ask('acme')).toBe('101');
    for (const spec of [
      { limits: { max_sessions_per_identity: 3 } },
      { own: { max_sessions_per_identity: 3 } },
      { quota: { max_sessions: 3 } },
    ]) {
      identities.rig.reload(configOf(spec));
      expect(await identities.ask('acme')).toMatch(/^too_many_sessions_per_identity .*max_sessions/);
    }
    identities.rig.reload(configOf({ quota: { max_sessions: 4 } }));
    expect(await identities.ask('acme')).toBe('101');
    expect(await identities.ask('acme')).toMatch(/^too_many_sessions_per_identity quota\.max_sessions [1-5]$/);
  });

  test('whatever becomes of a handshake, its seat is given back once', async () => {
    const identities = new Identities({ own: { max_sessions_per_identity: 10 } });
    const { rig } = identities;
    // It leaves while its backend is asked.
    const gone = identities.connect('acme');
    expect(identities.sessionsOf('acme')).toBe(1);
    gone.rst();
    gone.pump();
    expect(identities.sessionsOf('acme')).toBe(0);
    // A drain refuses it.
    const drained = identities.connect('acme');
    for (const connection of rig.edge.connections) connection.drain(0);
    expect(await rig.answer(drained)).toBe('HTTP/1.1 503 Service Unavailable');
    expect(identities.sessionsOf('acme')).toBe(0);
    // A session ends.
    const open = identities.connect('acme');
    expect(await rig.answer(open)).toBe(SWITCHED);
    rig.reload(configOf({ own: { max_sessions_per_identity: 5 }, limits: { max_sessions_per_identity: 5 } }));
    open.rst();
    open.pump();
    await rig.until(() => rig.edge.sessions.size === 0);
    expect(identities.sessionsOf('acme')).toBe(0);
    for (let n = 0; n < 5; n += 1) expect(await identities.ask('acme')).toBe('101');
    expect(await identities.ask('acme')).toMatch(TOO_MANY);
    expect(identities.sessionsOf('acme')).toBe(5);
  });
});

describe('handshakes of an identity', () => {
  test('twice the rate at once, then so many a second, whatever becomes of them', async () => {
    const identities = new Identities({
      limits: { handshakes_per_second_per_identity: 1, max_sessions_per_identity: 1 },
    });
    expect(await identities.ask('acme')).toBe('101');
    expect(await identities.ask('acme')).toMatch(TOO_MANY);
    expect(await identities.ask('acme')).toMatch(TOO_FAST);
    expect(await identities.ask('bob')).toBe('101');
    identities.rig.pass(1_000);
    expect(await identities.ask('acme')).toMatch(TOO_MANY);
  });

  test("a route's own rate holds on that route alone", async () => {
    const identities = new Identities({ own: { handshakes_per_second_per_identity: 0.5 } });
    expect(await identities.ask('acme')).toBe('101');
    expect(await identities.ask('acme')).toMatch(TOO_FAST);
    expect(await identities.ask('acme', '/two')).toBe('101');
    identities.rig.pass(2_000);
    expect(await identities.ask('acme')).toBe('101');
  });

  test("a quota's rate says when to come again", async () => {
    const identities = new Identities({ quota: { handshakes_per_second: 0.1 } });
    expect(await identities.ask('acme')).toBe('101');
    identities.rig.pass(2_500);
    expect(await identities.ask('acme')).toBe('too_many_handshakes_per_identity quota.handshakes_per_second 8');
    expect(await identities.ask('bob')).toBe('101');
    identities.rig.pass(7_500);
    expect(await identities.ask('acme')).toBe('101');
  });

  test('a long quota is used by who is let in, ends with its time, and outlives a reload', async () => {
    const quota = { handshakes: { count: 2, every: '1h' }, max_sessions: 2 };
    const identities = new Identities({ quota });
    const { rig } = identities;
    expect(await identities.ask('wrong')).toMatch(/^unauthorized/);
    expect(await identities.ask('acme')).toBe('101');
    rig.pass(10 * 60_000);
    expect(await identities.ask('acme', '/two')).toBe('101');
    expect(await identities.ask('acme')).toMatch(/^too_many_sessions_per_identity/);
    rig.reload(configOf({ quota: { ...quota, max_sessions: 'off' } }));
    expect(await identities.ask('acme')).toBe('quota_used quota.handshakes 3000');
    rig.reload(configOf({ quota: { handshakes: { count: 3, every: '1h' } } }));
    expect(await identities.ask('acme')).toBe('101');
    expect(await identities.ask('acme')).toBe('quota_used quota.handshakes 3000');
    expect(identities.sessionsOf('acme')).toBe(3);
    rig.pass(50 * 60_000);
    expect(await identities.ask('acme')).toBe('101');
  });
});

describe('rates of a session', () => {
  const policies = (rig: Rig) =>
    [...rig.edge.sessions].map(({ session: { policy } }) => {
      const { messagesPerSecond, messageBurst, bytesPerSecond, byteBurst } = policy.client.rates;
      return [messagesPerSecond, messageBurst, bytesPerSecond, byteBurst];
    });

  test('the stricter of quota and route holds, each for itself, and after a reload', async () => {
    const own = { from_client: { messages_per_second: 10, bytes_per_second: '1000B', byte_burst: '1500B' } };
    const identities = new Identities({
      own,
      quota: { from_client: { messages_per_second: 5, bytes_per_second: '2000B' } },
    });
    const { rig } = identities;
    await identities.ask('acme');
    await identities.ask('');
    expect(policies(rig)).toEqual([
      [5, 10, 1_000, 1_500],
      [10, 20, 1_000, 1_500],
    ]);
    rig.reload(configOf({ own, quota: { from_client: { messages_per_second: 20, bytes_per_second: '900B' } } }));
    for (const record of rig.edge.sessions) record.retune();
    expect(policies(rig)).toEqual([
      [10, 20, 900, 1_500],
      [10, 20, 1_000, 1_500],
    ]);
    rig.reload(configOf({ own }));
    for (const record of rig.edge.sessions) record.retune();
    expect(policies(rig)[0]).toEqual([10, 20, 1_000, 1_500]);
  });
});
