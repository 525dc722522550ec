// What a config becomes, and what is told about one that cannot be used: all of it at once, each at its place.

import { describe, expect, test } from 'vitest';
import { wasGiven } from '../../src/config/origin.ts';
import { formatProblems } from '../../src/config/problems.ts';
import { renderConfig } from '../../src/config/render.ts';
import { errorsOf, loaded, MINIMAL, problemsOf, warningsOf } from './loading.ts';

const OFF = Number.POSITIVE_INFINITY;
/** What a direction is without any rate. */
const UNRATED = {
  messages_per_second: OFF,
  message_burst: OFF,
  bytes_per_second: OFF,
  byte_burst: OFF,
  control_frames_per_second: OFF,
  control_frame_burst: OFF,
  validate_utf8: false,
};
const DEFAULT_LOG = {
  level: 'info',
  format: 'auto',
  query: 'off',
  path: 'full',
  session_open: 'debug',
  lines_per_second: OFF,
};

const DEFAULT_LIMITS = {
  max_head_size: 16_384,
  max_target_size: 8192,
  max_header_fields: 100,
  max_early_bytes: 65_536,
  max_sessions: 10_000,
  max_handshakes: 1000,
  max_waiting_handshakes: 4000,
  max_tls_handshakes: 1000,
  tls_handshakes_per_second: OFF,
  handshakes_per_second: OFF,
  handshake_burst: OFF,
  max_sessions_per_ip: OFF,
  handshakes_per_second_per_ip: OFF,
  max_sessions_per_identity: OFF,
  handshakes_per_second_per_identity: OFF,
  auth_failures_per_minute_per_ip: 60,
  requests_per_second_per_ip: OFF,
  max_requests_per_connection: 1000,
  max_body_size: 10_485_760,
  max_buffered: 262_144,
  max_buffered_total: OFF,
  max_memory: OFF,
  from_client: {
    ...UNRATED,
    max_message_size: 1_048_576,
    max_frame_size: 1_048_576,
    max_fragments: 1024,
    control_frames_per_second: 10,
    control_frame_burst: 20,
    on_rate_exceeded: 'close',
  },
  from_backend: {
    ...UNRATED,
    max_message_size: 16_777_216,
    max_frame_size: 16_777_216,
    max_fragments: 16_384,
    on_rate_exceeded: 'pause',
  },
};
const DEFAULT_TIMEOUTS = {
  handshake: 10_000,
  connect: 5000,
  upgrade: 10_000,
  open: 15_000,
  auth: 5_000,
  idle: 3_600_000,
  message_stall: 60_000,
  write_stall: 60_000,
  slow_reader: OFF,
  close: 5000,
  client_ping_interval: 30_000,
  backend_ping_interval: OFF,
  pong: 20_000,
  keep_alive: 15_000,
  body: 60_000,
  response: 120_000,
  lifetime: OFF,
};
const NOBODY = { file: null, words: [], blocks: new Uint8Array(), digest: expect.any(String) };
const BELIEF = { trusted_proxies: NOBODY, client_ip_from: 'x-forwarded-for' };
const ECHO = 'upstream: "builtin:echo"';

/** What routes do that say nothing. */
const USUAL = {
  origins: 'any',
  missing_origin: 'auto',
  refuse_with: 'http',
  compression: 'passthrough',
  subprotocols: 'any',
  auth: [],
};
const UNCHANGED = { set: {}, remove: [] };

const DEFAULT_UPSTREAM = {
  name: 'builtin:echo',
  targets: [
    {
      name: 'builtin:echo',
      url: 'builtin:echo',
      endpoint: { kind: 'echo' },
      weight: 1,
      max_sessions: OFF,
      backup: false,
    },
  ],
  host: 'client',
  balance: { kind: 'least_sessions' },
  fallback: 'least_sessions',
  max_handshakes: { percent: 75 },
  retries: 2,
  retry_budget: 0.2,
  max_handshakes_per_target: OFF,
  queue: { size: 0, timeout: 5000 },
  slow_start: OFF,
  proxy_protocol: 'off',
  health: {
    active: 'off',
    passive: {
      failures: 5,
      window: 30_000,
      early_death: 2000,
      eject: 30_000,
      eject_max: 300_000,
      max_ejected: 0.5,
    },
    on_down: 'keep',
    panic: OFF,
  },
  rebalance: 'off',
  discover: null,
  on_gone: 'drain',
  hold: 60_000,
  drain: { mode: 'close' },
  allow_addresses: 'any',
  empty: 'keep',
  local_addresses: [],
  max_head_size: 16_384,
  relax: [],
  tls: null,
};

