// Sessions that end with their credential, on real sockets: expiry, a reload, a revoke; and what a backend may do.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { anyPort, type HarnessOptions, startProxy } from '../support/harness.ts';
import { askAdmin, until } from './operating.ts';
import { connectWs, type Inbox, WsBackend } from './ws-pair.ts';

type KeyInput = { readonly expires?: string; readonly digestOf?: string };

function keysOf(keys: Readonly<Record<string, KeyInput>>) {
  return Object.entries(keys).map(([name, { digestOf = `key-of-${name}`, ...rest }]) => ({
    ...rest,
    name,
    sha256: createHash('sha256').update(digestOf).digest('hex'),
  }));
}

function configOf(url: string, keys: Readonly<Record<string, KeyInput>>, own: Partial<ConfigInput> = {}): ConfigInput {
  return {
    listeners: anyPort,
    admin: { address: '127.0.0.1:0' },
    drain: { spread: '0s' },
    auth: { keys: { api_key: { keys: keysOf(keys) } } },
    routes: [
      { name: 'test', match: { path: '/' }, upstream: url, auth: ['keys'] },
      { name: 'open', match: { path: '/open' }, upstream: url },
    ],
    ...own,
  };
}

async function world(
  keys: Readonly<Record<string, KeyInput>>,
  own: Partial<ConfigInput> = {},
  how: HarnessOptions = {},
) {
  const backend = await WsBackend.listen();
  const running = await startProxy(configOf(backend.url, keys, own), how);
  const connect = (name: string, fields: Readonly<Record<string, string>> = {}): Promise<Inbox> =>
    connectWs(running.port, { headers: { 'X-API-Key': `key-of-${name}`, ...fields } });
  const reload = (next: Readonly<Record<string, KeyInput>>) => running.proxy.reload(configOf(backend.url, next, own));
  const post = async (target: string) => {
    const { status, json } = await askAdmin(running, `POST /api/v1/${target}`);
    return [status, json];
  };
  return { backend, url: backend.url, running, connect, reload, post };
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

describe('a credential', () => {
  test('that ends ends its session: 3000 for the client, 1001 for the backend, and nobody else', async () => {
    const { backend, running, connect } = await world({ acme: { expires: inSeconds(2) }, other: {} });
    const client = await connect('acme');
    const server = await backend.next();
    const other = await connect('other');
    expect(await client.closed()).toEqual({ code: 3000, reason: 'credential expired' });
    expect(await server.inbox.closed()).toEqual({ code: 1001, reason: 'credential expired' });
    const end = await running.waitForLog('session.end');
    expect(end).toMatchObject({
      reason: 'credential_expired',
      auth: 'keys',
      identity: 'acme',
      by: 'proxy',
      clean: true,
    });
    expect(other.all).toEqual([]);
    await expect(connect('acme')).rejects.toThrow('401');
  });

  test('that leaves the config takes its sessions with it: 3003', async () => {
    const { connect, reload } = await world({ acme: {}, other: {} });
    const [client, other] = [await connect('acme'), await connect('other')];
    expect(await reload({ other: {} })).toMatchObject({ ok: true });
    expect(await client.closed()).toEqual({ code: 3003, reason: 'credential revoked' });
    await expect(connect('acme')).rejects.toThrow('401');
    expect(other.all).toEqual([]);
  });
});

describe('revoke', () => {
  test('ends what it is about, refuses it, and lets a new key of the name in', async () => {
    const { running, connect, reload, post } = await world({ acme: {}, other: {} });
    const clients = [await connect('acme'), await connect('acme')];
    const other = await connect('other');
    const [status, answer] = await post('revoke?auth=keys&identity=acme');
    expect([status, answer]).toMatchObject([200, { ended: 2, durable: false }]);
    for (const client of clients) expect(await client.closed()).toEqual({ code: 3003, reason: 'credential revoked' });
    await expect(connect('acme')).rejects.toThrow('401');
    const refused = await running.waitForLog('handshake.refused');
    expect(refused).toMatchObject({ error: 'unauthorized', cause: 'revoked', auth: 'keys' });
    expect(other.all).toEqual([]);
    await reload({ acme: { digestOf: 'another' }, other: {} });
    await connectWs(running.port, { headers: { 'X-API-Key': 'another' } });
    await reload({ acme: {}, other: {} });
    await expect(connect('acme')).rejects.toThrow('401');
  });

  test('says what it cannot do', async () => {
    const { post } = await world({ acme: {} });
    expect(await post('revoke?auth=nobody&all=1')).toMatchObject([404, { error: 'no_method' }]);
    expect(await post('revoke?auth=keys&jti=x')).toMatchObject([400, { error: 'not_of_method' }]);
  });

  test('is remembered over a restart in $STATE_DIRECTORY', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'fg-state-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const how = { env: { STATE_DIRECTORY: `${dir}:/nowhere` } };
    const first = await world({ acme: {}, other: {} }, {}, how);
    expect(await first.post('revoke?auth=keys&key=acme&for=1h')).toMatchObject([200, { ended: 0, durable: true }]);
    await first.running.stop();
    const next = await world({ acme: {}, other: {} }, {}, how);
    await expect(next.connect('acme')).rejects.toThrow('401');
    await next.connect('other');
  });
});

