// Credentials that end, leave the config or are revoked while a session, or a handshake, stands on them.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AuthConfig } from '../../src/config/types.ts';
import { Revocations, RevocationsFull } from '../../src/edge/auth/revocations.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdmin } from '../e2e/operating.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type HarnessOptions, startProxy } from '../support/harness.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { upgradeRequest } from '../support/wire.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const WALL = Date.UTC(2026, 0, 1);

type Keys = Readonly<Record<string, number | null>>;

/** Times in milliseconds after the beginning. */
function authOf(keys: Keys, method: object = {}): NonNullable<ConfigInput['auth']> {
  const entries = Object.entries(keys).map(([name, ms]) => ({
    name,
    sha256: createHash('sha256').update(`key-of-${name}`).digest('hex'),
    ...(ms === null ? {} : { expires: new Date(WALL + ms).toISOString() }),
  }));
  return { keys: { api_key: { keys: entries, ...method } } };
}

async function world(keys: Keys, method: object = {}, options: HarnessOptions = {}) {
  const clock = new FakeClock(0);
  const [backend, ticks] = [await RawBackend.listen(), await RawBackend.listen()];
  const configOf = (now: Keys, next = method): ConfigInput => ({
    listeners: [{ name: 'test', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0' },
    drain: { spread: '0s' },
    auth: authOf(now, next),
    routes: [
      { name: 'test', match: { path: '/' }, upstream: backend.url, auth: ['keys'] },
      { name: 'open', match: { path: '/open' }, upstream: backend.url },
      { name: 'tick', match: { path: '/tick' }, upstream: ticks.url, timeouts: { open: '1ms' } },
    ],
    timeouts: { open: '1h', upgrade: '1h', idle: 'off', client_ping_interval: 'off' },
  });
  const running = await startProxy(configOf(keys), { clock, wallNow: () => WALL + clock.now(), ...options });
  /** Comes back when the timers have seen it. */
  const pass = async (ms: number) => {
    const tick = await RawClient.connect(running.port);
    tick.send(upgradeRequest({ path: '/tick' }));
    await ticks.nextConnection();
    clock.advance(ms);
    await tick.ended;
    tick.destroy();
  };
  const ask = async (name: string, where = '/', more: readonly (readonly [string, string])[] = []) => {
    const client = await RawClient.connect(running.port);
    client.send(upgradeRequest({ path: where, headers: [['X-API-Key', `key-of-${name}`], ...more] }));
    return client;
  };
  const open = async (name: string) => {
    const client = await ask(name);
    const server = await backend.nextConnection();
    await server.accept();
    expect((await client.readHead()).status).toBe(101);
    return { client, server };
  };
  const reload = (next: Keys) => running.proxy.reload(configOf(next));
  const post = async (target: string) => {
    const { status, json } = await askAdmin(running, `POST /api/v1/${target}`);
    return { status, ...(json as Record<string, unknown>) };
  };
  return { running, backend, pass, ask, open, reload, post };
}

async function refusalOf(client: RawClient): Promise<string> {
  const { status } = await client.readHead();
  return status === 101 ? '101' : `${status} ${JSON.parse((await client.readToEnd()).toString()).error}`;
}

const EXPIRED = { code: 3000, reason: 'credential expired' };
const REVOKED = { code: 3003, reason: 'credential revoked' };

describe('a session', () => {
  test('A20: ends with its key, `grace` later, and is told so; another goes on', async () => {
    const { pass, open, ask } = await world({ acme: 60 * SECOND, other: null }, { grace: '10s' });
    const [one, other] = [await open('acme'), await open('other')];
    await pass(70 * SECOND - 100);
    expect([one.client.unread.length, one.server.unread.length]).toEqual([0, 0]);
    expect(await refusalOf(await ask('acme'))).toBe('401 unauthorized');
    await pass(150);
    expect(await one.client.nextClose()).toEqual(EXPIRED);
    one.client.end();
    expect(await one.server.nextClose()).toEqual({ ...EXPIRED, code: 1001 });
    expect([other.client.unread.length, other.server.unread.length]).toEqual([0, 0]);
  });

  test('A20: ends when a reload has its key no longer', async () => {
    const { open, reload } = await world({ acme: null, other: null });
    const [one, other] = [await open('acme'), await open('other')];
    await reload({ other: null });
    expect(await one.client.nextClose()).toEqual(REVOKED);
    expect(other.client.unread.length).toBe(0);
  });

  test('A20: bind off keeps it through both, and not through a revoke', async () => {
    const { pass, open, reload, post } = await world({ acme: 60 * SECOND, other: null }, { bind: 'off' });
    const one = await open('acme');
    await pass(3_600 * SECOND);
    await reload({ other: null });
    expect(one.client.unread.length).toBe(0);
    expect(await post('revoke?auth=keys&identity=acme')).toMatchObject({ status: 200, ended: 1 });
    expect(await one.client.nextClose()).toEqual(REVOKED);
  });

  test('A20: a revoke ends it at once, and its key lets nobody in', async () => {
    const { open, ask, post } = await world({ acme: null, other: null });
    const [one, other] = [await open('acme'), await open('other')];
    expect(await post('revoke?auth=keys&key=acme')).toMatchObject({ status: 200, ended: 1 });
    expect(await one.client.nextClose()).toEqual(REVOKED);
    expect(await refusalOf(await ask('acme'))).toBe('401 unauthorized');
    expect(other.client.unread.length).toBe(0);
  });

  test('L9: whose key ends in 30 days lives for 30 days', async () => {
    const { pass, open } = await world({ acme: 30 * DAY });
    const { client } = await open('acme');
    for (const ms of [50, 2_147_483_600, 50, 30 * DAY - 2_147_483_700 - 100]) {
      await pass(ms);
      expect(client.unread.length).toBe(0);
    }
    await pass(150);
    expect(await client.nextClose()).toEqual(EXPIRED);
  });
});

describe('a handshake whose backend has not answered yet', () => {
  const WAYS = {
    'its key ends': ({ pass }) => pass(60 * SECOND),
    'a reload has its key no longer': ({ reload }) => reload({ other: null }),
    'its key is revoked': ({ post }) => post('revoke?auth=keys&all=1'),
  } satisfies Record<string, (of: Awaited<ReturnType<typeof world>>) => Promise<unknown>>;

  test.each(Object.entries(WAYS))('A20: is refused when %s', async (_, change) => {
    const all = await world({ acme: 60 * SECOND, other: null });
    const client = await all.ask('acme');
    const server: BackendConnection = await all.backend.nextConnection();
    await server.request();
    await change(all);
    await server.accept();
    expect(await refusalOf(client)).toBe('401 unauthorized');
    await server.closed;
  });
});

test('A50: the session that a client claims to be: the backend has our word, or none', async () => {
  const { backend, ask } = await world({ acme: null });
  const forged = [
    ['X-Framegate-Session', 'forged'],
    ['x-framegate-session', 'forged'],
  ] as const;
  await ask('acme', '/', forged);
  const named = (await (await backend.nextConnection()).request()).raw;
  expect(named.match(/^x-framegate-session: .*$/gim)).toEqual([
    expect.stringMatching(/^X-Framegate-Session: [0-9a-f]{16}-/),
  ]);
  await ask('acme', '/open', forged);
  expect((await (await backend.nextConnection()).request()).raw).not.toMatch(/framegate-session/i);
});

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'fg-revoked-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

describe('revocations', () => {
  test('A51: one that cannot be written is none: 500, and nobody is ended or refused', async () => {
    const dir = folder();
    const { open, post } = await world({ acme: null }, {}, { env: { STATE_DIRECTORY: dir } });
    const { client } = await open('acme');
    rmSync(dir, { recursive: true });
    expect(await post('revoke?auth=keys&identity=acme')).toMatchObject({ status: 500, error: 'not_written' });
    await open('acme');
    expect(client.unread.length).toBe(0);
  });

  test('A51: one more than there may be is none', async () => {
    const log = { event: () => {} };
    const means = { clock: new FakeClock(), wallNow: () => WALL, log } as unknown as ConstructorParameters<
      typeof Revocations
    >[0];
    const revocations = new Revocations(means, 1);
    const jwt = { kind: 'jwt', name: 'm' } as AuthConfig;
    const add = (value: string) => revocations.add({ auth: 'm', kind: 'jti', value }, WALL + DAY, jwt, () => {});
    await add('a');
    await expect(add('b')).rejects.toThrow(RevocationsFull);
    expect(revocations.size).toBe(1);
  });

  test('A51: a restart brings them back; a last line that was cut off is dropped and told of', async () => {
    const dir = folder();
    const env = { STATE_DIRECTORY: dir };
    const first = await world({ acme: null }, {}, { env });
    expect(await first.post('revoke?auth=keys&key=acme')).toMatchObject({ status: 200, durable: true });
    await first.running.stop();
    writeFileSync(path.join(dir, 'revocations.jsonl'), '{"auth":"keys","kind":"key","va', { flag: 'a' });
    const next = await world({ acme: null }, {}, { env });
    expect(next.running.logsOf('revocations.broken')).toMatchObject([{ line: 2 }]);
    expect(await refusalOf(await next.ask('acme'))).toBe('401 unauthorized');
  });

  test('A51: a line in the middle that is broken is a reason not to start', async () => {
    const dir = folder();
    writeFileSync(path.join(dir, 'revocations.jsonl'), '{"auth":1}\n{"auth":1}\n');
    await expect(world({ acme: null }, {}, { env: { STATE_DIRECTORY: dir } })).rejects.toThrow('line 1 of');
  });
});
