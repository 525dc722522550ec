// TLS handshakes that are never finished, come in odd pieces, or go wrong; and sessions whose TLS breaks.

import { beforeAll, describe, expect, test } from 'vitest';
import { buildAlert } from '../../src/protocol/tls/alerts.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdmin } from '../e2e/operating.ts';
import { type Identity, makeAuthority } from '../support/certs.ts';
import { clientHello } from '../support/client-hello.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { restFaults } from '../support/invariants.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { Shim } from '../support/shim.ts';
import { visit } from '../support/tls-clients.ts';
import { realHello, recordsOfOneByte, relayTls } from '../support/tls-relay.ts';
import { closeOf, Opcode } from '../support/wire.ts';
import { workerCount } from '../support/worker-fleet.ts';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
const HANDSHAKE_MS = 10_000;
const anyone = { rejectUnauthorized: false, servername: 'a.test' };

let server: Identity;
let other: Identity;
let hello: Buffer;
beforeAll(async () => {
  const authority = await makeAuthority();
  server = await authority.issue({ dns: ['a.test'] });
  other = await authority.issue({ dns: ['b.test'] });
  hello = await realHello();
});

interface Door extends RunningProxy {
  readonly clock: FakeClock;
}

/** Room for one client. */
async function start(upstream = 'builtin:echo', config: Partial<ConfigInput> = {}): Promise<Door> {
  const clock = new FakeClock();
  const running = await startProxy(
    oneRoute(
      upstream,
      {},
      {
        listeners: [{ name: 'test', address: '127.0.0.1:0', tls: { certificates: [server, other] } }],
        admin: { address: '127.0.0.1:0' },
        log: { level: 'debug' },
        // Of one that is gone a primary hears in the next turn.
        limits: { max_sessions: workerCount, max_sessions_per_ip: workerCount },
        timeouts: { handshake: '10s' },
        ...config,
      },
    ),
    { clock },
  );
  return { ...running, clock };
}

async function metricsOf(running: Door) {
  return (await askAdmin(running, 'GET /metrics')).body;
}

async function handshakes(running: Door): Promise<Record<string, number>> {
  const samples = parseMetrics(await metricsOf(running)).get('framegate_tls_handshakes_total')?.samples ?? [];
  const counted = samples.filter(({ value }) => value > 0);
  return Object.fromEntries(counted.map(({ labels, value }) => [labels.get('result') ?? '', value]));
}

/** Nothing of the others is left: the one place is free. */
async function expectRoom(running: Door): Promise<void> {
  await expect
    .poll(async () => {
      const text = await metricsOf(running);
      return [restFaults(text), parseMetrics(text).get('framegate_tls_handshakes_open')?.samples[0]?.value];
    })
    .toEqual([[], 0]);
  expect(await visit(running.port)).toMatchObject({ isIn: true });
}

describe('D2: a handshake that is not finished ends at timeouts.handshake', () => {
  test.each([
    ['its first byte', 1, 'hello'],
    ['the header of its record', 5, 'hello'],
    ['the header of its message', 9, 'hello'],
    ['half of it', 100, 'hello'],
    ['all but one byte', -1, 'hello'],
    ['all of it', Number.MAX_SAFE_INTEGER, 'securing'],
  ])('D2: a ClientHello up to %s, then silence', async (_what, size, cause) => {
    const running = await start();
    const client = await RawClient.connect(running.port);
    client.send(hello.subarray(0, size));
    if (cause === 'securing') await client.receivedBytes(500);
    else await client.flushed();
    running.clock.advance(HANDSHAKE_MS - 1);
    await metricsOf(running);
    expect(client.isClosed).toBe(false);
    running.clock.advance(200);
    await client.closed;
    expect(await running.waitForLog('tls.failed')).toMatchObject({ level: 'debug', result: 'timeout', cause });
    expect(running.logsOf('tls.failed')).toHaveLength(1);
    expect(await handshakes(running)).toEqual({ timeout: 1 });
    await expectRoom(running);
  });

  test('D2: silence from the first byte on', async () => {
    const running = await start();
    const client = await RawClient.connect(running.port);
    running.clock.advance(HANDSHAKE_MS + 200);
    await client.closed;
    expect(await handshakes(running)).toEqual({});
    await expectRoom(running);
  });

  test('D2: bytes that come one by one put nothing off', async () => {
    const running = await start();
    const client = await RawClient.connect(running.port);
    for (let at = 0; at < 20; at += 1) {
      client.send(hello.subarray(at, at + 1));
      await client.flushed();
      running.clock.advance(HANDSHAKE_MS / 20 + 10);
    }
    await client.closed;
    expect(await running.waitForLog('tls.failed')).toMatchObject({ result: 'timeout' });
    await expectRoom(running);
  });

  test.each(VERSIONS)('D2: %s, cut before each record of the answer', async (maxVersion) => {
    for (const downMax of [0, 5, 200, 400]) {
      const running = await start();
      const relay = await relayTls(running.port, { downMax });
      const client = visit(relay.port, { maxVersion });
      await expect.poll(async () => /tls_handshakes_open 1\n/.test(await metricsOf(running))).toBe(true);
      running.clock.advance(HANDSHAKE_MS + 200);
      expect(await client).toMatchObject({ isIn: false });
      expect(await handshakes(running)).toEqual({ timeout: 1 });
      await expectRoom(running);
      await running.stop();
    }
  });
});

