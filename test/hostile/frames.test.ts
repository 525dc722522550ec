import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { heldBytes } from '../support/held.ts';
import {
  binary,
  closeFrame,
  closeOf,
  continuation,
  type Frame,
  type FrameOptions,
  frame,
  Opcode,
  ping,
  pong,
  takeFrame,
  text,
} from '../support/wire.ts';
import {
  as,
  bothSides,
  closeCleanly,
  endLine,
  endsOf,
  expectCulprit,
  expectLimit,
  expectProtocolError,
  headerOnly,
  noTraffic,
  openPair,
  openSession,
  otherOf,
  traffic,
} from './pair.ts';

const tooBig = { code: 1009, kind: 'message_too_big', limit: 'max_message_size' };
const tooManyFragments = { code: 1008, kind: 'too_many_fragments', limit: 'max_fragments' };
const hello = 'hello';

/** Limits for whichever side is the culprit. */
function limited(limits: Readonly<Record<string, string | number>>): { route: { limits: object } } {
  return { route: { limits: { from_client: limits, from_backend: limits } } };
}

describe.each(bothSides)('frames from the %s that break RFC 6455', (side) => {
  const own = as(side);
  /** The wrong way to mask, or not to, for this side. */
  const wrong: FrameOptions = { mask: side !== 'client' };
  const maskWords = side === 'client' ? 'frame not masked' : 'frame masked';

  test.each([
    ['text', text(hello, wrong)],
    ['binary', binary(hello, wrong)],
    ['ping', ping('', wrong)],
    ['Close', closeFrame(1000, '', wrong)],
  ])('F1: 5.1: a %s that is masked the wrong way gets 1002', async (_name, bad) => {
    await expectProtocolError(side, bad, maskWords, { good: text(hello, own), counted: traffic(1, 5) });
  });

  test('F1: 5.1: a wrong mask on the second fragment gets 1002, the first one has gone on', async () => {
    const good = text(hello, { ...own, fin: false });
    await expectProtocolError(side, continuation(hello, wrong), maskWords, { good, counted: traffic(1, 5) });
  });

  test.each([4, 2, 1, 7, 5])('F2: 5.2: reserved bits %i with nothing negotiated get 1002', async (rsv) => {
    for (const opcode of [Opcode.Text, Opcode.Binary, Opcode.Ping, Opcode.Close]) {
      await expectProtocolError(side, frame({ opcode, rsv, ...own }), 'reserved bit set');
    }
    const good = text(hello, { ...own, fin: false });
    await expectProtocolError(side, continuation('', { ...own, rsv }), 'reserved bit set', {
      good,
      counted: traffic(1, 5),
    });
  });

  test.each([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])('F3: 5.2: the reserved opcode %i gets 1002', async (opcode) => {
    await expectProtocolError(side, frame({ opcode, ...own }), 'reserved opcode', {
      good: ping('x', own),
    });
  });

  test('F4: 5.4: a continuation without a start gets 1002, also behind a complete message', async () => {
    const words = 'continuation without a start';
    await expectProtocolError(side, continuation(hello, own), words);
    await expectProtocolError(side, continuation(hello, { ...own, fin: false }), words);
    const good = Buffer.concat([text('a', { ...own, fin: false }), continuation('b', own)]);
    await expectProtocolError(side, continuation('c', own), words, { good, counted: traffic(1, 2) });
  });

  test('F5: 5.4: a text or binary frame inside an unfinished message gets 1002', async () => {
    const good = Buffer.concat([text('a', { ...own, fin: false }), ping('', own)]);
    for (const opcode of [Opcode.Text, Opcode.Binary]) {
      await expectProtocolError(side, frame({ opcode, payload: hello, ...own }), 'message inside a message', {
        good,
        counted: traffic(1, 1),
      });
    }
  });

  test('F6: 5.5: a control frame without FIN gets 1002', async () => {
    for (const opcode of [Opcode.Ping, Opcode.Pong, Opcode.Close]) {
      await expectProtocolError(side, frame({ opcode, fin: false, ...own }), 'control frame fragmented');
    }
  });

  test('F7: 5.5: a control frame with a longer length form gets 1002 on its second byte; 125 bytes pass', async () => {
    const largest = ping(Buffer.alloc(125, 0x2e), own);
    for (const opcode of [Opcode.Ping, Opcode.Pong, Opcode.Close]) {
      for (const lengthForm of [16, 64] as const) {
        const twoBytes = frame({ opcode, lengthForm, length: 126, ...own }).subarray(0, 2);
        await expectProtocolError(side, twoBytes, 'control frame over 125 bytes', { good: largest });
      }
    }
  });

  test('F8: 5.5.1: a Close whose body is one byte gets 1002', async () => {
    await expectProtocolError(side, frame({ opcode: Opcode.Close, payload: 'x', ...own }), 'close body of one byte');
  });

  test('F9: 5.2: a 64-bit length with its highest bit set gets 1002 on the third byte', async () => {
    for (const length of [1n << 63n, (1n << 64n) - 1n]) {
      const header = headerOnly(side, Opcode.Binary, length);
      await expectProtocolError(side, header, 'length above 2^63');
      await expectProtocolError(side, header.subarray(0, 3), 'length above 2^63');
    }
  });

  test('F10: 10.4: a length over max_message_size gets 1009 on the header, with no payload sent', async () => {
    const cap = limited({ max_message_size: '1KiB' });
    for (const length of [1025, 65_536, 2 ** 32, 2 ** 53 - 1, 1n << 53n, (1n << 63n) - 1n]) {
      await expectLimit(side, headerOnly(side, Opcode.Binary, length), tooBig, cap);
    }
    const good = binary(Buffer.alloc(1024, 1), own);
    await expectLimit(side, headerOnly(side, Opcode.Text, 1025), tooBig, {
      ...cap,
      good,
      counted: traffic(1, 1024),
    });
  });

  test('F10: 10.4: the default caps are 1 MiB from the client and 16 MiB from the backend', async () => {
    const cap = side === 'client' ? 2 ** 20 : 2 ** 24;
    await expectLimit(side, headerOnly(side, Opcode.Binary, cap + 1), tooBig);
    const pair = await openPair();
    const { culprit, other } = endsOf(pair, side);
    culprit.send(headerOnly(side, Opcode.Binary, cap));
    await other.receivedBytes(other.bytesReceived + (side === 'client' ? 14 : 10));
    expect(takeFrame(other.unread)).toBeNull();
  });

  test('F10: 10.4: a length over max_frame_size gets 1009 and that key as the reason', async () => {
    const route = limited({ max_message_size: '1040B', max_frame_size: '512B' });
    const good = binary(Buffer.alloc(512, 1), { ...own, fin: false });
    const rule = { ...tooBig, limit: 'max_frame_size' };
    await expectLimit(side, headerOnly(side, Opcode.Continuation, 513, { fin: false }), rule, {
      ...route,
      good,
      counted: traffic(1, 512),
    });
    await expectLimit(side, headerOnly(side, Opcode.Continuation, 513), tooBig, {
      ...route,
      good: Buffer.concat([good, continuation(Buffer.alloc(512), { ...own, fin: false }), ping('', own)]),
      counted: traffic(1, 1024),
    });
  });

  test.each([
    [16, 0],
    [16, 125],
    [64, 0],
    [64, 65_535],
  ] as const)('F11: 5.2: a length that is not minimal gets 1002: %i bits for %i', async (lengthForm, length) => {
    await expectProtocolError(side, headerOnly(side, Opcode.Binary, length, { lengthForm }), 'length not minimal');
  });

  test('F11: 5.2: the shortest lengths of the 16-bit and the 64-bit form pass', async () => {
    const pair = await openPair();
    const { culprit, other } = endsOf(pair, side);
    const bytes = Buffer.concat([125, 126, 65_535, 65_536].map((size) => binary(Buffer.alloc(size, size & 255), own)));
    culprit.send(bytes);
    expect((await other.readBytes(bytes.length)).equals(bytes)).toBe(true);
    await closeCleanly(pair);
    const counts = traffic(4, 125 + 126 + 65_535 + 65_536, 65_536);
    expect(await endLine(pair.running)).toMatchObject({ [`from_${side}`]: counts, clean: true });
  });

  test('F12: 10.4: fragments that sum up past the cap get 1009 on the header that crosses it', async () => {
    const cap = limited({ max_message_size: '1KiB' });
    const good = text(Buffer.alloc(1023, 0x61), { ...own, fin: false });
    for (const length of [2, 126, 2 ** 53 - 1, (1n << 63n) - 1n]) {
      await expectLimit(side, headerOnly(side, Opcode.Continuation, length), tooBig, {
        ...cap,
        good,
        counted: traffic(1, 1023),
      });
    }
    await expectLimit(side, headerOnly(side, Opcode.Continuation, 1), tooBig, {
      ...cap,
      good: Buffer.concat([good, continuation('b', { ...own, fin: false })]),
      counted: traffic(1, 1024),
    });
  });

  test('F13: 10.4: endless empty continuations get 1008 at max_fragments; that many pass', async () => {
    const first = text('', { ...own, fin: false });
    const more = Array.from({ length: 4 }, () => continuation('', { ...own, fin: false }));
    const whole = Buffer.concat([first, ...more.slice(1), continuation('', own)]);
    await expectLimit(side, continuation('', { ...own, fin: false }), tooManyFragments, {
      ...limited({ max_fragments: 5 }),
      good: Buffer.concat([whole, first, ...more]),
      counted: traffic(2, 0),
    });
  });

  test('F13: 10.4: auto allows one fragment per KiB of the message cap, at least 1024', async () => {
    const fragments = side === 'client' ? 1024 : 16_384;
    const more = Buffer.concat(Array.from({ length: fragments - 1 }, () => continuation('', { ...own, fin: false })));
    await expectLimit(side, continuation('', own), tooManyFragments, {
      good: Buffer.concat([text('', { ...own, fin: false }), more]),
      counted: traffic(1, 0),
    });
  });

  test('F14: 10.4: 100,000 allowed fragments, empty or of one byte, are held by nobody', async () => {
    const pair = await openPair(limited({ max_fragments: 1_000_000 }));
    const { culprit, other } = endsOf(pair, side);
    const parts = ['', 'b'].map((payload) => continuation(payload, { ...own, fin: false }));
    const flood = Buffer.concat(Array.from({ length: 100_000 }, (_, i) => parts[i % 2] ?? Buffer.alloc(0)));
    other.keep(false);
    const before = other.bytesReceived;
    const held = heldBytes();
    const first = text('a', { ...own, fin: false });
    culprit.send(first, flood);
    await other.receivedBytes(before + first.length + flood.length);
    expect(heldBytes() - held).toBeLessThan(4 * 2 ** 20);
    culprit.send(continuation('', own));
    await other.receivedBytes(before + first.length + flood.length + continuation('', own).length);
  });

  test('F10: 10.4: a header that announces a GiB which is allowed costs nothing until its bytes come', async () => {
    const pair = await openPair(limited({ max_message_size: '1GiB' }));
    const held = heldBytes();
    const header = headerOnly(side, Opcode.Binary, 2 ** 30);
    endsOf(pair, side).culprit.send(header);
    expect(await endsOf(pair, side).other.readBytes(header.length)).toEqual(header);
    expect(heldBytes() - held).toBeLessThan(4 * 2 ** 20);
  });

  test('F14: 10.4: endless fragments of one byte get 1008 at max_fragments', async () => {
    const more = Array.from({ length: 49 }, () => continuation('b', { ...own, fin: false }));
    await expectLimit(side, continuation('c', own), tooManyFragments, {
      ...limited({ max_fragments: 50 }),
      good: Buffer.concat([text('a', { ...own, fin: false }), ...more]),
      counted: traffic(1, 50),
    });
  });

  test.each([
    ['behind a fragment', text('a', { ...own, fin: false }), traffic(1, 1)],
    ['inside a header', Buffer.alloc(0), noTraffic],
  ])('F14: silence %s gets 1008 after message_stall; pings do not help', async (_where, good, counted) => {
    const pair = await openPair({ route: { timeouts: { message_stall: '150ms' } } });
    const { culprit, other } = endsOf(pair, side);
    const begun = good.length > 0 ? good : text(hello, own).subarray(0, 1);
    const beat = good.length > 0 ? ping('', own) : Buffer.alloc(0);
    culprit.send(begun, beat);
    const told = await other.framesUntilClose();
    expect(told.map((one) => one.opcode).at(-1)).toBe(Opcode.Close);
    expect(Buffer.concat(told.slice(0, -1).map((one) => one.bytes))).toEqual(Buffer.concat([good, beat]));
    const code = side === 'client' ? 1001 : 1011;
    const last = told.at(-1);
    expect(last === undefined ? null : closeOf(last)).toEqual({ code, reason: 'message_stall' });
    other.send(closeFrame(code, '', as(otherOf(side))));
    expect(await culprit.nextClose()).toEqual({ code: 1008, reason: 'message_stall' });
    culprit.reset();
    other.end();
    expect(await endLine(pair.running)).toEqual({
      by: side,
      reason: `${side}_message_stall`,
      limit: 'message_stall',
      close_code_client: side === 'client' ? 1008 : code,
      close_code_backend: side === 'client' ? code : 1008,
      clean: false,
      mid_frame: false,
      from_client: side === 'client' ? counted : noTraffic,
      from_backend: side === 'client' ? noTraffic : counted,
    });
  });

  test('F17: 7.4: a close code that may not stand in a Close gets 1002', async () => {
    const codes = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65_535];
    for (const code of codes) {
      await expectProtocolError(side, closeFrame(code, 'why', own), 'close code not allowed');
    }
  });

  test('F19: 8.1: a close reason that is not UTF-8 gets 1007', async () => {
    const faults = ['ff', 'c080', 'eda080', 'f4908080', 'e282', '80'];
    for (const hex of faults) {
      await expectCulprit({
        culprit: side,
        bad: closeFrame(1000, Buffer.from(hex, 'hex'), own),
        told: { code: 1007, reason: 'close reason not UTF-8' },
        otherTold:
          side === 'client'
            ? { code: 1001, reason: 'client protocol error' }
            : { code: 1011, reason: 'upstream protocol error' },
        reason: `${side}_invalid_utf8`,
      });
    }
  });
});

