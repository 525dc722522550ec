import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/proxy.ts';
import { RawClient } from '../support/raw-client.ts';
import { binary, closeFrame, text } from '../support/wire.ts';
import { hasWorkers } from '../support/worker-fleet.ts';
import { expectRefusal, type Gate, type Refusal, requestOf, sharedGate, startGate, withFields } from './harness.ts';
import { closeCleanly, endLine, openPair, openSession } from './pair.ts';

const MIB = 2 ** 20;

type LimitsInput = NonNullable<ConfigInput['limits']>;

function limited(limits: LimitsInput): Promise<Gate> {
  return startGate((upstream) => ({ limits, routes: [{ name: 'test', upstream }] }));
}

/** A request from one of the loopback addresses, which has reached the backend. */
async function reachFrom(gate: Gate, localAddress: string) {
  gate.dials += 1;
  const client = await RawClient.connect(gate.port, { localAddress });
  client.send(requestOf());
  const server = await gate.backend.nextConnection();
  await server.request();
  return { client, server };
}

async function openFrom(gate: Gate, localAddress: string) {
  const { client, server } = await reachFrom(gate, localAddress);
  await server.accept();
  expect((await client.readHead()).status).toBe(101);
  return { client, server };
}

/** A request from that address that must be refused, with the key of the limit in the log. */
async function refuseFrom(gate: Gate, localAddress: string, refusal: Refusal, limit: string): Promise<void> {
  const client = await RawClient.connect(gate.port, { localAddress });
  client.send(requestOf());
  const line = await gate.expectRefused(client, refusal);
  expect(line).toMatchObject({ client: localAddress, route: 'test', cause: limit });
}

/** The same for a connection that is one too many: nothing that it sends is looked at. */
async function refuseAtOnce(gate: Gate, localAddress: string): Promise<void> {
  const client = await RawClient.connect(gate.port, { localAddress });
  client.send(requestOf());
  const line = await gate.expectRefused(client, '429 too_many_sessions_per_ip');
  expect(line).toMatchObject({ client: localAddress, cause: 'max_sessions_per_ip' });
  expect(line).not.toHaveProperty('path');
}

describe('D1: too many from one address, and in all', () => {
  test('D1: max_sessions_per_ip: 429 for the one, others come in, and a place that is left is free', async () => {
    const gate = await limited({ max_sessions_per_ip: 2 });
    const first = await openFrom(gate, '127.0.0.1');
    await openFrom(gate, '127.0.0.1');
    for (let i = 0; i < 20; i += 1) await refuseAtOnce(gate, '127.0.0.1');
    await openFrom(gate, '127.0.0.2');
    await closeCleanly(first);
    await gate.tap.waitFor('session.end');
    await openFrom(gate, '127.0.0.1');
    await refuseAtOnce(gate, '127.0.0.1');
  });

  test('D1: a flood beyond max_sessions is turned away or cut off; who is in notices nothing', async () => {
    const gate = await limited({ max_sessions: 3 });
    const sessions = [];
    for (let i = 1; i <= 3; i += 1) sessions.push(await openFrom(gate, `127.0.0.${i}`));
    const flood = await Promise.all(
      Array.from({ length: 100 }, (_, i) => RawClient.connect(gate.port, { localAddress: `127.0.1.${i + 1}` })),
    );
    // Half of the smallest descriptor reserve is told why; the others are cut off. None gets further.
    await Promise.all(flood.map((client) => client.ended.catch(() => client.closed)));
    const told = flood.filter((client) => client.unread.length > 0);
    expect(told.length).toBeGreaterThan(0);
    for (const client of told) expectRefusal(await client.readResponse(), '503 too_many_sessions');
    for (const client of flood) client.destroy();
    for (const { client, server } of sessions) {
      client.sendFrame({ opcode: 1, payload: 'still here' });
      expect((await server.nextFrame()).payload.toString()).toBe('still here');
    }
  });

  test('D1: handshakes_per_second_per_ip: 429 after twice the rate, until a token is back', async () => {
    const gate = await limited({ handshakes_per_second_per_ip: 1 });
    const slow = () => refuseFrom(gate, '127.0.0.1', '429 too_many_handshakes_per_ip', 'handshakes_per_second_per_ip');
    for (let i = 0; i < 2; i += 1) await closeCleanly(await openFrom(gate, '127.0.0.1'));
    await slow();
    await openFrom(gate, '127.0.0.2');
    gate.clock.advance(999);
    await slow();
    gate.clock.advance(1);
    await openFrom(gate, '127.0.0.1');
    await slow();
  });

  test('D1: handshakes_per_second: 503 for whoever comes after the burst, until a token is back', async () => {
    const gate = await limited({ handshakes_per_second: 2, handshake_burst: 1 });
    await openFrom(gate, '127.0.0.1');
    await refuseFrom(gate, '127.0.0.2', '503 too_many_handshakes', 'handshakes_per_second');
    gate.clock.advance(499);
    await refuseFrom(gate, '127.0.0.2', '503 too_many_handshakes', 'handshakes_per_second');
    gate.clock.advance(1);
    await openFrom(gate, '127.0.0.2');
  });

  test('D1: max_handshakes without a queue: 503 while that many wait for a silent backend', async () => {
    const gate = await limited({ max_handshakes: 2, max_waiting_handshakes: 0 });
    const first = await reachFrom(gate, '127.0.0.1');
    const second = await reachFrom(gate, '127.0.0.2');
    await refuseFrom(gate, '127.0.0.3', '503 too_many_handshakes', 'max_handshakes');
    await first.server.accept();
    expect((await first.client.readHead()).status).toBe(101);
    const third = await reachFrom(gate, '127.0.0.3');
    await refuseFrom(gate, '127.0.0.4', '503 too_many_handshakes', 'max_handshakes');
    // A client that leaves makes room too.
    second.client.destroy();
    await second.server.closed;
    await openFrom(gate, '127.0.0.4');
    third.client.destroy();
  });

  test('D1: what is refused for another reason takes nothing of any limit', async () => {
    const gate = await limited({ handshakes_per_second: 1, handshake_burst: 1, max_sessions_per_ip: 1 });
    for (let i = 0; i < 5; i += 1) {
      const client = await gate.connect();
      client.send(requestOf({ omit: ['upgrade'] }));
      await gate.expectRefused(client, '426 upgrade_required');
      // A primary hears in the next turn that it is gone.
      await nextTurn();
    }
    await openFrom(gate, '127.0.0.1');
  });
});

