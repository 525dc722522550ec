import { describe, expect, test } from 'vitest';
import { askAdmin } from '../e2e/operating.ts';
import { deadUrl } from '../support/dead.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { heldBytes } from '../support/held.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { binary, closeFrame, continuation, ping, text, upgradeRequest } from '../support/wire.ts';
import { hasWorkers } from '../support/worker-fleet.ts';
import {
  as,
  bothSides,
  closeCleanly,
  endLine,
  endsOf,
  noTraffic,
  openPair,
  openSession,
  otherOf,
  type Pair,
  type Side,
  traffic,
} from './pair.ts';
import { startPoisoned } from './poisoned.ts';
import { earlyFrame, expectRefusedLine, takeRefusal } from './refusal.ts';

/** What the side that stayed is told when `lost` is gone. */
const lostNotice = {
  client: { code: 1001, reason: 'client lost' },
  backend: { code: 1012, reason: 'backend lost' },
} as const;

function vanish(peer: RawPeer, how: string): void {
  if (how === 'RST') peer.reset();
  else peer.end();
}

/** The codes that each side got when `lost` went and the other side could be told. */
function codes(lost: Side, told: boolean): { close_code_client: number | null; close_code_backend: number | null } {
  return {
    close_code_client: lost === 'backend' && told ? 1012 : null,
    close_code_backend: lost === 'client' && told ? 1001 : null,
  };
}

const ways = bothSides.flatMap((side) => ['FIN', 'RST'].map((how): [Side, string] => [side, how]));

describe.each(ways)('a %s that goes with %s and without a Close', (lost, how) => {
  const own = as(lost);
  const row = lost === 'backend' && how === 'FIN' ? 'E2' : lost === 'backend' ? 'E1' : 'E9';

  /** `lost` sends `bytes` and goes; the other side stays. */
  async function lose(bytes: Buffer): Promise<Pair & { stayed: RawPeer; began: number }> {
    const pair = await openPair();
    const { culprit: gone, other: stayed } = endsOf(pair, lost);
    if (bytes.length > 0) gone.send(bytes);
    expect(await stayed.readBytes(bytes.length)).toEqual(bytes);
    const began = performance.now();
    vanish(gone, how);
    return { ...pair, stayed, began };
  }

  test.each([
    ['between messages', Buffer.concat([text('a', own), ping('', own)]), traffic(1, 1)],
    ['between fragments', text('half', { ...own, fin: false }), traffic(1, 4)],
    ['before the first byte', Buffer.alloc(0), noTraffic],
  ])(`${row}: 7.1.4: %s: the other side gets a Close of ours, and its connection ends`, async (_at, bytes, counted) => {
    const { stayed, began, running } = await lose(bytes);
    expect(await stayed.nextClose()).toEqual(lostNotice[lost]);
    stayed.send(closeFrame(lostNotice[lost].code, '', as(otherOf(lost))));
    if (lost === 'backend') await stayed.ended;
    stayed.end();
    await stayed.closed;
    expect(performance.now() - began).toBeLessThan(1000);
    expect(stayed.unread).toHaveLength(0);
    expect(await endLine(running)).toEqual({
      by: lost,
      reason: `${lost}_lost`,
      ...codes(lost, true),
      clean: false,
      mid_frame: false,
      from_client: lost === 'client' ? counted : noTraffic,
      from_backend: lost === 'client' ? noTraffic : counted,
    });
  });

  test(`${row}: 5.2: inside a relayed frame: no Close is possible, the other side is cut off`, async () => {
    const half = binary(Buffer.alloc(1000, 1), own).subarray(0, 600);
    const { stayed, began, running } = await lose(half);
    await stayed.closed;
    expect(performance.now() - began).toBeLessThan(1000);
    expect(stayed.unread).toHaveLength(0);
    const counted = traffic(1, lost === 'client' ? 592 : 596, 1000);
    expect(await endLine(running)).toEqual({
      by: lost,
      reason: `${lost}_lost`,
      ...codes(lost, false),
      clean: false,
      mid_frame: true,
      from_client: lost === 'client' ? counted : noTraffic,
      from_backend: lost === 'client' ? noTraffic : counted,
    });
  });

  test(`${row}: 5.2: inside a header that was not relayed: a Close is possible`, async () => {
    const pair = await openPair();
    const { culprit: gone, other: stayed } = endsOf(pair, lost);
    gone.send(text('a', own), binary(Buffer.alloc(1000), own).subarray(0, 3));
    expect((await stayed.nextFrame()).payload.toString()).toBe('a');
    vanish(gone, how);
    expect(await stayed.nextClose()).toEqual(lostNotice[lost]);
    stayed.destroy();
    expect(await endLine(pair.running)).toMatchObject({ reason: `${lost}_lost`, mid_frame: false });
  });

  test(`${row}: other sessions of the same backend go on unharmed`, async () => {
    const pair = await openPair();
    const neighbour = await openSession(pair.running, pair.backend);
    vanish(endsOf(pair, lost).culprit, how);
    await endsOf(pair, lost).other.nextClose();
    neighbour.client.send(text('up', { mask: true }));
    neighbour.server.send(text('down'));
    expect((await neighbour.server.nextFrame()).payload.toString()).toBe('up');
    expect((await neighbour.client.nextFrame()).payload.toString()).toBe('down');
    expect(pair.running.logsOf('session.end').length).toBeLessThanOrEqual(1);
  });
});

