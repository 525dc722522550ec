// TLS at the door on real sockets: who gets in, with which certificate, and what those get who do not.

import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildAlert } from '../../src/protocol/tls/alerts.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { type Authority, type Identity, makeAuthority } from '../support/certs.ts';
import { atTestEnd } from '../support/cleanup.ts';
import { clientHello } from '../support/client-hello.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';

type TlsInput = NonNullable<NonNullable<ConfigInput['listeners']>[number]['tls']>;

let authority: Authority;
let a: Identity;
let wild: Identity;
beforeAll(async () => {
  authority = await makeAuthority();
  a = await authority.issue({ dns: ['a.test'] });
  wild = await authority.issue({ dns: ['*.wild.test'] });
});

const listener = (tls: Partial<TlsInput> = {}) => ({
  listeners: [{ name: 'test', address: '127.0.0.1:0', tls: { certificates: [a, wild], ...tls } }],
});

const start = (tls: Partial<TlsInput> = {}, upstream = 'builtin:echo'): Promise<RunningProxy> =>
  startProxy(oneRoute(upstream, {}, listener(tls)));

const trusting = (options: ConnectionOptions = {}) => ({
  tls: { ca: authority.ca, servername: 'a.test', ...options },
});

/** A handshake as Node makes one; the socket is destroyed when the test ends. */
async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: authority.ca, rejectUnauthorized: false, ...options });
  atTestEnd(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => String(Reflect.get(error as object, 'code')),
  );

async function nameFor(port: number, servername: string | undefined): Promise<string | undefined> {
  const socket = await handshake(port, servername === undefined ? {} : { servername });
  return socket.getPeerX509Certificate()?.subjectAltName;
}

describe('a session over TLS', () => {
  test('is one as over TCP: frames both ways, and a Close', async () => {
    const backend = await RawBackend.listen();
    const { port } = await start({}, backend.url);
    const client = await RawClient.connect(port, trusting());
    const answer = client.upgrade();
    const session = await backend.nextSession();
    expect((await answer).status).toBe(101);
    const payload = Buffer.alloc(100_000, 'x');
    client.sendFrame({ opcode: 2, payload });
    expect((await session.nextFrame()).payload.equals(payload)).toBe(true);
    session.sendFrame({ opcode: 1, payload: Buffer.from('back') });
    expect((await client.nextFrame()).payload.toString()).toBe('back');
  });

  test('the backend is told that it was https', async () => {
    const backend = await RawBackend.listen();
    const { port } = await start({}, backend.url);
    const client = await RawClient.connect(port, trusting());
    const answer = client.upgrade();
    const session = await backend.nextSession();
    expect(await session.head()).toContain('X-Forwarded-Proto: https');
    await answer;
  });

  test('the head may stand in one write with the end of the handshake, and frames behind it', async () => {
    const { port } = await start();
    for (let round = 0; round < 3; round += 1) {
      const client = await RawClient.connect(port, trusting());
      expect((await client.upgrade()).status).toBe(101);
      client.sendFrame({ opcode: 1, payload: Buffer.from('x') });
      expect((await client.nextFrame()).payload.toString()).toBe('x');
    }
  });
});

describe('D4: which certificate answers', () => {
  test.each([
    ['a.test', 'DNS:a.test'],
    ['A.TEST', 'DNS:a.test'],
    ['x.wild.test', 'DNS:*.wild.test'],
    ['x.y.wild.test', 'DNS:a.test'],
    ['wild.test', 'DNS:a.test'],
    ['other.test', 'DNS:a.test'],
    [undefined, 'DNS:a.test'],
  ])('%s: %s', async (name, expected) => {
    const { port } = await start();
    expect(await nameFor(port, name)).toBe(expected);
  });

  test('refuse: a name that none has gets the alert, no name gets the first', async () => {
    const running = await start({ unknown_name: 'refuse' });
    expect(await codeOf(handshake(running.port, { servername: 'other.test' }))).toMatch(/UNRECOGNIZED_NAME/);
    expect(await nameFor(running.port, undefined)).toBe('DNS:a.test');
    const raw = await RawClient.connect(running.port);
    raw.send(clientHello({ name: 'other.test' }));
    expect(await raw.readToEnd()).toEqual(buildAlert('unrecognized_name'));
  });
});

describe('who does not get in', () => {
  test('D3: plain HTTP is told so', async () => {
    const { port } = await start();
    const client = await RawClient.connect(port);
    const head = await client.upgrade();
    expect(head.status).toBe(400);
    expect((await client.readToEnd()).toString()).toBe('this port speaks TLS\n');
  });

  test('who offers h2 alone is told that there is no such protocol', async () => {
    const { port } = await start();
    expect(await codeOf(handshake(port, { ALPNProtocols: ['h2'] }))).toMatch(/NO_APPLICATION_PROTOCOL/);
    expect((await handshake(port, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe('http/1.1');
    expect((await handshake(port)).alpnProtocol).toBe(false);
  });

  test('TLS 1.1 is refused, and 1.2 where 1.3 is the least', async () => {
    const { port } = await start({ min_version: 'TLSv1.3' });
    expect(await codeOf(handshake(port, { maxVersion: 'TLSv1.2' }))).toMatch(/PROTOCOL_VERSION/);
    expect((await handshake(port)).getProtocol()).toBe('TLSv1.3');
  });
});