describe('D2: in pieces', () => {
  test.each(VERSIONS)('D2: %s: a ClientHello in records of one byte, and TCP segments of one', async (maxVersion) => {
    const running = await start();
    const relay = await relayTls(running.port, { up: (chunk, isFirst) => (isFirst ? recordsOfOneByte(chunk) : chunk) });
    expect(await visit(relay.port, { maxVersion })).toMatchObject({ isIn: true });
    await expectRoom(running);
    const shim = await Shim.listen(running.port, { up: { slice: 1 }, down: { slice: 1 } });
    expect(await visit(shim.port, { maxVersion })).toMatchObject({ isIn: true });
  });

  test.each(VERSIONS)('D2: %s: a ClientHello cut in two anywhere', async (maxVersion) => {
    const running = await start();
    for (const at of [1, 4, 5, 6, 11, 43, 100, 200]) {
      const shim = await Shim.listen(running.port, { up: { slice: at } });
      expect(await visit(shim.port, { maxVersion })).toMatchObject({ isIn: true });
      await expectRoom(running);
    }
  });
});

describe('D2: what is wrong ends it at once, and the process lives', () => {
  test.each([
    ['plain text behind the ClientHello', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['application data, as early data would be', Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32, 1)])],
    ['an alert', Buffer.from([21, 3, 3, 0, 2, 2, 40])],
    ['a record that is too long', Buffer.from([22, 3, 3, 0xff, 0xff])],
  ])('D2: %s', async (_what, bytes) => {
    const running = await start();
    const client = await RawClient.connect(running.port);
    client.send(Buffer.concat([hello, bytes]));
    await client.closed;
    expect(await running.waitForLog('tls.failed')).toMatchObject({ result: 'other', cause: expect.any(String) });
    await expectRoom(running);
  });

  test.each([
    ['in the middle of the ClientHello', 50],
    ['behind it', Number.MAX_SAFE_INTEGER],
  ])('D2: RST %s', async (_what, size) => {
    const running = await start();
    const client = await RawClient.connect(running.port);
    client.send(hello.subarray(0, size));
    if (size > hello.length) await client.receivedBytes(500);
    else await client.flushed();
    client.reset();
    expect(await running.waitForLog('tls.failed')).toMatchObject({ result: 'other' });
    await expectRoom(running);
  });

  test.each([
    ['in the middle of the ClientHello', 50],
    ['behind it', Number.MAX_SAFE_INTEGER],
  ])('D2: FIN %s', async (_what, size) => {
    const running = await start();
    const client = await RawClient.connect(running.port);
    client.send(hello.subarray(0, size));
    if (size > hello.length) await client.receivedBytes(500);
    else await client.flushed();
    client.end();
    expect(await running.waitForLog('tls.failed')).toMatchObject({ result: 'other', cause: 'ECONNRESET' });
    await client.closed;
    await expectRoom(running);
  });

  test('D3: plain HTTP is told so, in words, and counted', async () => {
    const running = await start();
    for (const text of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'get', 'P', 'z']) {
      const client = await RawClient.connect(running.port);
      client.send(text);
      const { head, body } = await client.readResponse();
      expect([head.status, body.toString()]).toEqual([400, 'this port speaks TLS\n']);
      await client.closed;
    }
    expect(await running.waitForLog('handshake.refused')).toMatchObject({ status: 400, error: 'plain_http' });
    expect(await handshakes(running)).toEqual({ plain_http: 4 });
    await expectRoom(running);
  });

  test.each([0x00, 0x16 - 1, 0x16 + 1, 0x40, 0x5b, 0x60, 0x7b, 0x80, 0xff])('D3: not so byte %i', async (byte) => {
    const running = await start();
    const client = await RawClient.connect(running.port);
    client.send(Buffer.from([byte]));
    expect((await client.readToEnd()).subarray(0, 3)).toEqual(Buffer.from([21, 3, 3]));
    expect(await handshakes(running)).toEqual({ other: 1 });
  });

  test('D4: a name in any case gets its certificate; one of 4 KiB, or that is none, the alert', async () => {
    const running = await start();
    const { name } = await visit(running.port, { servername: 'B.TEST' });
    expect(name).toBe('DNS:b.test');
    for (const name of ['x'.repeat(4096), 'a\0.test', '\xe9.test', ' a.test']) {
      const client = await RawClient.connect(running.port);
      client.send(clientHello({ name: Buffer.from(name, 'latin1') }));
      expect(await client.readToEnd()).toEqual(buildAlert('unrecognized_name'));
      await client.closed;
    }
    expect((await handshakes(running)).unknown_name).toBe(4);
    await expectRoom(running);
  });

  test('D2: renegotiation is refused', async () => {
    const running = await start();
    const client = await RawClient.connect(running.port, { tls: { ...anyone, maxVersion: 'TLSv1.2' } });
    expect((await client.upgrade()).status).toBe(101);
    const socket = client.socket as import('node:tls').TLSSocket; // it was asked for
    const error = await new Promise<Error | null>((resolve) => {
      socket.once('error', resolve);
      socket.renegotiate({}, resolve);
    });
    expect(error).toBeInstanceOf(Error);
    await client.closed;
    await expectRoom(running);
  });
});

