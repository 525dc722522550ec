// What is said of a key that does not stand where it belongs, and of a value that stands for a whole block.

import { describe, expect, test } from 'vitest';
import { describeKeys } from '../../src/config/key-walk.ts';
import { OTHER_WORDS } from '../../src/config/other-words.ts';
import { errorsOf } from './loading.ts';

const U = 'upstream: "builtin:echo"';
const VERIFY = 'in "upstreams.*.tls" or in "auth.*.introspection.tls" or in "auth.*.forward.tls"';
const TARGETS = 'targets: [{ url: "ws://a" }]';

/** What is said of that key, without its place. */
function hint(text: string, path: string): string {
  const lines = errorsOf(text).filter((line) => line.includes(` ${path}: `));
  expect(lines).toHaveLength(1);
  return lines.join('').replace(/^.*: unknown key/, '');
}

describe('a key that stands elsewhere is told where it belongs', () => {
  test.each([
    [`routes: [{ ${U}, path: /x }]`, 'routes[0].path', ' (it goes into "match")'],
    ['max_frame_size: 64KiB', 'max_frame_size', ' (it goes into "limits.from_client" or "limits.from_backend")'],
    ['origins: [same]', 'origins', ' (it goes into "defaults" or "routes")'],
    [`upstreams: { u: { ${TARGETS}, interval: 5s } }`, 'upstreams.u.interval', ' (it goes into "health.active")'],
    [`upstreams: { u: { ${TARGETS}, max_sessions: 5 } }`, 'upstreams.u.max_sessions', ' (it goes into "targets")'],
  ])('within its block, as near as there is one: %s', (text, path, told) => {
    expect(hint(text, path)).toBe(told);
  });

  test.each([
    [
      `upstreams: { u: { ${TARGETS}, listeners: [] } }`,
      'upstreams.u.listeners',
      'at the top level or in "routes[].match"',
    ],
    [`routes: [{ ${U}, max_tls_handshakes: 5 }]`, 'routes[0].max_tls_handshakes', 'in "limits" at the top level'],
    [`routes: [{ ${U}, verify: true }]`, 'routes[0].verify', VERIFY],
    [`routes: [{ ${U}, match: { upstream: u } }]`, 'routes[0].match.upstream', 'in "routes[]"'],
    [
      `upstreams: { u: { ${TARGETS}, tls: { max_sessions: 5 } } }`,
      'upstreams.u.tls.max_sessions',
      'in "upstreams.*.targets[]"',
    ],
  ])('around it or in others, the nearest first: %s', (text, path, told) => {
    expect(hint(text, path)).toBe(` (it belongs ${told})`);
  });

  test('and what is the same word of one or many', () => {
    expect(hint('timeout: 5s', 'timeout')).toBe(' (did you mean "timeouts"? It also goes into "drain")');
    expect(hint('lmits: {}', 'lmits')).toBe(' (did you mean "limits"?)');
  });

  test.each([
    ['limits: { max_message_size: 1KiB }', 'limits.max_message_size', 'it goes into "from_client" or "from_backend"'],
    [
      'limits: { from_client: { max_head_size: 1KiB } }',
      'limits.from_client.max_head_size',
      'it belongs in "limits" at the top level',
    ],
  ])('and no other key that is only spelt like it: %s', (text, path, told) => {
    expect(hint(text, path)).toBe(` (${told})`);
  });
});

describe('a word of another program is told the key that it is here', () => {
  test.each([
    ['upstreams: { u: { servers: [] } }', 'upstreams.u.servers', '"targets"'],
    ['routes: [{ target: "ws://a" }]', 'routes[0].target', '"upstream"'],
    ['routes: [{ proxy_pass: "http://a" }]', 'routes[0].proxy_pass', '"upstream"'],
    ['listen: 8080', 'listen', '"listeners"'],
    ['listeners: [{ port: 8080 }]', 'listeners[0].port', 'address: ":8080"'],
    ['listeners: [{ port: 65536 }]', 'listeners[0].port', 'address: ":PORT"'],
    ['listeners: [{ listen: ":8080" }]', 'listeners[0].listen', '"address"'],
    [
      'upstreams: { u: { targets: [{ address: "10.0.0.2:9001" }] } }',
      'upstreams.u.targets[0].address',
      'url: "ws://10.0.0.2:9001"',
    ],
    ['idle_timeout: 5m', 'idle_timeout', '"timeouts.idle"'],
    [`routes: [{ ${U}, idle_timeout: 5m }]`, 'routes[0].idle_timeout', '"timeouts.idle"'],
    ['timeouts: { ping: 5s }', 'timeouts.ping', '"client_ping_interval"'],
    ['timeouts: { ping_interval: 5s }', 'timeouts.ping_interval', '"client_ping_interval"'],
    [`routes: [{ ${U}, timeouts: { ping: 5s } }]`, 'routes[0].timeouts.ping', '"client_ping_interval"'],
    ['limits: { from_client: { burst: 5 } }', 'limits.from_client.burst', '"message_burst" or "byte_burst"'],
  ])('%s', (text, path, told) => {
    expect(hint(text, path)).toBe(` (did you mean ${told}?)`);
  });

  test('but never what a file holds', () => {
    const text = 'upstreams: { u: { targets: [{ address: { file: secret } }] } }';
    const [line] = errorsOf(text, { files: { secret: 'hunter2:12345' } }).filter((one) => one.includes('address'));
    expect(line).toMatch(/did you mean url: "ws:\/\/HOST:PORT"\?\)$/);
  });

  test('each of these words leads to a key, and is none itself', () => {
    const paths = new Set(describeKeys().map(({ path }) => path));
    for (const [block, words] of Object.entries(OTHER_WORDS)) {
      const prefix = block === '' ? '' : `${block}.`;
      for (const [word, keys] of Object.entries(words)) {
        expect(paths, `${prefix}${word}`).not.toContain(`${prefix}${word}`);
        for (const key of keys.split('" or "')) expect(paths).toContain(`${prefix}${key}`);
      }
    }
  });
});