describe('defaults', () => {
  test('a config with one route has every other key', () => {
    expect(loaded(MINIMAL)).toEqual({
      workers: 1,
      listeners: [
        {
          name: '127.0.0.1:8080',
          address: { kind: 'tcp', host: '127.0.0.1', port: 8080 },
          address_text: '127.0.0.1:8080',
          backlog: 4096,
          health_path: null,
          proxy_protocol: 'off',
          redirect_http: false,
          paths: { leading_slashes: 'refuse' },
          tls: null,
          forwarded_proto: 'auto',
          ...BELIEF,
        },
      ],
      ...BELIEF,
      send_forwarded: false,
      defaults: { ...USUAL, allow: 'any', deny: NOBODY, headers: {} },
      routes: [
        {
          name: '/*',
          match: { hosts: [], path: '/*', encoded_slashes: 'refuse', listeners: [] },
          upstream: 'builtin:echo',
          sockets: true,
          http: null,
          rewrite: null,
          limits: loaded(MINIMAL).limits,
          own_max_sessions: OFF,
          own_max_sessions_per_ip: OFF,
          own_handshakes_per_second_per_ip: OFF,
          own_max_sessions_per_identity: OFF,
          own_handshakes_per_second_per_identity: OFF,
          timeouts: loaded(MINIMAL).timeouts,
          close_codes: {},
          record: 'off',
          headers: { request: UNCHANGED, response: UNCHANGED },
          allow: 'any',
          deny: NOBODY,
          ...USUAL,
          relax: [],
        },
      ],
      auth: {},
      upstreams: {
        'builtin:echo': DEFAULT_UPSTREAM,
      },
      limits: DEFAULT_LIMITS,
      timeouts: DEFAULT_TIMEOUTS,
      close_codes: {},
      record: 'off',
      drain: { delay: 0, grace: 0, spread: 5000, timeout: 25_000 },
      reload: { max_ended: 0.5 },
      revocations: { dir: null, dir_text: null },
      admin: null,
      log: DEFAULT_LOG,
    });
  });

  test('a config is frozen all the way down', () => {
    const config = loaded(MINIMAL);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.routes[0]?.limits.from_client)).toBe(true);
    expect(Object.isFrozen(config.upstreams['builtin:echo']?.targets)).toBe(true);
  });

  test('a look-up by any name in upstreams and close_codes finds nothing of JavaScript', () => {
    const config = loaded(MINIMAL);
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect(config.upstreams[name]).toBeUndefined();
      expect(config.close_codes[name]).toBeUndefined();
    }
  });

  test('a block with nothing but comments in it is absent', () => {
    const text = 'limits:\n  # max_sessions: 5\n  from_client:\ntimeouts:\nlog:\ntrusted_proxies:\nupstreams:\n';
    expect(errorsOf(text)).toEqual([]);
    expect(loaded(text).limits.max_sessions).toBe(10_000);
  });

  test('what the config named can be told from a default', () => {
    const config = loaded(`${MINIMAL}limits: { max_sessions: 10000 }\n`);
    expect(wasGiven(config, 'limits.max_sessions')).toBe(true);
    expect(wasGiven(config, 'limits.max_buffered')).toBe(false);
  });
});

describe('routes', () => {
  test.each([
    ['', '1:1 the file is empty: a config has at least routes'],
    ['\n', '1:1 the file is empty: a config has at least routes'],
    ['# nothing\n', '1:1 routes: is required'],
    ['---\n', '1:1 routes: is required'],
    ['{}', '1:1 routes: is required'],
    ['log: { level: warn }\n', '1:1 routes: is required'],
    ['log: { level: warn }\nroutes:\n', '2:1 routes: needs a value'],
    ['routes: []', '1:9 routes: needs at least one route'],
  ])('%j has none, which is an error', (text, error) => {
    expect(errorsOf(text, { whole: true })).toEqual([error]);
  });

  test('what else is wrong is told with it, and nothing that follows from it', () => {
    const text = 'listeners: [{ name: a }]\nupstreams: { u: { targets: [{ url: "ws://a" }] } }\nlogs: {}\n';
    expect(errorsOf(text, { whole: true })).toEqual([
      '1:1 routes: is required',
      '3:1 logs: unknown key (did you mean "log"?)',
    ]);
    expect(warningsOf(text, { whole: true })).toEqual([]);
  });

  test('a key of another block hides nothing, whatever it is called', () => {
    for (const key of ['url', 'targets', 'routes']) {
      const text = `routes:\n  - { ${key}: x, upstream: nope }\n  - { upstream: builtin:echo }\n`;
      expect(errorsOf(text, { whole: true }), key).toEqual([
        expect.stringContaining(`2:7 routes[0].${key}: unknown key`),
        `2:${key.length + 22} routes[0].upstream: there is no upstream "nope"`,
        '3:5 routes[1].match: routes[0] matches the same requests',
      ]);
    }
  });
});

