// The keys of rates, buffers, pings, draining and the admin listener: both sides of every range, what a route makes of
// them, and what contradicts each other.

import { describe, expect, test } from 'vitest';
import type { DirectionLimits } from '../../src/config/types.ts';
import { errorsOf, loaded, MINIMAL, objectErrors, warningsOf } from './loading.ts';

const OFF = Number.POSITIVE_INFINITY;
const ECHO = 'upstream: "builtin:echo"';

/** A path of the config as a text that sets it. */
function setting(path: string, value: string): string {
  return path
    .split('.')
    .reduceRight((inner, key) => (inner === value ? `${key}: ${value}` : `${key}: { ${inner} }`), value);
}

/** The value at a path of the loaded config, when `value` is written there. */
function settled(path: string, value: string, around = ''): unknown {
  let at: unknown = loaded(`${around}${setting(path, value)}\n`);
  for (const key of path.split('.')) at = (at as Record<string, unknown>)[key];
  return at;
}

const NUMBER = (max: number, min = 0.001) => ({
  good: [String(min), '1', '1.5', String(max)],
  bad: ['0', String(min === 1 ? 0.999 : 0.0005), String(max + 1), '-1', '"1"', 'x', '1s', '1.0005'],
});

describe('rates', () => {
  const rates = [
    'limits.handshakes_per_second',
    'limits.handshakes_per_second_per_ip',
    'limits.from_client.messages_per_second',
    'limits.from_backend.messages_per_second',
    'limits.from_client.control_frames_per_second',
    'limits.from_backend.control_frames_per_second',
  ];

  test.each(rates)('%s: from one in 1000 s to a million a second, in thousandths, or off', (path) => {
    const { good, bad } = NUMBER(1_000_000);
    for (const text of good) expect(settled(path, text)).toBe(Number(text));
    expect([settled(path, 'off'), settled(path, 'false')]).toEqual([OFF, OFF]);
    for (const text of [...bad, 'true', 'on']) {
      expect(errorsOf(setting(path, text)), text).toEqual([
        expect.stringContaining(`${path}: expected a number from 0.001 to 1000000 with at most three decimals, or off`),
      ]);
    }
  });

  test.each([
    ['limits.handshake_burst', 'limits: { handshakes_per_second: 1, '],
    ['limits.from_client.message_burst', 'limits: { from_client: { messages_per_second: 1, '],
    ['limits.from_backend.control_frame_burst', 'limits: { from_backend: { control_frames_per_second: 1, '],
  ])('%s: from 1, never off', (path, before) => {
    const key = path.replace(/.*\./, '');
    const text = (value: string) => `${before}${key}: ${value} }${before.includes('from_') ? ' }' : ''}`;
    for (const value of ['1', '1.4', '1000000000']) {
      const { limits } = loaded(text(value));
      const blocks: object[] = [limits, limits.from_client, limits.from_backend];
      expect(blocks.some((block) => (block as Record<string, unknown>)[key] === Number(value))).toBe(true);
    }
    for (const value of ['0', '0.999', '1000000001', 'off', 'false', '1.0005']) {
      expect(errorsOf(text(value)), value).toEqual([
        expect.stringContaining(`${path}: expected a number from 1 to 1000000000 with at most three decimals`),
      ]);
    }
  });

  test('bytes are sizes', () => {
    expect(settled('limits.from_client.bytes_per_second', '1B')).toBe(1);
    expect(settled('limits.from_client.bytes_per_second', '1024GiB')).toBe(2 ** 40);
    expect(settled('limits.from_client.bytes_per_second', 'off')).toBe(OFF);
    for (const text of ['0B', '1025GiB', '5', '1KB']) {
      expect(errorsOf(setting('limits.from_client.bytes_per_second', text)), text).toHaveLength(1);
    }
    const burst = (text: string) => `limits: { from_client: { bytes_per_second: 1B, byte_burst: ${text} } }`;
    expect(loaded(burst('2048GiB')).limits.from_client.byte_burst).toBe(2 ** 41);
    for (const text of ['0B', '2049GiB', 'off']) expect(errorsOf(burst(text)), text).toHaveLength(1);
  });

  test('a number in the environment is a number', () => {
    const text = `limits:\n  from_client:\n    messages_per_second: \${R}\n    message_burst: \${B}\n`;
    expect(loaded(text, { env: { R: '0.2', B: '3' } }).limits.from_client).toMatchObject({
      messages_per_second: 0.2,
      message_burst: 3,
    });
  });
});

