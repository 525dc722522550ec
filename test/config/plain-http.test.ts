// Keys about requests without upgrade: what contradicts each other, what has no effect, and what is taken instead.

import { describe, expect, test } from 'vitest';
import { renderConfig } from '../../src/config/render.ts';
import { makeCertificates } from '../support/certs.ts';
import { errorsOf, loaded, warningsOf } from './loading.ts';

const certs = await makeCertificates();
const files = { 'c.pem': certs.good.cert, 'k.pem': certs.good.key };
const modes = { 'k.pem': 0o600 };

describe('redirect_http', () => {
  const secure = '{ name: s, address: ":8443", tls: { certificates: [{ cert: c.pem, key: k.pem }] }';
  const around = { files, modes };
  const listeners = (...all: string[]) => `listeners: [${all.join(', ')}]\n`;

  test('is an error on a listener with tls, where it would never end', () => {
    expect(errorsOf(listeners(`${secure}, redirect_http: on }`), around)).toEqual([
      '1:111 listeners[0].redirect_http: is for listeners without tls: here it would never end',
    ]);
  });

  test('leads nowhere without a listener with tls, and needs no route of its own with one', () => {
    const plain = '{ name: p, redirect_http: on }';
    expect(warningsOf(listeners(plain))).toEqual([
      '1:39 listeners[0].redirect_http: leads nowhere: no listener has tls',
    ]);
    const route = 'routes: [{ match: { listeners: [s] }, upstream: "builtin:echo" }]\n';
    const text = listeners(plain, `${secure} }`) + route;
    expect(warningsOf(text, around).filter((line) => !line.includes('ends soon'))).toEqual([]);
    expect(loaded(text, around).listeners.map((one) => one.redirect_http)).toEqual([true, false]);
  });
});