describe('names', () => {
  test('a route is called by its hosts and path, a target by its host and port', () => {
    const config = loaded(
      `routes: [{ match: { hosts: [A.example, "*.b.example"], path: "/x/*" }, upstream: u }]\n` +
        'upstreams:\n  u:\n    targets: [{ url: "ws://[::1]:9001/x" }, { url: wss://b.example }, { url: ws+unix:/s }]',
    );
    expect(config.routes[0]?.name).toBe('a.example,*.b.example/x/*');
    expect(config.upstreams.u?.targets.map(({ name }) => name)).toEqual(['[::1]:9001', 'b.example:443', '/s']);
  });

  test('one that is made of something is a name that a config may give, and tells different things apart', () => {
    const long = (letter: string) => `${'a'.repeat(60)}.${letter.repeat(60)}.${'c'.repeat(60)}`;
    const text = [
      'listeners: [{ address: "unix:/a b" }, { address: "unix:/a  b" }, { address: "unix:/\u00e4" }]',
      'routes:',
      `  - { match: { hosts: [${long('d')}] }, upstream: "ws+unix:/x y" }`,
      `  - { match: { hosts: [${long('e')}] }, upstream: "ws+unix:/x  y" }`,
      '  - { upstream: u }',
      'upstreams:',
      `  u: { targets: [{ url: "ws://${long('f')}" }, { url: "ws+unix:/b c" }] }`,
    ].join('\n');
    const config = loaded(text);
    const names = [
      ...config.listeners.map(({ name }) => name),
      ...config.routes.flatMap(({ name, upstream }) => [name, upstream]),
      ...Object.values(config.upstreams).flatMap(({ name, targets }) => [name, ...targets.map((one) => one.name)]),
    ];
    for (const name of names) expect(name).toMatch(/^[\x21-\x7e]{1,128}$/);
    expect(new Set(names).size).toBe(names.length - 3); // a route's upstream is one of the upstreams
    expect(config.listeners[0]?.name).toMatch(/^unix:\/a_b~[0-9a-f]{12}$/);
    const again = loaded(renderConfig(config));
    expect(again).toEqual(config);
  });

  test('one URL in two routes is one upstream', () => {
    const config = loaded('routes: [{ upstream: "ws://a:1" }, { match: { path: /b }, upstream: "ws://a:1" }]');
    expect(Object.keys(config.upstreams)).toEqual(['ws://a:1']);
    expect(config.upstreams['ws://a:1']?.targets[0]?.endpoint).toEqual({
      kind: 'tcp',
      host: 'a',
      port: 1,
      secure: false,
      base: '',
    });
  });

  test('paths of unix sockets start at the folder of the config file', () => {
    const config = loaded(
      'listeners: [{ address: "unix:in.sock", mode: "0660" }]\nroutes: [{ upstream: "ws+unix:out.sock:/base" }]',
      { file: '/etc/framegate/config.yaml' },
    );
    expect(config.listeners[0]?.address).toEqual({ kind: 'unix', path: '/etc/framegate/in.sock', mode: 0o660 });
    expect(Object.values(config.upstreams)[0]?.targets[0]?.endpoint).toEqual({
      kind: 'unix',
      path: '/etc/framegate/out.sock',
      base: '/base',
    });
  });
});

