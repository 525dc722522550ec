// The keys of how an upstream chooses, checks and finds its targets: what they become, and what is said of wrong ones.

import { describe, expect, test } from 'vitest';
import type { UpstreamConfig } from '../../src/config/types.ts';
import { errorsOf, loaded, problemsOf, warningsOf } from './loading.ts';

function upstreamOf(keys: string): UpstreamConfig {
  const { u } = loaded(`routes: [{ upstream: u }]\nupstreams:\n  u: { ${keys} }\n`).upstreams;
  if (u === undefined) throw new Error('no upstream u');
  return u;
}

const A = 'targets: [{ url: "ws://a" }]';

describe('balance', () => {
  test.each([
    ['random_two', { kind: 'random_two' }],
    ['{ hash: "header:X-Room" }', { kind: 'hash', key: { kind: 'header', name: 'x-room' } }],
    ['{ hash: "cookie:Id" }', { kind: 'hash', key: { kind: 'cookie', name: 'Id' } }],
    ['{ hash: "query:room" }', { kind: 'hash', key: { kind: 'query', name: 'room' } }],
    ['{ hash: path }', { kind: 'hash', key: { kind: 'path' } }],
    ['{ hash: identity }', { kind: 'hash', key: { kind: 'identity' } }],
    ['{ hash: "claim:org.id" }', { kind: 'hash', key: { kind: 'claim', name: 'org.id' } }],
    ['{ hash: "segment:64" }', { kind: 'hash', key: { kind: 'segment', index: 64 } }],
    [
      '{ sticky: {} }',
      {
        kind: 'sticky',
        cookie: 'fg-u',
        path: '/',
        max_age: null,
        secure: 'auto',
        same_site: 'lax',
        secret: null,
      },
    ],
    ['{ sticky: { cookie: id, max_age: 1500ms } }', { kind: 'sticky', cookie: 'id', max_age: 2 }],
  ])('%s', (balance, value) => {
    expect(upstreamOf(`${A}, balance: ${balance}`).balance).toMatchObject(value);
  });

  test.each([
    ['fewest', /u\.balance: expected least_sessions, round_robin, random_two, source_ip or a map with hash or sticky$/],
    ['{}', /u\.balance: expected hash or sticky, one of the two/],
    ['{ hash: path, sticky: {} }', /u\.balance: expected hash or sticky, one of the two/],
    ['{ hsh: path }', /u\.balance\.hsh: unknown key \(did you mean "hash"\?\)/],
    ['{ hash: "claim:" }', /u\.balance\.hash: expected header:NAME, .*, identity, or claim:NAME$/],
    ['{ hash: "segment:0" }', /segments of a path count from 1 to 64/],
    ['{ hash: "segment:65" }', /segments of a path count from 1 to 64/],
    ['{ hash: "header:a b" }', /"a b" is no field name/],
    ['{ sticky: { cookie: "a b" } }', /"a b" is no cookie name/],
    ['{ sticky: { path: "/a;b" } }', /expected a path without ";"/],
    ['{ sticky: { max_age: 5 } }', /max_age: a duration needs a unit: .* or session$/],
    ['{ sticky: { same_site: none, secure: off } }', /same_site: browsers take a cookie with SameSite=None only/],
    ['', /u\.balance: needs a value/],
  ])('%s is no policy', (balance, error) => {
    const errors = errorsOf(`upstreams: { u: { ${A}, balance: ${balance} } }`);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(error);
  });
});

describe('health', () => {
  test('passive ejection is on, checks are off', () => {
    expect(upstreamOf(A).health).toMatchObject({
      active: 'off',
      passive: { failures: 5 },
      panic: Number.POSITIVE_INFINITY,
    });
    expect(upstreamOf(`${A}, health: { active: {}, passive: off }`).health).toMatchObject({
      active: { type: 'websocket', interval: 10_000, rise: 2, fall: 3, expect_status: [{ from: 200, to: 299 }] },
      passive: 'off',
    });
  });

  test.each([
    ['{ type: tcp }', /u\.health\.type: unknown key \(it goes into "active"\)$/],
    ['{ active: on }', /health\.active: expected off or a map of keys and values/],
    ['{ active: { expect_status: ["99"] } }', /expected a status code from 100 to 599/],
    ['{ active: { expect_status: ["300-299"] } }', /expected a status code from 100 to 599/],
    ['{ active: { path: "/a#b" } }', /expected a path/],
    ['{ active: { send: "" } }', /expected text of 1 to 4096 bytes/],
    ['{ passive: { eject: 2s, eject_max: 1s } }', /eject_max: is below eject, which is 2s/],
  ])('%s', (health, error) => {
    const errors = errorsOf(`upstreams: { u: { ${A}, health: ${health} } }`);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(error);
  });

  test('what a check of its type does not look at is warned of', () => {
    const health = 'health: { active: { type: tcp, path: /x, send: hi } }';
    const warnings = problemsOf(`routes: [{ upstream: u }]\nupstreams: { u: { ${A}, ${health} } }`);
    expect(warnings.map(({ severity, path }) => [severity, path])).toEqual([
      ['warning', 'upstreams.u.health.active.path'],
      ['warning', 'upstreams.u.health.active.send'],
    ]);
  });
});

