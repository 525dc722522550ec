import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { everySplit } from '../support/every-split.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { binary, closeFrame, continuation, frame, parseFrames, ping, pong, Rsv, text } from '../support/wire.ts';
import { BUFFERED_MAX, MODES, Rig } from './rig.ts';

const MASKED = { mask: true } as const;
const NOTHING = Buffer.alloc(0);

interface Message {
  readonly opcode: number;
  readonly parts: readonly { readonly payload: Uint8Array; readonly key: Uint8Array; readonly ping: boolean }[];
}

interface Step {
  readonly act: 'up' | 'down' | 'room' | 'take';
  readonly atClient: boolean;
  readonly bytes: number;
}

/** A frame of exactly that many bytes on the wire, unmasked. */
const sized = (bytes: number) => binary(Buffer.alloc(bytes - (bytes > 127 ? 4 : 2), 7));
const sizedUp = (bytes: number) => binary(Buffer.alloc(bytes - 6, 7), MASKED);

describe.each(MODES)('relaying, $mode', ({ stable }) => {
  test('5.3: frames go on byte for byte, the masks of the client included', () => {
    const rig = new Rig({ stable });
    const up = Buffer.concat([text('a', MASKED), binary('b', { mask: Buffer.from('deadbeef', 'hex') })]);
    const down = Buffer.concat([text('c'), ping('d'), pong('e'), binary(Buffer.alloc(300, 1))]);
    rig.fromClient(up);
    rig.fromBackend(down);
    expect(rig.backend.received.equals(up)).toBe(true);
    expect(rig.client.received.equals(down)).toBe(true);
    rig.expectAlive();
  });

  test('F23: F25: fragments with control frames between them, at every cut', () => {
    const stream = Buffer.concat([
      text('one', { ...MASKED, fin: false }),
      ping('p', MASKED),
      continuation('', { ...MASKED, fin: false }),
      pong(Buffer.alloc(125, 1), MASKED),
      continuation('two', MASKED),
      binary(Buffer.alloc(130), MASKED),
    ]);
    everySplit(
      stream,
      (pieces) => {
        const rig = new Rig({ stable });
        rig.fromClient(...pieces);
        expect(rig.backend.received.equals(stream)).toBe(true);
        rig.expectAlive();
      },
      { tail: NOTHING },
    );
  });

  test('a frame goes on before it is complete; a control frame does not', () => {
    const rig = new Rig({ stable });
    const message = text('hello', MASKED);
    rig.fromClient(message.subarray(0, 5));
    expect(rig.backend.receivedBytes).toBe(0);
    rig.fromClient(message.subarray(5, 8));
    expect(rig.backend.receivedBytes).toBe(8);
    rig.fromClient(message.subarray(8), ping('x', MASKED).subarray(0, 6));
    expect(rig.backend.receivedBytes).toBe(message.length);
    rig.expectAlive();
  });

  test('F24: one read is at most one write, whatever number of frames it holds', () => {
    const rig = new Rig({ stable });
    const writes: number[] = [];
    const { write } = rig.backend;
    rig.backend.write = (bytes, start, end, isStable) => {
      writes.push(end - start);
      // Where all reads share a buffer, what a split header left over joins the read in its headroom: no copy here.
      expect(isStable).toBe(stable);
      write.call(rig.backend, bytes, start, end, isStable);
    };
    const many = Buffer.concat(Array.from({ length: 9000 }, () => text('a', MASKED)));
    rig.fromClient(many.subarray(0, 30_002), many.subarray(30_002, 60_001), many.subarray(60_001));
    // A split header is put in front of the read behind it.
    expect(writes).toEqual([
      30_002 - (30_002 % 7),
      60_001 - (60_001 % 7) - 30_002 + (30_002 % 7),
      63_000 - 60_001 + (60_001 % 7),
    ]);
    expect(rig.backend.received.equals(many)).toBe(true);
    expect(rig.session.client.relay.scanner.messages).toBe(9000);
  });

  test('L40: of a read with more frames than a turn has steps the rest comes later, and nothing of it is lost', () => {
    const rig = new Rig({ stable, stepsPerTurn: 2000 });
    const writes: number[] = [];
    const { write } = rig.backend;
    rig.backend.write = (bytes, start, end, isStable) => {
      writes.push(end - start);
      write.call(rig.backend, bytes, start, end, isStable);
    };
    const many = Buffer.concat(Array.from({ length: 9000 }, () => binary('', MASKED)));
    rig.fromClient(many.subarray(0, 9000 * 6 - 3));
    expect(writes.map((bytes) => bytes / 6)).toEqual([2000, 2000, 2000, 2000, 999]);
    rig.fromClient(many.subarray(9000 * 6 - 3));
    expect(rig.backend.received.equals(many)).toBe(true);
    rig.expectAlive();
  });

  test('L40: a session tells and does the same, however few frames it may take at a time', () => {
    const up = Buffer.concat([
      text('one', MASKED),
      ping('p', MASKED),
      binary(Buffer.alloc(400, 1), { ...MASKED, fin: false }),
      ping('', MASKED),
      continuation(Buffer.alloc(200, 2), MASKED),
      ...Array.from({ length: 20 }, (_, i) => text(`${i}`, MASKED)),
      closeFrame(1000, 'bye', MASKED),
      text('behind', MASKED),
    ]);
    const story = (stepsPerTurn: number, cut: number, end: (rig: Rig) => void) => {
      const rig = new Rig({ stable, stepsPerTurn });
      rig.fromClient(up.subarray(0, cut));
      end(rig);
      rig.fromClient(up.subarray(cut));
      rig.fromBackend(closeFrame(1000), text('too late'));
      return [rig.told(), rig.session.cause, rig.atBackend];
    };
    const none = () => {};
    const drain = (rig: Rig) => rig.session.end('drain');
    for (let cut = 1; cut <= up.length; cut += 7) {
      for (const end of [none, drain]) {
        const whole = story(Number.MAX_SAFE_INTEGER, cut, end);
        for (const steps of [1, 2, 3, 7]) expect(story(steps, cut, end), `${steps}, cut at ${cut}`).toEqual(whole);
      }
    }
  });

  test('L40: what waits for its turn waits behind a pause too, and comes when that is over', () => {
    const rig = new Rig({ stable, stepsPerTurn: 10 });
    rig.backend.setRoom(0);
    const many = Buffer.concat(Array.from({ length: 100 }, () => sizedUp(100)));
    rig.fromClient(many);
    expect(rig.client.paused).toBe(true);
    expect(rig.backend.pending).toBe(4906); // the fifth ten pass the limit: all but the payload of the last one
    rig.takeFrom(rig.backend);
    expect(rig.backend.received.equals(many)).toBe(true);
    rig.expectAlive();
  });

  test('nothing of a read is kept but a copy of what was left over, in memory of its own', () => {
    const rig = new Rig({ stable });
    const up = Buffer.concat([binary(Buffer.alloc(5000), MASKED), ping(Buffer.alloc(125), MASKED)]);
    rig.fromClient(up.subarray(0, -1));
    rig.fromBackend(binary(Buffer.alloc(5000)).subarray(0, 100));
    for (const { isClient, relay } of [rig.session.client, rig.session.backend]) {
      const kept = [...Object.values(relay), ...Object.values(relay.scanner)].filter(Buffer.isBuffer);
      const sizes = kept.map((one) => Math.max(one.length, one.length > 0 ? one.buffer.byteLength : 0));
      expect(Math.max(0, ...sizes)).toBe(isClient ? 130 : 0);
    }
  });

  test('F27: F28: RSV1 passes where compression was agreed on, unread', () => {
    const rig = new Rig({ stable, deflate: true });
    const up = text('not even deflate', { ...MASKED, rsv: Rsv.One });
    const down = Buffer.concat([binary('x', { rsv: Rsv.One, fin: false }), continuation('y')]);
    rig.fromClient(up);
    rig.fromBackend(down);
    expect([rig.backend.received, rig.client.received]).toEqual([up, down]);
    rig.expectAlive();
  });

  test('F22: text that is not UTF-8 is relayed byte for byte', () => {
    const rig = new Rig({ stable });
    const stream = text(Buffer.from('eda080ff', 'hex'), MASKED);
    rig.fromClient(stream);
    expect(rig.backend.received).toEqual(stream);
    rig.expectAlive();
  });

  test('F26: a relayed Close keeps its mask; nothing is written that was not sent', () => {
    const rig = new Rig({ stable });
    const close = closeFrame(1000, 'bye', { mask: Buffer.from('01020304', 'hex') });
    rig.fromClient(close);
    expect(rig.backend.received).toEqual(close);
    expect(rig.client.receivedBytes).toBe(0);
  });
});

