// Sessions that stand on API keys and passwords, and what one identity may have: over real sockets.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, type RunningProxy, startProxy } from '../support/harness.ts';
import { plainHash, scryptHash } from '../support/passwords.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { type Head, Opcode } from '../support/wire.ts';

type Auth = NonNullable<ConfigInput['auth']>;
type Route = Partial<ConfigInput['routes'][number]>;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const base64 = (text: string) => Buffer.from(text).toString('base64');

interface Visit {
  readonly path?: string;
  readonly headers?: Record<string, string>;
}

interface Opened {
  readonly client: RawClient;
  readonly server: BackendConnection;
  /** What the backend was asked. */
  readonly request: Head;
}

/** A proxy with these methods on its only route, `/*`. */
class Gateway {
  readonly backend: RawBackend;
  readonly running: RunningProxy;

  private constructor(backend: RawBackend, running: RunningProxy) {
    this.backend = backend;
    this.running = running;
  }

  static config(upstream: string, auth: Auth, route: Route = {}, over: Partial<ConfigInput> = {}): ConfigInput {
    const own = {
      name: 'test',
      upstream,
      auth: Object.keys(auth),
      origins: 'any' as const,
      missing_origin: 'allow' as const,
    };
    return { listeners: anyPort, auth, log: { session_open: 'info' }, routes: [{ ...own, ...route }], ...over };
  }

  static async start(
    auth: Auth,
    route: Route = {},
    over: Partial<ConfigInput> = {},
    clock?: FakeClock,
  ): Promise<Gateway> {
    const backend = await RawBackend.listen();
    const config = Gateway.config(backend.url, auth, route, over);
    return new Gateway(backend, await startProxy(config, clock === undefined ? {} : { clock }));
  }

  async refuse({ path = '/', headers = {} }: Visit = {}): Promise<Head> {
    const client = await RawClient.connect(this.running.port);
    return client.upgrade({ path, headers });
  }

  async open({ path = '/', headers = {} }: Visit = {}): Promise<Opened> {
    const client = await RawClient.connect(this.running.port);
    const answered = client.upgrade({ path, headers });
    const session = await this.backend.nextSession();
    const request = await session.request();
    const answer = await answered;
    expect(answer.status).toBe(101);
    return { client, server: session, request };
  }

  /** Slug, cause and identity in the log. */
  async lastRefusal(): Promise<readonly unknown[]> {
    const line = await this.running.waitForLog('handshake.refused');
    const { error, cause, identity } = this.running.logsOf('handshake.refused').at(-1) ?? line;
    return [error, cause, identity];
  }
}

describe('api_key', () => {
  const KEY = 'fgk_one+two/three';
  const from = [
    'header:X-API-Key',
    'header:Authorization',
    'query:key',
    'cookie:key',
    'subprotocol:key',
    'subprotocol_prefix:key.',
  ];

  test('a key opens a session from each of its places, and the backend sees it in none', async () => {
    const keys = [{ name: 'acme', sha256: sha256(KEY) }];
    const gateway = await Gateway.start({ keys: { api_key: { from, decode: 'base64url', prefix: 'fgk_', keys } } });
    const encoded = Buffer.from(KEY).toString('base64url');
    const protocols = (text: string) => ({ headers: { 'Sec-WebSocket-Protocol': `chat, ${text}` } });
    const visits: Visit[] = [
      { headers: { 'X-API-Key': KEY } },
      { headers: { Authorization: `Bearer ${KEY}` } },
      { headers: { Authorization: KEY } },
      { path: `/?key=${encodeURIComponent(KEY)}` },
      { headers: { Cookie: `key=${KEY}` } },
      protocols(`key.${encoded}`),
    ];
    for (const visit of visits) {
      const { request } = await gateway.open(visit);
      expect(JSON.stringify(request)).not.toMatch(/fgk_|Zmdr/);
    }
    const challenge = await gateway.refuse();
    expect([challenge.status, challenge.field('www-authenticate')]).toEqual([401, 'Bearer realm="framegate"']);
    // Not encoded, in the other alphabet, with bits that say nothing.
    for (const text of ['fgk_', base64('fgk_~~~').replace(/=+$/, ''), `${encoded.slice(0, -1)}B`])
      expect((await gateway.refuse(protocols(`key.${text}`))).status, text).toBe(401);
    expect(JSON.stringify(gateway.running.logs)).not.toMatch(/fgk_|Zmdr/);
  });

  test('a reload of its file lets new keys in, keeps sessions, and what a quota has used', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
    atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'keys.yaml');
    const write = (...entries: string[]) => writeFileSync(file, `${entries.join('\n')}\n`);
    const quota = 'quota: { handshakes: { count: 1, every: 1h } }';
    const entry = (key: string, more: string) => `- { name: ${key}, sha256: ${sha256(key)}, ${more} }`;
    write(entry('old', quota));
    const auth: Auth = { keys: { api_key: { keys: { file } } } };
    const gateway = await Gateway.start(auth);
    const { client } = await gateway.open({ headers: { 'X-API-Key': 'old' } });
    expect((await gateway.refuse({ headers: { 'X-API-Key': 'new' } })).status).toBe(401);
    write(entry('old', `expires: 2999-01-01T00:00:00Z, ${quota}`), entry('new', quota));
    const reloaded = await gateway.running.proxy.reload(Gateway.config(gateway.backend.url, auth));
    expect(reloaded.ok).toBe(true);
    await gateway.open({ headers: { 'X-API-Key': 'new' } });
    const over = await gateway.refuse({ headers: { 'X-API-Key': 'old' } });
    expect(over.status).toBe(429);
    expect(Number(over.field('retry-after'))).toBeGreaterThan(3_500);
    expect(await gateway.lastRefusal()).toEqual(['quota_used', 'quota.handshakes', 'old']);
    client.sendFrame({ opcode: Opcode.Ping, payload: 'there' });
    expect(gateway.running.logsOf('session.end')).toEqual([]);
  });
});

