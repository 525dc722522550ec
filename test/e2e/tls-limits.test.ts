// Limits at a TLS listener: who waits for a turn, who is told behind TLS that there is no room, and reloads meanwhile.

import { beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { type Identity, makeAuthority } from '../support/certs.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { anyPort, oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { RawClient } from '../support/raw-client.ts';
import { visit } from '../support/tls-clients.ts';
import { realHello } from '../support/tls-relay.ts';
import { hasWorkers, workerCount } from '../support/worker-fleet.ts';
import { askAdmin } from './operating.ts';

const anyone = { tls: { rejectUnauthorized: false, servername: 'a.test' } };

let server: Identity;
let hello: Buffer;
beforeAll(async () => {
  server = await (await makeAuthority()).issue({ dns: ['a.test'] });
  hello = await realHello();
});

interface Door extends RunningProxy {
  readonly clock: FakeClock;
}

const configOf = (config: Partial<ConfigInput> = {}): ConfigInput =>
  oneRoute(
    'builtin:echo',
    {},
    {
      listeners: [{ name: 'test', address: '127.0.0.1:0', health_path: '/up', tls: { certificates: [server] } }],
      admin: { address: '127.0.0.1:0' },
      log: { level: 'debug' },
      ...config,
    },
  );

async function start(config: Partial<ConfigInput> = {}): Promise<Door> {
  const clock = new FakeClock();
  return { ...(await startProxy(configOf(config), { clock })), clock };
}

const openHandshakes = async (running: Door) =>
  Number(/tls_handshakes_open (\d+)/.exec((await askAdmin(running, 'GET /metrics')).body)?.[1]);

/** One that holds a place: its ClientHello is answered, and it says no more. */
async function half(running: Door): Promise<RawClient> {
  const client = await RawClient.connect(running.port);
  client.send(hello);
  await client.receivedBytes(500);
  return client;
}

describe('max_tls_handshakes', () => {
  test('who is above it waits, unread, and goes on when one ends', async () => {
    const running = await start({ limits: { max_tls_handshakes: 1 } });
    const first = await half(running);
    const second = visit(running.port);
    const third = visit(running.port);
    await expect.poll(async () => (await askAdmin(running, 'GET /metrics')).body).toMatch(/connections_open\S* 3\n/);
    expect(await openHandshakes(running)).toBe(1);
    first.destroy();
    expect(await Promise.all([second, third])).toMatchObject([{ isIn: true }, { isIn: true }]);
    await expect.poll(() => openHandshakes(running)).toBe(0);
  });

  // Each worker lets one begin.
  test.skipIf(hasWorkers)(
    'who waits longer than timeouts.handshake is closed, and it is told where it was',
    async () => {
      const running = await start({ limits: { max_tls_handshakes: 1 } });
      const first = await half(running);
      running.clock.advance(5_000);
      const second = await RawClient.connect(running.port);
      second.send(hello);
      await second.flushed();
      running.clock.advance(5_100);
      await first.closed;
      await second.receivedBytes(500);
      const third = await RawClient.connect(running.port);
      third.send(hello);
      await third.flushed();
      running.clock.advance(4_000);
      await askAdmin(running, 'GET /metrics');
      expect(third.bytesReceived).toBe(0);
      running.clock.advance(1_100);
      await second.closed;
      await third.receivedBytes(500);
      expect(running.logsOf('tls.failed').map(({ cause }) => cause)).toEqual(['securing', 'securing']);
    },
  );

  test('who leaves while it waits holds nothing, once its turn or its time comes', async () => {
    const running = await start({ limits: { max_tls_handshakes: 1, max_sessions: 3 } });
    const first = await half(running);
    const second = await RawClient.connect(running.port);
    second.send(hello);
    await second.flushed();
    await askAdmin(running, 'GET /metrics');
    second.reset();
    first.destroy();
    expect(await visit(running.port)).toMatchObject({ isIn: true });
    await expect.poll(async () => (await askAdmin(running, 'GET /metrics')).body).toMatch(/connections_open\S* 0\n/);
  });

  test('a reload that lets more begin lets those begin who wait', async () => {
    const running = await start({ limits: { max_tls_handshakes: 1 } });
    await half(running);
    const second = visit(running.port);
    await running.proxy.reload(configOf({ limits: { max_tls_handshakes: 2 } }));
    expect(await second).toMatchObject({ isIn: true });
  });
});

describe('a full house', () => {
  test('it is told behind TLS, and health is answered', async () => {
    const running = await start({ limits: { max_sessions: 1 } });
    const first = await RawClient.connect(running.port, anyone);
    expect((await first.upgrade()).status).toBe(101);
    const second = await RawClient.connect(running.port, anyone);
    second.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect((await second.readResponse()).json()).toMatchObject({ status: 503, error: 'too_many_sessions' });
    const probe = await RawClient.connect(running.port, anyone);
    probe.send('GET /up HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect((await probe.readResponse()).status).toBe(200);
  });

  test('one address with too many is told so behind TLS, four at a time; others are cut off before it', async () => {
    const running = await start({ limits: { max_sessions_per_ip: 1 } });
    const first = await RawClient.connect(running.port, anyone);
    expect((await first.upgrade()).status).toBe(101);
    const second = await RawClient.connect(running.port, anyone);
    expect((await second.readResponse()).status).toBe(429);
    const silent = await Promise.all(Array.from({ length: 4 * workerCount }, () => RawClient.connect(running.port)));
    const fifth = await RawClient.connect(running.port);
    await fifth.closed;
    expect([fifth.bytesReceived, silent.some((client) => client.isClosed)]).toEqual([0, false]);
    for (const client of silent) client.destroy();
  });
});

describe('while handshakes are under way', () => {
  test('a drain lets them end, and closes those who have asked for nothing', async () => {
    const running = await start({ drain: { timeout: '60s' } });
    const silent = await RawClient.connect(running.port);
    const secure = await RawClient.connect(running.port, anyone);
    await half(running);
    const drained = running.proxy.drain();
    await silent.closed;
    await secure.closed;
    expect(await openHandshakes(running)).toBe(1);
    running.clock.advance(10_100);
    await drained;
  });

  test('a reload that takes TLS away, or brings it: each client gets what it came for, or is closed', async () => {
    const running = await start();
    const begun = await RawClient.connect(running.port);
    begun.send(hello.subarray(0, 50));
    await begun.flushed();
    const session = await RawClient.connect(running.port, anyone);
    expect((await session.upgrade()).status).toBe(101);
    await askAdmin(running, 'GET /metrics');
    expect(await running.proxy.reload(configOf({ listeners: anyPort }))).toMatchObject({ ok: true });
    begun.send(hello.subarray(50));
    await begun.closed;
    expect(running.logsOf('tls.failed')).toMatchObject([{ result: 'other', cause: 'reload' }]);
    const plain = await RawClient.connect(running.port);
    expect((await plain.upgrade()).status).toBe(101);
    expect(await running.proxy.reload(configOf())).toMatchObject({ ok: true });
    expect(await visit(running.port)).toMatchObject({ isIn: true });
    for (const client of [session, plain]) {
      client.sendFrame({ opcode: 1, payload: 'still here' });
      expect((await client.nextFrame()).payload.toString()).toBe('still here');
    }
  });

  test('a reload renames the listener: who has begun is closed, who comes is in', async () => {
    const running = await start();
    const begun = await half(running);
    const waiting = await RawClient.connect(running.port);
    waiting.send(hello.subarray(0, 50));
    await waiting.flushed();
    await askAdmin(running, 'GET /metrics');
    const address = `127.0.0.1:${running.port}`;
    const listeners = [{ name: 'other', address, tls: { certificates: [server] } }];
    const { ok } = await running.proxy.reload(configOf({ listeners }));
    if (ok) expect(await visit(running.port)).toMatchObject({ isIn: true });
    running.clock.advance(10_100);
    await Promise.all([begun.closed, waiting.closed]);
    expect((await askAdmin(running, 'GET /metrics')).body).toMatch(/tls_handshakes_open 0\n/);
  });
});
