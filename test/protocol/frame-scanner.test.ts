import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONTROL_FRAME_BYTES_MAX, type ScannerOptions, SPILL_BYTES_MAX } from '../../src/protocol/frame-scanner.ts';
import type { Violation } from '../../src/protocol/violations.ts';
import { everySplit } from '../support/every-split.ts';
import {
  binary,
  closeFrame,
  continuation,
  type FrameOptions,
  type FrameSpec,
  frame,
  Opcode,
  ping,
  pong,
  Rsv,
  text,
} from '../support/wire.ts';
import { options, type Scan, scan, WIDE } from './scan.ts';

const DIRECTIONS = [
  { from: 'client', masked: true },
  { from: 'backend', masked: false },
] as const;

const LEGAL_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const ILLEGAL_CODES = [
  0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 1999, 2000, 2999, 5000, 5001, 9999, 32768, 65535,
];

/** Every cut, but for long streams: there byte by byte and a few cuts are enough. */
const strideFor = (stream: Buffer) => (stream.length > 10_000 ? 997 : stream.length > 1000 ? 97 : 1);

/** The stream passes whole, at every cut, and a tail that breaks the rules is not let through. */
function expectLegal(setup: ScannerOptions, stream: Buffer, events: readonly string[], more: Partial<Scan> = {}): void {
  const stride = strideFor(stream);
  everySplit(
    stream,
    (pieces, tail) => {
      const result = scan(setup, pieces);
      const isClosed = events.at(-1)?.startsWith('close') === true;
      expect(result.events).toEqual(tail.length > 0 && !isClosed ? [...events, 'violation rsv'] : events);
      expect(result.allowed.equals(stream)).toBe(true);
      expect(result).toMatchObject(more);
    },
    { stride },
  );
}

/** Behind `before`, which passes, `bad` breaks the rule: at every cut, with nothing of it let through. */
function expectViolation(setup: ScannerOptions, violation: Violation, bad: Buffer, before: Buffer[] = []): void {
  const legal = Buffer.concat(before);
  const whole = Buffer.concat([legal, bad]);
  const stride = strideFor(whole);
  const events = scan(setup, [legal]).events;
  everySplit(
    whole,
    (pieces) => {
      const result = scan(setup, pieces);
      expect(result.violation).toBe(violation);
      expect(result.events).toEqual([...events, `violation ${violation}`]);
      expect(result.allowed.equals(legal)).toBe(true);
    },
    { stride },
  );
}

/** After how many bytes the verdict is there. */
function verdictAt(setup: ScannerOptions, stream: Buffer): number {
  for (let n = 1; n <= stream.length; n++) {
    const singles = Array.from({ length: n }, (_, i) => stream.subarray(i, i + 1));
    if (scan(setup, singles).violation !== null) return n;
  }
  return -1;
}

