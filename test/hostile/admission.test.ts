import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { askAdmin } from '../e2e/operating.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { exampleKey } from '../support/wire.ts';
import { expectEnd, expectRefusal, requestOf, startGate } from './harness.ts';
import { startPoisoned } from './poisoned.ts';

describe('E50: a fault of our own in a handshake', () => {
  test('E50: the 101 cannot be written: client and backend are left, and every place is free again', async () => {
    const backend = await RawBackend.listen();
    const one = { targets: [{ url: backend.url, max_sessions: 1 }] };
    const edge = await startPoisoned('one', { upstreams: { one }, limits: { max_handshakes: 1 } });
    const client = await RawClient.connect(edge.port);
    client.upgrade().catch(() => {});
    const server = await backend.nextConnection();
    await server.head();
    const [poisoned] = edge.clients;
    if (poisoned !== undefined) poisoned.poison = 1;
    await server.accept();
    await Promise.all([client.closed, server.closed]);
    expect(await edge.waitForLog('handshake.fault')).toMatchObject({ level: 'error' });
    expect([edge.edge.open, edge.edge.metrics.process.handshakesOpen]).toEqual([0, 0]);
    const next = await RawClient.connect(edge.port);
    const answered = next.upgrade();
    await backend.nextSession();
    expect((await answered).status).toBe(101);
  });
});

