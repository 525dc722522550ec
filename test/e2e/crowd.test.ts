import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openFileLimit } from '../../src/net/open-files.ts';
import { REFUSALS } from '../../src/protocol/refusals.ts';
import { closeCleanly, type Pair } from '../hostile/pair.ts';
import { deadUrl } from '../support/dead.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import {
  acceptFor,
  binary,
  closeFrame,
  parseHead,
  text,
  type UpgradeRequestSpec,
  upgradeRequest,
} from '../support/wire.ts';

type Ends = Pick<Pair, 'client' | 'server'>;

const deadlineMs = 30_000;
const masked = { mask: true };
/** Each session takes four descriptors of this process; with few of them the crowd is smaller. */
const perTarget = openFileLimit() < 4_096 ? 30 : 200;
const targets = 3;
const good = perTarget * targets;
/** Two in five are refused. */
const total = (good * 5) / 3;

/** One kind of refusal: what a client of that kind sends, and the answer it must get. */
interface Kind {
  readonly slug: string;
  readonly status: number;
  readonly request: Buffer;
}

type Fields = NonNullable<UpgradeRequestSpec['headers']>;

function changed(slug: keyof typeof REFUSALS, spec: UpgradeRequestSpec): Kind {
  return { slug, status: REFUSALS[slug].status, request: upgradeRequest({ path: '/ok', ...spec }) };
}

function withFields(slug: keyof typeof REFUSALS, headers: Fields, omit: readonly string[] = []): Kind {
  return changed(slug, { headers, omit });
}

function withLine(slug: keyof typeof REFUSALS, line: string): Kind {
  const request = Buffer.from(upgradeRequest({ path: '/ok' }).toString('latin1').replace('\r\n', line), 'latin1');
  return { slug, status: REFUSALS[slug].status, request };
}

/** Refusals for which the bytes of the request are the reason. */
function badRequests(instanceId: string): Kind[] {
  const manyFields = Array.from({ length: 100 }, (_, i): [string, string] => [`X-${i}`, '1']);
  const longFields = Array.from({ length: 20 }, (_, i): [string, string] => [`X-${i}`, 'x'.repeat(1000)]);
  return [
    withLine('bare_lf', '\n'),
    withLine('bare_cr', '\r\nX: a\rb\r\n'),
    withLine('obs_fold', '\r\n folded: 1\r\n'),
    withLine('header_name', '\r\nX Y: 1\r\n'),
    withFields('ctl', { 'X-Ctl': 'a\0b' }),
    withFields('obs_text', { Upgrade: '\xe9' }),
    changed('request_line', { version: ' HTTP/1.1' }),
    changed('target_char', { path: '/ok#x' }),
    changed('target_form', { path: '*' }),
    changed('authority', { path: 'http://other.test/ok' }),
    changed('double_slash', { path: '//ok' }),
    changed('dot_segment', { path: '/ok/../ok' }),
    changed('encoded_path', { path: '/ok/%zz' }),
    changed('host', { omit: ['host'] }),
    withFields('dup_field', [
      ['Origin', 'a'],
      ['Origin', 'a'],
    ]),
    withFields('connection_token', { Connection: 'keep-alive' }, ['connection']),
    withFields('connection_option', { Connection: 'Upgrade, Authorization', Authorization: 'x' }, ['connection']),
    changed('key', { key: 'short' }),
    withFields('content_length', { 'Content-Length': '+1' }),
    withFields('body', { 'Content-Length': '5' }),
    withFields('transfer_encoding', { 'Transfer-Encoding': 'chunked' }),
    withFields('extensions', { 'Sec-WebSocket-Extensions': '=;' }),
    withFields('subprotocol', { 'Sec-WebSocket-Protocol': 'a b' }),
    changed('no_route', { path: '/nowhere' }),
    changed('method', { method: 'POST' }),
    changed('target_too_long', { path: `/ok/${'x'.repeat(9000)}` }),
    withFields('expect', { Expect: '100-continue' }),
    changed('upgrade_required', { omit: ['upgrade'] }),
    changed('version', { omit: ['sec-websocket-version'] }),
    withFields('head_too_large', longFields),
    withFields('too_many_fields', manyFields),
    changed('http_version', { version: 'HTTP/1.0' }),
    withFields('loop', { Via: `1.1 ${instanceId}` }),
  ];
}

/** Keys that have what they may have, by the refusal that they get, and what they may. */
const usedKeys = {
  too_many_sessions_per_identity: { max_sessions: 1 },
  too_many_handshakes_per_identity: { handshakes_per_second: 0.001 },
  quota_used: { handshakes: { count: 1, every: '1h' } },
};

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');