describe('routes override key by key', () => {
  const text = `
limits:
  max_buffered: 64KiB
  from_client: { max_message_size: 2MiB, max_frame_size: 1MiB }
timeouts: { idle: 10m }
close_codes: { backend_lost: 1001, idle: 4000 }
routes:
  - name: a
    match: { path: /a }
    ${ECHO}
    limits: { max_sessions: 5, from_client: { max_message_size: 4MiB }, from_backend: { max_message_size: off } }
    timeouts: { connect: 1s }
    close_codes: { idle: 4001 }
  - { name: b, ${ECHO} }
`;
  const config = loaded(text);
  const [a, b] = config.routes;

  test('limits', () => {
    expect(a?.limits).toEqual({
      ...config.limits,
      from_client: {
        ...config.limits.from_client,
        max_message_size: 4_194_304,
        max_frame_size: 1_048_576,
        max_fragments: 4096,
      },
      from_backend: {
        ...config.limits.from_backend,
        max_message_size: OFF,
        max_frame_size: OFF,
        max_fragments: OFF,
      },
    });
    expect(b?.limits).toEqual(config.limits);
    expect(config.limits.from_client.max_fragments).toBe(2048);
  });

  test("a route's max_sessions is its own cap, besides the global one", () => {
    expect(a?.own_max_sessions).toBe(5);
    expect(a?.limits.max_sessions).toBe(10_000);
    expect(b?.own_max_sessions).toBe(OFF);
  });

  test('timeouts and close codes', () => {
    expect(a?.timeouts).toEqual({ ...config.timeouts, connect: 1000 });
    expect({ ...a?.close_codes }).toEqual({ backend_lost: 1001, idle: 4001 });
    expect({ ...b?.close_codes }).toEqual({ backend_lost: 1001, idle: 4000 });
  });

  test('off and auto', () => {
    const off = loaded(
      `limits:
  max_sessions: false
  from_client: { max_message_size: 1MiB, max_frame_size: 1MiB, max_fragments: off }
log: { query: off }
timeouts: { idle: false }
routes: [{ ${ECHO}, compression: false }]`,
    );
    expect(off.limits.max_sessions).toBe(OFF);
    expect(off.limits.from_client).toMatchObject({
      max_message_size: 1_048_576,
      max_frame_size: 1_048_576,
      max_fragments: OFF,
    });
    expect(off.timeouts.idle).toBe(OFF);
    expect(off.routes[0]?.compression).toBe('off');
  });

  test('one fragment per KiB, at least 1024', () => {
    const fragments = (size: string) =>
      loaded(`limits: { from_client: { max_message_size: ${size} } }`).limits.from_client.max_fragments;
    expect(['1B', '1MiB', '1048577B', '2MiB'].map(fragments)).toEqual([1024, 1024, 1025, 2048]);
  });
});