describe('a key that is nowhere is told what there is', () => {
  test.each(['server', 'modules', 'events'])('%s', (key) => {
    expect(hint(`${key}: 1`, key)).toMatch(/^: there are listeners, trusted_proxies, .*, routes, .*, log$/);
  });

  test('in other blocks, too', () => {
    expect(hint('log: { stream: a }', 'log.stream')).toBe(
      ': there are level, format, query, path, session_open, lines_per_second',
    );
  });
});

describe('a value for a whole block is told what it would be in one', () => {
  test.each([
    ['listeners: 8080', 'listeners: expected a list such as [{ address: ":8080" }], found a number'],
    [
      'listeners: [8080]',
      'listeners[0]: expected a map of keys and values such as { address: ":8080" }, found a number',
    ],
    ['listeners: ":8080"', 'listeners: expected a list such as [{ address: ":8080" }], found text'],
    ['listeners: { address: ":1" }', 'listeners: expected a list, found a map: each entry begins with "- "'],
    ['listeners: [{ address: 8080 }]', 'listeners[0].address: needs a colon before the port: ":8080"'],
    [
      'upstreams: { u: { targets: ["localhost:9001"] } }',
      'upstreams.u.targets[0]: expected a map of keys and values such as { url: "ws://localhost:9001" }, found text',
    ],
    [
      'upstreams: { u: { targets: "ws://a:1" } }',
      'upstreams.u.targets: expected a list such as [{ url: "ws://a:1" }], found text',
    ],
    ['routes: "ws://a:1"', 'routes: expected a list such as [{ upstream: "ws://a:1" }], found text'],
  ])('%s', (text, told) => {
    expect(errorsOf(text).map((line) => line.replace(/^\S+ /, ''))).toEqual([told]);
  });
});

describe('a value of another program is told what it is here', () => {
  const count = (max: string) => `expected a whole number from 1 to ${max}, or off`;
  test.each([
    ['timeouts: { pong: 0 }', /^timeouts\.pong: a duration needs a unit: .*, or off \(did you mean "off"\?\)$/],
    ['timeouts: { pong: 0s }', /^timeouts\.pong: out of range: .*, or off \(did you mean "off"\?\)$/],
    ['timeouts: { connect: 5 }', /, or off$/],
    ['limits: { max_sessions_per_ip: unlimited }', `${count('10000000')} (did you mean "off"?)`],
    ['limits: { max_sessions_per_ip: 0 }', `${count('10000000')} (did you mean "off"?)`],
    ['limits: { max_sessions: -1 }', `${count('10000000')} (did you mean "off"?)`],
    ['limits: { max_sessions: 10k }', `${count('10000000')} (did you mean 10000?)`],
    ['limits: { max_sessions: 10M }', `${count('10000000')} (did you mean 10000000?)`],
    ['limits: { max_sessions: 11M }', `${count('10000000')}`],
    ['limits: { max_header_fields: 0 }', 'expected a whole number from 5 to 10000'],
    ['limits: { handshakes_per_second: 1k }', /, or off \(did you mean 1000\?\)$/],
    ['log: { level: warning }', /\(did you mean "warn"\?\)$/],
    ['log: { level: ERR }', /\(did you mean "error"\?\)$/],
    ['log: { level: loud }', /warn, error$/],
    ['trusted_proxies: [10.0.0.1/8]', 'bits behind the prefix /8 are set (did you mean "10.0.0.0/8"?)'],
    ['trusted_proxies: [192.168.7.9/31]', 'bits behind the prefix /31 are set (did you mean "192.168.7.8/31"?)'],
    ['admin: on', 'admin: expected a map of keys and values such as {}, found text'],
    ['admin: true', 'admin: expected a map of keys and values such as {}, found true'],
    ['log: debug', 'log: expected a map of keys and values such as { level: debug }, found text'],
    ['log: loud', 'log: expected a map of keys and values, found text'],
    ['record: 32', 'record: expected off or a map of keys and values such as { frames: 32 }'],
    ['record: on', 'record: expected off or a map of keys and values such as {}'],
    ['record: 0', 'record: expected off or a map of keys and values'],
  ])('%s', (text, told) => {
    const [line = '', ...more] = errorsOf(text);
    expect(more).toEqual([]);
    if (typeof told === 'string') expect(line.endsWith(told), line).toBe(true);
    else expect(line.replace(/^\S+ /, '')).toMatch(told);
  });
});
