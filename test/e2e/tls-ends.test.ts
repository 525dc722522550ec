// Ends and order over TLS, where records and segments are not the same: what came in one piece, what comes behind a
// pause, and who is told what first. That every cause of an end holds over TLS, too, is for the layouts.

import { beforeAll, describe, expect, test } from 'vitest';
import {
  as,
  bothSides,
  closeCleanly,
  endLine,
  endsOf,
  expectLimit,
  expectProtocolError,
  headerOnly,
  openPair,
  otherOf,
  type Side,
} from '../hostile/pair.ts';
import { makeCertificates, type TestCertificates } from '../support/certs.ts';
import { oneRoute, type RunningProxy, startProxy } from '../support/harness.ts';
import { type BackendConnection, RawBackend } from '../support/raw-backend.ts';
import { RawClient } from '../support/raw-client.ts';
import { relayTls, type TlsRelay } from '../support/tls-relay.ts';
import { binary, closeFrame, text } from '../support/wire.ts';
import { workerCount } from '../support/worker-fleet.ts';

const secure = { isSecure: true };
const trusting = { tls: { rejectUnauthorized: false, servername: 'localhost' } };
/** Of ten records each: more than all buffers between two peers hold. */
const ROUNDS = 80;
/** What the other side is told. */
const lost = {
  client: { code: 1001, reason: 'client lost' },
  backend: { code: 1012, reason: 'backend lost' },
} as const;

let certs: TestCertificates;
beforeAll(async () => {
  certs = await makeCertificates();
});

describe.each(bothSides)('an end by the %s, TLS on both sides', (side) => {
  const own = as(side);
  const others = as(otherOf(side));

  test('a Close passes behind the last bytes, its answer comes back, the client is closed first', async () => {
    const { running, client, server } = await openPair(secure);
    const { culprit: closer, other } = endsOf({ client, server }, side);
    const bulk = binary(Buffer.alloc(300_000, 'last'), own);
    const closing = closeFrame(4001, 'bye', own);
    closer.send(Buffer.concat([bulk, closing]), text('ghost', own));
    expect((await other.readBytes(bulk.length)).equals(bulk)).toBe(true);
    expect((await other.nextFrame()).bytes).toEqual(closing);
    other.send(text('still', others), closeFrame(4001, 'too', others));
    expect((await closer.nextFrame()).payload.toString()).toBe('still');
    expect(await closer.nextClose()).toEqual({ code: 4001, reason: 'too' });
    await client.ended;
    expect(server.finSeen).toBe(false);
    client.end();
    server.end();
    await Promise.all([client.closed, server.closed]);
    expect([closer.unread.length, other.unread.length]).toEqual([0, 0]);
    expect(await endLine(running)).toMatchObject({ by: side, reason: `${side}_close`, clean: true, mid_frame: false });
  });

  test('its FIN without a Close: all that came before it is passed on, and then the other is told', async () => {
    const { running, client, server } = await openPair(secure);
    const { culprit, other } = endsOf({ client, server }, side);
    const bulk = binary(Buffer.alloc(300_000, 'last'), own);
    culprit.end(bulk);
    expect((await other.readBytes(bulk.length)).equals(bulk)).toBe(true);
    expect(await other.nextClose()).toEqual(lost[side]);
    other.send(closeFrame(1000, '', others));
    other.end();
    await Promise.all([client.closed, server.closed]);
    expect(await endLine(running)).toMatchObject({ by: side, reason: `${side}_lost`, clean: false });
  });

  test('a TCP FIN without that of TLS, and an RST: what it is over TCP', async () => {
    for (const cut of ['destroy', 'reset'] as const) {
      const { running, client, server } = await openPair(secure);
      const { culprit, other } = endsOf({ client, server }, side);
      culprit.send(text('x', own));
      expect((await other.nextFrame()).payload.toString()).toBe('x');
      culprit[cut]();
      expect(await other.nextClose()).toEqual(lost[side]);
      other.send(closeFrame(1000, '', others));
      other.end();
      await other.closed;
      expect(await endLine(running)).toMatchObject({ by: side, reason: `${side}_lost` });
    }
  });

  test('a broken rule: the other is told first, its last words come before the Close of the culprit', async () => {
    await expectProtocolError(side, text('rsv', { ...own, rsv: 1 }), 'reserved bit set', secure);
    const limits = { max_message_size: '1KiB', max_frame_size: '512B' };
    await expectLimit(
      side,
      headerOnly(side, 2, 513),
      { code: 1009, kind: 'message_too_big', limit: 'max_frame_size' },
      { ...secure, route: { limits: { from_client: limits, from_backend: limits } } },
    );
  });
});

interface Front {
  readonly running: RunningProxy;
  readonly backend: RawBackend;
  readonly relay: TlsRelay;
  /** Where clients connect. */
  readonly port: number;
}

