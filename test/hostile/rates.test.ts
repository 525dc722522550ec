import { describe, expect, test } from 'vitest';
import { FakeClock } from '../support/fake-clock.ts';
import { oneRoute } from '../support/harness.ts';
import { binary, closeFrame, closeOf, continuation, ping, pong, text } from '../support/wire.ts';
import {
  as,
  bothSides,
  closeCleanly,
  endLine,
  endsOf,
  headerOnly,
  noTraffic,
  openPair,
  openSession,
  otherOf,
  type PairOptions,
  type Side,
  traffic,
} from './pair.ts';

const MIB = 2 ** 20;
/** Twice ten may come at once. */
const BURST = 20;

/** Limits for whichever side is the culprit, and a clock that does not move by itself. */
function limited(limits: Readonly<Record<string, string | number>>): PairOptions & { clock: FakeClock } {
  return {
    route: { compression: 'off', limits: { from_client: limits, from_backend: limits } },
    clock: new FakeClock(),
  };
}

function times(count: number, make: (i: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
}

/** What the other side is told when one is over its rate. */
const otherCode = { client: 1001, backend: 1011 } as const;

interface RateCase extends PairOptions {
  /** What is relayed, and what the culprit sent in all, as `session.end` counts it. */
  readonly good: Buffer;
  readonly counted?: Record<string, number>;
}

/**
 * `side` goes over `limit` with `bad`: the other side is told at once and its last words arrive; then the culprit gets
 * 1008, and since it broke no rule of the protocol its answer is waited for.
 */
async function expectRate(side: Side, bad: Buffer, limit: string, spec: RateCase): Promise<void> {
  const pair = await openPair(spec);
  const { culprit, other } = endsOf(pair, side);
  const code = otherCode[side];
  culprit.send(Buffer.concat([spec.good, bad]));
  expect((await other.readBytes(spec.good.length)).equals(spec.good)).toBe(true);
  expect(closeOf(await other.nextFrame())).toEqual({ code, reason: limit });
  other.send(text('last words', as(otherOf(side))), closeFrame(code, '', as(otherOf(side))));
  expect((await culprit.nextFrame()).payload.toString()).toBe('last words');
  expect(closeOf(await culprit.nextFrame())).toEqual({ code: 1008, reason: limit });
  culprit.reset();
  other.end();
  await other.closed;
  expect(other.unread).toHaveLength(0);
  const isClient = side === 'client';
  const counted = spec.counted ?? noTraffic;
  expect(await endLine(pair.running)).toEqual({
    by: side,
    reason: `${side}_rate`,
    limit,
    close_code_client: isClient ? 1008 : code,
    close_code_backend: isClient ? code : 1008,
    clean: false,
    mid_frame: false,
    from_client: isClient ? counted : traffic(1, 10),
    from_backend: isClient ? traffic(1, 10) : counted,
  });
}

const control = { control_frames_per_second: 10 };

describe.each(bothSides)('control frames of the %s', (side) => {
  const own = as(side);
  const largest = (i: number) => ping(Buffer.alloc(125, i), own);

  test('F15: a burst of pings is relayed, one more gets 1008', async () => {
    await expectRate(side, ping('', own), 'control_frames_per_second', {
      ...limited(control),
      good: times(BURST, largest),
    });
  });

  test('F15: a second gives back ten, and a Close is never charged', async () => {
    const options = limited(control);
    const pair = await openPair(options);
    const { culprit, other } = endsOf(pair, side);
    for (const count of [BURST, 10, 10]) {
      const bytes = times(count, largest);
      culprit.send(bytes);
      expect(await other.readBytes(bytes.length)).toEqual(bytes);
      options.clock.advance(1000);
    }
    culprit.send(times(10, largest), closeFrame(1000, 'bye', own));
    await other.readBytes(times(10, largest).length);
    expect(await other.nextClose()).toEqual({ code: 1000, reason: 'bye' });
  });

  test('F15: pings that the other side does not take are held back like anything else', async () => {
    const pair = await openPair({ route: { limits: { [`from_${side}`]: { control_frames_per_second: 'off' } } } });
    const { culprit, other } = endsOf(pair, side);
    other.pause();
    const flood = times(Math.ceil((16 * MIB) / largest(0).length), largest);
    culprit.send(flood);
    const neighbour = await openSession(pair.running, pair.backend);
    let left = 0;
    for (let same = 0; same < 10; same = culprit.socket.writableLength === left ? same + 1 : 0) {
      left = culprit.socket.writableLength;
      neighbour.client.send(text('x', { mask: true }));
      await neighbour.server.nextFrame();
    }
    expect(left).toBeGreaterThan(MIB);
    other.resume();
    expect((await other.readBytes(flood.length)).equals(flood)).toBe(true);
    await closeCleanly(pair);
  });

  test('F16: pongs that nobody asked for have the same budget, together with pings', async () => {
    const half = times(BURST / 2, (i) => pong(`${i}`, own));
    await expectRate(side, pong('', own), 'control_frames_per_second', {
      ...limited(control),
      good: Buffer.concat([half, times(BURST / 2, largest)]),
    });
  });

  test('F16: each ping that was relayed to it allows it one pong more, answered or not before', async () => {
    const pair = await openPair(limited(control));
    const { culprit, other } = endsOf(pair, side);
    const asked = times(BURST, (i) => ping(`${i}`, as(otherOf(side))));
    other.send(asked);
    expect(await culprit.readBytes(asked.length)).toEqual(asked);
    const pongs = times(2 * BURST, (i) => pong(`${i}`, own));
    culprit.send(pongs);
    expect(await other.readBytes(pongs.length)).toEqual(pongs);
    culprit.send(pong('', own));
    expect(await other.nextClose()).toEqual({ code: otherCode[side], reason: 'control_frames_per_second' });
  });
});

describe.each(bothSides)('messages of the %s above its rate', (side) => {
  const own = as(side);
  const message = (i: number) => text(`m${i}`, own);
  const begin = (i: number) => text(`m${i}`, { ...own, fin: false });

  test('F29: close: what the burst allows is relayed, the header of one more gets 1008', async () => {
    await expectRate(side, headerOnly(side, 1, 100), 'messages_per_second', {
      ...limited({ messages_per_second: 10, on_rate_exceeded: 'close' }),
      good: times(BURST, message),
      counted: traffic(BURST + 1, 50, 100),
    });
  });

  test('F29: a message counts when it begins: its fragments are free, and so is one begun in time', async () => {
    await expectRate(side, begin(0), 'messages_per_second', {
      ...limited({ messages_per_second: 10, on_rate_exceeded: 'close' }),
      good: times(BURST, (i) =>
        Buffer.concat([begin(i), continuation('', { ...own, fin: false }), continuation('', own)]),
      ),
      counted: traffic(BURST + 1, 52, 3),
    });
  });

  test('F29: bytes count on the header, those of fragments too; the debt of one is met by the next', async () => {
    await expectRate(side, headerOnly(side, 0, 1), 'bytes_per_second', {
      ...limited({ bytes_per_second: '1KiB', on_rate_exceeded: 'close' }),
      good: Buffer.concat([
        binary(Buffer.alloc(2047), { ...own, fin: false }),
        continuation(Buffer.alloc(5000), { ...own, fin: false }),
        continuation('', { ...own, fin: false }),
      ]),
      counted: traffic(1, 7047, 7048),
    });
  });

  test('F29: pause: all is relayed, and nothing more is read until the debt is paid', async () => {
    const options = limited({ messages_per_second: 10, on_rate_exceeded: 'pause' });
    const pair = await openPair(options);
    const { culprit, other } = endsOf(pair, side);
    const all = times(3 * BURST, message);
    culprit.send(all);
    expect(await other.readBytes(all.length)).toEqual(all);
    culprit.send(text('later', own));
    // The other direction goes on.
    other.send(text('still', as(otherOf(side))));
    expect((await culprit.nextFrame()).payload.toString()).toBe('still');
    options.clock.advance(1000);
    other.send(text('and still', as(otherOf(side))));
    expect((await culprit.nextFrame()).payload.toString()).toBe('and still');
    expect(other.unread).toHaveLength(0);
    options.clock.advance(3100);
    expect((await other.nextFrame()).payload.toString()).toBe('later');
  });

  test('F29: pause: a debt that takes longer than write_stall to pay ends the session', async () => {
    const pair = await openPair({
      ...limited({ bytes_per_second: '1KiB', on_rate_exceeded: 'pause', max_message_size: '1MiB' }),
    });
    const { culprit, other } = endsOf(pair, side);
    // 2 KiB at once, and 60 KiB in write_stall: the second message meets a debt of more.
    const first = binary(Buffer.alloc(64 * 1024), own);
    culprit.send(first);
    expect((await other.readBytes(first.length)).equals(first)).toBe(true);
    culprit.send(text('x', own));
    expect(await other.nextClose()).toEqual({ code: otherCode[side], reason: 'bytes_per_second' });
  });

  test('F29: drop: what is over the rate is left out, whole messages of it; the log has one line', async () => {
    const options = limited({ messages_per_second: 10, on_rate_exceeded: 'drop' });
    const pair = await openPair(options);
    const { culprit, other } = endsOf(pair, side);
    const fragments = Buffer.concat([begin(99), continuation('left out', own)]);
    culprit.send(times(BURST, message), times(10, message), fragments, ping('1', own));
    const kept = Buffer.concat([times(BURST, message), ping('1', own)]);
    expect(await other.readBytes(kept.length)).toEqual(kept);
    options.clock.advance(1000);
    culprit.send(times(15, message), ping('2', own));
    const after = Buffer.concat([times(10, message), ping('2', own)]);
    expect(await other.readBytes(after.length)).toEqual(after);
    expect(pair.running.logsOf('limit.hit')).toMatchObject([
      { direction: `from_${side}`, limit: 'messages_per_second', value: 10 },
    ]);
  });

  test('F29: what was used before a reload stays used after it', async () => {
    const options = limited({ messages_per_second: 10, on_rate_exceeded: 'close' });
    const pair = await openPair(options);
    const { culprit, other } = endsOf(pair, side);
    culprit.send(times(BURST, message));
    await other.readBytes(times(BURST, message).length);
    const next = oneRoute(pair.backend.url, options.route, { timeouts: { idle: '2h' } });
    expect(await pair.running.proxy.reload(next)).toMatchObject({ ok: true });
    culprit.send(message(0));
    expect(await other.nextClose()).toEqual({ code: otherCode[side], reason: 'messages_per_second' });
  });
});