const partners = {
  from: ['header:X-API-Key', 'query:key'],
  keys: [
    ...Object.entries(usedKeys).map(([name, quota]) => ({ name, sha256: sha256(name), quota })),
    { name: 'stranger', sha256: sha256('stranger'), routes: ['ok'] },
  ],
};

function withKey(slug: keyof typeof REFUSALS, key: string, path = '/keyed'): Kind {
  return changed(slug, { path, headers: { 'X-API-Key': key } });
}

/** Refusals for which what the client brings to prove who it is, or does not, is the reason. */
const badCredentials: Kind[] = [
  changed('unauthorized', { path: '/keyed' }),
  withKey('multiple_credentials', 'a', '/keyed?key=b'),
  withKey('scope_missing', 'stranger'),
  withKey('too_many_sessions_per_identity', 'too_many_sessions_per_identity'),
  withKey('too_many_handshakes_per_identity', 'too_many_handshakes_per_identity'),
  withKey('quota_used', 'quota_used'),
  changed('auth_unavailable', { path: '/asked', headers: { Authorization: 'Bearer a' } }),
];

/** Refusals for which the route, the backend or time is the reason. */
const badRoutes: Kind[] = [
  changed('backend_unreachable', { path: '/dead' }),
  changed('backend_tls', { path: '/tls' }),
  changed('backend_handshake', { path: '/broken' }),
  changed('backend_timeout', { path: '/silent' }),
  changed('no_target', { path: '/full' }),
  changed('too_many_sessions', { path: '/capped' }),
  changed('too_many_sessions_per_ip', { path: '/alone' }),
  changed('too_many_handshakes_per_ip', { path: '/hasty' }),
  { slug: 'handshake_timeout', status: 408, request: Buffer.from('GET /ok HTTP/1.1\r\nHost: a') },
];

/** What no client can bring about here, and where it is tested instead. */
const elsewhere = {
  backend_dns: 'needs a look-up that leaves the machine: test/net/dial.test.ts',
  no_local_port: 'needs all ports of the machine: test/net/dial.test.ts',
  no_descriptor: 'needs all descriptors of the process: test/net/dial.test.ts',
  internal_error: 'needs a fault of our own: test/hostile/faults.test.ts',
  draining: 'needs an end of the proxy: below',
  plain_http: 'needs a listener with TLS: test/e2e/tls-listener.test.ts',
  proxy_header: 'needs a listener behind a proxy: test/hostile/proxy-header.test.ts',
  misdirected: 'needs two listeners with TLS: test/hostile/misdirected.test.ts',
  address_not_allowed: 'needs lists of addresses: test/hostile/access.test.ts',
  origin_not_allowed: 'needs lists of origins: test/hostile/access.test.ts',
  too_many_handshakes: 'would refuse the others too: test/hostile/policies.test.ts',
  overload: 'would refuse the others too: test/hostile/policies.test.ts',
  ...Object.fromEntries(
    [
      'backend_answer',
      'body_timeout',
      'body_too_large',
      'http_syntax',
      'method_refused',
      'too_many_requests_per_ip',
    ].map((slug) => [slug, 'of requests without upgrade: test/hostile/plain-*.test.ts']),
  ),
  https_only: 'needs a listener that sends all away: test/hostile/plain-redirect.test.ts',
  too_many_auth_failures: 'would refuse the others too: test/hostile/guessing.test.ts',
};

interface Stage {
  readonly running: RunningProxy;
  readonly pool: readonly RawBackend[];
  /** Backends of the routes that refuse, by route. */
  readonly others: Readonly<Record<string, RawBackend>>;
}