test('revocations.dir is beside the config, goes before $STATE_DIRECTORY, and does not change', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'fg-state-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  mkdirSync(path.join(dir, 'own'));
  const how = { baseDir: dir, env: { STATE_DIRECTORY: '/nowhere' } };
  const { running, post, reload, url } = await world({ acme: {} }, { revocations: { dir: 'own' } }, how);
  expect(await post('revoke?auth=keys&key=acme')).toMatchObject([200, { durable: true }]);
  expect(existsSync(path.join(dir, 'own', 'revocations.jsonl'))).toBe(true);
  expect((await askAdmin(running, 'GET /api/v1/config')).body).toContain('revocations:\n  dir: own\n');
  expect(await reload({ acme: {} })).toMatchObject({ ok: true });
  const elsewhere = configOf(url, { acme: {} }, { revocations: { dir: '.' } });
  expect(await running.proxy.reload(elsewhere)).toMatchObject({ ok: false, problems: [{ path: 'revocations.dir' }] });
});

describe('a backend', () => {
  test('knows the session by our word alone, on routes with auth, and may let it live on', async () => {
    const { backend, running, connect, post } = await world({ acme: { expires: inSeconds(600) } });
    const client = await connect('acme', { 'X-Framegate-Session': 'forged' });
    const { request } = await backend.next();
    const id = String(request.headers['x-framegate-session']);
    expect(id).toMatch(/^[0-9a-f]{16}-[0-9a-z]+$/);
    const far = Math.floor(Date.now() / 1000) + 3_600;
    expect(await post(`sessions/${id}/extend?until=${far}`)).toEqual([200, { session: id, until: far }]);
    const shown = await askAdmin(running, `GET /api/v1/sessions/${id}`);
    expect(shown.json).toMatchObject({
      auth: 'keys',
      identity: 'acme',
      expires_at: new Date(far * 1000).toISOString(),
    });
    expect(client.all).toEqual([]);
    expect(await post(`sessions/${id}/extend?until=1`)).toMatchObject([400, { error: 'bad_until' }]);
    expect(await post('sessions/other/extend?until=1')).toMatchObject([404, { error: 'no_session' }]);
  });

  test('is not told on open routes, and has nothing to extend there', async () => {
    const { backend, running, post } = await world({ acme: {} });
    await connectWs(running.port, { path: '/open', headers: { 'X-Framegate-Session': 'forged' } });
    const { request } = await backend.next();
    expect(request.headers['x-framegate-session']).toBeUndefined();
    const { json } = await askAdmin(running, 'GET /api/v1/sessions');
    const [{ id, auth }] = (json as { sessions: [{ id: string; auth: string | null }] }).sessions;
    expect(auth).toBeNull();
    expect(await post(`sessions/${id}/extend?until=4000000000`)).toMatchObject([409, { error: 'not_bound' }]);
  });
});

test('sessions are found and closed by identity, alone or behind the method', async () => {
  const { running, connect, post } = await world({ acme: {}, other: {} });
  const [client, other] = [await connect('acme'), await connect('other')];
  const found = async (identity: string) => {
    const { json } = await askAdmin(running, `GET /api/v1/sessions?identity=${encodeURIComponent(identity)}`);
    return (json as { sessions: { identity: string }[] }).sessions.map((one) => one.identity);
  };
  expect([await found('acme'), await found('keys/acme'), await found('users/acme')]).toEqual([['acme'], ['acme'], []]);
  expect(await post('sessions/close?identity=keys/acme')).toEqual([200, { closing: 1 }]);
  expect(await client.closed()).toMatchObject({ code: 1008 });
  await until('it is gone', async () => (await found('acme')).length === 0);
  expect(other.all).toEqual([]);
});