describe('bursts', () => {
  const client = (block: string, own = '', more = ''): DirectionLimits | undefined =>
    loaded(`limits: { from_client: { ${block} } }\nroutes: [{ ${ECHO}, limits: { from_client: { ${own} } } }]${more}`)
      .routes[0]?.limits.from_client;

  test.each([
    ['0.2', 1],
    ['0.5', 1],
    ['0.7', 1.4],
    ['1', 2],
    ['1000000', 2_000_000],
  ])('messages: at %s a second the burst is %d', (rate, burst) => {
    expect(client(`messages_per_second: ${rate}`)?.message_burst).toBe(burst);
  });

  test('bytes: twice the rate; control frames: 20 for the 10 of clients', () => {
    expect(client('bytes_per_second: 1KiB')?.byte_burst).toBe(2048);
    expect(client('')?.control_frame_burst).toBe(20);
    expect(client('control_frames_per_second: 50')?.control_frame_burst).toBe(100);
    expect(client('control_frames_per_second: off')?.control_frame_burst).toBe(OFF);
  });

  test('handshakes', () => {
    expect(loaded('limits: { handshakes_per_second: 0.3 }').limits.handshake_burst).toBe(1);
    expect(loaded('limits: { handshakes_per_second: 30 }').limits.handshake_burst).toBe(60);
    expect(loaded('limits: { handshakes_per_second: 30, handshake_burst: 7 }').limits.handshake_burst).toBe(7);
  });

  test('a route takes the burst that is written, else that of its own rate', () => {
    expect(client('messages_per_second: 10', 'messages_per_second: 50')?.message_burst).toBe(100);
    expect(client('messages_per_second: 10, message_burst: 15', 'messages_per_second: 50')?.message_burst).toBe(15);
    expect(client('messages_per_second: 10', 'message_burst: 3')?.message_burst).toBe(3);
    expect(client('messages_per_second: 10, message_burst: 15', 'messages_per_second: off')?.message_burst).toBe(OFF);
    expect(client('message_burst: 15', 'messages_per_second: 3')?.message_burst).toBe(15);
  });

  test.each([
    ['limits: { handshake_burst: 5 }', '1:28 limits.handshake_burst: needs handshakes_per_second, which is off'],
    [
      'limits: { from_client: { message_burst: 5 } }',
      '1:41 limits.from_client.message_burst: needs messages_per_second, which is off',
    ],
    [
      'limits: { from_backend: { byte_burst: 5B } }',
      '1:39 limits.from_backend.byte_burst: needs bytes_per_second, which is off',
    ],
    [
      'limits: { from_client: { control_frames_per_second: off, control_frame_burst: 5 } }',
      '1:79 limits.from_client.control_frame_burst: needs control_frames_per_second, which is off',
    ],
    [
      `routes: [{ limits: { from_client: { message_burst: 5 } }, ${ECHO} }]`,
      '1:52 routes[0].limits.from_client.message_burst: needs messages_per_second, which is off',
    ],
    [
      'limits: { from_client: { messages_per_second: 5 } }\n' +
        `routes: [{ limits: { from_client: { messages_per_second: off, message_burst: 5 } }, ${ECHO} }]`,
      '2:78 routes[0].limits.from_client.message_burst: needs messages_per_second, which is off',
    ],
    [
      'limits: { from_client: { message_burst: 15 } }\n' +
        `routes: [{ limits: { from_client: { messages_per_second: 5, message_burst: 5 } }, ${ECHO} }]`,
      '1:41 limits.from_client.message_burst: needs messages_per_second, which is off',
    ],
  ])('%s: a burst without a rate', (text, error) => {
    expect(errorsOf(text)).toEqual([error]);
  });
});