describe('discover', () => {
  test('stands in place of targets; what follows has the defaults of its kind', () => {
    expect(upstreamOf('discover: { dns: { name: Chat.Internal., scheme: wss } }')).toMatchObject({
      targets: [],
      discover: { kind: 'dns', name: 'chat.internal', port: 443, path: '', every: 30_000 },
      on_gone: 'keep',
      hold: 60_000,
    });
    expect(upstreamOf('discover: { file: { path: t.yaml } }')).toMatchObject({
      discover: { kind: 'file', path_text: 't.yaml' },
      on_gone: 'drain',
      hold: 0,
    });
  });

  test.each([
    ['discover: {}', /u\.discover: expected dns or file, one of the two/],
    ['discover: { dns: { name: a }, file: { path: x } }', /u\.discover: expected dns or file, one of the two/],
    [
      'discover: { dns: chat }',
      /u\.discover\.dns: expected a map of keys and values such as \{ name: "chat" \}, found text$/,
    ],
    [
      'targets: ["ws://a"]',
      /targets\[0\]: expected a map of keys and values such as \{ url: "ws:\/\/a" \}, found text$/,
    ],
    ['discover: { dns: {} }', /u\.discover\.dns\.name: is required/],
    ['discover: { dns: { name: "1.2.3.4" } }', /is no name that can be looked up/],
    ['discover: { dns: { name: a, servers: [b] } }', /expected an IP address, with a port or without/],
    ['discover: { dns: { name: a, path: "/a/../b" } }', /the path of a target URL holds no dot/],
    ['discover: { kubernetes: {} }', /u\.discover\.kubernetes: this version of framegate does not have it/],
    ['host: client', /u\.targets: needs at least one target, or discover/],
    [`${A}, allow_addresses: all`, /allow_addresses: expected a list of CIDR blocks, or any/],
  ])('%s', (keys, error) => {
    const errors = errorsOf(`upstreams: { u: { ${keys} } }`);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(error);
  });
});

test.each([
  ['targets: [{ url: "ws://a" }], queue: { size: 1 }', 'queue.size: has no effect: no target is ever full'],
  ['targets: [{ url: "ws://a", max_sessions: 1 }], queue: { size: 1 }', null],
  ['targets: [{ url: "ws://a" }], queue: { size: 1 }, max_handshakes_per_target: 1', null],
  ['targets: [{ url: "ws://a" }], queue: { timeout: 1s }', null],
  ['discover: { dns: { name: a } }, queue: { size: 1 }', 'queue.size: has no effect: no target is ever full'],
  ['discover: { file: { path: x } }, queue: { size: 1 }', null],
  ['targets: [{ url: "ws://a" }], on_gone: keep', 'on_gone: has no effect: there is no discover'],
  ['targets: [{ url: "ws://a" }], hold: 5s', 'hold: has no effect: there is no discover'],
  ['targets: [{ url: "ws://a" }], empty: allow', 'empty: has no effect: there is no discover'],
  ['discover: { file: { path: x } }, on_gone: keep, hold: 5s, empty: allow', null],
  ['discover: { dns: { name: a, type: srv, port: 9 } }', 'discover.dns.port: has no effect: each record of type srv'],
  ['discover: { dns: { name: a, type: srv } }', null],
  ['discover: { dns: { name: a, port: 9 } }', null],
])('%s: what can do nothing is warned of', (keys, warning) => {
  const warnings = warningsOf(`routes: [{ upstream: u }]\nupstreams: { u: { ${keys} } }`);
  expect(warnings).toEqual(warning === null ? [] : [expect.stringContaining(`u.${warning}`)]);
});

test('names are made of urls that were understood alone', () => {
  const errors = (urls: string) => errorsOf(`upstreams: { u: { targets: [${urls}] } }`);
  expect(errors('{ url: "127.0.0.1:1" }, { url: "tcp://x:1" }')).toEqual([
    expect.stringMatching(/targets\[0\]\.url: expected a URL/),
    expect.stringMatching(/targets\[1\]\.url: unknown scheme/),
  ]);
  expect(errors('{ name: a, url: "x" }, { name: a, url: "tcp://x:1" }')).toHaveLength(3);
});

test.each(['source_ip', '{ hash: path }', '{ sticky: {} }'])('rebalance beside %s closes to no end', (balance) => {
  const warnings = (kind: string) =>
    warningsOf(`routes: [{ upstream: u }]\nupstreams: { u: { ${A}, balance: ${kind}, rebalance: {} } }`);
  expect(warnings(balance)).toEqual([expect.stringMatching(/u\.rebalance: balance: \w+ sends most of those that it/)]);
  expect(warnings('random_two')).toEqual([]);
});