describe.each(MODES)('bytes from before the start, $mode', ({ stable }) => {
  test('L40: more frames than a turn has steps: the rest comes before what is read', () => {
    const rig = new Rig({ stable, start: false, stepsPerTurn: 5 });
    const early = Buffer.concat(Array.from({ length: 23 }, (_, i) => text(`${i}`, MASKED)));
    rig.client.paused = true;
    rig.client.send(text('later', MASKED));
    rig.session.start(early, null);
    rig.pump();
    expect(rig.backend.received.subarray(0, early.length).equals(early)).toBe(true);
    expect(rig.atBackend.at(-1)).toBe('text fin masked "later"');
    rig.expectAlive();
  });

  test('U10: B6: come first, in both directions, then what is read', () => {
    const rig = new Rig({ stable, start: false });
    rig.client.paused = true;
    const early = text('early', MASKED);
    const glued = text('glued');
    rig.client.send(text('later', MASKED));
    rig.session.start(early, glued);
    rig.pump();
    expect(rig.atBackend).toEqual(['text fin masked "early"', 'text fin masked "later"']);
    expect(rig.atClient).toEqual(['text fin "glued"']);
    rig.expectAlive();
  });

  test('may end inside a header, a control frame or a payload', () => {
    const stream = Buffer.concat([text('hello', MASKED), ping('p', MASKED), text('x', MASKED)]);
    for (let at = 1; at < stream.length; at++) {
      const rig = new Rig({ stable, start: false });
      rig.session.start(stream.subarray(0, at), null);
      rig.fromClient(stream.subarray(at));
      expect(rig.backend.received.equals(stream)).toBe(true);
      rig.expectAlive();
    }
  });

  test('U12: that are no frames end the session before anything of them is relayed', () => {
    const rig = new Rig({ stable, start: false });
    rig.session.start(Buffer.from('GET / HTTP/1.1\r\n\r\n'), null);
    rig.fromBackend(closeFrame(1001));
    expect(rig.atBackend).toEqual(['close fin masked 1001 "client protocol error"']);
    expect(rig.atClient).toEqual(['close fin 1002 "reserved bit set"']);
  });

  test('fill the other side: its source is not read until it has taken them', () => {
    const rig = new Rig({ stable, start: false });
    rig.client.setRoom(0);
    rig.backend.paused = true;
    rig.session.start(null, sized(BUFFERED_MAX));
    expect(rig.backend.paused).toBe(true);
    expect(rig.client.paused).toBe(false);
    expect([rig.session.backend.relay.gate.pauses, rig.metrics.fromBackend.paused]).toEqual([1, 1]);
    rig.takeFrom(rig.client);
    expect(rig.backend.paused).toBe(false);
    expect([rig.session.backend.relay.gate.pauses, rig.metrics.fromBackend.paused]).toEqual([1, 0]);
    rig.expectAlive();
  });

  test('the same for the early bytes of a client', () => {
    const rig = new Rig({ stable, start: false });
    rig.backend.setRoom(0);
    rig.client.paused = true;
    rig.session.start(binary(Buffer.alloc(BUFFERED_MAX), MASKED), null);
    expect([rig.client.paused, rig.backend.paused]).toEqual([true, false]);
    expect([rig.session.client.relay.gate.pauses, rig.metrics.fromClient.paused]).toEqual([1, 1]);
    rig.takeFrom(rig.backend);
    expect(rig.client.paused).toBe(false);
    expect([rig.session.client.relay.gate.pauses, rig.metrics.fromClient.paused]).toEqual([1, 0]);
    rig.expectAlive();
  });

  test('reading begins on both sides', () => {
    const rig = new Rig({ stable, start: false });
    rig.client.paused = true;
    rig.backend.paused = true;
    rig.session.start(null, null);
    expect([rig.client.paused, rig.backend.paused]).toEqual([false, false]);
  });
});