describe('what has to see messages needs compression: off', () => {
  const why = '(the default passthrough lets compressed messages through, which cannot be judged or left out)';

  test.each([
    ['from_client', 'validate_utf8', 'on'],
    ['from_backend', 'validate_utf8', 'on'],
    ['from_client', 'on_rate_exceeded', 'drop'],
    ['from_backend', 'on_rate_exceeded', 'drop'],
  ])('%s %s: %s, in a route and above all', (side, key, value) => {
    const block = `limits: { ${side}: { ${key}: ${value} } }`;
    expect(errorsOf(`routes: [{ ${ECHO}, ${block} }]`)).toEqual([
      expect.stringContaining(`routes[0].limits.${side}.${key}: ${value} needs compression: off in this route ${why}`),
    ]);
    expect(errorsOf(`routes: [{ ${ECHO}, compression: passthrough, ${block} }]`)).toHaveLength(1);
    expect(errorsOf(`routes: [{ ${ECHO}, compression: off, ${block} }]`)).toEqual([]);
    expect(errorsOf(`${block}\nroutes: [{ ${ECHO} }, { match: { path: /a }, ${ECHO} }]`)).toEqual([
      expect.stringContaining(`limits.${side}.${key}: ${value} needs compression: off in routes[0], routes[1] ${why}`),
    ]);
    expect(errorsOf(`${block}\nroutes: [{ ${ECHO}, compression: off }]`)).toEqual([]);
  });

  test('a route that takes it back is right', () => {
    expect(
      errorsOf(
        'limits: { from_client: { validate_utf8: on, on_rate_exceeded: drop } }\n' +
          `routes: [{ ${ECHO}, limits: { from_client: { validate_utf8: off, on_rate_exceeded: pause } } }]`,
      ),
    ).toEqual([]);
  });

  test.each([
    ['on', true],
    ['true', true],
    ['off', false],
    ['false', false],
  ])('validate_utf8: %s', (word, value) => {
    const text = `limits: { from_client: { validate_utf8: ${word} } }\nroutes: [{ ${ECHO}, compression: off }]`;
    expect(loaded(text).routes[0]?.limits.from_client.validate_utf8).toBe(value);
  });

  test.each(['yes', '1', '[]'])('validate_utf8: %s is neither', (word) => {
    expect(errorsOf(`limits: { from_client: { validate_utf8: ${word} } }`)).toEqual([
      expect.stringContaining('limits.from_client.validate_utf8: expected on or off'),
    ]);
  });

  test.each(['close', 'pause'])('on_rate_exceeded: %s needs nothing', (word) => {
    const config = loaded(`limits: { from_backend: { on_rate_exceeded: ${word} } }\n${MINIMAL}`);
    expect(config.routes[0]?.limits.from_backend.on_rate_exceeded).toBe(word);
  });
});

describe('counts and buffers', () => {
  test.each(['limits.max_handshakes', 'limits.max_sessions_per_ip'])('%s: a whole number, or off', (path) => {
    for (const text of ['1', '10000000']) expect(settled(path, text)).toBe(Number(text));
    expect(settled(path, 'off')).toBe(OFF);
    for (const text of ['0', '10000001', '1.5', 'auto']) expect(errorsOf(setting(path, text)), text).toHaveLength(1);
  });

  test('max_buffered_total: at least what one session may hold, else a warning', () => {
    expect(settled('limits.max_buffered_total', '1KiB')).toBe(1024);
    expect(errorsOf(setting('limits.max_buffered_total', '1023B'))).toHaveLength(1);
    const warnings = (text: string) => warningsOf(`${MINIMAL}limits: { ${text} }`);
    expect(warnings('max_buffered_total: 256KiB')).toEqual([]);
    expect(warnings('max_buffered_total: 262143B')).toEqual([
      '2:31 limits.max_buffered_total: one session may hold more: max_buffered is 256KiB',
    ]);
  });

  test("a route's limits per address are its own, besides the global ones", () => {
    const [route, other] = loaded(
      'limits: { max_sessions_per_ip: 10, handshakes_per_second_per_ip: 5 }\n' +
        `routes: [{ ${ECHO}, limits: { max_sessions_per_ip: 2, handshakes_per_second_per_ip: 0.1 } }, ` +
        `{ ${ECHO}, match: { path: /b } }]`,
    ).routes;
    expect(route).toMatchObject({ own_max_sessions_per_ip: 2, own_handshakes_per_second_per_ip: 0.1 });
    expect(route?.limits).toMatchObject({ max_sessions_per_ip: 10, handshakes_per_second_per_ip: 5 });
    expect(other).toMatchObject({ own_max_sessions_per_ip: OFF, own_handshakes_per_second_per_ip: OFF });
  });

  test.each(['max_handshakes: 5', 'handshakes_per_second: 5', 'handshake_burst: 5', 'max_buffered_total: 1MiB'])(
    '%s is global',
    (setting) => {
      const key = setting.replace(/:.*/, '');
      expect(errorsOf(`routes: [{ limits: { ${setting} }, ${ECHO} }]`)).toEqual([
        `1:22 routes[0].limits.${key}: is global: set it in the top-level limits block, not in a route`,
      ]);
    },
  );
});

describe('timeouts', () => {
  test.each(['slow_reader', 'client_ping_interval', 'backend_ping_interval', 'pong', 'lifetime'] as const)(
    '%s, also in a route',
    (key) => {
      const config = loaded(`timeouts: { ${key}: 1ms }\nroutes: [{ ${ECHO}, timeouts: { ${key}: off } }]`);
      expect([config.timeouts[key], config.routes[0]?.timeouts[key]]).toEqual([1, OFF]);
      expect(loaded(`timeouts: { ${key}: 87600h }`).timeouts[key]).toBe(315_360_000_000);
      for (const text of ['0ms', '87601h', '5'])
        expect(errorsOf(`timeouts: { ${key}: ${text} }`), text).toHaveLength(1);
    },
  );
});

