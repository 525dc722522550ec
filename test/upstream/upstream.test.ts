import { describe, expect, test } from 'vitest';
import type { Endpoint, TargetConfig, UpstreamConfig } from '../../src/config/types.ts';
import { balancerOf } from '../../src/upstream/balance/policies.ts';
import { partsOf } from '../../src/upstream/parts.ts';
import { sourcesOf } from '../../src/upstream/sources/kinds.ts';
import type { Target } from '../../src/upstream/target.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { newTarget, targetConfig, upstreamConfig, upstreamMeans } from '../support/upstreams.ts';

const ENDPOINT: Endpoint = { kind: 'tcp', host: 'a.test', port: 9001, secure: false, base: '' };
const NONE: ReadonlySet<Target> = new Set();

function upstream(targets: readonly TargetConfig[], change: Partial<UpstreamConfig> = {}): Upstream {
  const config = upstreamConfig({ targets, balance: { kind: 'round_robin' }, ...change });
  return new Upstream(config, {
    means: upstreamMeans(),
    balancerOf,
    sourcesOf,
    partsOf,
    listener: { onTargets() {}, onDown() {}, youngestOn: async () => [] },
  });
}

describe('picking a target', () => {
  test('follows the policy of the upstream', () => {
    const targets = [targetConfig('a'), targetConfig('b')];
    const robin = upstream(targets, { balance: { kind: 'round_robin' } });
    const least = upstream(targets, { balance: { kind: 'least_sessions' } });
    for (const one of [robin, least]) one.targets[0]?.acquire();
    expect([robin.pick(NONE, null)?.name, least.pick(NONE, null)?.name]).toEqual(['a', 'b']);
  });

  test('targets already tried are left out, and none is left in the end', () => {
    const one = upstream([targetConfig('a'), targetConfig('b'), targetConfig('c')]);
    const tried = new Set<Target>();
    for (let i = 0; i < 3; i++) {
      expect(one.canPick(tried)).toBe(true);
      const picked = one.pick(tried, null);
      expect(picked === null || tried.has(picked)).toBe(false);
      if (picked !== null) tried.add(picked);
    }
    expect(one.canPick(tried)).toBe(false);
    expect(one.pick(tried, null)).toBeNull();
  });

  test('max_sessions: the last slot is given, a full target is not picked, a freed slot is', () => {
    const one = upstream([targetConfig('a', { max_sessions: 2 })]);
    const [only] = one.targets;
    only?.acquire();
    expect(one.pick(NONE, null)).toBe(only);
    only?.acquire();
    expect(one.pick(NONE, null)).toBeNull();
    expect(one.canPick(NONE)).toBe(false);
    only?.release('handshake');
    expect(one.pick(NONE, null)).toBe(only);
  });

  test('asking whether there is one takes no turn', () => {
    const one = upstream([targetConfig('a'), targetConfig('b')]);
    one.canPick(NONE);
    expect([one.pick(NONE, null)?.name, one.pick(NONE, null)?.name]).toEqual(['a', 'b']);
  });
});

describe('the share of the next sessions that a target gets', () => {
  const shares = (of: Upstream) => Object.fromEntries([...of.shares()].map(([{ name }, share]) => [name, share]));
  const [a, b, c] = [targetConfig('a'), targetConfig('b', { weight: 3 }), targetConfig('c', { backup: true })];

  test('is by weight, as it counts now; nothing for backups while another takes sessions', () => {
    const one = upstream([a, b, c]);
    expect(shares(one)).toEqual({ a: 0.25, b: 0.75 });
    const second = one.target('b');
    if (second !== undefined) second.ramp = 1 / 3;
    expect(shares(one)).toEqual({ a: 0.5, b: 0.5 });
  });

  test('is nothing while it is not up or full; a trial is no share', () => {
    const one = upstream([{ ...a, max_sessions: 1 }, b, c]);
    one.target('b')?.bar('ejected', 'passive', 0);
    expect(shares(one)).toEqual({ a: 1 });
    one.target('b')?.offerTrial();
    one.target('a')?.acquire();
    expect(shares(one)).toEqual({ c: 1 });
    one.target('c')?.bar('draining', 'admin', 0);
    expect(shares(one)).toEqual({});
  });
});