describe('peers that hang', () => {
  const big = 24 * 2 ** 20;
  const limits = { from_client: { max_message_size: '32MiB' }, from_backend: { max_message_size: '32MiB' } };

  test('E3: a backend that reads nothing after its 101: the client is held, then gets 1012', async () => {
    const pair = await openPair({ route: { limits, timeouts: { write_stall: '400ms' } } });
    const { client, server, running } = pair;
    server.pause();
    const message = binary(Buffer.alloc(big, 1), { mask: Buffer.alloc(4) });
    const held = heldBytes();
    client.send(message);
    const told = client.nextClose();
    const neighbour = await openSession(running, pair.backend);
    for (let i = 0; i < 20; i++) {
      neighbour.client.send(text(`${i}`, { mask: true }));
      expect((await neighbour.server.nextFrame()).payload.toString()).toBe(`${i}`);
    }
    // Kernel buffers and 256 KiB took their part; the rest never left the client.
    expect(client.socket.writableLength).toBeGreaterThan(2 ** 20);
    expect(await told).toEqual({ code: 1012, reason: 'write_stall' });
    expect(heldBytes() - held).toBeLessThan(4 * 2 ** 20);
    client.send(closeFrame(1012, '', { mask: true }));
    await client.ended;
    client.end();
    server.resume();
    server.keep(false);
    await Promise.all([client.closed, server.closed]);
    expect(server.bytesReceived).toBeLessThan(big);
    expect(await endLine(running)).toEqual({
      by: 'backend',
      reason: 'backend_stalled',
      limit: 'write_stall',
      close_code_client: 1012,
      close_code_backend: null,
      clean: false,
      mid_frame: true,
      from_client: { ...traffic(1, big), pauses: expect.any(Number) },
      from_backend: noTraffic,
    });
  });

  test('E4: no answer to the upgrade is 504 and no other target is asked: the request was sent', async () => {
    const backends = [await RawBackend.listen(), await RawBackend.listen()];
    const running = await startProxy({
      routes: [{ name: 'test', upstream: 'pool', timeouts: { upgrade: '150ms' } }],
      upstreams: { pool: { targets: backends.map(({ url }, i) => ({ name: `t${i}`, url })), balance: 'round_robin' } },
    });
    const client = await RawClient.connect(running.port);
    client.send(Buffer.concat([upgradeRequest({ path: '/chat' }), earlyFrame]));
    await takeRefusal(client, 504, 'backend_timeout');
    expect(backends.map(({ connections }) => connections)).toEqual([1, 0]);
    const spoilt = { status: 504, error: 'backend_timeout', cause: 'upgrade' };
    await expectRefusedLine(running, spoilt, { target: 't0', upstream: 'pool' });
  });

  // Each worker has turns of its own.
  test.skipIf(hasWorkers)(
    'E19: no local port is 503, and no fault of the target; the next source address has its turn',
    async () => {
      const backend = await RawBackend.listen();
      // RFC 5737: an address that no machine has; the system says EADDRNOTAVAIL, as when all ports are taken.
      const pool = { targets: [{ name: 'one', url: backend.url }], local_addresses: ['192.0.2.1', '127.0.0.1'] };
      const running = await startProxy({
        routes: [{ name: 'test', upstream: 'pool' }],
        upstreams: { pool },
        admin: { address: '127.0.0.1:0' },
      });
      const refused = await RawClient.connect(running.port);
      refused.send(Buffer.concat([upgradeRequest({ path: '/chat' }), earlyFrame]));
      await takeRefusal(refused, 503, 'no_local_port');
      expect(backend.connections).toBe(0);
      const spoilt = { status: 503, error: 'no_local_port', cause: 'EADDRNOTAVAIL' };
      await expectRefusedLine(running, spoilt, { target: 'one', upstream: 'pool' });
      await closeCleanly(await openSession(running, backend));
      const metrics = parseMetrics((await askAdmin(running, 'GET /metrics')).body);
      expect(metrics.get('framegate_target_up')?.samples).toMatchObject([{ value: 1 }]);
      const dials = metrics
        .get('framegate_target_dials_total')
        ?.samples.map((one) => [one.labels.get('result'), one.value]);
      expect(dials?.sort()).toEqual([
        ['no_local_port', 1],
        ['ok', 1],
      ]);
    },
  );

  test('E4: a dial that fails before a byte was sent goes to the next target', async () => {
    const live = await RawBackend.listen();
    const running = await startProxy({
      routes: [{ name: 'test', upstream: 'pool' }],
      upstreams: {
        pool: { targets: [deadUrl, live.url].map((url, i) => ({ name: `t${i}`, url })), balance: 'round_robin' },
      },
    });
    const client = await RawClient.connect(running.port);
    client.send(Buffer.concat([upgradeRequest(), earlyFrame]));
    const server = await live.nextSession();
    expect((await client.readHead()).status).toBe(101);
    expect((await server.nextFrame()).bytes).toEqual(earlyFrame);
    expect(await running.waitForLog('target.dial_failed')).toMatchObject({ target: 't0', cause: 'ECONNREFUSED' });
  });
});