describe.each(MODES)('D5: a slow reader, $mode', ({ stable }) => {
  test('is waited for from max_buffered on, and the other direction goes on', () => {
    const rig = new Rig({ stable });
    rig.client.setRoom(0);
    rig.fromBackend(sized(2048), sized(2047));
    expect([rig.client.pending, rig.backend.paused]).toEqual([BUFFERED_MAX - 1, false]);
    rig.fromBackend(sized(2));
    expect(rig.backend.paused).toBe(true);
    rig.fromBackend(text('later'));
    expect(rig.backend.unreadBytes).toBe(text('later').length);
    rig.fromClient(text('up', MASKED));
    expect(rig.atBackend).toEqual(['text fin masked "up"']);
    expect([rig.session.backend.relay.gate.pauses, rig.session.client.relay.gate.pauses]).toEqual([1, 0]);
    rig.expectAlive();
  });

  test('exactly max_buffered is enough', () => {
    const rig = new Rig({ stable });
    rig.client.setRoom(0);
    rig.fromBackend(sized(2048), sized(2048));
    expect([rig.client.pending, rig.backend.paused]).toEqual([BUFFERED_MAX, true]);
  });

  test('the source is read again from half of it on, and not before', () => {
    const rig = new Rig({ stable });
    const more = text('later');
    rig.client.setRoom(0);
    rig.fromBackend(sized(2048).subarray(0, 2047), sized(2048).subarray(2047), sized(2048), more);
    rig.client.take(2047);
    expect([rig.client.pending, rig.backend.paused]).toEqual([2049, true]);
    rig.client.take(1);
    expect([rig.client.pending, rig.backend.paused]).toEqual([2048, false]);
    rig.pump();
    expect(rig.backend.unreadBytes).toBe(0);
    rig.takeFrom(rig.client);
    expect(rig.atClient.at(-1)).toBe('text fin "later"');
    rig.expectAlive();
  });

  test('the same towards the backend', () => {
    const rig = new Rig({ stable });
    rig.backend.setRoom(100);
    const up = Buffer.concat(Array.from({ length: 5 }, (_, i) => binary(Buffer.alloc(992, i), MASKED)));
    for (let at = 0; at < up.length; at += 500) rig.fromClient(up.subarray(at, at + 500));
    expect(rig.client.paused).toBe(true);
    expect(rig.backend.pending).toBeGreaterThanOrEqual(BUFFERED_MAX);
    expect(rig.backend.pending).toBeLessThan(BUFFERED_MAX + 500);
    while (rig.client.unreadBytes > 0 || rig.backend.pending > 0) rig.takeFrom(rig.backend, 333);
    expect(rig.backend.received.equals(up)).toBe(true);
    rig.expectAlive();
  });

  test('that takes bit by bit gets every byte, none of another read', () => {
    const rig = new Rig({ stable });
    rig.client.setRoom(10);
    const down = Buffer.concat(Array.from({ length: 40 }, (_, i) => binary(Buffer.alloc(200, i))));
    const up = Buffer.concat(Array.from({ length: 40 }, (_, i) => binary(Buffer.alloc(200, 100 + i), MASKED)));
    for (let at = 0; at < down.length; at += 150) {
      rig.fromBackend(down.subarray(at, at + 150));
      rig.fromClient(up.subarray((at * up.length) / down.length, ((at + 150) * up.length) / down.length));
      rig.takeFrom(rig.client, 37);
    }
    rig.takeFrom(rig.client);
    expect(rig.client.received.equals(down)).toBe(true);
    rig.expectSound();
  });
});