describe.each(DIRECTIONS)('from the $from', ({ masked }) => {
  const setup = options(masked);
  const mask: FrameOptions = { mask: masked };
  const make = (spec: FrameSpec) => frame({ ...mask, ...spec });
  const withLimits = (limits: Partial<typeof WIDE>) => options(masked, { limits: { ...WIDE, ...limits } });
  /** Bytes of a header whose length form takes 0, 2 or 8 bytes. */
  const header = (extra: number) => 2 + extra + (masked ? 4 : 0);

  describe('frames that pass', () => {
    test('5.6: text and binary, whole messages', () => {
      const stream = Buffer.concat([text('Hello', mask), binary(Buffer.from([0, 255]), mask)]);
      expectLegal(setup, stream, ['header 1 +5', 'header 2 +2'], {
        counters: { messages: 2, dataBytes: 7, largestMessage: 5, dataFrames: 2 },
        inMessage: false,
      });
    });

    test('5.2: an empty frame is a message', () => {
      expectLegal(setup, Buffer.concat([text('', mask), binary('', mask)]), ['header 1 +0', 'header 2 +0'], {
        counters: { messages: 2, dataBytes: 0, largestMessage: 0, dataFrames: 2 },
      });
    });

    test('5.4: a message in fragments, an empty one first, between and last', () => {
      const parts = ['', 'a', '', 'bc', ''];
      const stream = Buffer.concat(
        parts.map((payload, i) => make({ opcode: i === 0 ? 1 : 0, fin: i === parts.length - 1, payload })),
      );
      expectLegal(setup, stream, ['header 1 +0', 'header 0 +1', 'header 0 +0', 'header 0 +2', 'header 0 +0'], {
        counters: { messages: 1, dataBytes: 3, largestMessage: 3, dataFrames: 5 },
      });
    });

    test('F25: 5.4: control frames between fragments pass in order and leave the message alone', () => {
      const p = ping('p', mask);
      const q = pong('', mask);
      const stream = Buffer.concat([text('a', { ...mask, fin: false }), p, q, continuation('b', mask), p]);
      expectLegal(setup, stream, [
        'header 1 +1',
        `control 9 ${p.toString('hex')}`,
        `control 10 ${q.toString('hex')}`,
        'header 0 +1',
        `control 9 ${p.toString('hex')}`,
      ]);
    });

    test.each([0, 1, 124, 125])('5.5: a ping and a pong of %i bytes', (length) => {
      const one = ping(Buffer.alloc(length, 1), mask);
      const two = pong(Buffer.alloc(length, 2), mask);
      expectLegal(setup, Buffer.concat([one, two]), [
        `control 9 ${one.toString('hex')}`,
        `control 10 ${two.toString('hex')}`,
      ]);
    });

    test.each([125, 126, 127, 65_535, 65_536])('5.2: a length of %i in its shortest form', (length) => {
      expectLegal(setup, binary(Buffer.alloc(length, 3), mask), [`header 2 +${length}`], {
        counters: { messages: 1, dataBytes: length, largestMessage: length, dataFrames: 1 },
      });
    });

    test('the payload of a frame passes as it comes', () => {
      const stream = binary(Buffer.alloc(10, 1), mask);
      for (let n = header(0); n < stream.length; n++) {
        const result = scan(setup, [stream.subarray(0, n)]);
        expect(result.allowed.length).toBe(n);
        expect(result.remaining).toBe(stream.length - n);
        expect(result.counters.dataBytes).toBe(n - header(0));
      }
    });

    test('an incomplete header is held back, and so is a control frame until its last byte', () => {
      const held = [
        [text('abc', mask), header(0)],
        [binary(Buffer.alloc(126), mask), header(2)],
        [binary(Buffer.alloc(65_536), mask), header(8)],
        [ping(Buffer.alloc(125), mask), header(0) + 125],
        [closeFrame(1000, 'x', mask), header(0) + 3],
      ] as const;
      for (const [stream, whole] of held) {
        for (let n = 1; n < whole; n++) expect(scan(setup, [stream.subarray(0, n)]).allowed.length).toBe(0);
        expect(scan(setup, [stream.subarray(0, whole)]).allowed.length).toBe(whole);
      }
    });
  });

  describe('rules of every frame', () => {
    const wrong: FrameOptions = { mask: !masked };
    const violation = masked ? 'mask_missing' : 'mask_present';

    test(`F1: 5.1: ${violation}, on data, control and Close frames`, () => {
      for (const bad of [text('a', wrong), text('', wrong), ping('a', wrong), closeFrame(1000, '', wrong)]) {
        expectViolation(setup, violation, bad, [text('b', mask)]);
        expect(verdictAt(setup, bad)).toBe(2);
      }
    });

    test.each([Rsv.One, Rsv.Two, Rsv.Three, 3, 5, 6, 7])('F2: 5.2: reserved bits %i', (rsv) => {
      for (const opcode of [1, 2, 8, 9, 10]) {
        const bad = make({ opcode, rsv });
        expectViolation(setup, 'rsv', bad);
        expect(verdictAt(setup, bad)).toBe(1);
      }
      expectViolation(setup, 'rsv', continuation('', { ...mask, rsv }), [text('a', { ...mask, fin: false })]);
    });

    test.each([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])('F3: 5.2: reserved opcode %i', (opcode) => {
      const bad = make({ opcode, payload: 'x' });
      expectViolation(setup, 'opcode', bad);
      expectViolation(setup, 'opcode', bad, [text('a', { ...mask, fin: false })]);
      expect(verdictAt(setup, bad)).toBe(1);
    });

    test('F4: 5.4: a continuation with nothing to continue', () => {
      for (const fin of [true, false]) {
        const bad = continuation('a', { ...mask, fin });
        expectViolation(setup, 'continuation_without_start', bad);
        expectViolation(setup, 'continuation_without_start', bad, [text('a', mask), ping('', mask)]);
        expect(verdictAt(setup, bad)).toBe(1);
      }
    });

    test('F5: 5.4: a new message inside an unfinished one', () => {
      const start = [text('a', { ...mask, fin: false }), ping('', mask)];
      for (const opcode of [Opcode.Text, Opcode.Binary]) {
        for (const fin of [true, false]) {
          expectViolation(setup, 'message_inside_message', make({ opcode, fin, payload: 'b' }), start);
        }
      }
      expectLegal(setup, Buffer.concat([text('a', { ...mask, fin: false }), continuation('b', mask)]), [
        'header 1 +1',
        'header 0 +1',
      ]);
    });

    test('F11: 5.2: a length not in its shortest form', () => {
      const table = [
        [0, 16, 126],
        [125, 16, 126],
        [0, 64, 65_536],
        [126, 64, 65_536],
        [65_535, 64, 65_536],
      ] as const;
      for (const [length, lengthForm] of table) {
        const bad = make({ opcode: 2, payload: Buffer.alloc(3), length, lengthForm });
        expectViolation(setup, 'length_not_minimal', bad, [text('a', mask)]);
        expect(verdictAt(setup, bad)).toBe(lengthForm === 16 ? 4 : 10);
      }
    });

    test('F9: 5.2: a length with its highest bit set, known from the third byte', () => {
      for (const length of [2n ** 63n, 2n ** 64n - 1n, 2n ** 63n + 5n]) {
        const bad = make({ opcode: 2, length });
        expectViolation(setup, 'length_msb', bad);
        expect(verdictAt(setup, bad)).toBe(3);
      }
    });
  });

  describe('RFC 7692 6: RSV1', () => {
    const deflate = options(masked, { deflate: true });

    test('F27: stands on the first frame of a message when compression was agreed on', () => {
      const stream = Buffer.concat([
        text('a', { ...mask, rsv: Rsv.One }),
        binary('b', { ...mask, rsv: Rsv.One, fin: false }),
        continuation('c', mask),
        text('plain', mask),
      ]);
      expectLegal(deflate, stream, ['header 1 +1', 'header 2 +1', 'header 0 +1', 'header 1 +5']);
      expectViolation(setup, 'rsv', stream);
    });

    test('F27: never on a continuation or a control frame', () => {
      const start = [text('a', { ...mask, rsv: Rsv.One, fin: false })];
      expectViolation(deflate, 'rsv', continuation('b', { ...mask, rsv: Rsv.One }), start);
      for (const opcode of [8, 9, 10]) {
        expectViolation(deflate, 'rsv', make({ opcode, rsv: Rsv.One }));
        expectViolation(deflate, 'rsv', make({ opcode, rsv: Rsv.One }), start);
      }
    });

    test.each([2, 1, 3, 5, 6, 7])('F27: other bits (%i) never', (rsv) => {
      for (const opcode of [1, 2, 9]) expectViolation(deflate, 'rsv', make({ opcode, rsv }));
    });
  });

  describe('control frames', () => {
    test('F6: 5.5: not fragmented', () => {
      for (const opcode of [8, 9, 10]) {
        const bad = make({ opcode, fin: false });
        expectViolation(setup, 'control_fragmented', bad);
        expectViolation(setup, 'control_fragmented', bad, [text('a', { ...mask, fin: false })]);
        expect(verdictAt(setup, bad)).toBe(1);
      }
    });

    test('F7: 5.5: never over 125 bytes, decided on the second byte', () => {
      for (const opcode of [8, 9, 10]) {
        const table: FrameSpec[] = [
          { opcode, payload: Buffer.alloc(126) },
          { opcode, payload: 'a', lengthForm: 16 },
          { opcode, payload: 'a', lengthForm: 64 },
          { opcode, length: 2n ** 63n },
        ];
        for (const spec of table) {
          expectViolation(setup, 'control_length', make(spec));
          expect(verdictAt(setup, make(spec))).toBe(2);
        }
      }
    });

    test('the longest control frame leaves one byte less than itself over', () => {
      const longest = CONTROL_FRAME_BYTES_MAX - (masked ? 0 : 4);
      const whole = ping(Buffer.alloc(125), mask);
      expect(whole.length).toBe(longest);
      expect(scan(setup, [whole.subarray(0, -1)]).spill).toBe(longest - 1);
      expect(SPILL_BYTES_MAX).toBe(130);
    });
  });

  describe('Close', () => {
    test('5.5.1: without a body counts as 1005', () => {
      const close = closeFrame(null, '', mask);
      expectLegal(setup, close, [`close 1005 ${close.toString('hex')}`]);
    });

    test('F8: 5.5.1: a body of one byte, decided on the second byte of the frame', () => {
      const bad = make({ opcode: 8, payload: Buffer.from([3]) });
      expectViolation(setup, 'close_length', bad, [text('a', mask)]);
      expect(verdictAt(setup, bad)).toBe(2);
    });

    test.each(LEGAL_CODES)('F18: 7.4: code %i passes, with and without a reason', (code) => {
      for (const reason of ['', 'bye', 'ü'.repeat(61), '\u{10ffff}']) {
        const close = closeFrame(code, reason, mask);
        expectLegal(setup, Buffer.concat([text('a', mask), close]), [
          'header 1 +1',
          `close ${code} ${close.toString('hex')}`,
        ]);
      }
    });

    test.each(ILLEGAL_CODES)('F17: 7.4: code %i is refused', (code) => {
      expectViolation(setup, 'close_code', closeFrame(code, '', mask), [text('a', mask)]);
      expectViolation(setup, 'close_code', closeFrame(code, Buffer.from([0xff]), mask));
    });

    test('F17: 7.4: every code there is, by the ranges of the registry', () => {
      const isLegal = (code: number) =>
        (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
      for (let code = 0; code < 65_536; code++) {
        const { violation } = scan(setup, [closeFrame(code, '', mask)]);
        if ((violation === null) !== isLegal(code)) expect.fail(`code ${code}: ${violation}`);
      }
    });

    test.each([
      ['a lone continuation byte', '80'],
      ['a cut code point', 'e282'],
      ['an overlong form', 'c0af'],
      ['a surrogate', 'eda080'],
      ['above U+10FFFF', 'f4908080'],
      ['0xFF behind text', '6f6bff'],
    ])('F19: 8.1: a reason that is not UTF-8: %s', (_, hex) => {
      expectViolation(setup, 'close_reason', closeFrame(1000, Buffer.from(hex, 'hex'), mask));
    });

    test('F18: a reason of 123 bytes is the longest', () => {
      const close = closeFrame(1000, 'x'.repeat(123), mask);
      expectLegal(setup, close, [`close 1000 ${close.toString('hex')}`]);
      expectViolation(setup, 'control_length', closeFrame(1000, 'x'.repeat(124), mask));
    });

    test('5.5.1: between fragments it is legal', () => {
      const close = closeFrame(1001, '', mask);
      const stream = Buffer.concat([text('a', { ...mask, fin: false }), close]);
      expectLegal(setup, stream, ['header 1 +1', `close 1001 ${close.toString('hex')}`]);
    });
  });

  describe('limits', () => {
    test('F10: a message at the cap passes, one byte more is refused on the header', () => {
      for (const cap of [0, 1, 125, 126, 65_535, 65_536, 70_000]) {
        const capped = withLimits({ messageBytesMax: cap });
        expect(scan(capped, [binary(Buffer.alloc(cap), mask)]).events).toEqual([`header 2 +${cap}`]);
        const over = make({ opcode: 2, length: cap + 1 });
        expectViolation(capped, 'message_too_big', over);
        // Without the payload, and before the mask.
        const lengthEnd = cap + 1 < 126 ? 2 : cap + 1 < 65_536 ? 4 : 10;
        expect(verdictAt(capped, over)).toBe(lengthEnd);
      }
    });

    test('F10: lengths around 2^53', () => {
      const endless = withLimits({ messageBytesMax: Infinity, frameBytesMax: Infinity });
      for (const length of [2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n]) {
        expectViolation(endless, 'message_too_big', make({ opcode: 2, length }));
      }
      for (const length of [2n ** 53n - 1n, 2n ** 32n, 2n ** 32n - 1n]) {
        expect(scan(endless, [make({ opcode: 2, length })]).remaining).toBe(Number(length));
        expectViolation(withLimits({ messageBytesMax: 2 ** 31 }), 'message_too_big', make({ opcode: 2, length }));
      }
      const exact = withLimits({ messageBytesMax: 2 ** 53 - 1, frameBytesMax: 2 ** 53 - 1 });
      expect(scan(exact, [make({ opcode: 2, length: 2n ** 53n - 1n })]).violation).toBeNull();
      const less = withLimits({ messageBytesMax: 2 ** 53 - 2, frameBytesMax: 2 ** 53 - 1 });
      expectViolation(less, 'message_too_big', make({ opcode: 2, length: 2n ** 53n - 1n }));
    });

    test('F12: fragments that sum to the cap pass; the frame that crosses it is refused', () => {
      const capped = withLimits({ messageBytesMax: 10 });
      const head = [text('123456', { ...mask, fin: false }), continuation('', { ...mask, fin: false })];
      const all = [...head, continuation('789a', mask), text('123456789a', mask)];
      expectLegal(capped, Buffer.concat(all), ['header 1 +6', 'header 0 +0', 'header 0 +4', 'header 1 +10'], {
        counters: { messages: 2, dataBytes: 20, largestMessage: 10, dataFrames: 4 },
      });
      expectViolation(capped, 'message_too_big', continuation('789ab', mask), head);
      expectViolation(capped, 'message_too_big', continuation('789ab', { ...mask, fin: false }), head);
    });

    test('F12: cap - 1, then 2^53 - 1, 2^53 and 2^63 - 1', () => {
      const cap = 1000;
      const first = binary(Buffer.alloc(cap - 1), { ...mask, fin: false });
      const capped = withLimits({ messageBytesMax: cap });
      for (const length of [2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n]) {
        expectViolation(capped, 'message_too_big', make({ opcode: 0, length }), [first]);
      }
      expectViolation(capped, 'length_msb', make({ opcode: 0, length: 2n ** 63n }), [first]);
      expect(scan(capped, [first, continuation('a', mask)]).violation).toBeNull();
      const huge = withLimits({ messageBytesMax: 2 ** 53 - 1, frameBytesMax: Infinity });
      expectViolation(huge, 'message_too_big', make({ opcode: 0, length: 2n ** 53n - 1n }), [
        text('a', { ...mask, fin: false }),
      ]);
    });

    test('10.4: a frame at its cap passes, one byte more does not, whatever the message may have', () => {
      const capped = withLimits({ frameBytesMax: 5 });
      expectLegal(capped, text('12345', mask), ['header 1 +5']);
      expectViolation(capped, 'frame_too_big', text('123456', mask));
      expectViolation(capped, 'frame_too_big', continuation('123456', mask), [text('12345', { ...mask, fin: false })]);
      // Control frames have their own.
      const big = ping('123456', mask);
      expectLegal(capped, big, [`control 9 ${big.toString('hex')}`]);
    });

    test.each([1, 2, 8])('F13: F14: %i fragments pass, one more is refused, empty or not', (fragmentsMax) => {
      const capped = withLimits({ fragmentsMax });
      for (const payload of ['', 'x']) {
        const parts = Array.from({ length: fragmentsMax }, (_, i) =>
          make({ opcode: i === 0 ? 1 : 0, fin: false, payload }),
        );
        for (const fin of [true, false]) {
          expectViolation(capped, 'too_many_fragments', continuation(payload, { ...mask, fin }), parts);
        }
        const last = make({ opcode: fragmentsMax === 1 ? 1 : 0, payload });
        const whole = Buffer.concat([...parts.slice(0, -1), last]);
        // The count begins anew with each message; control frames are no fragments.
        const result = scan(capped, [whole, ping('', mask), whole]);
        expect([result.violation, result.counters.messages]).toEqual([null, 2]);
      }
    });

    test('a message above the cap does not count as the largest', () => {
      const capped = withLimits({ messageBytesMax: 5 });
      const { counters } = scan(capped, [text('1234', mask), text('123456', mask)]);
      expect(counters).toEqual({ messages: 1, dataBytes: 4, largestMessage: 4, dataFrames: 1 });
    });
  });
});

describe('properties', () => {
  const payload = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ minLength: 120, maxLength: 140 }));
  const key = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
  const controls = fc.array(
    fc.record({ opcode: fc.constantFrom(9, 10), payload: fc.uint8Array({ maxLength: 125 }), key }),
    { maxLength: 2 },
  );
  const message = fc.record({
    opcode: fc.constantFrom(1, 2),
    compressed: fc.boolean(),
    parts: fc.array(fc.record({ payload, key, before: controls }), { minLength: 1, maxLength: 4 }),
  });
  const cuts = fc.array(fc.nat({ max: 99 }), { minLength: 1, maxLength: 40 });

  function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
    const pieces: Buffer[] = [];
    for (let at = 0, i = 0; at < stream.length; i++) {
      const size = (sizes[i % sizes.length] ?? 0) + 1;
      pieces.push(stream.subarray(at, at + size));
      at += size;
    }
    return pieces;
  }

  test.each(DIRECTIONS)('F23: any legal stream from the $from, cut anywhere: the same frames', ({ masked }) => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), cuts, (messages, sizes) => {
        const frames: Buffer[] = [];
        const events: string[] = [];
        for (const { opcode, compressed, parts } of messages) {
          for (const [i, part] of parts.entries()) {
            for (const control of part.before) {
              const spec = { opcode: control.opcode, payload: Buffer.from(control.payload) };
              const wire = frame({ ...spec, mask: masked && control.key });
              frames.push(wire);
              events.push(`control ${control.opcode} ${wire.toString('hex')}`);
            }
            const code = i === 0 ? opcode : 0;
            const rsv = i === 0 && compressed ? Rsv.One : 0;
            const fin = i === parts.length - 1;
            frames.push(
              frame({ opcode: code, rsv, fin, payload: Buffer.from(part.payload), mask: masked && part.key }),
            );
            events.push(`header ${code} +${part.payload.length}`);
          }
        }
        const stream = Buffer.concat(frames);
        const result = scan(options(masked, { deflate: true }), cut(stream, sizes));
        expect(result.events).toEqual(events);
        expect(result.allowed.equals(stream)).toBe(true);
        expect(result.counters.messages).toBe(messages.length);
      }),
      { numRuns: 300 },
    );
  });

  test('F23: any bytes: never a throw, and the same verdict at every cut', () => {
    // Uniform bytes die at once; these look like frames for a while.
    const framish = fc.oneof(
      fc.constantFrom(0x81, 0x01, 0x00, 0x80, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0x7e, 0xfe, 0x7f, 0xff, 0x02, 0x03),
      fc.nat({ max: 255 }),
    );
    const limits = fc.constantFrom(WIDE, { messageBytesMax: 200, frameBytesMax: 130, fragmentsMax: 2 });
    fc.assert(
      fc.property(
        fc.array(framish, { maxLength: 300 }),
        fc.boolean(),
        fc.boolean(),
        limits,
        cuts,
        (bytes, masked, deflate, limit, sizes) => {
          const stream = Buffer.from(bytes);
          const setup = options(masked, { deflate, limits: limit });
          const whole = scan(setup, [stream]);
          expect(scan(setup, cut(stream, sizes))).toEqual(whole);
          expect(scan(setup, cut(stream, [0]))).toEqual(whole);
          expect(stream.subarray(0, whole.allowed.length).equals(whole.allowed)).toBe(true);
        },
      ),
      { numRuns: 1500 },
    );
  });
});