/** framegate with TLS on both sides, and a relay on the way of one of them. */
async function front(side: Side): Promise<Front> {
  const backend = await RawBackend.listen({ tls: certs.good });
  const toBackend = side === 'backend' ? await relayTls(backend.port) : null;
  const url = `wss://localhost:${toBackend?.port ?? backend.port}`;
  const running = await startProxy(
    oneRoute(
      'secure',
      {},
      {
        listeners: [{ name: 'test', address: '127.0.0.1:0', tls: { certificates: [certs.good] } }],
        upstreams: { secure: { targets: [{ url }], tls: { ca: certs.ca } } },
      },
    ),
  );
  if (toBackend !== null) return { running, backend, relay: toBackend, port: running.port };
  const relay = await relayTls(running.port);
  return { running, backend, relay, port: relay.port };
}

interface Through extends Front {
  readonly client: RawClient;
  readonly server: BackendConnection;
}

async function openThrough(side: Side): Promise<Through> {
  const opened = await front(side);
  const client = await RawClient.connect(opened.port, trusting);
  const answer = client.upgrade();
  const server = await opened.backend.nextSession();
  expect((await answer).status).toBe(101);
  return { ...opened, client, server };
}

describe('records of one segment', () => {
  test('a 101 and the first frames of a backend: nothing is lost, the order is kept', async () => {
    const { backend, relay, port } = await front('backend');
    const client = await RawClient.connect(port, trusting);
    const opened = client.upgrade();
    const server = await backend.nextConnection();
    await server.head();
    relay.hold('down');
    await server.accept();
    const frames = Array.from({ length: 10 }, (_, index) => text(`frame ${index}`));
    for (const frame of frames) {
      server.send(frame);
      await server.flushed();
    }
    await expect.poll(() => relay.heldRecords('down')).toBeGreaterThanOrEqual(11);
    relay.letGo('down');
    expect((await opened).status).toBe(101);
    const all = Buffer.concat(frames);
    expect((await client.readBytes(all.length)).toString('latin1')).toBe(all.toString('latin1'));
    client.sendFrame({ opcode: 1, payload: 'up' });
    expect((await server.nextFrame()).payload.toString()).toBe('up');
  });

  test.each(bothSides)('of the %s, with its Close and FIN: all of it, in order', async (side) => {
    const through = await openThrough(side);
    const { culprit, other } = endsOf(through, side);
    const { relay } = through;
    const way = side === 'client' ? 'up' : 'down';
    relay.hold(way);
    const frames = Array.from({ length: 10 }, (_, index) => text(`frame ${index}`, as(side)));
    for (const frame of [...frames, closeFrame(1000, 'bye', as(side))]) {
      culprit.send(frame);
      await culprit.flushed();
    }
    await expect.poll(() => relay.heldRecords(way)).toBeGreaterThanOrEqual(11);
    relay.letGo(way);
    culprit.end();
    expect(await other.nextFrames(10)).toMatchObject(frames.map((bytes) => ({ bytes })));
    expect(await other.nextClose()).toEqual({ code: 1000, reason: 'bye' });
  });

  test.each(bothSides)('ten at a time of the %s, the other side reads nothing for a while', async (side) => {
    const through = await openThrough(side);
    const { culprit, other } = endsOf(through, side);
    const { relay } = through;
    const way = side === 'client' ? 'up' : 'down';
    other.pause();
    const sent: Buffer[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      relay.hold(way);
      for (let at = 0; at < 10; at += 1) {
        const frame = binary(Buffer.alloc(16_000, round * 10 + at), as(side));
        sent.push(frame);
        culprit.send(frame);
        await culprit.flushed();
      }
      await expect.poll(() => relay.heldRecords(way)).toBeGreaterThanOrEqual(10);
      relay.letGo(way);
    }
    const all = Buffer.concat(sent);
    other.resume();
    expect((await other.readBytes(all.length)).equals(all)).toBe(true);
    await closeCleanly(through);
    const counts = await through.running.waitForLog('session.end');
    expect(counts).toMatchObject({
      clean: true,
      [`from_${side}`]: { messages: ROUNDS * 10, pauses: expect.any(Number) },
    });
    expect(counts[`from_${side}`]).not.toMatchObject({ pauses: 0 });
  });
});

test('RFC 8446 4.6.1: tickets that come with the 101, long after the handshake: kept for the next dial', async () => {
  const { backend, relay, port } = await front('backend');
  const resumed: boolean[] = [];
  // Each worker has tickets of its own, and clients in turn.
  const turns = Array(workerCount).fill(0);
  for (const isLate of [...turns.map(() => true), ...turns.map(() => false)]) {
    const client = await RawClient.connect(port, trusting);
    if (isLate) relay.holdLater('down');
    const opened = client.upgrade();
    const server = await backend.nextConnection();
    await server.accept([], text('first'));
    if (isLate) {
      await expect.poll(() => relay.heldRecords('down')).toBeGreaterThanOrEqual(3);
      relay.letGo('down');
    }
    expect((await opened).status).toBe(101);
    expect((await client.nextFrame()).payload.toString()).toBe('first');
    resumed.push(Reflect.apply(Reflect.get(server.socket, 'isSessionReused'), server.socket, []));
  }
  expect(resumed).toEqual([...turns.map(() => false), ...turns.map(() => true)]);
});