describe('what has no effect', () => {
  const WEB = 'http: "http://127.0.0.1:3000"';
  const WS = 'upstream: "ws://127.0.0.1:3000"';

  test.each([
    ['origins: [same]', 'origins'],
    ['missing_origin: refuse', 'missing_origin'],
    ['subprotocols: [a]', 'subprotocols'],
    ['compression: off', 'compression'],
    ['refuse_with: close', 'refuse_with'],
    ['relax: [key]', 'relax'],
    ['close_codes: { idle: 4000 }', 'close_codes.idle'],
    ['record: { frames: 8 }', 'record'],
    ['limits: { from_client: { max_message_size: 1KiB } }', 'limits.from_client'],
    ['limits: { max_sessions_per_ip: 5 }', 'limits.max_sessions_per_ip'],
    ['timeouts: { upgrade: 1s }', 'timeouts.upgrade'],
  ])('on a route for plain requests alone: %s', (own, key) => {
    const told = `routes[0].${key}: has no effect: this route takes no WebSockets`;
    expect(warningsOf(`routes: [{ ${WEB}, ${own} }]`).map((line) => line.replace(/^\S+ /, ''))).toEqual([told]);
    expect(warningsOf(`routes: [{ ${WS}, ${WEB}, ${own} }]`)).toEqual([]);
  });

  test('what defaults say, and what holds for both', () => {
    const own = `limits: { max_body_size: 1MiB }, timeouts: { idle: 1m, open: 1s, body: 1s, response: 1s, auth: 1s }`;
    const routes = `routes: [{ ${WEB}, origins: [same], ${own} }, { match: { path: /a }, ${WS} }]`;
    expect(warningsOf(`defaults: { origins: [same] }\n${routes}`)).toEqual([]);
  });

  test('on a route without http, and where no route has it', () => {
    const lines = (text: string) => warningsOf(text).map((line) => line.replace(/^\S+ /, ''));
    expect(lines(`routes: [{ ${WS}, limits: { max_body_size: 1MiB }, timeouts: { body: 1s } }]`)).toEqual([
      'routes[0].limits.max_body_size: has no effect: this route has no http',
      'routes[0].timeouts.body: has no effect: this route has no http',
    ]);
    const whole = 'limits: { requests_per_second_per_ip: 5 }\ntimeouts: { keep_alive: 1s, body: 60s }\n';
    expect(lines(`${whole}routes: [{ ${WS} }]`)).toEqual([
      'limits.requests_per_second_per_ip: has no effect: no route has http',
      'timeouts.keep_alive: has no effect: no route has http',
    ]);
    expect(lines(`${whole}routes: [{ ${WEB} }]`)).toEqual([]);
  });

  const told = (text: string) => warningsOf(text).map((line) => line.replace(/^\S+ /, ''));

  test.each([
    ['limits: { max_early_bytes: 1KiB }', 'limits.max_early_bytes'],
    ['limits: { from_client: { max_message_size: 2MiB } }', 'limits.from_client'],
    ['limits: { max_waiting_handshakes: 1, max_sessions: 5, max_tls_handshakes: 5 }', 'limits.max_waiting_handshakes'],
    ['timeouts: { lifetime: 1h, open: 1s, idle: 1m, connect: 1s }', 'timeouts.lifetime'],
    ['close_codes: { idle: 4000 }', 'close_codes.idle'],
    ['record: {}', 'record'],
    ['defaults: { origins: [same], deny: [10.0.0.0/8], refuse_with: close }', 'defaults.origins'],
  ])('for all routes, where none takes WebSockets: %s', (keys, key) => {
    const nowhere = `${key}: has no effect: no route takes WebSockets`;
    expect(told(`${keys}\nroutes: [{ ${WEB} }]`)).toEqual([nowhere]);
    expect(told(`${keys}\nroutes: [{ ${WEB} }, { match: { path: /a }, ${WS} }]`)).toEqual([]);
  });

  test('close codes are those of refusals, too, where defaults has them closed', () => {
    expect(told(`defaults: { refuse_with: close }\nclose_codes: { no_route: 4404 }\nroutes: [{ ${WEB} }]`)).toEqual([]);
  });

  test.each([
    ['rebalance: {}', 'rebalance'],
    ['health: { on_down: drain }', 'health.on_down'],
    ['health: { passive: { early_death: 5s, window: 1m } }', 'health.passive.early_death'],
    ['relax: [accept]', 'relax'],
    ['queue: { timeout: 1s }', 'queue'],
    ['max_handshakes: 5', 'max_handshakes'],
    ['drain: { mode: keep }', 'drain'],
  ])('of an upstream that no route sends WebSockets to: %s', (own, key) => {
    const upstreams = `upstreams: { u: { targets: [{ url: "http://a", max_sessions: 5 }], ${own} } }\n`;
    const nobody = `upstreams.u.${key}: has no effect: no route sends WebSockets to this upstream`;
    expect(told(`${upstreams}routes: [{ http: u }]`)).toEqual([nobody]);
    expect(told(`${upstreams}routes: [{ http: u }, { match: { path: /a }, upstream: u }]`)).toEqual([]);
  });

  test('of a method of auth that no route with WebSockets uses: quotas and the ends of sessions', () => {
    const hash = 'sha256: "0000000000000000000000000000000000000000000000000000000000000001"';
    const keys = `keys: [{ name: a, ${hash}, quota: { max_sessions: 5 } }], from: [header:X-Key], grace: 1s`;
    const auth = `auth: { m: { api_key: { ${keys} } } }\n`;
    const nobody = 'has no effect: no route with WebSockets uses this method';
    expect(told(`${auth}routes: [{ ${WEB}, auth: [m] }]`)).toEqual([
      `auth.m.api_key.keys[0].quota: ${nobody}`,
      `auth.m.api_key.grace: ${nobody}`,
    ]);
    expect(told(`${auth}routes: [{ ${WEB}, auth: [m] }, { match: { path: /a }, auth: [m], ${WS} }]`)).toEqual([]);
    expect(told(`${auth}defaults: { auth: [m] }\nroutes: [{ ${WS} }]`)).toEqual([]);
  });

  test.each([
    ['for both kinds of requests', `routes: [{ ${WEB}, match: { path: /a } }, { ${WS} }]`],
    ['for WebSockets alone', `routes: [{ ${WS} }]`],
    ['for other requests alone', 'routes: [{ http: u }]\nupstreams: { u: { targets: [{ url: "http://a" }] } }'],
  ])('is none of what framegate config prints %s', (_, config) => {
    const text = renderConfig(loaded(config));
    expect(warningsOf(text)).toEqual([]);
    expect(renderConfig(loaded(text))).toBe(text);
  });

  test('is told of no config whose routes are not known', () => {
    for (const routes of ['[]', '[{ name: a }]', '[{ upstream: 5 }]', '[{ http: 5 }]'])
      expect(warningsOf(`limits: { max_early_bytes: 1KiB, max_body_size: 1MiB }\nroutes: ${routes}`)).toEqual([]);
  });
});

