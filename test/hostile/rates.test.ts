import { describe, expect, test } from 'vitest';
import { FakeClock } from '../support/fake-clock.ts';
import { binary, closeFrame, closeOf, continuation, ping, pong, text } from '../support/wire.ts';
import {
  as,
  bothSides,
  closeCleanly,
  endLine,
  endsOf,
  openPair,
  openSession,
  openTimed,
  otherOf,
  type Side,
} from './pair.ts';

/** Many of the same. */
function times(count: number, bytes: Buffer): Buffer {
  return Buffer.concat(Array<Buffer>(count).fill(bytes));
}

interface Spent {
  readonly route: object;
  /** What passes, and what is too much. */
  readonly good: Buffer;
  readonly bad: Buffer;
  readonly limit: string;
}

/** `side` goes over a rate: the other side is told at once, `side` when that one has answered. */
async function expectRate(side: Side, spec: Spent): Promise<void> {
  const { good, bad, limit, route } = spec;
  const pair = await openPair({ route });
  const { culprit, other } = endsOf(pair, side);
  culprit.send(Buffer.concat([good, bad]));
  expect((await other.readBytes(good.length)).equals(good)).toBe(true);
  const code = side === 'client' ? 1001 : 1011;
  expect(closeOf(await other.nextFrame())).toEqual({ code, reason: limit });
  other.send(closeFrame(code, '', as(otherOf(side))));
  expect(closeOf(await culprit.nextFrame())).toEqual({ code: 1008, reason: limit });
  culprit.send(text('too late', as(side)), closeFrame(1008, '', as(side)));
  pair.client.end();
  pair.server.end();
  await Promise.all([culprit.closed, other.closed]);
  expect([culprit.unread.length, other.unread.length]).toEqual([0, 0]);
  expect(await endLine(pair.running)).toMatchObject({
    by: side,
    reason: `${side}_rate`,
    limit,
    [`close_code_${side}`]: 1008,
    [`close_code_${otherOf(side)}`]: code,
    mid_frame: false,
  });
  const hits = pair.running.logsOf('limit.hit');
  expect(hits).toMatchObject([{ level: 'info', direction: `from_${side}`, limit, value: expect.any(Number) }]);
}

function rates(side: Side, keys: Readonly<Record<string, number | string>>): object {
  return { limits: { [`from_${side}`]: keys } };
}

describe.each(bothSides)('control frames of the %s', (side) => {
  const own = as(side);
  const budget = rates(side, { control_frames_per_second: 10, control_frame_burst: 20 });
  /** Gives nothing back while a test lasts. */
  const slow = rates(side, { control_frames_per_second: 0.01, control_frame_burst: 20 });
  const kinds = [
    ['F15', 'ping', ping(Buffer.alloc(125, 0x70), own)],
    ['F16', 'pong', pong(Buffer.alloc(125, 0x70), own)],
  ] as const;

  for (const [row, name, one] of kinds) {
    test(`${row}: 5.5: 20 ${name}s of 125 bytes at once pass, the next one gets 1008`, async () => {
      await expectRate(side, { good: times(20, one), bad: one, limit: 'control_frames_per_second', route: slow });
    });

    test(`${row}: 5.5: a ${name} every tenth of a second passes for as long as it likes`, async () => {
      const clock = new FakeClock();
      const pair = await openPair({ route: budget, clock });
      const { culprit: sender, other } = endsOf(pair, side);
      sender.send(times(20, one));
      await other.readBytes(20 * one.length);
      for (let i = 0; i < 100; i += 1) {
        clock.advance(100);
        sender.send(one);
        expect((await other.nextFrame()).bytes).toEqual(one);
      }
      expect(pair.running.logsOf('limit.hit')).toEqual([]);
    });
  }

  test('F16: 5.5.3: a pong for each ping that was relayed costs nothing', async () => {
    const pair = await openPair({ route: budget, clock: new FakeClock() });
    const { culprit: sender, other } = endsOf(pair, side);
    for (let i = 0; i < 20; i += 1) {
      const asked = ping(`${i}`, as(otherOf(side)));
      other.send(asked);
      expect((await sender.nextFrame()).payload.toString()).toBe(`${i}`);
      sender.send(pong(`${i}`, own));
      expect((await other.nextFrame()).payload.toString()).toBe(`${i}`);
    }
    sender.send(times(20, ping('', own)));
    await other.readBytes(20 * ping('', own).length);
    expect(pair.running.logsOf('limit.hit')).toEqual([]);
  });

  test('F15: pings that their peer does not read wait like all else, and nothing is lost', async () => {
    const off = {
      limits: { from_client: { control_frames_per_second: 'off' }, from_backend: { control_frames_per_second: 'off' } },
    };
    const pair = await openPair({ route: { ...off, timeouts: { write_stall: '60s' } } as object });
    const { culprit: sender, other } = endsOf(pair, side);
    other.pause();
    const flood = times(131_072, ping(Buffer.alloc(125, 0x70), own));
    sender.send(flood);
    const neighbour = await openSession(pair.running, pair.backend);
    let left = 0;
    for (let same = 0; same < 10; same = sender.socket.writableLength === left ? same + 1 : 0) {
      left = sender.socket.writableLength;
      neighbour.client.send(text('x', { mask: true }));
      await neighbour.server.nextFrame();
    }
    // Kernel buffers and 256 KiB took their part; the rest never left the sender.
    expect(left).toBeGreaterThan(2 ** 20);
    other.keep(false);
    const before = other.bytesReceived;
    other.resume();
    await other.receivedBytes(before + flood.length);
  });
});