describe('D2: a session whose TLS breaks', () => {
  const session = async (maxVersion: (typeof VERSIONS)[number], swallowsFin = false) => {
    const backend = await RawBackend.listen();
    const running = await start(backend.url);
    const relay = await relayTls(running.port, { swallowsFin });
    const client = await RawClient.connect(relay.port, { tls: { ...anyone, maxVersion } });
    const answer = client.upgrade();
    const connection = await backend.nextSession();
    await answer;
    client.sendFrame({ opcode: Opcode.Text, payload: 'before' });
    expect((await connection.nextFrame()).payload.toString()).toBe('before');
    return { running, relay, client, connection };
  };

  test.each(
    VERSIONS.flatMap((version) => [
      [version, 'plain text', Buffer.from('GET / HTTP/1.1\r\n\r\n')] as const,
      [version, 'a corrupt record', Buffer.concat([Buffer.from([23, 3, 3, 0, 40]), Buffer.alloc(40, 1)])] as const,
      [version, 'an alert in the clear', Buffer.from([21, 3, 3, 0, 2, 2, 40])] as const,
    ]),
  )('D2: %s: %s: ends at once, the backend is told', async (version, _what, bytes) => {
    const { running, relay, client, connection } = await session(version);
    relay.inject(bytes);
    expect(closeOf(await connection.nextFrame())).toMatchObject({ code: 1001 });
    connection.destroy();
    await client.closed;
    expect(await running.waitForLog('session.end')).toMatchObject({ reason: 'client_lost' });
  });

  test.each(VERSIONS)('D2: %s: close_notify, then data', async (version) => {
    const { running, relay, client, connection } = await session(version, true);
    client.end();
    expect(closeOf(await connection.nextFrame())).toMatchObject({ code: 1001 });
    relay.inject(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    connection.destroy();
    expect(await running.waitForLog('session.end')).toMatchObject({ by: 'client' });
  });

  test.each(VERSIONS)('D2: %s: RST', async (version) => {
    const { running, relay, connection } = await session(version);
    relay.reset();
    expect(closeOf(await connection.nextFrame())).toMatchObject({ code: 1001 });
    connection.destroy();
    expect(await running.waitForLog('session.end')).toMatchObject({ reason: 'client_lost' });
  });
});