describe('a fault is told once', () => {
  test.each([
    [`routes: [{ ${ECHO}, compression: of, limits: { from_client: { validate_utf8: on } } }]`, 'routes[0].compression'],
    ['admin: { address: ":1", token: "" }', 'admin.token'],
    ['limits: { handshakes_per_second: x, handshake_burst: 5 }', 'limits.handshakes_per_second'],
    [
      'limits: { from_client: { messages_per_second: x, message_burst: 5 } }\n' +
        `routes: [{ ${ECHO}, limits: { from_client: { message_burst: 3 } } }]`,
      'limits.from_client.messages_per_second',
    ],
    [
      `routes: [{ ${ECHO}, limits: { from_client: { messages_per_second: x, message_burst: 5 } } }]`,
      'routes[0].limits.from_client.messages_per_second',
    ],
  ])('%s', (text, path) => {
    expect(errorsOf(text).map((error) => error.replace(/^\S+ (\S+): .*$/s, '$1'))).toEqual([path]);
  });
});

describe('drain', () => {
  const sum = (timeout: string) => errorsOf(`drain: { delay: 1s, grace: 2s, spread: 3s, timeout: ${timeout} }`);

  test('delay, grace and spread together stay below timeout', () => {
    expect(sum('6001ms')).toEqual([]);
    expect(sum('6s')).toEqual([
      '1:53 drain.timeout: is not above delay + grace + spread, which are 6s: the last would be cut off',
    ]);
  });

  test('defaults count too, and the place is the block', () => {
    expect(errorsOf('drain: { timeout: 5s }')).toHaveLength(1);
    expect(errorsOf('drain: { timeout: 5001ms }')).toEqual([]);
    expect(errorsOf('drain: { grace: 20s }')).toEqual([expect.stringMatching(/^1:\d+ drain\.timeout: is not above/)]);
    expect(errorsOf('drain: { grace: 19999ms }')).toEqual([]);
  });

  test.each([
    ['delay', '0s', '24h', '86400001ms'],
    ['grace', '0s', '24h', '86400001ms'],
    ['spread', '0s', '24h', '86400001ms'],
  ])('%s: from %s to %s', (key, least, most, above) => {
    expect(errorsOf(`drain: { ${key}: ${least}, timeout: 96h }`)).toEqual([]);
    expect(errorsOf(`drain: { ${key}: ${most}, timeout: 96h }`)).toEqual([]);
    for (const text of [above, 'off', '5'])
      expect(errorsOf(`drain: { ${key}: ${text}, timeout: 96h }`)).toHaveLength(1);
  });

  test('timeout: at most 96h, never off', () => {
    expect(loaded('drain: { spread: 0s, timeout: 1ms }').drain.timeout).toBe(1);
    for (const text of ['0ms', 'off', '345600001ms']) {
      expect(errorsOf(`drain: { spread: 0s, timeout: ${text} }`), text).toHaveLength(1);
    }
  });
});

