// Bodies of any size in any pieces, both ways at once, to peers that take them as they like: what arrives is what was
// sent, and what is held in between does not grow with it.

import { expect, test } from 'vitest';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { Random } from '../support/random.ts';
import { NOTHING_HELD, PlainRig } from './plain-rig.ts';

const SEED = 20_261_130;
const CASES = 24;
/** What may wait before the other side is not read any more, and a read behind it with its framing. */
const HELD_MAX = 2.5 * 65_536;

interface Message {
  readonly bytes: Buffer;
  readonly body: Buffer;
}

function framed(random: Random, head: readonly string[], size: number): Message {
  const body: Buffer = random.bytes(size);
  const isChunked = random.chance(0.5);
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
  const parts: Buffer[] = [Buffer.from(`${[...head, framing].join('\r\n')}\r\n\r\n`)];
  if (!isChunked) return { bytes: Buffer.concat([...parts, body]), body };
  for (const chunk of pieces(random, body))
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  return { bytes: Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]), body };
}

/** From single bytes to more than a read, none of them empty. */
function pieces(random: Random, bytes: Buffer): Buffer[] {
  const all: Buffer[] = [];
  const most = random.pick([3, 200, 20_000, 100_000]);
  for (let at = 0; at < bytes.length; ) {
    const end = at + random.between(1, all.length > 200 ? 100_000 : most);
    all.push(bytes.subarray(at, end));
    at = end;
  }
  return all;
}

/** What stands behind the head, out of its chunks. */
function bodyOf(received: Buffer): Buffer {
  const end = received.indexOf('\r\n\r\n') + 4;
  const body = received.subarray(end);
  if (!/transfer-encoding: chunked/i.test(received.toString('latin1', 0, end))) return body;
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const line = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, line), 16);
    if (size === 0) return line + 4 === body.length ? Buffer.concat(chunks) : Buffer.from('bytes behind the end');
    chunks.push(body.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.from('no end');
}

const cases = Array.from({ length: CASES }, (_, at) => Random.caseSeed(SEED, at));

test.each(cases)('seed %i', async (seed) => {
  const random = new Random(seed);
  const rig = new PlainRig({ limits: { max_body_size: 'off' } });
  const size = (): number => random.pick([1, 100, 70_000, 600_000]);
  const request = framed(random, ['POST / HTTP/1.1', 'Host: a'], size());
  const answer = framed(random, ['HTTP/1.1 200 OK', 'Date: x'], size());
  const client = rig.connect(request.bytes.subarray(0, 10), '192.0.2.1');
  client.send(...pieces(random, request.bytes.subarray(10)));
  client.pump();
  await rig.turns(6);
  const backend = rig.backend();
  // A slow one takes a part of a read at a time.
  for (const peer of [client, backend]) if (random.chance(0.5)) peer.setRoom(0);
  const isEarly = random.chance(0.5);
  let isAnswered = false;
  let most = 0;
  const heldOf = (sent: number, from: MemoryTransport, to: MemoryTransport): number =>
    sent - from.unreadBytes - to.receivedBytes;
  const isTaken = (): boolean => bodyOf(backend.received).equals(request.body);
  for (let turn = 0; turn < 5_000; turn += 1) {
    if (!isAnswered && (isEarly || isTaken())) {
      isAnswered = true;
      backend.send(...pieces(random, answer.bytes));
    }
    for (const peer of [client, backend]) {
      if (!peer.destroyed) peer.take(random.between(1, 40_000));
      peer.pump();
    }
    await rig.turns(1);
    // What is read behind the end is dropped.
    if (rig.requests.length > 0) break;
    most = Math.max(most, heldOf(request.bytes.length, client, backend));
    if (isAnswered) most = Math.max(most, heldOf(answer.bytes.length, backend, client));
  }
  // An early answer may be whole before the body is: then the rest of that is nobody's.
  expect(bodyOf(client.received).equals(answer.body)).toBe(true);
  if (!isEarly) expect(isTaken()).toBe(true);
  expect(most).toBeLessThan(HELD_MAX);
  expect(rig.requests).toMatchObject([{ status: 200, bytes_out: answer.body.length }]);
  expect([rig.held, backend.destroyed, backend.misuse]).toEqual([NOTHING_HELD, true, []]);
});

test('H31: a reset behind a whole answer takes nothing of it from a client that is slow', async () => {
  const rig = new PlainRig();
  const client = await rig.ask('GET / HTTP/1.1', 'Host: a', '', '');
  client.setRoom(0);
  const backend = rig.backend();
  await rig.say(backend, `HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n${'x'.repeat(40_000)}`);
  backend.rst();
  await rig.settle(backend);
  client.takeAll();
  await rig.settle(client);
  expect(bodyOf(client.received).length).toBe(40_000);
  expect(rig.requests).toMatchObject([{ status: 200 }]);
});

test('D8: what is held for a slow client counts in max_buffered_total, and the fullest request ends', async () => {
  const rig = new PlainRig({}, {}, { limits: { max_buffered_total: '60KiB' } });
  const clients: MemoryTransport[] = [];
  for (const size of [20_000, 50_000]) {
    const client = await rig.ask('GET / HTTP/1.1', 'Host: a', '', '');
    client.setRoom(0);
    await rig.say(rig.backend(clients.length), `HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n${'x'.repeat(size)}`);
    clients.push(client);
  }
  expect(rig.edge.bufferedTotal()).toBeGreaterThan(70_000);
  await rig.wait(100);
  expect(rig.requests).toMatchObject([{ status: 200, error: 'overload', bytes_out: 50_000 }]);
  expect(clients.map(({ destroyed }) => destroyed)).toEqual([false, true]);
  await rig.wait(100);
  expect(rig.edge.buffers.isOver).toBe(false);
});

test('a body that waited for its backend is read on, also while others hold too much in all', async () => {
  const rig = new PlainRig({}, {}, { limits: { max_buffered_total: '200KiB' } });
  const post = (bytes: number) => ['POST / HTTP/1.1', 'Host: a', `Content-Length: ${bytes}`, '', ''];
  const client = await rig.ask(...post(150_000));
  rig.backend().setRoom(0);
  await rig.say(client, 'a'.repeat(120_000));
  expect(client.paused).toBe(true);
  // Known at the look at all of them; two that wait for a backend come before the next one.
  await rig.wait(50);
  rig.dialer.failures.push(new Promise(() => {}), new Promise(() => {}));
  for (let i = 0; i < 2; i += 1) await rig.say(await rig.ask(...post(60_000)), 'b'.repeat(60_000));
  expect(rig.edge.buffers.isOver).toBe(true);
  rig.backend().takeAll();
  await rig.say(client, 'a'.repeat(30_000));
  expect(bodyOf(rig.backend().received)).toHaveLength(150_000);
});
