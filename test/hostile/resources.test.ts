import { once } from 'node:events';
import * as net from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { askAdmin } from '../e2e/operating.ts';
import { oneRoute, startProxy } from '../support/harness.ts';
import { heldBytes, heldMemory } from '../support/held.ts';
import { parseMetrics } from '../support/metrics-text.ts';
import { binary, closeFrame, ping, pong, text, upgradeRequest } from '../support/wire.ts';
import {
  as,
  bothSides,
  closeCleanly,
  endLine,
  endsOf,
  noTraffic,
  openPair,
  openSession,
  openTimed,
  otherOf,
  traffic,
} from './pair.ts';

const MIB = 2 ** 20;
const turn = () => new Promise((resolve) => setImmediate(resolve));
const large = {
  limits: { from_client: { max_message_size: '64MiB' }, from_backend: { max_message_size: '64MiB' } },
};

test('L42: frames of three bytes that wait for a client cost about what they are', async () => {
  const limits = { ...large.limits, max_buffered: '64MiB' };
  const pair = await openPair({ route: { limits }, config: { admin: { address: '127.0.0.1:0' } } });
  const { client, server, running } = pair;
  client.keep(false);
  client.pause();
  // What the kernel takes, and more.
  const filling = binary(Buffer.alloc(16 * MIB, 1));
  server.send(filling);
  const metric = async (name: string) => {
    const { body } = await askAdmin(running, 'GET /metrics');
    return [...(parseMetrics(body).get(name)?.samples ?? [])].reduce((sum, { value }) => sum + value, 0);
  };
  while ((await metric('framegate_bytes_total')) < 16 * MIB) await turn();
  const before = heldMemory();
  const counted = await metric('framegate_buffered_bytes');
  const count = 20_000;
  for (let i = 0; i < count; i++) {
    server.send(text('x'));
    await turn(); // a read of its own for each, or for a few
  }
  while ((await metric('framegate_messages_total')) < count) await turn();
  // A write for each of them held over 8 MiB.
  expect(heldMemory() - before).toBeLessThan(3 * MIB);
  expect((await metric('framegate_buffered_bytes')) - counted).toBeGreaterThanOrEqual(0);
  expect((await metric('framegate_buffered_bytes')) - counted).toBeLessThan(MIB);
  client.keep(true);
  client.resume();
  await closeCleanly(pair);
});

describe('L43: what an idle connection keeps of a large request', () => {
  const upgrade = upgradeRequest({
    path: `/${'p'.repeat(7_000)}`,
    headers: {
      Cookie: `a=${'c'.repeat(8_000)}`,
      'X-Request-ID': '0f8fad5b-d9cb-469f-a165-70867728950e',
      'X-Forwarded-For': '203.0.113.195',
    },
  }).toString('latin1');

  test.each([
    ['L43: a session keeps nothing but what its lines in the log say', upgrade],
    ['L43: one that waits for its next request keeps nothing', upgrade.replace(/Upgrade: .*\r\n/i, '')],
  ])('%s', async (_, request) => {
    const pages = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
    });
    pages.listen(0, '127.0.0.1');
    await once(pages, 'listening');
    const { port } = pages.address() as net.AddressInfo;
    const route = { http: `http://127.0.0.1:${port}` };
    const running = await startProxy(oneRoute('builtin:echo', route, { trusted_proxies: ['127.0.0.0/8'] }));
    const sockets: net.Socket[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      pages.close();
    });
    const open = async () => {
      const socket = net.connect({ port: running.port, host: '127.0.0.1' });
      sockets.push(socket);
      socket.write(request);
      await once(socket, 'data');
    };
    // What all share.
    for (let i = 0; i < 50; i++) await open();
    const before = heldMemory();
    const count = 300;
    for (let i = 0; i < count; i++) await open();
    const each = (heldMemory() - before) / count / 1024;
    // Its two ends in this process; with what it was cut out of a session would be over 25 KiB, the other over 19.
    expect(each).toBeLessThan(14);
  });
});