async function startStage(): Promise<Stage> {
  const pool = await Promise.all(Array.from({ length: targets }, () => RawBackend.listen({ deadlineMs })));
  const names = ['tls', 'broken', 'silent', 'full', 'capped', 'alone', 'hasty', 'keyed', 'refusing'];
  const made = await Promise.all(names.map(async (name) => [name, await RawBackend.listen({ deadlineMs })] as const));
  const others = Object.fromEntries(made);
  others.tls?.server.on('connection', (socket) => socket.write('plaintext\r\n'));
  const route = (name: string, scheme = 'ws') => ({
    name,
    match: { path: `/${name}` },
    upstream: `${scheme}://127.0.0.1:${others[name]?.port}`,
  });
  const running = await startProxy(
    {
      listeners: anyPort,
      limits: { max_sessions: total + 10 },
      timeouts: { handshake: '5s' },
      routes: [
        { name: 'ok', match: { path: '/ok/*' }, upstream: 'pool' },
        { ...route('dead'), upstream: deadUrl },
        route('tls', 'wss'),
        route('broken'),
        { ...route('silent'), timeouts: { upgrade: '2s' } },
        { ...route('full'), upstream: 'full' },
        { ...route('capped'), limits: { max_sessions: 1 } },
        { ...route('alone'), limits: { max_sessions_per_ip: 1 } },
        { ...route('hasty'), limits: { handshakes_per_second_per_ip: 0.001 } },
        { ...route('keyed'), auth: ['partners'] },
        { ...route('asked'), upstream: deadUrl, auth: ['tokens'] },
        route('refusing'),
      ],
      auth: {
        partners: { api_key: partners },
        tokens: {
          introspection: { url: deadUrl.replace('ws:', 'http:'), client_id: 'framegate', client_secret: 'secret' },
        },
      },
      upstreams: {
        pool: {
          balance: 'round_robin',
          targets: pool.map(({ url }, i) => ({ name: `t${i}`, url, max_sessions: perTarget })),
        },
        full: { targets: [{ url: others.full?.url ?? '', max_sessions: 1 }] },
      },
    },
    { deadlineMs },
  );
  answerAlways(others.broken, (connection) => connection.accept({ 'Sec-WebSocket-Accept': acceptFor('other') }));
  answerAlways(others.refusing, async (connection) => {
    await connection.head();
    connection.send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  });
  return { running, pool, others };
}

/** Answers every connection, now and later, until the test is over. */
function answerAlways(backend: RawBackend | undefined, answer: (c: BackendConnection) => Promise<unknown>): void {
  backend?.server.on('connection', () => {
    backend
      .nextConnection()
      .then(answer)
      .catch(() => {});
  });
}

async function refused(port: number, kind: Kind): Promise<string> {
  const client = await RawClient.connect(port, { deadlineMs });
  client.send(kind.request);
  const response = await client.readResponse();
  await client.ended;
  client.end();
  await client.closed;
  const { error, status } = response.json();
  expect([response.status, client.unread.length]).toEqual([status, 0]);
  return `${kind.slug}: ${status} ${error}`;
}

async function refusedByBackend(port: number): Promise<string> {
  const client = await RawClient.connect(port, { deadlineMs });
  client.send(upgradeRequest({ path: '/refusing' }));
  const response = await client.readResponse();
  await client.ended;
  client.destroy();
  return `backend_refused: ${response.status} ${response.body}`;
}

/** A client that leaves before its 101. */
async function leave(port: number): Promise<string> {
  const client = await RawClient.connect(port, { deadlineMs });
  client.send(upgradeRequest({ path: '/silent' }));
  await client.flushed();
  client.reset();
  return 'gone';
}

/** A session that is told from all others by its path and its first message. */
async function join(port: number, id: number): Promise<RawClient> {
  const client = await RawClient.connect(port, { deadlineMs });
  client.send(Buffer.concat([upgradeRequest({ path: `/ok/${id}` }), text(`up ${id}`, masked)]));
  const head = await client.readHead();
  expect(head.status).toBe(101);
  expect((await client.nextFrame()).payload.toString()).toBe(`down ${id}`);
  return client;
}

/** Serves `count` sessions of the pool, each by the number in its path. */
async function serve(pool: readonly RawBackend[], count: number): Promise<Map<number, BackendConnection>> {
  const served = new Map<number, BackendConnection>();
  const perBackend = pool.map(async (backend) => {
    for (let i = 0; i < count / pool.length; i++) {
      const server = await backend.nextConnection();
      const request = parseHead(await server.head());
      const id = Number(/^GET \/ok\/(\d+) /.exec(request.line)?.[1]);
      await server.accept();
      expect((await server.nextFrame()).payload.toString()).toBe(`up ${id}`);
      server.send(text(`down ${id}`));
      served.set(id, server);
    }
  });
  await Promise.all(perBackend);
  return served;
}

async function roundTrip({ client, server }: Ends, words: string): Promise<void> {
  client.send(text(words, masked));
  expect((await server.nextFrame()).payload.toString()).toBe(words);
  server.send(text(words));
  expect((await client.nextFrame()).payload.toString()).toBe(words);
}