describe('clients that go in an unusual way', () => {
  test('E9: an RST while we write ends the session once, counted once', async () => {
    const pair = await openPair({ route: { limits: { from_backend: { max_message_size: '32MiB' } } } });
    const { client, server, running } = pair;
    client.keep(false);
    const head = client.bytesReceived;
    server.send(binary(Buffer.alloc(16 * 2 ** 20, 1)));
    await client.receivedBytes(head + 2 ** 20);
    client.reset();
    expect(await server.nextClose()).toEqual(lostNotice.client);
    server.send(closeFrame(1001));
    server.end();
    await server.closed;
    expect(await endLine(running)).toEqual({
      by: 'client',
      reason: 'client_lost',
      close_code_client: null,
      close_code_backend: 1001,
      clean: false,
      mid_frame: true,
      from_client: noTraffic,
      from_backend: { ...traffic(1, 16 * 2 ** 20), pauses: expect.any(Number) },
    });
    // The slot is free and nothing is left that could end twice.
    const next = await openSession(running, pair.backend);
    next.client.send(text('up', { mask: true }));
    expect((await next.server.nextFrame()).payload.toString()).toBe('up');
    expect(running.logsOf('session.end')).toHaveLength(1);
  });

  test.each(bothSides)(
    'E10: 7.1.1: FIN of the %s right behind its Close: the close handshake is finished',
    async (side) => {
      const pair = await openPair();
      const { culprit: closer, other } = endsOf(pair, side);
      closer.send(text('last', as(side)), closeFrame(1000, 'bye', as(side)));
      closer.end();
      expect((await other.nextFrame()).payload.toString()).toBe('last');
      expect(await other.nextClose()).toEqual({ code: 1000, reason: 'bye' });
      other.send(text('still', as(otherOf(side))), closeFrame(1000, 'too', as(otherOf(side))));
      expect((await closer.nextFrame()).payload.toString()).toBe('still');
      expect(await closer.nextClose()).toEqual({ code: 1000, reason: 'too' });
      await closer.ended;
      other.end();
      await Promise.all([closer.closed, other.closed]);
      const counts = {
        from_client: traffic(1, side === 'client' ? 4 : 5),
        from_backend: traffic(1, side === 'client' ? 5 : 4),
      };
      expect(await endLine(pair.running)).toEqual({
        by: side,
        reason: `${side}_close`,
        close_code_client: 1000,
        close_code_backend: 1000,
        clean: true,
        mid_frame: false,
        ...counts,
      });
    },
  );

  test('E10: a FIN of the client before anything: what the backend still sends is not waited for', async () => {
    const { client, server, running } = await openPair();
    client.end();
    expect(await server.nextClose()).toEqual(lostNotice.client);
    await client.closed;
    server.end();
    await server.closed;
    expect(await endLine(running)).toMatchObject({ by: 'client', reason: 'client_lost' });
  });

  test.each(['FIN', 'RST'])('E11: a %s during the dial ends it: no socket to the backend stays', async (how) => {
    // Plaintext where TLS is dialed: the dial lasts until `connect`, which is far away.
    const backend = await RawBackend.listen();
    const running = await startProxy(
      oneRoute(`wss://127.0.0.1:${backend.port}`, { timeouts: { connect: '60s', open: '60s' } }, debugLog),
    );
    const client = await RawClient.connect(running.port);
    client.send(Buffer.concat([upgradeRequest({ path: '/chat' }), earlyFrame]));
    const server = await backend.nextConnection();
    await server.receivedBytes(1);
    vanish(client, how);
    await server.closed;
    expect(server.received.toString('latin1')).not.toContain('GET');
    await expectGone(running);
    await client.closed;
    expect(client.bytesReceived).toBe(0);
  });

  test.each(['FIN', 'RST'])('E11: a %s while the 101 is awaited: the backend is left at once', async (how) => {
    const backend = await RawBackend.listen();
    const running = await startProxy(oneRoute(backend.url, {}, debugLog));
    const client = await RawClient.connect(running.port);
    client.send(Buffer.concat([upgradeRequest({ path: '/chat' }), earlyFrame]));
    const server = await backend.nextConnection();
    const raw = await server.head();
    vanish(client, how);
    await server.closed;
    expect(server.received.toString('latin1')).toBe(raw);
    await expectGone(running);
  });

  test.each(['glued to the head', 'sent later'])(
    'E11: a FIN behind early bytes, %s, that are not read is found by the deadline',
    async (when) => {
      const backend = await RawBackend.listen();
      const running = await startProxy(
        oneRoute(backend.url, { timeouts: { open: '250ms' } }, { limits: { max_early_bytes: '1KiB' } }),
      );
      const client = await RawClient.connect(running.port);
      const flood = binary(Buffer.alloc(500_000), { mask: Buffer.alloc(4) });
      const request = upgradeRequest({ path: '/chat' });
      client.send(when === 'sent later' ? request : Buffer.concat([request, flood]));
      const server = await backend.nextConnection();
      if (when === 'sent later') client.send(flood);
      client.end();
      const raw = await server.head();
      await server.closed;
      expect(server.received.toString('latin1')).toBe(raw);
      const line = await running.waitForLog('handshake.refused');
      expect(line).toMatchObject({ status: 504, error: 'backend_timeout', cause: 'open' });
      // Held were the cap and the rest of one read, not the half megabyte.
      expect(line.discarded_early_bytes).toBeGreaterThanOrEqual(1024);
      expect(line.discarded_early_bytes).toBeLessThan(66_000);
    },
  );
});