describe('one problem each', () => {
  const chat = 'upstreams: { chat: { targets: [{ url: "ws://a:1" }] } }\n';
  test.each([
    [
      'routes: [{ name: a }]',
      '1:10 routes[0].upstream: is missing: where WebSockets go; or give http: where other requests go',
    ],
    ['upstreams: { u: {} }', '1:17 upstreams.u.targets: needs at least one target, or discover'],
    ['upstreams: { u: { targets: [] } }', '1:28 upstreams.u.targets: needs at least one target, or discover'],
    ['upstreams: { u: { targets: [{ weight: 2 }] } }', '1:29 upstreams.u.targets[0].url: is required'],
    ['listeners: []', '1:12 listeners: needs at least one listener'],
    ['log: []', '1:6 log: expected a map of keys and values, found a list'],
    ['log: info', '1:6 log: expected a map of keys and values such as { level: info }, found text'],
    ['routes: {}', '1:9 routes: expected a list, found a map: each entry begins with "- "'],
    ['routes: [5]', '1:10 routes[0]: expected a map of keys and values such as { upstream: ... }, found a number'],
    ['log: { level: }', '1:8 log.level: needs a value'],
    ['log: { level: ~ }', '1:15 log.level: needs a value'],
    ['log: { level: loud }', '1:15 log.level: expected one of trace, debug, info, warn, error'],
    ['log: { level: wran }', '1:15 log.level: expected one of trace, debug, info, warn, error (did you mean "warn"?)'],
    ['timeouts: { idle: 30 }', /^1:19 timeouts\.idle: a duration needs a unit: expected a duration such as/],
    ['limits: { max_buffered: off }', '1:25 limits.max_buffered: cannot be off: from 1KiB to 1GiB'],
    ['limits: { max_head_size: 1GiB }', '1:26 limits.max_head_size: out of range: from 64B to 1MiB'],
    ['upstreams: { "a b": { targets: [{ url: "ws://a" }] } }', /^1:14 upstreams\["a b"\]: a name here begins with/],
    ['upstreams: { -a: { targets: [{ url: "ws://a" }] } }', /^1:14 upstreams\.-a: a name here begins with/],
    [`upstreams: { ${'a'.repeat(65)}: { targets: [{ url: "ws://a" }] } }`, /a name here begins with/],
    [
      'trusted_proxies: [10.0.0.1/8]',
      '1:19 trusted_proxies[0]: bits behind the prefix /8 are set (did you mean "10.0.0.0/8"?)',
    ],
    [
      'listeners: [{ proxy_protocol: any }]',
      '1:31 listeners[0].proxy_protocol: nobody could connect: name who sends the header in trusted_proxies',
    ],
    [
      'trusted_proxies: [10.0.0.0/8]\nlisteners: [{ proxy_protocol: any, trusted_proxies: [] }]',
      '2:31 listeners[0].proxy_protocol: nobody could connect: name who sends the header in trusted_proxies',
    ],
    ['listeners: [{ proxy_protocol: any, trusted_proxies: [x] }]', /^1:54 listeners\[0\]\.trusted_proxies\[0\]: /],
    ['listeners: [{ proxy_protocol: v3 }]', /^1:31 listeners\[0\]\.proxy_protocol: expected one of v1, v2, any, off/],
    ['listeners: [{ address: "127.0.0.1:1", mode: "0660" }]', '1:45 listeners[0].mode: only a unix socket has a mode'],
    ['listeners: [{ address: "unix:x", mode: 660 }]', /^1:40 listeners\[0\]\.mode: expected three octal digits/],
    ['listeners: [{ address: "unix:x", mode: "0980" }]', /^1:40 listeners\[0\]\.mode: expected three octal digits/],
    [
      'listeners: [{ address: ":1" }, { name: b, address: ":1" }]',
      '1:52 listeners[1].address: listeners[0] has the same address',
    ],
    [
      'listeners: [{ name: a }, { name: a, address: ":1" }]',
      '1:34 listeners[1].name: "a" is the name of listeners[0] too: names are unique',
    ],
    [
      `routes: [{ name: a, ${ECHO} }, { name: a, match: { path: /b }, ${ECHO} }]`,
      /^1:\d+ routes\[1\]\.name: "a" is the name of routes\[0\] too: names are unique$/,
    ],
    [
      'upstreams: { u: { targets: [{ url: "ws://a" }, { url: "ws://a:80/x" }] } }',
      '1:48 upstreams.u.targets[1].name: "a:80" is the name of targets[0] too: names are unique',
    ],
    [
      `${chat}routes: [{ upstream: chta }]`,
      '2:22 routes[0].upstream: there is no upstream "chta" (did you mean "chat"?)',
    ],
    ['routes: [{ upstream: "ws://a@b" }]', '1:22 routes[0].upstream: a target URL holds no user name or password'],
    [
      `listeners: [{ name: public }]\nroutes: [{ match: { listeners: [pubic] }, ${ECHO} }]`,
      '2:33 routes[0].match.listeners[0]: there is no listener "pubic" (did you mean "public"?)',
    ],
    [`routes: [{ match: { hosts: [a, A.] }, ${ECHO} }]`, '1:32 routes[0].match.hosts[1]: stands in this list twice'],
    [`routes: [{ match: { path: x }, ${ECHO} }]`, '1:27 routes[0].match.path: a path begins with "/"'],
    [`routes: [{ match: { path: /x* }, ${ECHO} }]`, /^1:27 routes\[0\]\.match\.path: "\*" stands only at the end/],
    [`routes: [{ rewrite: x, ${ECHO} }]`, '1:21 routes[0].rewrite: a path begins with "/"'],
    [
      `routes: [{ match: { path: /x }, rewrite: "/y/*", ${ECHO} }]`,
      '1:42 routes[0].rewrite: "*" needs a match.path that ends in "/*"',
    ],
    [`routes: [{ subprotocols: chat, ${ECHO} }]`, /^1:26 routes\[0\]\.subprotocols: expected any, or a list such as/],
    [
      `routes: [{ subprotocols: [a b], ${ECHO} }]`,
      /^1:27 routes\[0\]\.subprotocols\[0\]: "a b" is no subprotocol name/,
    ],
    [`routes: [{ subprotocols: ["*"], ${ECHO} }]`, /^1:27 routes\[0\]\.subprotocols\[0\]: every name begins with/],
    [`routes: [{ subprotocols: [a, a], ${ECHO} }]`, '1:30 routes[0].subprotocols[1]: stands in this list twice'],
    [
      'limits: { from_client: { max_message_size: 1KiB, max_frame_size: 1025B } }',
      '1:66 limits.from_client.max_frame_size: is larger than max_message_size',
    ],
    [
      'limits: { from_client: { max_frame_size: 1MiB } }\n' +
        `routes: [{ limits: { from_client: { max_message_size: 1KiB } }, ${ECHO} }]`,
      '2:55 routes[0].limits.from_client.max_message_size: is smaller than max_frame_size of limits.from_client',
    ],
    [
      `routes: [{ limits: { from_client: { max_frame_size: 2MiB } }, ${ECHO} }]`,
      '1:53 routes[0].limits.from_client.max_frame_size: is larger than max_message_size of limits.from_client',
    ],
    [
      `routes: [{ limits: { max_head_size: 1KiB }, ${ECHO} }]`,
      '1:22 routes[0].limits.max_head_size: is global: set it in the top-level limits block, not in a route',
    ],
    [
      `routes: [{ timeouts: { handshake: 1s }, ${ECHO} }]`,
      '1:24 routes[0].timeouts.handshake: is global: set it in the top-level timeouts block, not in a route',
    ],
    ['upstreams: { u: { targets: [{ url: "ws://a", weight: 0 }] } }', /weight: expected a whole number from 1 to 256$/],
    [
      'upstreams: { u: { targets: [{ url: "ws://a", weight: 257 }] } }',
      /weight: expected a whole number from 1 to 256$/,
    ],
    [
      'upstreams: { u: { targets: [{ url: "ws://a", weight: 1.5 }] } }',
      /weight: expected a whole number from 1 to 256$/,
    ],
    ['upstreams: { u: { targets: [{ url: "ws://a" }], host: "a b" } }', /^1:55 upstreams\.u\.host: "a b" is neither/],
    [
      'upstreams: { u: { targets: [{ url: "ws://a" }], local_addresses: [a] } }',
      /local_addresses\[0\]: expected an IP address$/,
    ],
    ['upstreams: { u: { targets: [{ url: "wss://a" }], tls: { server_name: 127.0.0.1 } } }', /RFC 6066 3/],
    [
      'upstreams: { u: { targets: [{ url: "wss://a" }], tls: { verify: "yes" } } }',
      /verify: expected true or false, found text$/,
    ],
  ])('%s', (text, error) => {
    const errors = errorsOf(text);
    expect(errors).toHaveLength(1);
    if (typeof error === 'string') expect(errors[0]).toBe(error);
    else expect(errors[0]).toMatch(error);
  });

  test.each([
    ['upstreams: { u: { discover: { http: {} } } }', 'discover.file'],
    ['upstreams: { u: { discover: { eureka: {} } } }', 'discover.file'],
  ])('%s: this version does not have it, and what does it instead is told', (text, instead) => {
    const [error, ...more] = errorsOf(text);
    expect(more).toEqual([]);
    expect(error).toMatch(/: this version of framegate does not have it: \w/);
    expect(error).toContain(instead);
  });
});

