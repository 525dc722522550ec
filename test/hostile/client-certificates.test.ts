// Client certificates at a TLS listener, whole handshakes and resumed ones: who has none, a bad one, or had a good one.

import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { type Authority, daysFromNow, type Identity, makeAuthority } from '../support/certs.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { comeBack, sessionOf, visit } from '../support/tls-clients.ts';
import { folder } from './command.ts';

type TlsInput = NonNullable<NonNullable<ConfigInput['listeners']>[number]['tls']>;

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NEXT_HOUR = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;

let servers: Authority;
let clients: Authority;
let others: Authority;
let server: Identity;
let good: Identity;
let foreign: Identity;

beforeAll(async () => {
  servers = await makeAuthority('Servers');
  clients = await makeAuthority('Clients');
  others = await makeAuthority('Others');
  [server, good, foreign] = await Promise.all([
    servers.issue({ dns: ['a.test'] }),
    clients.issue({ client: true }),
    others.issue({ client: true }),
  ]);
});

function configOf(...tls: Partial<TlsInput>[]): ConfigInput {
  return oneRoute(
    'builtin:echo',
    {},
    {
      listeners: tls.map((one, index) => ({
        name: index === 0 ? 'test' : `test${index}`,
        address: '127.0.0.1:0',
        tls: { certificates: [server], ...one },
      })),
    },
  );
}

const asked = (client_auth: 'request' | 'require', more: Partial<TlsInput> = {}): Partial<TlsInput> => ({
  client_auth,
  client_ca: clients.ca,
  ...more,
});

async function start(...tls: Partial<TlsInput>[]): Promise<RunningProxy & { readonly ports: number[] }> {
  const running = await startProxy(configOf(...tls), { wallNow: () => NEXT_HOUR + wall.offset });
  const ports = tls.map((_, index) => {
    const address = running.proxy.address(index === 0 ? 'test' : `test${index}`);
    return typeof address === 'string' ? 0 : address.port;
  });
  return { ...running, ports };
}

/** What the proxy of a test takes the time to be, from `NEXT_HOUR` on. OpenSSL goes by the real one. */
const wall = { offset: 0 };

const inMinutes = (minutes: number) => new Date(NEXT_HOUR + minutes * MINUTE_MS);

async function reload({ proxy }: RunningProxy, tls: Partial<TlsInput>): Promise<void> {
  expect(await proxy.reload(configOf(tls))).toMatchObject({ ok: true });
}

const as = (identity: Identity, version: (typeof VERSIONS)[number] = 'TLSv1.3'): ConnectionOptions => ({
  ...identity,
  maxVersion: version,
});

/** A key of one's own, in a file. */
function ticketFile(): { file: string } {
  const file = path.join(folder(), 'ticket.key');
  writeFileSync(file, `${'0123456789abcdef'.repeat(6)}\n`);
  return { file };
}