async function joinAll(stage: Stage, from: number): Promise<Ends[]> {
  const ids = Array.from({ length: good }, (_, i) => from + i);
  const serving = serve(stage.pool, good);
  const clients = await Promise.all(ids.map((id) => join(stage.running.port, id)));
  const served = await serving;
  return clients.map((client, i) => {
    const server = served.get(from + i);
    if (server === undefined) throw new Error(`session ${from + i} was not served`);
    return { client, server };
  });
}

/** The lines of an event, and those that were counted instead of written. */
function linesOf(running: RunningProxy, event: string): number {
  const suppressed = running.logsOf('log.suppressed').filter((line) => line.of === event);
  return running.logsOf(event).length + suppressed.reduce((sum, line) => sum + Number(line.count), 0);
}

/** Fills what is full in this test, and asks for the name of this instance. */
async function occupy({ running, others }: Stage): Promise<string> {
  let via = '';
  const keyed = Object.keys(usedKeys).map((key): [string, Fields] => ['keyed', { 'X-API-Key': key }]);
  const plain = ['full', 'capped', 'alone', 'hasty'].map((name): [string, Fields] => [name, {}]);
  for (const [name, headers] of [...plain, ...keyed]) {
    const client = await RawClient.connect(running.port, { deadlineMs });
    client.send(upgradeRequest({ path: `/${name}`, headers }));
    const request = await (await others[name]?.nextConnection())?.accept();
    expect((await client.readHead()).status).toBe(101);
    via = request?.field('via') ?? '';
  }
  return via.replace('1.1 ', '');
}

describe('a crowd', () => {
  test(`${total} handshakes at once, every kind of refusal among them, and faults amid the sessions`, async () => {
    const stage = await startStage();
    const { running, pool } = stage;
    const kinds = [...badRequests(await occupy(stage)), ...badCredentials, ...badRoutes];
    const all = Object.keys(REFUSALS).filter((slug) => !(slug in elsewhere));
    expect(kinds.map(({ slug }) => slug).sort()).toEqual(all.sort());

    const bad = Array.from({ length: total - good }, (_, i) => kinds[i % (kinds.length + 2)] ?? i % (kinds.length + 2));
    const answers = bad.map((kind) => {
      if (typeof kind !== 'number') return refused(running.port, kind);
      return kind === kinds.length ? refusedByBackend(running.port) : leave(running.port);
    });
    const [sessions, said] = await Promise.all([joinAll(stage, 0), Promise.all(answers)]);
    for (const [i, answer] of said.entries()) {
      const kind = bad[i];
      if (typeof kind === 'number') expect(['gone', 'backend_refused: 403 no']).toContain(answer);
      else expect(answer).toBe(`${kind?.slug}: ${kind?.status} ${kind?.slug}`);
    }
    expect(pool.map(({ connections }) => connections)).toEqual([perTarget, perTarget, perTarget]);
    expect(new Map(said.map((answer) => [answer, 0])).size).toBe(kinds.length + 2);
    for (const { slug, status } of kinds) {
      const lines = running.logsOf('handshake.refused').filter(({ error }) => error === slug);
      expect([slug, lines.length]).toEqual([
        slug,
        bad.filter((one) => typeof one !== 'number' && one.slug === slug).length,
      ]);
      for (const line of lines) expect(line).toMatchObject({ status, client: '127.0.0.1' });
    }
    await expectFaultsContained(stage, sessions);

    // Every slot is free again: as many sessions as the targets allow, then one more, then one in place of another.
    const again = await joinAll(stage, good);
    expect(await refused(running.port, changed('no_target', { path: '/ok/none' }))).toBe('no_target: 503 no_target');
    const [first, ...rest] = again;
    if (first !== undefined) await closeCleanly(first);
    await expectRoom(stage, 7777);
    for (const { client } of rest) client.reset();
  }, 60_000);

  test('max_sessions counts from accept to destroy: full, then free again after every kind of end', async () => {
    const backend = await RawBackend.listen();
    const running = await startProxy({
      limits: { max_sessions: 2 },
      routes: [{ name: 'ok', upstream: backend.url, limits: { max_sessions: 2 } }],
    });
    const open = async () => {
      const client = await RawClient.connect(running.port);
      client.send(upgradeRequest({ path: '/ok' }));
      const server = await backend.nextSession();
      expect((await client.readHead()).status).toBe(101);
      return { client, server };
    };
    const full = () => refused(running.port, changed('too_many_sessions', {}));
    const keeper = await open();
    const ends = [
      closeCleanly,
      async ({ client }: Ends) => client.reset(),
      async ({ server }: Ends) => server.reset(),
      async ({ client }: Ends) => client.send(text('no mask')),
    ];
    for (const [i, end] of ends.entries()) {
      const next = await open();
      expect(await full()).toBe('too_many_sessions: 503 too_many_sessions');
      await roundTrip(next, 'x');
      await end(next);
      next.client.end();
      next.server.end();
      await running.waitForLog('session.end', () => running.logsOf('session.end').length > i);
    }
    await roundTrip(keeper, 'still here');
    expect(linesOf(running, 'session.end')).toBe(ends.length);
  });

  test('a drain while a crowd comes in: 503 draining or 1012, nobody is left without an answer', async () => {
    const backend = await RawBackend.listen({ deadlineMs });
    const running = await startProxy({ routes: [{ name: 'ok', upstream: backend.url }] }, { deadlineMs });
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => RawClient.connect(running.port, { deadlineMs })),
    );
    const sessions = clients.slice(0, 50);
    const waiting = clients.slice(50);
    for (const client of sessions) client.send(upgradeRequest());
    const servers = await Promise.all(sessions.map(() => backend.nextSession()));
    for (const client of sessions) expect((await client.readHead()).status).toBe(101);
    for (const client of waiting) client.send(upgradeRequest());
    await Promise.all(waiting.map(() => backend.nextConnection()));
    const drained = running.proxy.drain();
    for (const client of waiting) {
      const { error } = (await client.readResponse()).json();
      expect(error).toBe('draining');
      client.end();
    }
    for (const client of sessions) {
      expect(await client.nextClose()).toEqual({ code: 1012, reason: 'server restart' });
      client.send(closeFrame(1012, '', masked));
    }
    for (const server of servers) {
      expect(await server.nextClose()).toEqual({ code: 1001, reason: 'server restart' });
      server.send(closeFrame(1001));
      server.end();
    }
    for (const client of sessions) client.end();
    expect(await drained).toEqual({ closed: 50, cut: 0 });
    await expect(RawClient.connect(running.port)).rejects.toThrow(/ECONNREFUSED/);
  });
});