describe('basic', () => {
  test('staff comes in by name and password, and the backend sees neither', async () => {
    const users = [{ name: 'zoë', password: await scryptHash('pass:wörd') }];
    const gateway = await Gateway.start({ staff: { basic: { realm: 'the staff', users } } });
    const nobody = await gateway.refuse();
    expect([nobody.status, nobody.field('www-authenticate')]).toEqual([
      401,
      'Basic realm="the staff", charset="UTF-8"',
    ]);
    const asked = (pair: string) => ({ headers: { Authorization: `Basic ${base64(pair)}` } });
    for (const pair of ['zoë:word', 'nobody:pass:wörd']) expect((await gateway.refuse(asked(pair))).status).toBe(401);
    expect(await gateway.lastRefusal()).toEqual(['unauthorized', 'password', undefined]);
    for (const _ of [1, 2]) {
      const { request } = await gateway.open(asked('zoë:pass:wörd'));
      expect(request.field('authorization')).toBeUndefined();
    }
    const line = await gateway.running.waitForLog('session.open');
    expect([line.auth, line.identity]).toEqual(['staff', 'zo\u00eb']);
    expect(JSON.stringify(gateway.running.logs)).not.toContain(base64('zoë:pass:wörd'));
  });

  test('a hash that is none of scrypt lets nobody in, and a password in two spellings is refused', async () => {
    const users = [{ name: 'alice', password: plainHash('secret') }];
    const gateway = await Gateway.start({ staff: { basic: { users } } });
    expect((await gateway.refuse({ headers: { Authorization: `Basic ${base64('alice:secret')}` } })).status).toBe(401);
    expect((await gateway.refuse({ headers: { Authorization: base64('alice:secret') } })).status).toBe(401);
  });
});

describe('what one may have', () => {
  const entry = (name: string, quota: object = {}) => ({ name, sha256: sha256(name), quota });
  const visit = (name: string): Visit => ({ headers: { 'X-API-Key': name } });

  test('guesses of an address are bounded, and then a good key is not looked at either', async () => {
    const clock = new FakeClock();
    const limits = { auth_failures_per_minute_per_ip: 2 };
    const gateway = await Gateway.start({ keys: { api_key: { keys: [entry('acme')] } } }, {}, { limits }, clock);
    for (const name of ['x1', 'x1', 'x2']) expect((await gateway.refuse(visit(name))).status).toBe(401);
    const barred = await gateway.refuse(visit('acme'));
    expect([barred.status, barred.field('retry-after')]).toEqual([429, '60']);
    clock.advance(60_000);
    await gateway.open(visit('acme'));
  });

  test('sessions of an identity are counted from whatever address, and given back', async () => {
    const keys = [entry('acme', { max_sessions: 3 }), entry('bob')];
    const limits = { max_sessions_per_identity: 2 };
    const gateway = await Gateway.start({ keys: { api_key: { keys } } }, {}, { limits });
    const first = await gateway.open(visit('acme'));
    await gateway.open({ path: '/elsewhere', ...visit('acme') });
    expect((await gateway.refuse(visit('acme'))).status).toBe(429);
    expect(await gateway.lastRefusal()).toEqual([
      'too_many_sessions_per_identity',
      'max_sessions_per_identity',
      'acme',
    ]);
    await gateway.open(visit('bob'));
    first.client.destroy();
    first.server.destroy();
    await gateway.running.waitForLog('session.end');
    await gateway.open(visit('acme'));
    expect((await gateway.refuse(visit('acme'))).status).toBe(429);
  });

  test('a quota bounds the messages of each session, on a route that does not', async () => {
    const quota = { from_client: { messages_per_second: 1 } };
    const own = { limits: { from_client: { on_rate_exceeded: 'close' as const } } };
    const gateway = await Gateway.start({ keys: { api_key: { keys: [entry('acme', quota), entry('bob')] } } }, own);
    for (const name of ['bob', 'acme']) {
      const { client } = await gateway.open(visit(name));
      for (let n = 0; n < 4; n += 1) client.sendFrame({ opcode: Opcode.Text, payload: 'x' });
    }
    const { session, limit } = await gateway.running.waitForLog('limit.hit');
    const opened = gateway.running.logsOf('session.open').find((line) => line.session === session);
    expect([opened?.identity, limit]).toEqual(['acme', 'messages_per_second']);
  });

  test('anonymous, as the last, lets in who brought nothing: it is nobody, and no identity bounds it', async () => {
    const auth: Auth = { keys: { api_key: { from: ['header:X-API-Key', 'query:key'], keys: [entry('acme')] } } };
    const limits = { max_sessions_per_identity: 1, handshakes_per_second_per_identity: 1 };
    const gateway = await Gateway.start(auth, { auth: ['keys', 'anonymous'] }, { limits });
    await gateway.open(visit('acme'));
    for (const _ of [1, 2, 3]) await gateway.open();
    const lines = gateway.running.logsOf('session.open');
    expect(lines.map(({ auth: method, identity }) => [method, identity])).toEqual([
      ['keys', 'acme'],
      ...[1, 2, 3].map(() => [undefined, undefined]),
    ]);
    // Who brings a bad one, or too many, is not nobody.
    expect((await gateway.refuse(visit('x'))).status).toBe(401);
    expect((await gateway.refuse({ path: '/?key=acme', ...visit('acme') })).status).toBe(400);
  });
});
