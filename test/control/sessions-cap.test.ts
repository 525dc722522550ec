import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { sessionsCap } from '../../src/control/sessions-cap.ts';
import type { ConfigInput } from '../../src/proxy.ts';

test('each target that is checked has a descriptor of its own, so there is one session less for two of them', () => {
  const upstream = (active: 'off' | { type: 'tcp' }) => ({
    targets: [{ url: 'ws://a.test' }, { url: 'ws://b.test' }],
    health: { active },
  });
  const cap = (active: 'off' | { type: 'tcp' }) => {
    const input = { routes: [{ upstream: 'chat' }], upstreams: { chat: upstream(active) } };
    return sessionsCap(loadObject(input, { baseDir: '.' }).config, 1_032).sessionsMax;
  };
  expect([cap('off'), cap({ type: 'tcp' })]).toEqual([500, 499]);
});

test('of thousands that are checked 256 are at a time, and of those that discovery finds as many may be', () => {
  const active = { type: 'tcp' } as const;
  const cap = (upstream: object) => {
    const upstreams = { chat: { ...upstream, health: { active } } };
    return sessionsCap(loadObject({ routes: [{ upstream: 'chat' }], upstreams }, { baseDir: '.' }).config, 1_032)
      .sessionsMax;
  };
  const targets = (count: number) => Array.from({ length: count }, (_, at) => ({ url: `ws://t${at}.test` }));
  expect([cap({ targets: targets(254) }), cap({ targets: targets(256) }), cap({ targets: targets(300) })]).toEqual([
    373, 372, 372,
  ]);
  expect(cap({ discover: { dns: { name: 'chat.internal' } } })).toBe(372);
});

test('connections to services that wait for the next question have descriptors: 32 of each, 64 in all', () => {
  const forward = { forward: { url: 'http://127.0.0.1:9000/' } };
  const key = { api_key: { keys: [{ name: 'a', sha256: '0'.repeat(64) }] } };
  const cap = (auth: ConfigInput['auth']) => {
    const routes = Object.keys(auth ?? {}).map((name) => ({
      match: { path: `/${name}` },
      upstream: 'builtin:echo' as const,
      auth: [name],
      origins: 'any' as const,
    }));
    return sessionsCap(loadObject({ routes, auth }, { baseDir: '.' }).config, 1_032).sessionsMax;
  };
  const caps = [{ key }, { key, a: forward }, { a: forward, b: forward }, { a: forward, b: forward, c: forward }];
  expect(caps.map(cap)).toEqual([500, 484, 468, 468]);
});

test.each([{}, { max_sessions: 'off' }] as const)(
  'no room for any session is an error, for one is none: %j',
  (limits) => {
    const { config } = loadObject({ routes: [{ upstream: 'builtin:echo' }], limits }, { baseDir: '.' });
    expect(sessionsCap(config, 33)).toMatchObject({ sessionsMax: 0, isRefused: true });
    expect(sessionsCap(config, 34)).toMatchObject({ sessionsMax: 1, isRefused: false });
  },
);