describe.each(VERSIONS)('%s', (version) => {
  beforeEach(() => {
    wall.offset = 0;
  });

  test('D40: require: without a certificate, with one of nobody, with one that is over', async () => {
    const { ports, logsOf } = await start(asked('require'));
    const [port = 0] = ports;
    const expired = await clients.issue({ client: true, notBefore: daysFromNow(-2), notAfter: daysFromNow(-1) });
    const early = await clients.issue({ client: true, notBefore: daysFromNow(1), notAfter: daysFromNow(2) });
    const forServers = await clients.issue({ dns: ['a.test'] });
    expect(await visit(port, as(good, version))).toMatchObject({ isIn: true, end: '' });
    const none = await visit(port, { maxVersion: version });
    expect(none).toMatchObject({ isIn: false });
    // OpenSSL has TLSv1.3 say so, and 1.2 a handshake failure.
    expect(none.end).toMatch(version === 'TLSv1.3' ? /CERTIFICATE_REQUIRED/ : /HANDSHAKE_FAILURE/);
    for (const bad of [foreign, expired, early, forServers]) {
      expect(await visit(port, as(bad, version))).toMatchObject({ isIn: false });
    }
    expect(logsOf('handshake.refused')).toEqual([]);
  });

  test('D40: request: without a certificate one is in, with a bad one not', async () => {
    const { ports } = await start(asked('request'));
    const [port = 0] = ports;
    expect(await visit(port, { maxVersion: version })).toMatchObject({ isIn: true });
    expect(await visit(port, as(good, version))).toMatchObject({ isIn: true });
    expect(await visit(port, as(foreign, version))).toMatchObject({ isIn: false });
  });

  test('D40: what a bad one was given to resume is as bad', async () => {
    const { ports } = await start(asked('request'));
    const [port = 0] = ports;
    const { session } = await visit(port, as(foreign, version));
    if (session === null) return;
    expect(await comeBack(port, session, as(foreign, version))).toBe('out');
    expect(await comeBack(port, session, { maxVersion: version })).toBe('out');
  });

  test('D40: a list names one: it is out, the others are in; so is whoever no list speaks of', async () => {
    const revoked = await clients.issue({ client: true });
    const { ports } = await start(asked('require', { client_crl: await clients.crl([revoked]) }));
    const [port = 0] = ports;
    expect(await visit(port, as(good, version))).toMatchObject({ isIn: true });
    expect(await visit(port, as(revoked, version))).toMatchObject({ isIn: false });
  });

  test('D40: through an authority between, which the client brings along', async () => {
    const between = await clients.below('Between');
    const below = await between.issue({ client: true });
    const [leaf = ''] = below.cert.split(/(?<=-----END CERTIFICATE-----\n)/);
    const { ports } = await start(asked('require'));
    const [port = 0] = ports;
    expect(await visit(port, as(below, version))).toMatchObject({ isIn: true });
    expect(await visit(port, as({ ...below, cert: leaf }, version))).toMatchObject({ isIn: false });
  });

  test.each([
    ['none', 'require', 'the same key'],
    ['none', 'request', 'the same key'],
    ['request', 'require', 'the same key'],
    ['none', 'require', 'a key of the process'],
    ['request', 'require', 'a key of the process'],
  ] as const)('D41: a session of a listener with %s buys nothing where it is %s, with %s', async (from, to, which) => {
    const tickets = which === 'the same key' ? ticketFile() : 'on';
    const { ports } = await start({ ...(from === 'none' ? {} : asked(from)), tickets }, asked(to, { tickets }));
    const [open = 0, closed = 0] = ports;
    const session = await sessionOf(open, { maxVersion: version });
    expect(await comeBack(open, session, { maxVersion: version })).toBe('resumed');
    expect(await comeBack(closed, session, { maxVersion: version })).toBe(to === 'require' ? 'out' : 'full');
    expect(await comeBack(closed, session, as(good, version))).toBe('full');
    expect(await comeBack(closed, session, as(foreign, version))).toBe('out');
  });

  test('D42: once its authority has left, a session is worth nothing', async () => {
    const running = await start(asked('require'));
    const session = await sessionOf(running.port, as(good, version));
    expect(await comeBack(running.port, session, as(good, version))).toBe('resumed');
    await reload(running, asked('require', { client_ca: others.ca }));
    expect(await comeBack(running.port, session, as(good, version))).toBe('out');
    expect(await comeBack(running.port, session, as(foreign, version))).toBe('full');
  });

  test('D42: once a list names its certificate, a session is worth nothing', async () => {
    const running = await start(asked('require', { client_crl: await clients.crl() }));
    const session = await sessionOf(running.port, as(good, version));
    await reload(running, asked('require', { client_crl: await clients.crl([good]) }));
    expect(await comeBack(running.port, session, as(good, version))).toBe('out');
  });

  test('D42: a reload that changes nothing of this keeps them', async () => {
    const running = await start(asked('require'));
    const session = await sessionOf(running.port, as(good, version));
    const renewed = await servers.issue({ dns: ['a.test'] });
    await reload(running, asked('require', { certificates: [renewed] }));
    expect(await comeBack(running.port, session, as(good, version))).toBe('resumed');
  });

  test('D41: nor at another proxy with the same key, where an equal listener takes it', async () => {
    const tickets = ticketFile();
    const open = await start({ tickets });
    const session = await sessionOf(open.port, { maxVersion: version });
    const { ports } = await start({ tickets }, asked('require', { tickets }));
    expect(await comeBack(ports[0] ?? 0, session, { maxVersion: version })).toBe('resumed');
    expect(await comeBack(ports[1] ?? 0, session, { maxVersion: version })).toBe('out');
  });

  test('D43: when its certificate ends, a session does', async () => {
    const brief = await clients.issue({ client: true, notAfter: inMinutes(10) });
    const { port } = await start(asked('require'));
    const session = await sessionOf(port, as(brief, version));
    wall.offset = 9 * MINUTE_MS;
    expect(await comeBack(port, session, as(brief, version))).toBe('resumed');
    wall.offset = 10 * MINUTE_MS;
    expect(await comeBack(port, session, as(brief, version))).toBe('out');
  });

  test('D43: when a list is to be replaced, sessions are judged by it once more', async () => {
    const client_crl = await clients.crl([], { notAfter: inMinutes(10) });
    const { port } = await start(asked('require', { client_crl }));
    const session = await sessionOf(port, as(good, version));
    wall.offset = 9 * MINUTE_MS;
    expect(await comeBack(port, session, as(good, version))).toBe('resumed');
    wall.offset = 10 * MINUTE_MS;
    expect(await comeBack(port, session, as(good, version))).toBe('full');
  });

  test('D43: when an authority ends, sessions are judged by it once more', async () => {
    const ending = await makeAuthority('Ending', { notAfter: inMinutes(10) });
    const long = await ending.issue({ client: true, notAfter: daysFromNow(10) });
    const { port } = await start(asked('require', { client_ca: ending.ca + clients.ca }));
    const session = await sessionOf(port, as(long, version));
    wall.offset = 9 * MINUTE_MS;
    expect(await comeBack(port, session, as(long, version))).toBe('resumed');
    wall.offset = 10 * MINUTE_MS;
    expect(await comeBack(port, session, as(long, version))).toBe('full');
  });

  test('D43: an authority between, which only a whole handshake shows, is looked at each hour', async () => {
    const between = await clients.below('Between');
    const below = await between.issue({ client: true, notAfter: daysFromNow(10) });
    const tickets = ticketFile();
    const { ports } = await start(asked('require', { tickets }), { tickets });
    const [port = 0, open = 0] = ports;
    const first = await visit(port, as(below, version));
    wall.offset = 30 * MINUTE_MS;
    const second = await visit(port, { ...as(below, version), session: first.session ?? Buffer.alloc(0) });
    expect(second.isResumed).toBe(true);
    const anyone = await sessionOf(open, { maxVersion: version });
    wall.offset = HOUR_MS - 1;
    const newest = second.session ?? first.session ?? Buffer.alloc(0);
    expect(await comeBack(port, newest, as(below, version))).toBe('resumed');
    wall.offset = HOUR_MS;
    expect(await comeBack(port, newest, as(below, version))).toBe('full');
    expect(await comeBack(open, anyone, { maxVersion: version })).toBe('resumed');
  });

  test('D44: what a listener resumes is encrypted with what it takes', async () => {
    const tickets = ticketFile();
    const { ports } = await start(
      { tickets, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256' },
      { tickets, ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305:TLS_CHACHA20_POLY1305_SHA256' },
    );
    const session = await sessionOf(ports[0] ?? 0, { maxVersion: version });
    expect(await comeBack(ports[0] ?? 0, session, { maxVersion: version })).toBe('resumed');
    expect(await comeBack(ports[1] ?? 0, session, { maxVersion: version })).toBe('full');
  });

  test('D44: none is resumed with tickets: off, and none of a version that is too old', async () => {
    const tickets = ticketFile();
    const { ports } = await start({ tickets }, { tickets: 'off' }, { tickets, min_version: 'TLSv1.3' });
    const session = await sessionOf(ports[0] ?? 0, { maxVersion: version });
    const { session: none } = await visit(ports[1] ?? 0, { maxVersion: version });
    expect(await comeBack(ports[1] ?? 0, none ?? session, { maxVersion: version })).toBe('full');
    const atNew = await comeBack(ports[2] ?? 0, session, { maxVersion: version });
    expect(atNew).toBe(version === 'TLSv1.3' ? 'resumed' : 'out');
  });
});
