// Config as text again: what is rendered loads to the same config; config.yaml and config.schema.json are those of the
// schema.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEMO_CONFIG, oneBackendConfig } from '../../src/config/demo.ts';
import { describeKeys, type KeyDescription } from '../../src/config/key-walk.ts';
import { loadObject } from '../../src/config/load.ts';
import { jsonSchema, referenceTable } from '../../src/config/reference.ts';
import { renderConfig } from '../../src/config/render.ts';
import { sampleConfig } from '../../src/config/sample.ts';
import { makeCertificates } from '../support/certs.ts';
import { projectRoot } from '../support/source.ts';
import { errorsOf, loaded, MINIMAL, problemsOf } from './loading.ts';

const OVERRIDES = /^(routes\[\]\.(limits|timeouts|close_codes)|defaults)\./;
const shipped = readFileSync(join(projectRoot, 'config.yaml'), 'utf8');
/** Every comment that holds a key, without its mark. */
const uncommented = shipped.replace(/^(\s*)#(?!#) ?(?=\s*(?:- )*\w+:(?: |$))/gm, '$1');

describe('framegate config', () => {
  const full = `
listeners:
  - { name: public, address: "[::1]:8080", backlog: 128, health_path: /healthz }
  - { address: "unix:in.sock", mode: "0660" }
trusted_proxies: [10.0.0.0/8, "fd00::/8"]
routes:
  - name: chat
    match: { hosts: [chat.example.com, "*.example.com"], path: "/chat/{room}/*", listeners: [public] }
    upstream: chat
    rewrite: /ws/*
    limits:
      max_sessions: 7
      max_sessions_per_ip: 3
      handshakes_per_second_per_ip: 0.5
      max_buffered: 1500B
      from_client: { max_message_size: 64KiB, max_fragments: off, messages_per_second: 0.7, validate_utf8: on }
      from_backend: { bytes_per_second: off, control_frames_per_second: 3, control_frame_burst: 4.5 }
    timeouts: { idle: off, close: 1500ms, slow_reader: 10s, lifetime: 24h, pong: off }
    close_codes: { backend_lost: 4000 }
    record: off
    compression: off
    subprotocols: [graphql-ws, "on"]
  - { upstream: "wss://[::1]:1/base", match: { path: "/" }, record: { frames: 256 } }
upstreams:
  chat:
    targets:
      - { name: a, url: "ws://127.0.0.1:9001/base", weight: 3, max_sessions: 10 }
      - { url: "ws+unix:out.sock:/x" }
    host: literal.example:8443
    balance: round_robin
    retries: 0
    local_addresses: [127.0.0.2, "::1"]
    retry_budget: 0%
    queue: { size: 5, timeout: 1s }
    health:
      active: { type: http, path: /health?x=1, headers: { x-check: "yes" }, expect_status: ["200", "300-399"] }
      passive: off
      panic: 30%
    rebalance: { share: 10% }
    drain: { mode: keep, spread: 7s }
    allow_addresses: [10.0.0.0/8]
  hashed:
    balance: { hash: "segment:2" }
    discover: { dns: { name: Chat.Internal., type: srv, servers: [127.0.0.1, "[::1]:5353"] } }
  stuck:
    targets: [{ url: "ws://a", backup: true }]
    balance: { sticky: { max_age: 24h, same_site: none, secure: on } }
    discover: { file: { path: targets.yaml } }
    hold: 3s
    on_gone: keep
limits:
  max_sessions: off
  max_handshakes: off
  handshakes_per_second: 250
  handshake_burst: 300
  max_sessions_per_ip: 100
  handshakes_per_second_per_ip: 5
  max_buffered_total: 1GiB
  max_memory: 64MiB
  from_client:
    max_message_size: 2MiB
    max_frame_size: 32KiB
    messages_per_second: 100
    message_burst: 150
    control_frames_per_second: off
  from_backend: { max_message_size: off, bytes_per_second: 1MiB, byte_burst: 1MiB, on_rate_exceeded: close }
timeouts: { handshake: 1ms, idle: 24h, client_ping_interval: off, backend_ping_interval: 1m }
close_codes: { idle: 3000, backend_lost: 1001, client_rate: 4429, admin: 4000 }
record: { frames: 8 }
drain: { delay: 5s, grace: 1m, spread: 0s, timeout: 66s }
admin: { address: "unix:admin.sock", hosts: [Admin.example], public: [] }
log: { level: trace, format: pretty, query: names, path: route, session_open: info }
`;

  test.each([
    ['a full one', full],
    ['a minimal one', MINIMAL],
    ['an empty one', ''],
    ['the shipped one', shipped],
  ])('%s, rendered, loads to the same config', (_, text) => {
    const config = loaded(text);
    const rendered = renderConfig(config);
    expect(loaded(rendered)).toEqual(config);
    expect(renderConfig(loaded(rendered))).toBe(rendered);
  });

  const rates = (globals: string, own: string) =>
    `limits: { from_client: { ${globals} } }\n` +
    `routes: [{ limits: { from_client: { ${own} } }, upstream: "builtin:echo", compression: off }]`;

  test.each([
    ['messages_per_second: 10', 'messages_per_second: 50'],
    ['messages_per_second: 10', 'messages_per_second: off'],
    ['messages_per_second: 10, message_burst: 15', 'messages_per_second: 50'],
    ['messages_per_second: 10, message_burst: 15', 'messages_per_second: off'],
    ['messages_per_second: off, message_burst: 15', 'messages_per_second: 50'],
    ['messages_per_second: 10, message_burst: 15', 'message_burst: 20'],
    ['bytes_per_second: 1KiB', 'byte_burst: 5B'],
    ['bytes_per_second: 1024GiB', 'bytes_per_second: 1B'],
    ['control_frames_per_second: off', 'control_frames_per_second: 0.001'],
    ['messages_per_second: 1000000', 'messages_per_second: 0.7'],
    ['validate_utf8: on, on_rate_exceeded: drop', 'validate_utf8: off, on_rate_exceeded: pause'],
  ])('rates %s, and %s in a route', (globals, own) => {
    const config = loaded(rates(globals, own));
    expect(loaded(renderConfig(config))).toEqual(config);
  });

  test('the token is a secret, wherever it came from, and what stands for it is none', () => {
    for (const token of ['abcdefgh12345678', '{ file: t }']) {
      const rendered = renderConfig(loaded(`admin: { token: ${token} }`, { files: { t: 'abcdefgh12345678\n' } }));
      expect(rendered).toContain('token: "***"');
      expect(rendered).not.toContain('abcdefgh');
      expect(errorsOf(rendered)).toEqual([expect.stringMatching(/admin\.token: \*\*\* stands where a secret was/)]);
    }
    expect(renderConfig(loaded('admin: {}'))).toContain('token: off');
    expect(renderConfig(loaded(''))).not.toContain('admin');
  });

  test('units are back', () => {
    const rendered = renderConfig(loaded(full));
    for (const line of ['max_buffered: 1500B', 'close: 1500ms', 'idle: off', 'idle: 24h', 'max_head_size: 16KiB']) {
      expect(rendered).toContain(line);
    }
  });
});

describe('config.schema.json', () => {
  test('is the schema of this version', () => {
    expect(JSON.parse(readFileSync(join(projectRoot, 'config.schema.json'), 'utf8'))).toEqual(jsonSchema());
  });

  test('has every key with its description, and nothing of our own words', () => {
    const text = JSON.stringify(jsonSchema());
    for (const { path, description } of describeKeys()) {
      expect(description, path).not.toBe('');
      expect(text).toContain(JSON.stringify(description));
    }
    expect(text).not.toContain('x-type');
    expect(text).not.toContain('x-default');
  });
});

describe('config.yaml', () => {
  let files: Record<string, string> = {};

  beforeAll(async () => {
    const { ca, client, good } = await makeCertificates();
    files = {
      'ca.pem': ca,
      'client.pem': client.cert,
      'client.key': client.key,
      'chain.pem': good.cert,
      'key.pem': good.key,
      'clients-ca.pem': ca,
    };
  });

  test('is what the keys make of it', () => {
    expect(shipped).toBe(sampleConfig());
  });

  test('loads without a word, and echoes on loopback', () => {
    expect(problemsOf(shipped)).toEqual([]);
    const config = loaded(shipped);
    expect(config.listeners.map(({ address }) => address)).toEqual([{ kind: 'tcp', host: '127.0.0.1', port: 8080 }]);
    expect(config.routes.map(({ match, upstream }) => [match.path, upstream])).toEqual([['/echo', 'builtin:echo']]);
  });

  test('is right with every comment taken in', () => {
    // A burst says nothing while its rate is off, which is the default.
    const rated = uncommented
      .replaceAll(/\b((?:messages|handshakes|control_frames)_per_second): off/g, '$1: 10')
      .replaceAll('bytes_per_second: off', 'bytes_per_second: 1MiB');
    expect(errorsOf(rated, { files })).toEqual([]);
  });

  test.each(describeKeys().filter(({ path }) => !OVERRIDES.test(path)))(
    '$path stands there with its default',
    (key) => {
      const name = key.path.replace(/^.*\./, '');
      const rows = linesOf(key);
      expect(rows).not.toEqual([]);
      const [row = ''] = rows;
      if (key.default === 'required') expect(row).toContain('# Required.');
      else if (key.default.startsWith('= ')) expect(row).toContain(`# ${key.default}`);
      else if (!/^(map|list)/.test(key.type) && name !== 'path') {
        expect(row).toMatch(new RegExp(`\\b${name}: ${key.default.replace(/[[\]]/g, '\\$&')}\\s+#`));
      }
    },
  );

  test('names no key that does not exist', () => {
    const known = new Set(describeKeys().map(({ path }) => path.replace(/^.*\./, '')));
    const names = [...uncommented.matchAll(/^\s*(?:- )*(\w+):/gm)].map((match) => match[1] ?? '');
    expect(names.filter((name) => !known.has(name))).toEqual(['partners', 'chat']);
  });
});

/** The lines of config.yaml for a key: within its block when the name alone does not tell. */
function linesOf(key: KeyDescription): string[] {
  const parts = key.path.replaceAll('[]', '').split('.');
  const lines = uncommented.replace(/^( *)## /gm, '$1').split('\n');
  const found: string[] = [];
  const open: { name: string; indent: number }[] = [];
  for (const line of lines) {
    const match = /^(\s*(?:- )*)(\w+):/.exec(line);
    if (match === null) continue;
    const indent = match[1]?.length ?? 0;
    while (open.length > 0 && (open[open.length - 1]?.indent ?? 0) >= indent) open.pop();
    open.push({ name: match[2] ?? '', indent });
    const path = open.map(({ name }) => (/^(?:chat|partners)$/.test(name) ? '*' : name));
    if (path.join('.') === parts.join('.')) found.push(line);
  }
  return found;
}

test('the reference has one row per key', () => {
  const rows = referenceTable().trimEnd().split('\n').slice(2);
  expect(rows).toHaveLength(describeKeys().filter(({ path }) => !OVERRIDES.test(path)).length);
  expect(rows).toContainEqual(expect.stringMatching(/^\| `limits\.max_head_size` \| `16KiB` \| size \| Request line/));
  expect(rows).toContainEqual(expect.stringMatching(/^\| `upstreams\.\*\.targets\[\]\.url` \| required \|/));
});

test('every limit and timeout tells its range and what happens without it', () => {
  const limits = describeKeys().filter(
    ({ path, type }) =>
      /^(size|duration|count|number)/.test(type) &&
      !/weight$/.test(path) &&
      !/^(?:upstreams\.\*\.\w+|auth\.\*)\./.test(path),
  );
  expect(limits.length).toBeGreaterThan(40);
  for (const { path, description } of limits) {
    expect(description, path).toMatch(/ From .* to .*\.$/);
    if (!path.endsWith('weight')) expect(description, path).toContain('Without it ');
  }
});

describe('configs without a file', () => {
  test('--demo echoes on loopback', () => {
    const { config, warnings } = loadObject(DEMO_CONFIG, { baseDir: '.' });
    expect(warnings).toEqual([]);
    expect(config.routes[0]?.match.path).toBe('/echo');
    expect(config.listeners[0]?.address).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 8080 });
  });

  test('--to sends every path to one backend', () => {
    const { config } = loadObject(oneBackendConfig('ws://127.0.0.1:9001', ':0'), { baseDir: '.' });
    expect(config.routes[0]).toMatchObject({ match: { path: '/*' }, upstream: 'ws://127.0.0.1:9001' });
    expect(config.listeners[0]?.address).toEqual({ kind: 'tcp', host: '', port: 0 });
    const plain = loadObject(oneBackendConfig('ws://127.0.0.1:9001', null), { baseDir: '.' }).config;
    expect(plain.listeners[0]?.address_text).toBe('127.0.0.1:8080');
  });
});
