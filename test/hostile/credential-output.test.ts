// Credentials of every kind, good and bad, in all places: what of them any output of framegate holds.

import { createHash, createHmac, scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { loadObject } from '../../src/config/load.ts';
import { renderConfig } from '../../src/config/render.ts';
import { CHECKS } from '../../src/edge/checks/all.ts';
import { passwordHashText } from '../../src/protocol/password-hash.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdmin } from '../e2e/operating.ts';
import { Rig } from '../edge/rig.ts';
import { AuthServer } from '../support/auth-server.ts';
import { startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { hs256, inSeconds, SECRET_TEXT, tokenOf } from '../support/tokens.ts';
import { upgradeRequest } from '../support/wire.ts';

const GOOD = 'canary-good-7f3a';
const BAD = 'canary-bad-91bc';
const CLIENT_SECRET = 'canary-client-secret';
const SIGNING = 'canary-signing-secret';
const PASSWORD = 'canary-password';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const jwt = (sub: string, secret: string) =>
  tokenOf({ header: { alg: 'HS256' }, payload: { sub, exp: inSeconds(600) }, sign: (input) => hs256(input, secret) });
const [goodJwt, badJwt] = [jwt('ada', SECRET_TEXT), jwt('eve', 'another secret of thirty-two bytes')];

function hashOf(password: string): string {
  const salt = Buffer.alloc(8, 7);
  return passwordHashText({ ln: 10, r: 8, p: 1, salt, hash: scryptSync(password, salt, 32, { N: 1024 }) });
}

const date = new Date().toUTCString();

function signature(secret: string): string {
  const text = `(request-target): get /hmac\nhost: framegate.test\ndate: ${date}`;
  const made = createHmac('sha256', secret).update(text).digest('base64');
  return `Signature keyId="device",algorithm="hmac-sha256",headers="(request-target) host date",signature="${made}"`;
}

/** Whatever tells enough of one to be used. */
const SECRETS = [
  /canary/i,
  ...[goodJwt, badJwt].flatMap((token) => token.split('.').slice(1)),
  ...[`ada:${PASSWORD}`, `ada:${BAD}`].map((text) => base64(text).replace(/=+$/, '')),
  ...[SIGNING, BAD].map((secret) => /signature="(.*)"$/.exec(signature(secret))?.[1] ?? 'none'),
  SECRET_TEXT,
];

interface Visit {
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
}

const offers = (...entries: string[]) => [['Sec-WebSocket-Protocol', entries.join(', ')]] as const;
const VISITS: readonly Visit[] = [GOOD, BAD].flatMap((key) => [
  { path: '/keys', headers: [['X-API-Key', key]] },
  { path: `/keys?key=${key}`, headers: [] },
  { path: '/keys', headers: [['Cookie', `a=b; sid=${key}`]] },
  { path: '/keys', headers: offers('bearer', key) },
  { path: '/keys', headers: offers(`key.${key}`, 'chat') },
  { path: '/keys', headers: offers(`key.${key}`) },
  { path: `/keys?key=${key}`, headers: [['X-API-Key', key]] },
  { path: '/jwt', headers: [['Authorization', `Bearer ${key === GOOD ? goodJwt : badJwt}`]] },
  { path: '/basic', headers: [['Authorization', `Basic ${base64(`ada:${key === GOOD ? PASSWORD : BAD}`)}`]] },
  { path: '/opaque', headers: [['Authorization', `Bearer ${key}`]] },
  { path: '/ask', headers: [['X-Pass', key]] },
  {
    path: '/hmac',
    headers: [['Date', date] as const, ['Authorization', signature(key === GOOD ? SIGNING : BAD)] as const],
  },
]);

/** Each route told by HTTP and by a Close, and before a backend that tells all that it got. */
function configOf(reflector: string, service: string): ConfigInput {
  const keys = [{ name: 'acme', sha256: createHash('sha256').update(GOOD).digest('hex') }];
  const from = ['header:X-API-Key', 'query:key', 'cookie:sid', 'subprotocol:bearer', 'subprotocol_prefix:key.'];
  const kinds = ['keys', 'jwt', 'basic', 'opaque', 'ask', 'hmac'];
  return {
    listeners: [{ name: 'test', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0' },
    log: { level: 'trace', query: 'names', session_open: 'info' },
    limits: { auth_failures_per_minute_per_ip: 'off' },
    defaults: { origins: 'any', missing_origin: 'allow' },
    auth: {
      keys: { api_key: { from, keys } },
      jwt: { jwt: { secret: SECRET_TEXT, algorithms: ['HS256'] } },
      basic: { basic: { users: [{ name: 'ada', password: hashOf(PASSWORD) }] } },
      opaque: { introspection: { url: service, client_id: 'framegate', client_secret: CLIENT_SECRET } },
      ask: { forward: { url: service, send: ['x-pass'] } },
      hmac: { hmac: { keys: [{ name: 'device', secret: SIGNING }] } },
    },
    routes: kinds.flatMap((kind) =>
      (
        [
          ['framegate.test', 'builtin:echo', 'http'],
          ['close.test', 'builtin:echo', 'close'],
          ['reflector.test', reflector, 'http'],
        ] as const
      ).map(([host, upstream, refuse_with]) => ({
        name: `${host}/${kind}`,
        match: { hosts: [host], path: `/${kind}` },
        auth: [kind],
        upstream,
        refuse_with,
      })),
    ),
  };
}

function expectClean(outputs: Readonly<Record<string, string>>): void {
  for (const [where, said] of Object.entries(outputs)) {
    expect(said.length, where).toBeGreaterThan(0);
    for (const secret of SECRETS) {
      const found = typeof secret === 'string' ? said.includes(secret) : secret.test(said);
      expect(found, `${where}: ${secret}`).toBe(false);
    }
  }
}

test('L2: none of a credential is in an answer, the log, a metric, an admin view or the shown config', async () => {
  const service = await AuthServer.listen(({ headers, body }) => {
    const isGood = body.includes(GOOD) || headers['x-pass'] === GOOD;
    if (headers['x-pass'] !== undefined) return { status: isGood ? 200 : 403, body: BAD };
    return { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ active: isGood, sub: 'ada' }) };
  });
  const reflector = await AuthServer.listen(({ raw, url }) => ({ status: 403, body: `${url} ${raw.join()}` }));
  const config = configOf(`http://127.0.0.1:${reflector.port}`, service.url);
  const running = await startProxy(config);
  const clients: RawClient[] = [];
  for (const host of ['framegate.test', 'close.test', 'reflector.test']) {
    for (const { path, headers } of VISITS) {
      const client = await RawClient.connect(running.port);
      client.send(upgradeRequest({ path, host, headers }));
      await client.readHead();
      clients.push(client);
    }
  }
  // What is signed names its host: of three one is right.
  const { length } = VISITS;
  const isOpen = (client: RawClient) => client.received.includes(' 101 ');
  expect(clients.slice(0, length).filter(isOpen)).toHaveLength(10);
  expect(clients.slice(length, 2 * length).filter(isOpen)).toHaveLength(length);
  expect(reflector.asked).toHaveLength(9);
  const admin: string[] = [];
  const views = ['status', 'config', 'upstreams', 'advice', 'sessions'].map((name) => `/api/v1/${name}`);
  for (const view of [...views, '/metrics']) admin.push((await askAdmin(running, `GET ${view}`)).body);
  const answers = clients.map((client) => client.received.toString('latin1')).join('');
  for (const client of clients) client.destroy();
  await running.stop();
  const shown = renderConfig(loadObject(config, { baseDir: '.' }).config);
  expectClean({ answers, log: JSON.stringify(running.logs), admin: admin.join('\n'), shown });
  expect(admin.join()).toContain('ada');
});

test('L2: nor is it in the line of a fault in a check', async () => {
  const keys = [{ name: 'acme', sha256: createHash('sha256').update(GOOD).digest('hex') }];
  const rig = new Rig(
    {
      auth: { keys: { api_key: { from: ['header:X-API-Key', 'query:key'], keys } } },
      routes: [{ name: 'echo', match: { path: '/echo' }, upstream: 'builtin:echo', auth: ['keys'] }],
    },
    100,
    [
      ...CHECKS,
      (asked) => {
        throw new Error(`a fault of ours at ${asked.chosen?.path} with ${JSON.stringify(asked.request.head.fields)}`);
      },
    ],
  );
  for (const headers of [{ 'X-API-Key': GOOD }, {}]) {
    const path = 'X-API-Key' in headers ? '/echo' : `/echo?key=${GOOD}`;
    const client = rig.connect(upgradeRequest({ path, headers }));
    expect(await rig.answer(client)).toContain('500');
    expect(client.received.toString('latin1')).not.toContain('canary');
  }
  expect(JSON.stringify(rig.tap.lines)).toContain('a fault of ours');
  expect(JSON.stringify(rig.tap.lines)).not.toContain('canary');
});