describe.each(bothSides)('frames from the %s that pass', (side) => {
  const own = as(side);

  test('F22: text that is not UTF-8 is relayed as it is, whole and split across fragments', async () => {
    const pair = await openPair();
    const { culprit, other } = endsOf(pair, side);
    const odd = ['ff', 'c080', 'eda080', 'f4908080', 'f8', 'e282'].map((hex) => Buffer.from(hex, 'hex'));
    const split = odd.flatMap((bytes) => [
      text(bytes.subarray(0, 1), { ...own, fin: false }),
      continuation(bytes.subarray(1), own),
    ]);
    const bytes = Buffer.concat([...odd.map((payload) => text(payload, own)), ...split]);
    culprit.send(bytes);
    expect(await other.readBytes(bytes.length)).toEqual(bytes);
    await closeCleanly(pair);
    expect(await endLine(pair.running)).toMatchObject({ [`from_${side}`]: traffic(12, 26, 4), clean: true });
  });

  test.each([
    ['ff', 'a byte that never stands in UTF-8'],
    ['c080', 'an overlong form'],
    ['eda080', 'a surrogate'],
    ['f4908080', 'a code point above 10FFFF'],
  ])('F22: 8.1: with validate_utf8 %s, %s, gets 1007', async (hex) => {
    const odd = Buffer.from(hex, 'hex');
    const told = {
      told: { code: 1007, reason: 'text not UTF-8' },
      otherTold: { code: side === 'client' ? 1001 : 1011, reason: notUtf8[side] },
      reason: `${side}_invalid_utf8`,
    };
    const good = text('\u03ba\u{1f600}', own);
    const one = traffic(2, 6 + odd.length, 6);
    await expectCulprit({ ...validated, culprit: side, good, bad: text(odd, own), ...told, counted: one });
    // The fragment before it was legal and has gone on.
    const begun = text(Buffer.from('61f0', 'hex'), { ...own, fin: false });
    const two = traffic(2, 8 + odd.length, Math.max(6, 2 + odd.length));
    const bad = continuation(odd, own);
    const split = Buffer.concat([good, begun]);
    await expectCulprit({ ...validated, culprit: side, good: split, bad, ...told, counted: two });
  });

  test('F22: 8.1: with validate_utf8 the first impossible byte decides; a character may be cut anywhere', async () => {
    const pair = await openPair(validated);
    const { culprit, other } = endsOf(pair, side);
    const legal = Buffer.concat([
      text('\u00e9', { ...own, fin: false }),
      continuation(Buffer.from('f09f', 'hex'), { ...own, fin: false }),
      ping(Buffer.from('ff', 'hex'), own),
      continuation(Buffer.from('9880', 'hex'), own),
      binary(Buffer.from('ff', 'hex'), own),
    ]);
    culprit.send(legal);
    expect(await other.readBytes(legal.length)).toEqual(legal);
    const whole = text(Buffer.from('6162ff6364', 'hex'), own);
    const upToFault = whole.length - 2;
    culprit.send(whole.subarray(0, upToFault - 1));
    expect(await other.readBytes(upToFault - 1)).toEqual(whole.subarray(0, upToFault - 1));
    culprit.send(whole.subarray(upToFault - 1, upToFault));
    expect(await culprit.nextClose()).toEqual({ code: 1007, reason: 'text not UTF-8' });
    // Its frame can never be completed.
    await other.closed;
    expect(other.unread).toHaveLength(0);
    culprit.end();
    expect(await endLine(pair.running)).toMatchObject({ reason: `${side}_invalid_utf8`, mid_frame: true });
  });

  test('F23: 5.4: every frame cut at every byte comes out as it would in one piece', async () => {
    const pair = await openPair({ route: { limits: { from_client: { control_frames_per_second: 'off' } } } });
    const { culprit, other } = endsOf(pair, side);
    const stream = Buffer.concat([
      text('a', { ...own, fin: false }),
      ping('p', own),
      continuation('', own),
      binary(Buffer.alloc(126, 7), own),
      pong('', own),
      binary(Buffer.alloc(0), own),
    ]);
    await culprit.sendBytewise(stream);
    expect(await other.readBytes(stream.length)).toEqual(stream);
    for (let cut = 1; cut < stream.length; cut++) {
      await culprit.sendInPieces(stream.subarray(0, cut), cut);
      culprit.send(stream.subarray(cut));
      expect(await other.readBytes(stream.length), `cut at ${cut}`).toEqual(stream);
    }
    await closeCleanly(pair);
    const times = stream.length;
    expect(await endLine(pair.running)).toMatchObject({ [`from_${side}`]: traffic(3 * times, 127 * times, 126) });
  });

  test('F24: a slab of 10 000 tiny frames passes whole, and its sender does not hold up others', async () => {
    const pair = await openPair();
    const neighbour = await openSession(pair.running, pair.backend);
    const { culprit, other } = endsOf(pair, side);
    const slab = Buffer.concat(Array.from({ length: 10_000 }, () => binary('', own)));
    culprit.send(slab);
    expect((await other.readBytes(slab.length)).equals(slab)).toBe(true);
    // Few frames for their bytes, so that it is the bytes that count.
    const more = binary(Buffer.alloc(60_000), own);
    const rounds = Math.floor((32 * 2 ** 20) / more.length);
    other.keep(false);
    for (let i = 0; i < rounds; i++) culprit.send(more);
    const total = other.bytesReceived + rounds * more.length;
    // Round trips of the neighbour go on while the flood does.
    let trips = 0;
    while (other.bytesReceived < total) {
      neighbour.client.send(text(`${trips}`, { mask: true }));
      expect((await neighbour.server.nextFrame()).payload.toString()).toBe(`${trips}`);
      neighbour.server.send(text(`${trips}`));
      expect((await neighbour.client.nextFrame()).payload.toString()).toBe(`${trips}`);
      trips += 1;
    }
    // About 50; without the yielding between reads it is 5.
    expect(trips).toBeGreaterThan(12);
    expect(other.bytesReceived).toBe(total);
  });

  test('L40: empty frames without end leave others their turns, and the last of them arrive unasked', async () => {
    const pair = await openPair();
    const neighbour = await openSession(pair.running, pair.backend);
    const { culprit, other } = endsOf(pair, side);
    const slab = Buffer.concat(Array.from({ length: 100_000 }, () => binary('', own)));
    culprit.send(slab);
    // Nothing follows that would wake the proxy up.
    expect((await other.readBytes(slab.length)).equals(slab)).toBe(true);
    other.keep(false);
    const rounds = Math.floor((4 * 2 ** 20) / slab.length);
    for (let i = 0; i < rounds; i++) culprit.send(slab);
    const total = other.bytesReceived + rounds * slab.length;
    let trips = 0;
    while (other.bytesReceived < total) {
      neighbour.client.send(text(`${trips}`, { mask: true }));
      expect((await neighbour.server.nextFrame()).payload.toString()).toBe(`${trips}`);
      trips += 1;
    }
    // About one in two turns; without the bound a read of 64 KiB takes a turn.
    const turns = (rounds * slab.length) / binary('', own).length / 2000;
    expect(trips).toBeGreaterThan(turns / 6);
    expect(other.bytesReceived).toBe(total);
  });

  test('F25: 5.4: control frames between fragments are relayed at once, in order', async () => {
    const pair = await openPair();
    const { culprit, other } = endsOf(pair, side);
    const steps = [
      text('a', { ...own, fin: false }),
      ping('between', own),
      continuation('b', { ...own, fin: false }),
      pong('', own),
      ping('', own),
      continuation('c', own),
    ];
    for (const step of steps) {
      culprit.send(step);
      expect((await other.nextFrame()).bytes).toEqual(step);
    }
    const half = binary(Buffer.alloc(1000, 1), own);
    culprit.send(half.subarray(0, 500));
    expect(await other.readBytes(500)).toEqual(half.subarray(0, 500));
    culprit.send(half.subarray(500), ping('next', own));
    expect(await other.readBytes(half.length - 500)).toEqual(half.subarray(500));
    expect((await other.nextFrame()).payload.toString()).toBe('next');
    await closeCleanly(pair);
    expect(await endLine(pair.running)).toMatchObject({ [`from_${side}`]: traffic(2, 1003, 1000), clean: true });
  });

  test('F27: 7692 6: with permessage-deflate agreed on, RSV1 passes on the first frame of a message only', async () => {
    const first: Frame[] = [];
    const pair = await openPair(deflate);
    const { culprit, other } = endsOf(pair, side);
    const packed = deflateRawSync('x'.repeat(500));
    const frames = [
      text(packed, { ...own, rsv: 4 }),
      binary(packed.subarray(0, 3), { ...own, rsv: 4, fin: false }),
      ping('', own),
      continuation(packed.subarray(3), own),
      text('plain', own),
    ];
    culprit.send(...frames);
    for (const sent of frames) {
      const got = await other.nextFrame();
      expect(got.bytes).toEqual(sent);
      first.push(got);
    }
    expect(first.map((one) => one.rsv)).toEqual([4, 4, 0, 0, 0]);
  });

  test('F27: 7692 6: RSV1 on a continuation or a control frame, and RSV2 or RSV3 anywhere, get 1002', async () => {
    const good = text('a', { ...own, rsv: 4, fin: false });
    for (const opcode of [Opcode.Continuation, Opcode.Ping, Opcode.Pong, Opcode.Close]) {
      await expectProtocolError(side, frame({ opcode, rsv: 4, ...own }), 'reserved bit set', {
        ...deflate,
        good,
        counted: traffic(1, 1),
      });
    }
    for (const rsv of [1, 2, 3, 5, 6, 7]) {
      await expectProtocolError(side, text('', { rsv, ...own }), 'reserved bit set', deflate);
    }
  });

  test('F28: 64 KiB that inflate to 64 MiB pass as 64 KiB', async () => {
    const bomb = deflateRawSync(Buffer.alloc(64 * 2 ** 20), { level: 9 });
    expect(bomb.length).toBeLessThan(66_000);
    const pair = await openPair({ ...deflate, route: { limits: { from_backend: { max_message_size: '64KiB' } } } });
    const { culprit, other } = endsOf(pair, side);
    const sent = binary(bomb, { ...own, rsv: 4 });
    culprit.send(sent);
    expect((await other.readBytes(sent.length)).equals(sent)).toBe(true);
    await closeCleanly(pair);
    expect(await endLine(pair.running)).toMatchObject({ [`from_${side}`]: traffic(1, bomb.length), clean: true });
  });

  test('F28: compression: off removes the offer, and RSV1 is then 1002', async () => {
    const off = { route: { compression: 'off' }, request: deflate.request } as const;
    const pair = await expectProtocolError(side, text('', { rsv: 4, ...own }), 'reserved bit set', off);
    const [connection] = pair.backend.all;
    expect((await connection?.request())?.all('sec-websocket-extensions')).toEqual([]);
  });
});

const deflate = {
  request: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
  answer: { 'Sec-WebSocket-Extensions': 'permessage-deflate' },
};

const utf8 = { validate_utf8: true } as const;
const validated = { route: { compression: 'off', limits: { from_client: utf8, from_backend: utf8 } } } as const;
const notUtf8 = { client: 'client protocol error', backend: 'upstream protocol error' } as const;