describe.each(bothSides)('F29: rates of the %s', (side) => {
  const own = as(side);
  const message = text('12345678', own);
  const off = { compression: 'off' as const };

  test('F29: on_rate_exceeded: close: messages over the burst get 1008', async () => {
    const route = rates(side, { messages_per_second: 0.01, message_burst: 10, on_rate_exceeded: 'close' });
    await expectRate(side, { good: times(10, message), bad: message, limit: 'messages_per_second', route });
  });

  test('F29: fragments are no messages, but their bytes count', async () => {
    const parts = (count: number) =>
      Buffer.concat([text('a', { ...own, fin: false }), times(count, continuation('b', { ...own, fin: false }))]);
    const messages = rates(side, { messages_per_second: 1, message_burst: 1, on_rate_exceeded: 'close' });
    const pair = await openPair({ route: messages, clock: new FakeClock() });
    const { culprit: sender, other } = endsOf(pair, side);
    sender.send(parts(200));
    expect(await other.readBytes(parts(200).length)).toEqual(parts(200));
    expect(pair.running.logsOf('limit.hit')).toEqual([]);
    // A frame passes if the bucket was not empty; 100 of one byte each empty it.
    const route = rates(side, { bytes_per_second: '1B', byte_burst: '100B', on_rate_exceeded: 'close' });
    const bad = continuation('b', { ...own, fin: false });
    await expectRate(side, { good: parts(99), bad, limit: 'bytes_per_second', route });
  });

  test('F29: on_rate_exceeded: pause: nothing more is read until the debt is paid, and nothing is lost', async () => {
    const { pair, pass } = await openTimed(rates(side, { messages_per_second: 5, on_rate_exceeded: 'pause' }));
    const { culprit: sender, other } = endsOf(pair, side);
    sender.send(times(20, message));
    expect(await other.readBytes(20 * message.length)).toEqual(times(20, message));
    sender.send(binary('later', own));
    other.send(text('the other way', as(otherOf(side))));
    expect((await sender.nextFrame()).payload.toString()).toBe('the other way');
    const neighbour = await openSession(pair.running, pair.backend);
    await closeCleanly(neighbour);
    expect(other.unread).toHaveLength(0);
    // Ten above the burst: that is paid behind 2000 ms; 200 ms later the next one has a token, and begins no new debt.
    await pass(2000);
    expect(other.unread).toHaveLength(0);
    await pass(200);
    expect((await other.nextFrame()).payload.toString()).toBe('later');
    await closeCleanly(pair);
    expect(
      await endLine(pair.running, ({ from_client, from_backend }) => {
        return JSON.stringify([from_client, from_backend]).includes('165');
      }),
    ).toMatchObject({ clean: true });
  });

  test('F29: on_rate_exceeded: pause: a debt that write_stall cannot repay ends the session', async () => {
    const keys = { bytes_per_second: '10B', on_rate_exceeded: 'pause', max_message_size: '1KiB' };
    const route = { ...rates(side, keys), timeouts: { write_stall: '10s' } };
    const good = Buffer.concat([binary(Buffer.alloc(1000), own), text('a', own)]);
    await expectRate(side, { good, bad: Buffer.alloc(0), limit: 'bytes_per_second', route });
  });

  test('F29: on_rate_exceeded: drop: whole messages are left out, never a part of one', async () => {
    const clock = new FakeClock();
    const route = { ...off, ...rates(side, { messages_per_second: 1, message_burst: 1, on_rate_exceeded: 'drop' }) };
    const pair = await openPair({ route, clock });
    const { culprit: sender, other } = endsOf(pair, side);
    const dropped = [text('no', { ...own, fin: false }), continuation('no', own)];
    const last = ping('end', own);
    sender.send(message, ...dropped, message, last);
    expect(await other.readBytes(message.length)).toEqual(message);
    expect((await other.nextFrame()).bytes).toEqual(last);
    clock.advance(1000);
    sender.send(message, last);
    expect(await other.readBytes(message.length)).toEqual(message);
    expect((await other.nextFrame()).bytes).toEqual(last);
    expect(pair.running.logsOf('limit.hit')).toMatchObject([
      { direction: `from_${side}`, limit: 'messages_per_second' },
    ]);
  });

  test('F29: what was spent is spent after a reload too', async () => {
    const clock = new FakeClock();
    const config = (idle: string) => ({
      listeners: [{ name: 'test', address: '127.0.0.1:0' }],
      routes: [{ name: 'test', upstream: pair.backend.url, timeouts: { idle }, ...rates(side, spent) }],
    });
    const spent = { messages_per_second: 5, on_rate_exceeded: 'close' };
    const pair = await openPair({ route: rates(side, spent), clock });
    const { culprit: sender, other } = endsOf(pair, side);
    sender.send(times(10, message));
    await other.readBytes(10 * message.length);
    expect(await pair.running.proxy.reload(config('2h'))).toMatchObject({ ok: true });
    sender.send(message);
    expect((await other.nextClose()).reason).toBe('messages_per_second');
    other.send(closeFrame(1001, '', as(otherOf(side))));
    expect(await sender.nextClose()).toEqual({ code: 1008, reason: 'messages_per_second' });
  });
});