/** One backend dies inside frames, one between them, one client vanishes; all others go on as if nothing had been. */
async function expectFaultsContained({ running, pool }: Stage, sessions: readonly Ends[]): Promise<void> {
  const of = (backend: RawBackend | undefined) =>
    sessions.filter(({ server }) => server.socket.localPort === backend?.port);
  const [torn, cut, [vanishing, ...well]] = [of(pool[0]), of(pool[1]), of(pool[2])];
  const half = binary(Buffer.alloc(1000, 1)).subarray(0, 500);
  for (const { server } of torn) server.send(half);
  for (const { client } of torn) expect(await client.readBytes(half.length)).toEqual(half);
  const goingOn = Promise.all(
    well.map(async (one) => {
      for (let i = 0; i < 5; i++) await roundTrip(one, `during ${i}`);
    }),
  );
  for (const { server } of [...torn, ...cut]) server.reset();
  vanishing?.client.reset();
  for (const { client } of torn) {
    await client.closed;
    expect(client.unread).toHaveLength(0);
  }
  for (const { client } of cut) {
    expect(await client.nextClose()).toEqual({ code: 1012, reason: 'backend lost' });
    client.end();
  }
  expect(await vanishing?.server.nextClose()).toEqual({ code: 1001, reason: 'client lost' });
  vanishing?.server.end();
  await goingOn;
  for (const one of well) await roundTrip(one, 'after');
  await Promise.all(well.map(closeCleanly));
  await expect.poll(() => linesOf(running, 'session.end'), { timeout: 10_000 }).toBe(good);
  const lines = running.logsOf('session.end');
  const count = (reason: string) => lines.filter((line) => line.reason === reason).length;
  expect(count('backend_lost') + count('client_lost') + count('client_close')).toBe(lines.length);
  for (const line of lines) expect(line.mid_frame).toBe(line.target === 't0');
}

/** One more session of the pool works, and ends in order. */
async function expectRoom(stage: Stage, id: number): Promise<void> {
  const joined = join(stage.running.port, id);
  const server = await Promise.race(
    stage.pool.map(async (backend) => {
      const connection = await backend.nextConnection();
      await connection.accept();
      return connection;
    }),
  );
  expect((await server.nextFrame()).payload.toString()).toBe(`up ${id}`);
  server.send(text(`down ${id}`));
  await closeCleanly({ client: await joined, server });
}