describe.each(MODES)('F23: any legal conversation, $mode', ({ stable }) => {
  const payload = fc.oneof(
    { weight: 5, arbitrary: fc.uint8Array({ maxLength: 20 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 100, maxLength: 1500 }) },
  );
  const part = fc.record({ payload, key: fc.uint8Array({ minLength: 4, maxLength: 4 }), ping: fc.boolean() });
  const message = fc.record({ opcode: fc.constantFrom(1, 2), parts: fc.array(part, { minLength: 1, maxLength: 4 }) });
  const stream = (masked: boolean) =>
    fc
      .array(message, { maxLength: 12 })
      .map((messages) => Buffer.concat(messages.flatMap((one) => build(one, masked))));
  const step = fc.record({
    act: fc.constantFrom('up' as const, 'down' as const, 'room' as const, 'take' as const),
    atClient: fc.boolean(),
    bytes: fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: 300 }), fc.nat({ max: 6000 })),
  });

  function build(one: Message, masked: boolean): Buffer[] {
    return one.parts.flatMap(({ payload: bytes, key, ping: isPing }, i) => {
      const mask = masked && Buffer.from(key);
      const opcode = i === 0 ? one.opcode : 0;
      const data = frame({ opcode, fin: i === one.parts.length - 1, payload: Buffer.from(bytes), mask });
      return isPing ? [ping(Buffer.from(key), { mask }), data] : [data];
    });
  }

  function play(rig: Rig, up: Buffer, down: Buffer, steps: readonly Step[]): void {
    let upAt = 0;
    let downAt = 0;
    for (const { act, atClient, bytes } of steps) {
      const side: MemoryTransport = atClient ? rig.client : rig.backend;
      if (act === 'up') {
        rig.fromClient(up.subarray(upAt, upAt + bytes));
        upAt += bytes;
      } else if (act === 'down') {
        rig.fromBackend(down.subarray(downAt, downAt + bytes));
        downAt += bytes;
      }
      if (act === 'room') side.setRoom(bytes);
      if (act === 'take') rig.takeFrom(side, bytes);
      expect(rig.client.pending).toBeLessThan(BUFFERED_MAX + 6200);
    }
    rig.fromClient(up.subarray(upAt));
    rig.fromBackend(down.subarray(downAt));
    while (rig.client.pending + rig.backend.pending + rig.client.unreadBytes + rig.backend.unreadBytes > 0) {
      rig.takeFrom(rig.client);
      rig.takeFrom(rig.backend);
    }
  }

  test('arrives as it was sent, in both directions, however it is cut and whoever is slow', () => {
    fc.assert(
      fc.property(stream(true), stream(false), fc.array(step, { maxLength: 60 }), (up, down, steps) => {
        const rig = new Rig({
          stable,
          policy: {
            fromClient: { messageBytesMax: 1e6, frameBytesMax: 1e6, fragmentsMax: 4 },
            fromBackend: { messageBytesMax: 1e6, frameBytesMax: 1e6, fragmentsMax: 4 },
          },
        });
        play(rig, up, down, steps);
        expect(rig.backend.received.equals(up)).toBe(true);
        expect(rig.client.received.equals(down)).toBe(true);
        parseFrames(rig.backend.received);
        expect([rig.client.paused, rig.backend.paused]).toEqual([false, false]);
        rig.expectAlive();
      }),
      { numRuns: 150 },
    );
  });
});