describe('D5: peers that do not read', () => {
  test('D5: a client that never reads: the backend is held, the client is cut off, the backend gets 1001', async () => {
    const pair = await openPair({ route: { ...large, timeouts: { write_stall: '400ms' } } });
    const { client, server, running } = pair;
    client.pause();
    const size = 32 * MIB;
    const message = binary(Buffer.alloc(size, 1));
    const held = heldBytes();
    server.send(message);
    const told = server.nextClose();
    // The other sessions of the same proxy do not wait.
    const neighbour = await openSession(running, pair.backend);
    for (let i = 0; i < 20; i++) {
      neighbour.server.send(text(`${i}`));
      expect((await neighbour.client.nextFrame()).payload.toString()).toBe(`${i}`);
    }
    // Kernel buffers and 256 KiB took their part; the rest never left the backend, and is nowhere a second time.
    expect(server.socket.writableLength).toBeGreaterThan(MIB);
    expect(heldBytes() - held).toBeLessThan(4 * MIB);
    expect(await told).toEqual({ code: 1001, reason: 'write_stall' });
    server.send(closeFrame(1001));
    server.end();
    client.keep(false);
    client.resume();
    await Promise.all([client.closed, server.closed]);
    expect(client.bytesReceived).toBeLessThan(size);
    expect(await endLine(running)).toEqual({
      by: 'client',
      reason: 'client_stalled',
      limit: 'write_stall',
      close_code_client: null,
      close_code_backend: 1001,
      clean: false,
      mid_frame: true,
      from_client: noTraffic,
      from_backend: { ...traffic(1, size), pauses: 1 },
    });
    await closeCleanly(neighbour);
  });

  test.each(bothSides)('D5: a %s that reads again in time loses nothing, and nothing twice', async (side) => {
    const pair = await openPair({ route: large });
    const { culprit: slow, other: sender } = endsOf(pair, side);
    slow.pause();
    const payload = Buffer.alloc(16 * MIB, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
    const sent = binary(payload, { mask: side === 'backend' ? Buffer.alloc(4) : false });
    sender.send(sent);
    // Held back: nothing more leaves the sender, however long another session goes on.
    const neighbour = await openSession(pair.running, pair.backend);
    let left = 0;
    for (let same = 0; same < 10; same = sender.socket.writableLength === left ? same + 1 : 0) {
      left = sender.socket.writableLength;
      neighbour.client.send(text('x', { mask: true }));
      await neighbour.server.nextFrame();
    }
    expect(left).toBeGreaterThan(MIB);
    slow.resume();
    expect((await slow.readBytes(sent.length)).equals(sent)).toBe(true);
    // What the slow side says was never held back.
    slow.send(text('thanks', as(side)));
    expect((await sender.nextFrame()).payload.toString()).toBe('thanks');
    await closeCleanly(pair);
    const line = await pair.running.waitForLog('session.end');
    expect(line).toMatchObject({ reason: 'client_close', clean: true });
    const from = line[`from_${otherOf(side)}`];
    expect(from).toMatchObject({ messages: 1, bytes: payload.length, largest_message: payload.length });
    expect((from as { pauses: number }).pauses).toBeGreaterThan(0);
  });

  test('D5: a client that takes a little now and then is slow, not stalled', async () => {
    const { pair, pass } = await openTimed({ ...large, timeouts: { write_stall: '1s' } });
    const { client, server, running } = pair;
    const sent = binary(Buffer.alloc(24 * MIB, 7));
    const total = client.bytesReceived + sent.length;
    client.keep(false);
    client.pause();
    server.send(sent);
    for (let at = client.bytesReceived; at < total; at = client.bytesReceived) {
      client.resume();
      await client.receivedBytes(Math.min(at + 4 * MIB, total));
      client.pause();
      await pass(700);
    }
    client.resume();
    client.keep(true);
    await closeCleanly({ client, server });
    expect(await endLine(running)).toMatchObject({ reason: 'client_close', clean: true });
  });
});

describe('D6: silence', () => {
  test('D6: connected and silent: 1001 to the client, then to the backend; both answer, and it is clean', async () => {
    const { client, server, running } = await openPair({ route: { timeouts: { idle: '200ms' } } });
    const begun = performance.now();
    expect(await client.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
    expect(performance.now() - begun).toBeGreaterThan(150);
    // The client is told first: its frames still go on, what the backend says is dropped from here on.
    const before = server.bytesReceived;
    server.send(text('dropped'));
    client.send(text('up', { mask: true }), ping('p', { mask: true }));
    expect((await server.nextFrame()).payload.toString()).toBe('up');
    expect((await server.nextFrame()).payload.toString()).toBe('p');
    expect(server.bytesReceived).toBe(before + 15);
    client.send(closeFrame(1001, '', { mask: true }), text('late', { mask: true }));
    expect(await server.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
    await client.ended;
    expect(server.finSeen).toBe(false);
    server.send(closeFrame(1001));
    server.end();
    client.end();
    await Promise.all([client.closed, server.closed]);
    expect(client.unread).toHaveLength(0);
    expect(await endLine(running)).toEqual({
      by: 'proxy',
      reason: 'idle',
      limit: 'idle',
      close_code_client: 1001,
      close_code_backend: 1001,
      clean: true,
      mid_frame: false,
      from_client: traffic(1, 2),
      from_backend: traffic(1, 7),
    });
  });

  test.each(bothSides)('D6: pings and pongs of the %s, and parts of frames, keep a session', async (side) => {
    const { pair, pass } = await openTimed({ timeouts: { idle: '1s' } });
    const { culprit: alive, other } = endsOf(pair, side);
    const message = text('abcdefgh', as(side));
    const beats = [ping('1', as(side)), pong('', as(side)), message.subarray(0, -3), message.subarray(-3)];
    for (const beat of [...beats, ...beats]) {
      await pass(900);
      alive.send(beat);
      expect(await other.readBytes(beat.length)).toEqual(beat);
    }
    await pass(900);
    expect([pair.client.unread.length, pair.server.unread.length]).toEqual([0, 0]);
    // And then they stop.
    await pass(101);
    expect(await pair.client.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
  });

  test.each(bothSides)('D6: a %s that does not answer is cut off after timeouts.close', async (side) => {
    const { client, server, running } = await openPair({ route: { timeouts: { idle: '150ms', close: '150ms' } } });
    expect(await client.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
    if (side === 'backend') client.send(closeFrame(1001, '', { mask: true }));
    expect(await server.nextClose()).toEqual({ code: 1001, reason: 'idle timeout' });
    if (side === 'client') server.send(closeFrame(1001));
    await Promise.all([client.closed, server.closed]);
    expect(await endLine(running)).toMatchObject({
      reason: 'idle',
      close_code_client: 1001,
      close_code_backend: 1001,
      clean: false,
    });
  });
});