describe('where plain requests go', () => {
  test('is not to what knows WebSockets alone, nor nowhere', () => {
    const told = 'builtin:echo knows WebSockets alone: name a server for other requests';
    expect(errorsOf('routes: [{ http: "builtin:echo" }]')).toEqual([`1:18 routes[0].http: ${told}`]);
    const upstreams = 'upstreams: { u: { targets: [{ url: "builtin:echo" }] } }\n';
    expect(errorsOf(`${upstreams}routes: [{ http: u }]`)).toEqual([`2:18 routes[0].http: ${told}`]);
    expect(errorsOf(`${upstreams}routes: [{ upstream: u }]`)).toEqual([]);
    expect(errorsOf('routes: [{ rewrite: /x }]')).toEqual([
      '1:10 routes[0].upstream: is missing: where WebSockets go; or give http: where other requests go',
    ]);
    expect(errorsOf('routes: [{ http: w }]\nupstreams: { web: { targets: [{ url: "http://a" }] } }')).toEqual([
      '1:18 routes[0].http: there is no upstream "w"',
    ]);
  });

  test.each([
    ['upstream: u', '', 'websocket', 0],
    ['http: u', '', 'http', 0],
    ['upstream: u, http: u', '', 'websocket', 0],
    ['http: u', 'type: websocket', 'websocket', 1],
    ['http: u', 'type: tcp', 'tcp', 0],
    ['http: u', 'send: hi', 'http', 1],
  ])('is checked by what it is there for: %s, active: { %s }', (leads, active, type, warnings) => {
    const text =
      `upstreams: { u: { targets: [{ url: "http://a" }], health: { active: { ${active} } } } }\n` +
      `routes: [{ ${leads} }]`;
    expect(loaded(text).upstreams.u?.health.active).toMatchObject({ type });
    expect(warningsOf(text)).toHaveLength(warnings);
  });

  test.each([
    ['/socket.io/*', 'balance: least_sessions', 2, 1],
    ['/app/SignalR', 'balance: round_robin', 2, 1],
    ['/socket.io/*', '', 1, 0],
    ['/socket.io/*', 'balance: { sticky: {} }', 2, 0],
    ['/socket.io/*', 'balance: source_ip', 2, 0],
    ['/socket.iox/*', '', 2, 0],
  ])('is to one target for all requests of a session that begins by polling: %s, %s', (path, own, count, warnings) => {
    const targets = Array.from({ length: count }, (_, index) => `{ url: "http://a${index}" }`).join(', ');
    const upstreams = `upstreams: { u: { targets: [${targets}, { url: "http://b", backup: true }], ${own} } }\n`;
    const told = warningsOf(`${upstreams}routes: [{ match: { path: ${path} }, upstream: u, http: u }]`);
    expect(told).toHaveLength(warnings);
    for (const line of told)
      expect(line).toMatch(/routes\[0\]\.http: .*: balance: \{ sticky: \{\} \} in upstream "u"$/);
    // Without polling there is one request.
    expect(warningsOf(`${upstreams}routes: [{ match: { path: ${path} }, upstream: u }]`)).toEqual([]);
  });
});