describe('close_codes', () => {
  test.each([1001, 1008, 1011, 1012, 1013, 1014, 3000, 4999])('%d can be chosen', (code) => {
    expect(loaded(`close_codes: { backend_lost: ${code} }`).close_codes.backend_lost).toBe(code);
  });

  test.each([0, 999, 1000, 1002, 1005, 1006, 1007, 1009, 1010, 1015, 2999, 5000, -1, '"1001"', 1011.5, 'off'])(
    '%s cannot',
    (code) => {
      expect(errorsOf(`close_codes: { backend_lost: ${code} }`)).toEqual([
        '1:30 close_codes.backend_lost: a close code to choose is 1001, 1008, 1011 to 1014, or 3000 to 4999',
      ]);
    },
  );

  test.each([
    'client_rate',
    'backend_rate',
    'client_slow',
    'backend_slow',
    'backend_pong_timeout',
    'overload',
    'lifetime',
    'route_removed',
    'target_removed',
    'target_drain',
    'rebalance',
    'admin',
  ])('%s has a code to choose', (cause) => {
    expect(loaded(`close_codes: { ${cause}: 4429 }`).close_codes[cause]).toBe(4429);
  });

  test.each(['client_close', 'backend_close', 'client_lost', 'client_stalled', 'client_pong_timeout', 'forced'])(
    'RFC 6455 7.1.5: %s ends in no Close of ours',
    (cause) => {
      const [error] = errorsOf(`close_codes: { ${cause}: 1001 }`);
      expect(error).toMatch(new RegExp(`^1:16 close_codes\\.${cause}: this cause has no close code to choose: `));
    },
  );

  test('a cause that does not exist gets a guess, in routes too', () => {
    expect(errorsOf(`routes: [{ close_codes: { bakend_lost: 1001 }, ${ECHO} }]`)).toEqual([
      '1:27 routes[0].close_codes.bakend_lost: unknown key (did you mean "backend_lost"?)',
    ]);
  });
});