describe('E51: what was decided when the head came holds no longer when the 101 does', () => {
  const routed = (url: string) => ({
    ...oneRoute('pool', { name: 'chat' }, { admin: { address: '127.0.0.1:0' } }),
    upstreams: { pool: { targets: [{ name: 'a', url }] } },
  });

  test.each<[what: string, change: string | 'reload']>([
    ['its route is drained', 'POST /api/v1/routes/chat/drain'],
    ['its target is drained', 'POST /api/v1/upstreams/pool/targets/a/drain'],
    ['a reload takes its route away', 'reload'],
  ])('E51: %s: 503 draining, and no session slips through', async (_what, change) => {
    const backend = await RawBackend.listen();
    const running = await startProxy(routed(backend.url));
    const client = await RawClient.connect(running.port);
    client.send(
      `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${exampleKey}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    const server = await backend.nextConnection();
    await server.head();
    if (change === 'reload') {
      const route = { name: 'other', match: { path: '/other' }, upstream: 'pool' };
      const config = { ...routed(backend.url), routes: [route] };
      expect(await running.proxy.reload(config)).toMatchObject({ ok: true });
    } else {
      expect((await askAdmin(running, change)).status).toBe(200);
    }
    await server.accept();
    expectRefusal(await client.readResponse(), '503 draining');
    await Promise.all([expectEnd(client), server.closed]);
    expect(running.logsOf('session.open')).toEqual([]);
  });
});

describe('E52: more complete heads than max_handshakes', () => {
  test('E52: a drain of their route is told to those who wait at once', async () => {
    const backend = await RawBackend.listen();
    const running = await startProxy({
      ...oneRoute(backend.url, { name: 'chat' }, { admin: { address: '127.0.0.1:0' } }),
      limits: { max_handshakes: 1 },
    });
    const first = await RawClient.connect(running.port);
    first.send(requestOf());
    await (await backend.nextConnection()).head();
    const second = await RawClient.connect(running.port);
    second.send(requestOf());
    const metrics = async () => (await askAdmin(running, 'GET /metrics')).body;
    await expect.poll(metrics).toContain('\nframegate_handshakes_waiting 1\n');
    expect((await askAdmin(running, 'POST /api/v1/routes/chat/drain')).status).toBe(200);
    expectRefusal(await second.readResponse(), '503 draining');
  });

  test('E52: they wait for their turn; a client that leaves is gone, and over the queue it is 503', async () => {
    const limits = { max_handshakes: 1, max_waiting_handshakes: 2 };
    const gate = await startGate((upstream) => ({ limits, routes: [{ name: 'test', upstream }] }));
    const reach = async () => {
      const client = await gate.connect();
      client.send(requestOf());
      return client;
    };
    const first = await reach();
    const server = await gate.backend.nextConnection();
    const second = await reach();
    await gate.settled();
    const third = await reach();
    await gate.settled();
    const fourth = await reach();
    expect(await gate.expectRefused(fourth, '503 too_many_handshakes')).toMatchObject({
      cause: 'max_waiting_handshakes',
    });
    second.destroy();
    await gate.settled();
    await server.accept();
    expect((await first.readHead()).status).toBe(101);
    const next = await gate.backend.nextConnection();
    await next.accept();
    expect((await third.readHead()).status).toBe(101);
    gate.dials += 2;
  });

  test('E52: no turn within timeouts.open: 503', async () => {
    const limits = { max_handshakes: 1 };
    const timeouts = { open: '3s', upgrade: '60s' };
    const gate = await startGate((upstream) => ({ limits, timeouts, routes: [{ name: 'test', upstream }] }));
    const first = await gate.connect();
    first.send(requestOf());
    await gate.backend.nextConnection();
    gate.clock.advance(2_000);
    const second = await gate.connect();
    second.send(requestOf());
    await gate.settled();
    gate.dials += 1;
    gate.clock.advance(1_001);
    expectRefusal(await first.readResponse(), '504 backend_timeout');
    // Its turn has come, with a second less for the rest.
    const server = await gate.backend.nextConnection();
    gate.dials += 1;
    gate.clock.advance(2_000);
    expectRefusal(await second.readResponse(), '504 backend_timeout');
    await server.closed;
  });
});

describe('E53: a backend that accepts and says nothing', () => {
  test('E53: clients of another backend do not wait for it', async () => {
    const silent = await RawBackend.listen();
    const limits = { max_handshakes: 8 };
    const gate = await startGate((upstream) => ({
      limits,
      routes: [
        { name: 'silent', match: { path: '/silent' }, upstream: silent.url },
        { name: 'test', upstream },
      ],
    }));
    for (let i = 0; i < 20; i += 1) {
      const client = await gate.connect();
      client.send(requestOf({ line: 'GET /silent HTTP/1.1' }));
    }
    await gate.settled();
    for (let i = 0; i < 10; i += 1) {
      const client = await gate.connect();
      client.send(requestOf());
      gate.dials += 1;
      await (await gate.backend.nextConnection()).accept();
      expect((await client.readHead()).status).toBe(101);
    }
    expect(silent.connections).toBe(6);
  });
});

describe('E54: silent connections of one address', () => {
  test('E54: they count from accept on: 429 for one more, and others come in', async () => {
    const limits = { max_sessions_per_ip: 3 };
    const gate = await startGate((upstream) => ({ limits, routes: [{ name: 'test', upstream }] }));
    for (let i = 0; i < 3; i += 1) await RawClient.connect(gate.port, { localAddress: '127.0.0.2' });
    const more = await RawClient.connect(gate.port, { localAddress: '127.0.0.2' });
    expectRefusal(await more.readResponse(), '429 too_many_sessions_per_ip');
    await expectEnd(more);
    const other = await RawClient.connect(gate.port, { localAddress: '127.0.0.3' });
    other.send(requestOf());
    gate.dials += 1;
    await (await gate.backend.nextConnection()).accept();
    expect((await other.readHead()).status).toBe(101);
  });

  test('E54: those of a trusted proxy count for nobody', async () => {
    const limits = { max_sessions_per_ip: 1 };
    const gate = await startGate((upstream) => ({
      limits,
      trusted_proxies: ['127.0.0.2'],
      routes: [{ name: 'test', upstream }],
    }));
    for (let i = 0; i < 5; i += 1) await RawClient.connect(gate.port, { localAddress: '127.0.0.2' });
    const proxied = await RawClient.connect(gate.port, { localAddress: '127.0.0.2' });
    proxied.send(requestOf({ fields: ['X-Forwarded-For: 192.0.2.1'] }));
    gate.dials += 1;
    await (await gate.backend.nextConnection()).accept();
    expect((await proxied.readHead()).status).toBe(101);
  });
});

describe('E55: a probe while all of max_sessions are taken', () => {
  test('E55: it is answered, however many silent connections stand before it', async () => {
    const running = await startProxy({
      listeners: [{ name: 'test', address: '127.0.0.1:0', health_path: '/healthz' }],
      routes: [{ upstream: 'builtin:echo' }],
      limits: { max_sessions: 2 },
    });
    for (let i = 0; i < 40; i += 1) await RawClient.connect(running.port);
    const probe = await RawClient.connect(running.port);
    probe.send('GET /healthz HTTP/1.0\r\n\r\n');
    expect((await probe.readResponse()).head.line).toBe('HTTP/1.1 200 OK');
  });
});

describe('E56: one client with a whole IPv6 /48', () => {
  test('E56: it has what eight /64 may have', async () => {
    const limits = { max_sessions_per_ip: 1 };
    const gate = await startGate((upstream) => ({
      limits,
      trusted_proxies: ['127.0.0.1'],
      routes: [{ name: 'test', upstream }],
    }));
    const ask = async (address: string) => {
      const client = await gate.connect();
      client.send(requestOf({ fields: [`X-Forwarded-For: ${address}`] }));
      return client;
    };
    for (let i = 0; i < 8; i += 1) {
      const client = await ask(`2001:db8:1:${i}::1`);
      gate.dials += 1;
      await (await gate.backend.nextConnection()).accept();
      expect((await client.readHead()).status).toBe(101);
    }
    const ninth = await ask('2001:db8:1:8::1');
    await gate.expectRefused(ninth, '429 too_many_sessions_per_ip');
    const other = await ask('2001:db8:2::1');
    gate.dials += 1;
    await (await gate.backend.nextConnection()).accept();
    expect((await other.readHead()).status).toBe(101);
  });
});

describe('E57: request ids', () => {
  test('E57: they tell neither how many there were nor the name in Via', async () => {
    const backend = await RawBackend.listen();
    const running = await startProxy(oneRoute(backend.url));
    const ids: string[] = [];
    let via = '';
    for (let i = 0; i < 20; i += 1) {
      const client = await RawClient.connect(running.port);
      client.send(requestOf());
      const request = await (await backend.nextConnection()).request();
      ids.push(request.field('x-request-id') ?? '');
      via = (request.field('via') ?? '').replace('1.1 ', '');
      client.destroy();
    }
    expect(via).toMatch(/^[0-9a-f]{16}$/);
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id) && !id.includes(via))).toBe(true);
    // Neither half is the same in any two.
    for (const half of [ids.map((id) => id.slice(0, 16)), ids.map((id) => id.slice(16))]) {
      expect(new Set(half).size).toBe(ids.length);
      expect(new Set(half.map((text) => text.slice(0, 8))).size).toBe(ids.length);
    }
  });
});

describe('E58: more complete heads at once than fit in a turn of the event loop', () => {
  const COUNT = 90;

  async function connectAll() {
    const backend = await RawBackend.listen();
    const edge = await startPoisoned(backend.url);
    const clients = await Promise.all(Array.from({ length: COUNT }, () => RawClient.connect(edge.port)));
    await expect.poll(() => edge.edge.open).toBe(COUNT);
    return { edge: edge.edge, clients, faults: () => edge.logsOf('handshake.fault') };
  }

  test('E58: sixteen are checked in a turn, and all are in the end', async () => {
    const { edge, clients } = await connectAll();
    for (const client of clients) client.send(requestOf());
    let [before, most] = [0, 0];
    while (before < COUNT) {
      await nextTurn();
      const now = edge.metrics.process.handshakesOpen;
      most = Math.max(most, now - before);
      before = now;
    }
    // The end of our turn may be before theirs in one, and behind it in the next.
    expect(most).toBeLessThanOrEqual(32);
  });

  test('E58: who has left before its turn is not checked, and holds nothing', async () => {
    const { edge, clients, faults } = await connectAll();
    for (const client of clients) {
      client.send(requestOf());
      client.destroy();
    }
    await expect.poll(() => edge.open).toBe(0);
    const [route] = edge.snapshot.routes.values();
    for (let turn = 0; turn < COUNT; turn += 1) await nextTurn();
    expect([route?.sessions, edge.metrics.process.handshakesOpen, faults()]).toEqual([0, 0, []]);
  });
});