const debugLog = { log: { level: 'debug' as const } };

async function expectGone(running: Awaited<ReturnType<typeof startProxy>>): Promise<void> {
  const line = await running.waitForLog('handshake.refused');
  expect(line).toMatchObject({ level: 'debug', error: 'client_gone', path: '/chat', tries: 1 });
  expect(line).not.toHaveProperty('status');
  expect(running.logsOf('handshake.refused')).toHaveLength(1);
}

describe('a fault of our own in one session', () => {
  async function open(timeouts: Readonly<Record<string, string>> = { close: '200ms' }) {
    const backend = await RawBackend.listen();
    const edge = await startPoisoned(backend.url, { timeouts });
    const session = async () => {
      const client = await RawClient.connect(edge.port);
      const opened = client.upgrade();
      const server = await backend.nextSession();
      expect((await opened).status).toBe(101);
      return { client, server };
    };
    return { edge, session, ...(await session()) };
  }

  test('E30: both sides get 1011, the log has the fault, and other sessions go on', async () => {
    const { edge, session, client, server } = await open();
    const neighbour = await session();
    const [poisoned] = edge.clients;
    if (poisoned !== undefined) poisoned.poison = 1;
    server.send(text('boom'));
    expect(await client.nextClose()).toEqual({ code: 1011, reason: 'internal error' });
    expect(await server.nextClose()).toEqual({ code: 1011, reason: 'internal error' });
    client.end();
    server.end();
    await Promise.all([client.closed, server.closed]);
    expect(await edge.waitForLog('session.end')).toMatchObject({
      by: 'proxy',
      reason: 'internal_error',
      close_code_client: 1011,
      close_code_backend: 1011,
      clean: false,
      mid_frame: false,
      from_client: noTraffic,
      from_backend: traffic(1, 4),
    });
    expect(edge.logsOf('session.fault')).toMatchObject([
      { level: 'error', error: expect.stringContaining('poisoned') },
    ]);
    expect(edge.edge.sessions.size).toBe(1);
    neighbour.server.send(text('fine'));
    expect((await neighbour.client.nextFrame()).payload.toString()).toBe('fine');
  });

  test.each([
    ['begins', Buffer.alloc(0), binary(Buffer.alloc(100)).subarray(0, 50)],
    ['ends', binary(Buffer.alloc(100, 1)).subarray(0, 50), binary(Buffer.alloc(100, 1)).subarray(50)],
  ])('E30: 5.2: in the write that %s a frame: that side is cut off without a Close', async (_how, relayed, lost) => {
    const { edge, client, server } = await open();
    server.send(relayed);
    expect(await client.readBytes(relayed.length)).toEqual(relayed);
    const [poisoned] = edge.clients;
    if (poisoned !== undefined) poisoned.poison = 1;
    server.send(lost);
    await client.closed;
    expect(client.unread).toHaveLength(0);
    expect(await server.nextClose()).toEqual({ code: 1011, reason: 'internal error' });
    server.end();
    expect(await edge.waitForLog('session.end')).toMatchObject({
      reason: 'internal_error',
      close_code_client: null,
      close_code_backend: 1011,
      mid_frame: true,
    });
  });

  test('E30: a fault that comes again when the Close is written cuts both sides off, and nobody else', async () => {
    const { edge, session, client, server } = await open();
    const neighbour = await session();
    const [poisoned] = edge.clients;
    if (poisoned !== undefined) poisoned.poison = 1000;
    server.send(text('boom'));
    await Promise.all([client.closed, server.closed]);
    expect(await edge.waitForLog('session.end')).toMatchObject({ by: 'proxy', reason: 'internal_error' });
    neighbour.server.send(text('fine'));
    expect((await neighbour.client.nextFrame()).payload.toString()).toBe('fine');
    expect(edge.edge.sessions.size).toBe(1);
  });

  test('E30: peers that answer and leave are not waited for until timeouts.close', async () => {
    const { edge, client, server } = await open({ close: '30s' });
    const [poisoned] = edge.clients;
    if (poisoned !== undefined) poisoned.poison = 1;
    server.send(continuationOf('boom'));
    await Promise.all([client.nextClose(), server.nextClose()]);
    client.send(closeFrame(1011, '', { mask: true }));
    server.send(closeFrame(1011));
    await client.ended;
    client.end();
    server.end();
    await Promise.all([client.closed, server.closed]);
    await edge.waitForLog('session.end');
  });
});

function continuationOf(words: string): Buffer {
  return Buffer.concat([text('', { fin: false }), continuation(words)]);
}
