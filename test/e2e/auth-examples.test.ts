// What the examples of contrib/auth promise, on real sockets: who is let in, what a backend sees, when it ends.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { ConfigInput } from '../../src/proxy.ts';
import { EXAMPLE_KEY, EXAMPLE_PASSWORD, EXAMPLE_SECRET, exampleFiles, exampleText } from '../support/auth-examples.ts';
import { AuthServer, claims } from '../support/auth-server.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { hs256, tokenOf } from '../support/tokens.ts';

const START = Date.parse('2026-12-01T00:00:00Z');
const MINUTE = 60_000;

type Fields = Readonly<Record<string, string>>;

/** The example with its routes to one backend. `service`: who is asked for tokens. */
async function start(name: string, service: AuthServer | null = null) {
  const folder = mkdtempSync(join(tmpdir(), 'framegate-'));
  atTestEnd(() => rmSync(folder, { recursive: true }));
  const files = exampleFiles(new Date(START + 5 * MINUTE).toISOString());
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  const backend = await RawBackend.listen();
  const text = exampleText(name).replace('https://as.example.com/introspect', service?.url ?? '');
  const written: ConfigInput = parse(text);
  const clock = new FakeClock();
  const begin = START - clock.now();
  const config = {
    ...written,
    listeners: anyPort,
    routes: written.routes.map((route) => ({ ...route, upstream: backend.url })),
    upstreams: {},
    timeouts: { idle: 'off', client_ping_interval: 'off', backend_ping_interval: 'off' } as const,
    drain: { spread: '0s' },
  };
  const { port, waitForLog } = await startProxy(config, { baseDir: folder, clock, wallNow: () => begin + clock.now() });
  const refused = async (path: string, headers: Fields = {}): Promise<string> => {
    const head = await (await RawClient.connect(port)).upgrade({ path, headers });
    return `${head.status} ${head.field('www-authenticate') ?? ''}`.trim();
  };
  const open = async (path: string, headers: Fields = {}) => {
    const client = await RawClient.connect(port);
    const answer = client.upgrade({ path, headers });
    const gone = answer.then((head) => Promise.reject(new Error(head.raw)));
    const server = await Promise.race([backend.nextSession(), gone]);
    expect((await answer).status).toBe(101);
    gone.catch(() => {});
    const request = await server.request();
    return { client, server, request, target: request.line.split(' ')[1] };
  };
  return { clock, refused, open, waitForLog };
}

test('Apigee: a key or a token is checked at the handshake, and the connection is dropped when it ends', async () => {
  let active = true;
  const scopes: Fields = { good: 'feed', other: 'chat' };
  const service = await AuthServer.listen(({ body }) => {
    const scope = scopes[new URLSearchParams(body).get('token') ?? ''];
    return claims(scope === undefined ? { active: false } : { active, sub: 'app-1', scope });
  });
  const { open, refused, clock, waitForLog } = await start('apigee', service);
  const byKey = await open(`/v1/feed/a?apikey=${EXAMPLE_KEY}&room=1`);
  expect(byKey.target).toBe('/v1/feed/a?room=1');
  const byToken = await open('/v1/feed/a', { Authorization: 'Bearer good' });
  expect(byToken.request.field('authorization')).toBeUndefined();
  expect(await refused('/v1/feed/a')).toBe('401 Bearer realm="framegate"');
  expect(await refused('/v1/feed/a?apikey=other')).toMatch(/^401/);
  expect(await refused('/v1/feed/a', { Authorization: 'Bearer other' })).toBe('403');
  active = false;
  clock.advance(MINUTE);
  expect(await byToken.client.nextClose()).toEqual({ code: 3003, reason: 'credential revoked' });
  clock.advance(4 * MINUTE);
  expect(await byKey.client.nextClose()).toEqual({ code: 3000, reason: 'credential expired' });
  for (const { client, server } of [byKey, byToken]) {
    client.destroy();
    server.destroy();
  }
  expect(await waitForLog('session.end', ({ identity }) => identity === 'acme')).toMatchObject({ auth: 'apps' });
});

test('Kairos: /secure/ws takes tokens of its issuer for its audience, the other routes everybody', async () => {
  const { open, refused } = await start('kairos');
  const good = { iss: 'kairos-gateway', aud: 'websocket-clients', sub: 'u1', exp: START / 1000 + 60 };
  const sign = (text: string) => hs256(text, EXAMPLE_SECRET);
  const bearer = (payload: object): Fields => ({
    Authorization: `Bearer ${tokenOf({ header: { alg: 'HS256' }, payload, sign })}`,
  });
  const { request, target } = await open('/secure/ws', bearer(good));
  expect([target, request.field('authorization')]).toEqual(['/ws', undefined]);
  expect((await open('/ws/chat')).target).toBe('/ws');
  for (const wrong of [{ iss: 'x' }, { aud: 'x' }, { exp: START / 1000 - 60 }])
    expect(await refused('/secure/ws', bearer({ ...good, ...wrong }))).toMatch(/^401/);
  expect(await refused('/secure/ws')).toBe('401 Bearer realm="framegate"');
});

test('Tyk: the key in a header, the query or a cookie, below a path that is stripped', async () => {
  const { open, refused } = await start('tyk');
  const page = { Origin: 'https://app.example.com' };
  const ways: readonly (readonly [string, Fields])[] = [
    ['/ws/room?a=1', { Authorization: EXAMPLE_KEY }],
    ['/ws/room?a=1', { Authorization: `Bearer ${EXAMPLE_KEY}` }],
    [`/ws/room?authorization=${EXAMPLE_KEY}&a=1`, {}],
    ['/ws/room?a=1', { Cookie: `authorization=${EXAMPLE_KEY}; theme=dark`, ...page }],
  ];
  for (const [path, headers] of ways) {
    const { request, target } = await open(path, headers);
    expect(target).toBe('/room?a=1');
    expect(request.raw).not.toContain(EXAMPLE_KEY);
  }
  const [, , [query = ''] = [], [, cookie = {}] = []] = ways;
  expect(await refused(query, cookie)).toBe('400');
  expect(await refused('/ws/room', { ...cookie, Origin: 'https://evil.example' })).toBe('403');
  expect(await refused('/ws/room', { Authorization: 'other' })).toBe('401 Bearer realm="framegate"');
});

test('Zowe: the gateway asks for a name and a password, and the service learns the name', async () => {
  const { open, refused } = await start('zowe');
  const basic = (pair: string): Fields => ({ Authorization: `Basic ${Buffer.from(pair).toString('base64')}` });
  const path = '/ws/v1/discoverableclient/uppercase';
  const { request, target } = await open(path, { ...basic(`ada:${EXAMPLE_PASSWORD}`), 'X-User': 'root' });
  expect(target).toBe('/discoverableclient/ws/uppercase');
  expect([request.field('authorization'), request.all('x-user')]).toEqual([undefined, ['ada']]);
  expect(await refused(path)).toBe('401 Basic realm="zowe", charset="UTF-8"');
  expect(await refused(path, basic('ada:other'))).toMatch(/^401 Basic/);
  const page = { ...basic(`ada:${EXAMPLE_PASSWORD}`), Origin: 'https://evil.example' };
  expect(await refused(path, page)).toBe('403');
});