describe('session slots', () => {
  test('are counted, now and in all', () => {
    const one = newTarget('a');
    one.acquire();
    one.acquire();
    one.release('handshake');
    expect([one.sessions, one.sessionsTotal]).toEqual([1, 2]);
  });

  test('are never given back twice nor taken beyond max_sessions', () => {
    const one = newTarget('a', { max_sessions: 1 });
    expect(() => one.release('handshake')).toThrow('a slot is given back once');
    one.acquire();
    expect(() => one.acquire()).toThrow('a full target is not picked');
    expect(one.sessions).toBe(1);
  });
});

describe('a reload', () => {
  const KEYS = Array.from({ length: 1_000 }, (_, at) => Math.imul(at, 0x9e37_79b9));
  const targets = ['a', 'b'].map((name) => targetConfig(name));
  const ofA = (one: Upstream) => KEYS.filter((key) => one.pick(NONE, key)?.name === 'a').length;

  test('of weights moves keys, of ranks targets, and all other state of targets stays', () => {
    const balance = { kind: 'hash', key: { kind: 'path' } } as const;
    const one = upstream(targets, { balance });
    const [a, b] = one.targets;
    a?.acquire();
    expect(Math.abs(ofA(one) - 500)).toBeLessThan(4 * 16);
    const reload = (change: Partial<TargetConfig>) =>
      one.plan({ ...one.config, targets: [targetConfig('a', change), targetConfig('b')] }).commit();
    reload({ weight: 4 });
    expect(Math.abs(ofA(one) - 800)).toBeLessThan(4 * 13);
    reload({ weight: 4, backup: true });
    expect(ofA(one)).toBe(0);
    expect([one.targets[0] === a, one.targets[1] === b, a?.sessions]).toEqual([true, true, 1]);
  });

  test('of the cookie of a sticky upstream counts for the next session', () => {
    const sticky = { cookie: 'x', path: '/', max_age: null, secure: 'off', same_site: 'lax', secret: null } as const;
    const one = upstream(targets, { balance: { kind: 'sticky', ...sticky } });
    const [a] = one.targets;
    if (a === undefined) throw new Error('there are two');
    const before = one.cookieFor(a, null, false);
    one.plan({ ...one.config, balance: { kind: 'sticky', ...sticky, cookie: 'y', secret: 'z' } }).commit();
    expect([before?.slice(0, 2), one.stickyCookie, one.cookieFor(a, null, false)?.slice(0, 18)]).toEqual([
      'x=',
      'y',
      `y=${before?.slice(2, 18)}`,
    ]);
    one.plan({ ...one.config, balance: { kind: 'round_robin' } }).commit();
    expect([one.stickyCookie, one.cookieFor(a, null, false)]).toEqual([null, null]);
  });
});

describe('source addresses', () => {
  test('are used in turn, the choice of the system without any', () => {
    const one = upstream([targetConfig('a')], { local_addresses: ['127.0.0.2', '127.0.0.3'] });
    expect([1, 2, 3].map(() => one.nextLocalAddress())).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.2']);
    expect(upstream([targetConfig('a')]).nextLocalAddress()).toBeNull();
  });
});

describe('the Host a backend is sent', () => {
  function hostField(host: UpstreamConfig['host'], endpoint: Endpoint): string {
    return newTarget('a', { endpoint }, { host }).hostField('Client.Example:8080');
  }

  test('client: as the client sent it; a literal: as configured', () => {
    expect(hostField('client', ENDPOINT)).toBe('Client.Example:8080');
    expect(hostField({ literal: 'fixed.test:1' }, ENDPOINT)).toBe('fixed.test:1');
  });

  test("RFC 9110 7.2: target: host and port of the url, without the scheme's own port", () => {
    expect(hostField('target', ENDPOINT)).toBe('a.test:9001');
    expect(hostField('target', { ...ENDPOINT, port: 80 })).toBe('a.test');
    expect(hostField('target', { ...ENDPOINT, port: 443 })).toBe('a.test:443');
    expect(hostField('target', { ...ENDPOINT, port: 443, secure: true })).toBe('a.test');
    expect(hostField('target', { ...ENDPOINT, port: 80, secure: true })).toBe('a.test:80');
    expect(hostField('target', { ...ENDPOINT, host: '::1' })).toBe('[::1]:9001');
  });

  test('target: localhost where the url has no host', () => {
    expect(hostField('target', { kind: 'unix', path: '/run/x.sock', base: '' })).toBe('localhost');
    expect(hostField('target', { kind: 'echo' })).toBe('localhost');
  });
});
