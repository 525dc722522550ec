import { describe, expect, test } from 'vitest';
import { Random } from './random.ts';
import { type BackendConnection, RawBackend } from './raw-backend.ts';
import { RawClient } from './raw-client.ts';
import { type Links, resetSocket, Shim, type ShimConnection } from './shim.ts';

interface Ends {
  readonly client: RawClient;
  readonly server: BackendConnection;
  readonly shim: Shim;
  readonly link: ShimConnection;
}

async function connected(links: Links, seed = 1): Promise<Ends> {
  const backend = await RawBackend.listen();
  const shim = await Shim.listen(backend.port, { ...links, seed });
  const client = await RawClient.connect(shim.port);
  const link = await shim.nextConnection();
  return { client, server: await backend.nextConnection(), shim, link };
}

/** Bytes that are wrong anywhere but in their own place. */
function pattern(length: number): Buffer {
  return new Random(length).bytes(length);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Nothing comes while another connection makes some round trips. */
async function expectSilence(peer: RawClient | BackendConnection): Promise<void> {
  const before = [peer.bytesReceived, peer.finSeen, peer.isClosed];
  const other = await connected({});
  for (let i = 0; i < 20; i++) {
    other.client.send('x');
    await other.server.readBytes(1);
  }
  expect([peer.bytesReceived, peer.finSeen, peer.isClosed]).toEqual(before);
}

describe('a shim without rules', () => {
  test('relays bytes and FINs both ways, each FIN alone', async () => {
    const { client, server, shim, link } = await connected({});
    const bytes = pattern(200_000);
    client.send(bytes);
    client.end();
    expect((await server.readToEnd()).equals(bytes)).toBe(true);
    expect(client.finSeen).toBe(false);
    server.send(bytes);
    server.end();
    expect((await client.readToEnd()).equals(bytes)).toBe(true);
    expect(await client.closed).toEqual({ fin: true, error: null });
    expect(await server.closed).toEqual({ fin: true, error: null });
    await expect.poll(() => link.isClosed).toBe(true);
    expect([shim.count, shim.open.size, link.up.forwarded, link.down.forwarded]).toEqual([1, 0, 200_000, 200_000]);
  });

  test('relays a reset, from either end', async () => {
    const one = await connected({});
    one.client.reset();
    expect(await one.server.closed).toEqual({ fin: false, error: 'ECONNRESET' });
    const two = await connected({});
    two.server.reset();
    expect(await two.client.closed).toEqual({ fin: false, error: 'ECONNRESET' });
  });

  test('resets who connects when the target refuses', async () => {
    const backend = await RawBackend.listen();
    await backend.close();
    const shim = await Shim.listen(backend.port);
    const client = await RawClient.connect(shim.port);
    expect((await client.closed).fin).toBe(false);
  });

  test('holds no more than its window: a sink that does not read stops the source', async () => {
    const { client, server, link } = await connected({});
    server.pause();
    const bytes = pattern(24 << 20);
    client.send(bytes);
    await expect.poll(() => link.up.pauses).toBeGreaterThan(0);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    server.keep(false);
    server.resume();
    await server.receivedBytes(bytes.length);
  });

  test('forgets connections that nobody asked for, the oldest first', async () => {
    const backend = await RawBackend.listen();
    const shim = await Shim.listen(backend.port);
    for (let i = 0; i < 66; i++) (await RawClient.connect(shim.port)).end(Buffer.alloc(i + 1));
    await expect.poll(() => backend.connections).toBe(66);
    const handedOut = await shim.nextConnection();
    await expect.poll(() => handedOut.up.forwarded).toBe(3);
    for (let i = 0; i < 63; i++) await shim.nextConnection();
    expect(shim.count).toBe(66);
  });
});

describe('latency and bandwidth', () => {
  test('each byte comes no earlier than its latency, per direction, in order', async () => {
    const { client, server } = await connected({ up: { latencyMs: 120 } });
    const up = await timed(async () => {
      client.send('a');
      client.send('b');
      expect((await server.readBytes(2)).toString()).toBe('ab');
    });
    const down = await timed(async () => {
      server.send('c');
      await client.readBytes(1);
    });
    expect(up).toBeGreaterThanOrEqual(119);
    expect(down).toBeLessThan(up);
  });

  test('FINs and resets are late too, and behind the bytes before them', async () => {
    const { client, server } = await connected({ up: { latencyMs: 80 }, down: { latencyMs: 80 } });
    const fin = await timed(async () => {
      client.end(Buffer.from('last'));
      expect((await server.readToEnd()).toString()).toBe('last');
    });
    const reset = await timed(async () => {
      server.reset();
      await client.closed;
    });
    expect(fin).toBeGreaterThanOrEqual(79);
    expect(reset).toBeGreaterThanOrEqual(79);
  });

  test('a bandwidth is not exceeded, nor missed by much', async () => {
    const { client, server } = await connected({ up: { bytesPerSecond: 200_000 } });
    const bytes = pattern(60_000);
    const ms = await timed(async () => {
      client.send(bytes);
      expect((await server.readBytes(bytes.length)).equals(bytes)).toBe(true);
    });
    // 300 ms, less two steps of 20 ms: the first, and one that counts as late.
    expect(ms).toBeGreaterThanOrEqual(255);
    expect(ms).toBeLessThan(3000);
  });

  test('a slow link is not read ahead: its source waits', async () => {
    const { client, server, link } = await connected({ up: { bytesPerSecond: 100_000 } });
    server.keep(false);
    client.send(Buffer.alloc(24 << 20));
    await server.receivedBytes(20_000);
    expect(link.up.pauses).toBeGreaterThan(0);
    expect(client.socket.writableLength).toBeGreaterThan(0);
  });
});

describe('slices and losses', () => {
  test('one byte a segment, bytes right and in order', async () => {
    const { client, server, link } = await connected({ up: { slice: 1 } });
    const bytes = pattern(2000);
    let reads = 0;
    server.socket.on('data', () => {
      reads += 1;
    });
    client.send(bytes);
    expect((await server.readBytes(2000)).equals(bytes)).toBe(true);
    expect(link.up.segments).toBe(2000);
    // The kernel may join some of them again.
    expect(reads).toBeGreaterThan(200);
  });

  test('random slices: the same for a seed, others for another', async () => {
    const bytes = pattern(20_000);
    const segmentsOf = async (seed: number) => {
      const { client, server, link } = await connected({ up: { slice: 'random' } }, seed);
      client.send(bytes);
      expect((await server.readBytes(bytes.length)).equals(bytes)).toBe(true);
      return link.up.segments;
    };
    const first = await segmentsOf(5);
    expect(first).toBeGreaterThan(20);
    expect(await segmentsOf(5)).toBe(first);
    expect(await segmentsOf(6)).not.toBe(first);
  });

  test('a loss makes everything behind it late, and several at once no later', async () => {
    const { client, server, link } = await connected({ up: { slice: 10, loss: { rate: 0.5, delayMs: 150 } } });
    const bytes = pattern(1000);
    const ms = await timed(async () => {
      client.send(bytes);
      expect((await server.readBytes(1000)).equals(bytes)).toBe(true);
    });
    expect(link.up.lost).toBeGreaterThan(20);
    expect(link.up.lost).toBeLessThan(80);
    expect(ms).toBeGreaterThanOrEqual(149);
    expect(ms).toBeLessThan(150 * 10);
  });
});

describe('stalls, resets and silence', () => {
  test('a reset at byte N: N bytes come, not one more, then an RST at both ends', async () => {
    const { client, server } = await connected({ up: { resetAt: 1234, slice: 1000 } });
    const bytes = pattern(5000);
    client.send(bytes);
    expect(await server.closed).toEqual({ fin: false, error: 'ECONNRESET' });
    expect(server.received.equals(bytes.subarray(0, 1234))).toBe(true);
    expect((await client.closed).error).toMatch(/ECONNRESET|EPIPE/);
  });

  test('a reset at byte 0 and one on request', async () => {
    const backend = await RawBackend.listen();
    const shim = await Shim.listen(backend.port, { linksOf: (_, i) => (i === 0 ? { down: { resetAt: 0 } } : {}) });
    // It may come before the client knows that it is connected.
    const first = RawClient.connect(shim.port).then((early) => early.closed);
    const ended = await first.catch((error: Error) => error.message);
    expect(JSON.stringify(ended)).toContain('ECONNRESET');
    const client = await RawClient.connect(shim.port);
    client.send('x');
    await shim.nextConnection();
    const link = await shim.nextConnection();
    await expect.poll(() => link.up.forwarded).toBe(1);
    link.reset();
    expect(await client.closed).toEqual({ fin: false, error: 'ECONNRESET' });
  });

  test('a stall at byte N lasts until it is released, and loses nothing', async () => {
    const { client, server, link } = await connected({ up: { stallAt: 10 } });
    const bytes = pattern(300_000);
    client.send(bytes);
    client.end();
    await server.receivedBytes(10);
    await expectSilence(server);
    expect(link.up.isStalled).toBe(true);
    link.up.release();
    expect((await server.readToEnd()).equals(bytes)).toBe(true);
    expect(link.up.isStalled).toBe(false);
  });

  test('a stall on request holds one direction only', async () => {
    const { client, server, link } = await connected({});
    link.up.stall();
    client.send('held');
    server.send('free');
    expect((await client.readBytes(4)).toString()).toBe('free');
    await expectSilence(server);
    link.up.release();
    expect((await server.readBytes(4)).toString()).toBe('held');
  });

  test.each([{ up: { vanishAt: 3 } }, { down: { vanishAt: 3 } }])('half open after byte N: %j', async (links) => {
    const { client, server, link } = await connected(links);
    const [from, to] = 'up' in links ? [client, server] : [server, client];
    from.send('abcdef');
    expect((await to.readBytes(3)).toString()).toBe('abc');
    await expect.poll(() => link.hasVanished).toBe(true);
    // Neither bytes nor FIN nor RST pass, in no direction.
    to.end(Buffer.from('xyz'));
    await expectSilence(from);
    from.reset();
    await expectSilence(to);
    expect([to.isClosed, to.received.toString()]).toEqual([false, 'abc']);
  });

  test('a reset while a FIN is on its way closes the socket, and loses no handle', async () => {
    const { client, server, link } = await connected({});
    const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = openSockets();
    client.end();
    await new Promise<void>((resolve) => process.nextTick(resolve));
    resetSocket(client.socket);
    await server.closed;
    await expect.poll(() => link.isClosed).toBe(true);
    await expect.poll(openSockets).toBe(before - 4);
  });

  test('half open on request: what is on its way is lost, and nobody reads what is sent', async () => {
    const { client, server, link } = await connected({});
    link.down.stall();
    server.send(Buffer.alloc(100_000));
    await expect.poll(() => link.down.pauses).toBe(1);
    link.vanish();
    link.down.release();
    client.send(Buffer.alloc(24 << 20));
    const other = await connected({});
    other.server.keep(false);
    other.client.send(Buffer.alloc(32 << 20));
    await other.server.receivedBytes(32 << 20);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(client.bytesReceived).toBe(0);
  });
});