describe('admin', () => {
  test('{} takes the defaults, no key is no listener, and so is an empty one', () => {
    expect(loaded('admin: {}').admin).toEqual({
      address: { kind: 'tcp', host: '127.0.0.1', port: 9464 },
      address_text: '127.0.0.1:9464',
      token: null,
      hosts: [],
      public: ['health'],
      page: true,
    });
    expect([loaded('').admin, loaded('admin:\n').admin, loaded('admin:\n  # token: off\n').admin]).toEqual([
      null,
      null,
      null,
    ]);
  });

  test.each(['127.0.0.1:1', '127.9.8.7:1', '"[::1]:1"', 'localhost:1', 'LOCALHOST:0', '"unix:admin.sock"'])(
    '%s needs no token',
    (address) => {
      expect(errorsOf(`admin: { address: ${address} }`)).toEqual([]);
    },
  );

  test.each([
    '":1"',
    '0.0.0.0:1',
    '"[::]:1"',
    '128.0.0.1:1',
    '126.255.255.255:1',
    'a.example:1',
    'localhost.example:1',
    '"[::2]:1"',
  ])('%s needs one', (address) => {
    expect(errorsOf(`admin: { address: ${address} }`)).toEqual([
      '1:19 admin.address: needs a token: this address is neither loopback nor a unix socket',
    ]);
    expect(errorsOf(`admin: { address: ${address}, token: secret }`)).toEqual([]);
    expect(errorsOf(`admin: { address: ${address}, token: off }`)).toHaveLength(1);
  });

  test('a unix socket is for its own user, in the folder of the config', () => {
    const { admin } = loaded('admin: { address: "unix:a.sock" }', { file: '/etc/framegate/c.yaml' });
    expect(admin?.address).toEqual({ kind: 'unix', path: '/etc/framegate/a.sock', mode: 0o600 });
  });

  test.each(['127.0.0.1:80', '"unix:x"'])('%s may not be the address of a listener too', (address) => {
    expect(errorsOf(`listeners: [{ address: ${address} }]\nadmin: { address: ${address} }`)).toEqual([
      '2:19 admin.address: listeners[0] has the same address',
    ]);
  });

  test('any free port is never the same one', () => {
    expect(errorsOf('listeners: [{ address: "127.0.0.1:0" }]\nadmin: { address: "127.0.0.1:0" }')).toEqual([]);
  });

  test('a token comes as text, from a file, from the environment (digits too), or is off', () => {
    const token = (text: string) =>
      loaded(`admin:\n  token: ${text}\n`, { files: { t: 'from-file\n' }, env: { T: '12345678', O: 'off' } }).admin
        ?.token;
    expect(['abc', '"12"', '{ file: t }', `\${T}`, `"\${T}"`, 'off', 'false', `\${O}`].map(token)).toEqual([
      'abc',
      '12',
      'from-file',
      '12345678',
      '12345678',
      null,
      null,
      null,
    ]);
    expect(token('x'.repeat(512))).toHaveLength(512);
  });

  test.each(['""', '"a b"', 'é', '"a\\tb"', 'x'.repeat(513), '5', 'true', '[a]', '{ a: b }'])(
    '%s is no token',
    (text) => {
      expect(errorsOf(`admin: { token: ${text} }`)).toEqual([
        '1:17 admin.token: expected text of 1 to 512 visible ASCII characters without a space, {file: path}, or off',
      ]);
    },
  );

  test('what a file holds is not told, and one that is missing is', () => {
    const [error, ...more] = errorsOf('admin: { token: { file: t } }', { files: { t: 'a secret' } });
    expect(more).toEqual([]);
    expect(error).toMatch(/^1:\d+ admin\.token: the text of this file is not what this key takes$/);
    expect(errorsOf('admin: { token: { file: none } }')).toEqual([
      expect.stringContaining('cannot read this file (ENOENT)'),
    ]);
    expect(objectErrors({ admin: { token: { file: 't' } } }, { '/etc/framegate/t': 'good' })).toEqual([]);
  });

  test('hosts are whole names, each once', () => {
    expect(loaded('admin: { hosts: [Admin.Example., "[::1]"] }').admin?.hosts).toEqual(['admin.example', '[::1]']);
    expect(errorsOf('admin: { hosts: [a, A] }')).toEqual(['1:21 admin.hosts[1]: stands in this list twice']);
    expect(errorsOf('admin: { hosts: ["*.a"] }')).toEqual(['1:18 admin.hosts[0]: expected a whole host name']);
    expect(errorsOf('admin: { hosts: ["a:1"] }')).toHaveLength(1);
  });

  test('public: none, one or both of two words', () => {
    expect(loaded('admin: { public: [] }').admin?.public).toEqual([]);
    expect(loaded('admin: { public: [metrics, health] }').admin?.public).toEqual(['metrics', 'health']);
    expect(errorsOf('admin: { public: [metrics, metrics] }')).toEqual([
      '1:28 admin.public[1]: stands in this list twice',
    ]);
    expect(errorsOf('admin: { public: [metric] }')).toEqual([
      '1:19 admin.public[0]: expected one of health, metrics (did you mean "metrics"?)',
    ]);
  });
});

describe('health_path', () => {
  const path = (text: string) => loaded(`listeners: [{ health_path: ${text} }]`).listeners[0]?.health_path;

  test('one exact path, or off', () => {
    expect(['/healthz', '/', '/a/b', '"/h%41"', 'off', 'false'].map(path)).toEqual([
      '/healthz',
      '/',
      '/a/b',
      '/h%41',
      null,
      null,
    ]);
  });

  test.each(['healthz', '""', '"/a/*"', '"/{x}"', '"//a"', '"/a/../b"', '"/a b"', '"/a?b"', '"/a#b"', '5', '[/a]'])(
    '%s is none',
    (text) => {
      expect(errorsOf(`listeners: [{ health_path: ${text} }]`)).toHaveLength(1);
    },
  );
});