describe('routes that match the same set', () => {
  test('of which one has upstream and the other http belong together, and are told so', () => {
    const text = `routes:\n  - { ${ECHO} }\n  - { http: "http://a:1" }\n`;
    expect(errorsOf(text)).toEqual([
      expect.stringMatching(/matches the same requests: give one route both upstream and http$/),
    ]);
  });

  const routes = (...matches: string[]) =>
    `listeners: [{ name: one }, { name: two, address: ":1" }]\nroutes:\n${matches
      .map((match, index) => `  - { name: r${index}, match: ${match}, ${ECHO} }\n`)
      .join('')}`;

  test.each([
    ['{}', '{ path: "/*" }'],
    ['{ path: /a }', '{ path: /a }'],
    ['{ path: "/x/{id}" }', '{ path: "/x/{name}" }'],
    ['{ hosts: [a, b], path: /x }', '{ hosts: [B.], path: /x }'],
    ['{ hosts: ["*.a"] }', '{ hosts: ["*.A"] }'],
    ['{ listeners: [one] }', '{}'],
    ['{ hosts: [] }', '{ listeners: [] }'],
  ])('%s and %s', (first, second) => {
    expect(errorsOf(routes(first, second))).toEqual([
      expect.stringMatching(/^4:\d+ routes\[1\]\.match: routes\[0\] matches the same requests$/),
    ]);
  });

  test.each([
    ['{ path: /a }', '{ path: /A }'],
    ['{ path: /a }', '{ path: /a/ }'],
    ['{ path: /a }', '{ path: "/a/*" }'],
    ['{ path: "/x/{id}" }', '{ path: "/x/*" }'],
    ['{ hosts: [a] }', '{}'],
    ['{ hosts: [a.b] }', '{ hosts: ["*.b"] }'],
    ['{ listeners: [one] }', '{ listeners: [two] }'],
  ])('%s and %s do not', (first, second) => {
    expect(errorsOf(routes(first, second))).toEqual([]);
  });
});

describe('warnings', () => {
  test.each([
    [`${MINIMAL}upstreams: { u: { targets: [{ url: "ws://a" }] } }`, '2:17 upstreams.u: no route uses this upstream'],
    [
      `listeners: [{ name: a }, { name: b, address: ":1" }]\nroutes: [{ match: { listeners: [a] }, ${ECHO} }]`,
      '1:26 listeners[1]: no route matches on this listener',
    ],
    [
      'routes: [{ upstream: u }]\nupstreams: { u: { targets: [{ url: "ws://a" }], tls: {} } }',
      '2:54 upstreams.u.tls: has no effect: no target is wss:// or https://',
    ],
    [
      'routes: [{ upstream: u }]\nupstreams: { u: { targets: [{ url: "wss://a" }], tls: { verify: false } } }',
      '2:65 upstreams.u.tls.verify: anyone on the way to this backend can be it',
    ],
    [`${MINIMAL}trusted_proxies: [0.0.0.0/0]`, '2:19 trusted_proxies[0]: every client can claim any address'],
    [`${MINIMAL}timeouts: { connect: off }`, '2:22 timeouts.connect: off: nothing else ends this wait'],
  ])('%j: %s', (text, warning) => {
    expect(warningsOf(text)).toEqual([warning]);
    expect(errorsOf(text)).toEqual([]);
  });
});