describe('D8: bytes before the 101, of all handshakes', () => {
  test('D8: past max_buffered_total new handshakes get 503; when the bytes are gone they are let in', async () => {
    const gate = await limited({ max_buffered_total: '256KiB', max_early_bytes: '64KiB' });
    const early = binary(Buffer.alloc(80 * 1024, 1), { mask: true });
    const waiting: Awaited<ReturnType<typeof reachFrom>>[] = [];
    let refused: RawClient | null = null;
    while (refused === null) {
      const client = await gate.connect();
      client.send(requestOf(), early);
      await gate.settled();
      if (client.unread.length > 0) {
        refused = client;
      } else {
        gate.dials += 1;
        waiting.push({ client, server: await gate.backend.nextConnection() });
      }
      // Each holds 64 KiB at least, and no more than 64 KiB and one read.
      expect(waiting.length).toBeLessThanOrEqual(5);
    }
    expect(waiting.length).toBeGreaterThanOrEqual(2);
    expectRefusal(await refused.readResponse(), '503 overload');
    refused.destroy();
    const line = await gate.tap.waitFor('handshake.refused', ({ error }) => error === 'overload');
    expect(line).toMatchObject({ status: 503, cause: 'max_buffered_total', route: 'test' });
    for (const { client, server } of waiting) {
      await server.accept();
      expect((await client.readHead()).status).toBe(101);
      expect((await server.readBytes(early.length)).equals(early)).toBe(true);
    }
    await openFrom(gate, '127.0.0.1');
  });

  // The others of its worker are what it counts with.
  test.skipIf(hasWorkers)('D8: a handshake that fails or takes too long gives its bytes back', async () => {
    const gate = await limited({ max_buffered_total: '64KiB', max_early_bytes: '256KiB' });
    const early = binary(Buffer.alloc(80 * 1024, 1), { mask: true });
    for (let i = 0; i < 4; i += 1) {
      const { client, server } = await reachFrom(gate, '127.0.0.1');
      client.send(early);
      await gate.settled();
      const next = await gate.connect();
      next.send(requestOf());
      await gate.expectRefused(next, '503 overload');
      if (i % 2 === 0) server.destroy();
      else gate.clock.advance(15_001);
      await gate.expectRefused(client, i % 2 === 0 ? '502 backend_handshake' : '504 backend_timeout');
    }
  });

  test('D8: above it the fullest session ends, and the others go on', async () => {
    const pair = await openPair({
      config: { limits: { max_buffered_total: '64KiB', from_backend: { max_message_size: '64MiB' } } },
    });
    const { client, server, running, backend } = pair;
    const neighbour = await openSession(running, backend);
    client.pause();
    server.send(binary(Buffer.alloc(32 * MIB, 1)));
    expect(await server.nextClose()).toEqual({ code: 1001, reason: 'max_buffered_total' });
    server.send(closeFrame(1001));
    server.end();
    client.keep(false);
    client.resume();
    await Promise.all([client.closed, server.closed]);
    expect(await endLine(running)).toMatchObject({
      by: 'proxy',
      reason: 'overload',
      limit: 'max_buffered_total',
      close_code_client: null,
      close_code_backend: 1001,
      mid_frame: true,
    });
    const [hit, ...more] = running.logsOf('limit.hit');
    expect(hit).toMatchObject({ direction: 'from_backend', limit: 'max_buffered_total', value: expect.any(Number) });
    expect(more).toEqual([]);
    neighbour.server.send(text('still here'));
    expect((await neighbour.client.nextFrame()).payload.toString()).toBe('still here');
    await closeCleanly(neighbour);
  });
});

describe('D9: names made to collide', () => {
  const gate = sharedGate();
  /** V8 hashes strings that look like array indexes without its random seed. */
  const names = (count: number) => Array.from({ length: count }, (_, i) => `${i * 1024}: x`);

  test('D9: 10,000 of them: 431 at the first beyond max_header_fields', async () => {
    await gate.refuses(withFields(...names(10_000)), '431 too_many_fields');
    await gate.refuses(withFields(...names(96)), '431 too_many_fields');
  });

  test('D9: as many as are allowed reach the backend, in order', async () => {
    await gate.accepts(withFields(...names(95)), { passed: names(95) });
  });
});