describe('how problems are told', () => {
  const text = 'log:\n  levl: info\nroutes:\n\t# a tab\n  - upstream: "builtin:echo"\n    limts: {}\n';

  test('position, path, sentence, source line and caret', () => {
    expect(formatProblems(problemsOf(text.replace('\t', '')), text.replace('\t', ''))).toBe(
      [
        'config.yaml:2:3: error: log.levl: unknown key (did you mean "level"?)',
        '    levl: info',
        '    ^',
        'config.yaml:6:5: error: routes[0].limts: unknown key (did you mean "limits"?)',
        '      limts: {}',
        '      ^',
        '',
      ].join('\n'),
    );
  });

  test('the caret stands below its column behind tabs, and within a long line', () => {
    const tabbed = `log: {\tlevl: info }`;
    expect(formatProblems(problemsOf(`${MINIMAL}${tabbed}`), `${MINIMAL}${tabbed}`)).toContain(
      `  ${tabbed}\n        \t^\n`,
    );
    const long = `${MINIMAL}log: { level: info${' '.repeat(500)}, levl: info }`;
    const [, shown = '', caret = ''] = formatProblems(problemsOf(long), long).split('\n');
    expect(shown.length).toBeLessThanOrEqual(102);
    expect(shown.slice(caret.indexOf('^'))).toMatch(/^levl: info/);
  });

  test('nothing of the text reaches the terminal that it would obey', () => {
    const hostile = `"a\\u001b[31m\\u202e": 1\n# \u202e\nlog: { "\u2028": 1 }\n`;
    const told = formatProblems(problemsOf(hostile), hostile);
    for (const char of ['\u001b', '\u202e', '\u2028']) expect(told).not.toContain(char);
  });

  test('a secret in the line of a problem is not shown, and the caret stays where it was', () => {
    const own = (value: string) => `auth: { h: { hmac: { keys: [{ name: a, secret: ${value}, quota: 3 }] } } }`;
    for (const value of ['canary-7f3a', '"canary, 7f3a"', "'canary: 7f3a'", '"canary']) {
      const text = `${MINIMAL}${own(value)}`;
      const told = formatProblems(problemsOf(text), text);
      expect(told, value).not.toContain('canary');
      expect(told, value).toContain('error: ');
    }
    const text = `${MINIMAL}${own('canary-7f3a')}`;
    const [, shown = '', caret = ''] = formatProblems(problemsOf(text), text).split('\n');
    expect(shown).toContain('secret: ***********');
    expect(shown.slice(caret.indexOf('^'))).toMatch(/^\*{11}, quota|^3 /);
    const file = `${MINIMAL}auth: { h: { hmac: { keys: [{ name: a, secret: { file: s.txt }, quota: 3 }] } } }`;
    expect(formatProblems(problemsOf(file), file)).toContain('{ file: s.txt }');
  });

  test('problems come in the order of the text', () => {
    const lines = problemsOf('timeouts: { idle: 5 }\nlimits: { x: 1 }\nlog: { level: loud, y: 1 }\n').map(
      ({ line, column }) => (line ?? 0) * 1000 + (column ?? 0),
    );
    expect(lines).toEqual([...lines].sort((a, b) => a - b));
    expect(lines.length).toBeGreaterThanOrEqual(4);
  });

  test('every problem has the fields of check --format json', () => {
    expect(problemsOf('log: { levl: info }')).toContainEqual({
      severity: 'error',
      file: 'config.yaml',
      line: 1,
      column: 8,
      path: 'log.levl',
      message: 'unknown key (did you mean "level"?)',
    });
  });

  test('a fault is told once: what refers to it is not told again', () => {
    expect(
      errorsOf(
        'listeners: [{ name: "a b" }]\n' +
          'routes: [{ match: { listeners: ["a b"], hosts: ["*"] }, upstream: "u u" }, { upstream: u }]\n' +
          'upstreams: { u: { targets: [{ url: "x" }] }, "u u": { targets: [{ url: "ws://a" }] } }',
      ).map((line) => line.replace(/: .*/, '')),
    ).toEqual([
      '1:21 listeners[0].name',
      '2:49 routes[0].match.hosts[0]',
      '3:36 upstreams.u.targets[0].url',
      '3:46 upstreams["u u"]',
    ]);
  });
});
