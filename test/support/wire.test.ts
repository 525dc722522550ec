import { describe, expect, test } from 'vitest';
import {
  acceptFor,
  closeFrame,
  closeOf,
  describeFrame,
  exampleKey,
  frame,
  Opcode,
  parseFrames,
  parseHead,
  ping,
  pong,
  splitFrames,
  text,
  upgradeRequest,
} from './wire.ts';

describe('frames', () => {
  test('5.7: the examples of the RFC, byte for byte', () => {
    expect(text('Hello').toString('hex')).toBe('810548656c6c6f');
    expect(text('Hello', { mask: true }).toString('hex')).toBe('818537fa213d7f9f4d5158');
    expect(text('Hel', { fin: false }).toString('hex')).toBe('010348656c');
    expect(frame({ opcode: Opcode.Continuation, payload: 'lo' }).toString('hex')).toBe('80026c6f');
    expect(ping('Hello').toString('hex')).toBe('890548656c6c6f');
    expect(pong('Hello', { mask: true }).toString('hex')).toBe('8a8537fa213d7f9f4d5158');
    const long = Buffer.alloc(256);
    expect(frame({ opcode: 2, payload: long }).subarray(0, 4).toString('hex')).toBe('827e0100');
    expect(
      frame({ opcode: 2, payload: Buffer.alloc(65536) })
        .subarray(0, 10)
        .toString('hex'),
    ).toBe('827f0000000000010000');
  });

  test('5.2: each length form on both sides of its edge', () => {
    for (const [length, headBytes] of [
      [0, 2],
      [125, 2],
      [126, 4],
      [65535, 4],
      [65536, 10],
    ] as const) {
      const [parsed] = parseFrames(frame({ opcode: 2, payload: Buffer.alloc(length, 7) }));
      expect(parsed?.payload.length).toBe(length);
      expect((parsed?.bytes.length ?? 0) - length).toBe(headBytes);
    }
  });

  test('illegal frames are built as asked', () => {
    expect(frame({ opcode: 1, payload: 'a', lengthForm: 16 }).toString('hex')).toBe('817e000161');
    expect(frame({ opcode: 1, payload: 'a', lengthForm: 64 }).toString('hex')).toBe('817f000000000000000161');
    expect(frame({ opcode: 3, rsv: 7, fin: false, length: 2n ** 63n }).toString('hex')).toBe('737f8000000000000000');
    expect(frame({ opcode: 9, length: 126, lengthForm: 16 }).toString('hex')).toBe('897e007e');
  });

  test('parsing undoes building, and says what is left over', () => {
    const bytes = Buffer.concat([text('äö', { mask: Buffer.from('01020304', 'hex') }), closeFrame(4000, 'bye')]);
    const [first, second] = parseFrames(bytes);
    expect(first?.payload.toString()).toBe('äö');
    expect(first?.maskKey?.toString('hex')).toBe('01020304');
    expect(second && closeOf(second)).toEqual({ code: 4000, reason: 'bye' });
    expect(second && describeFrame(second)).toBe('close fin 4000 "bye"');
    expect(() => parseFrames(bytes.subarray(0, -1))).toThrow(/1 frames, then 6 bytes of a part/);
    expect(splitFrames(bytes.subarray(0, -1)).frames.length).toBe(1);
    expect(closeFrame(null, 'ignored').toString('hex')).toBe('8800');
  });
});

describe('handshake', () => {
  test('1.3: the accept value of the RFC', () => {
    expect(acceptFor(exampleKey)).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  test('a request has the standard fields, less those omitted, then those given', () => {
    expect(upgradeRequest({ path: '/a', omit: ['connection', 'Upgrade'], headers: { 'X-A': '\xe4' } })).toEqual(
      Buffer.from(
        'GET /a HTTP/1.1\r\nHost: framegate.test\r\n' +
          `Sec-WebSocket-Key: ${exampleKey}\r\nSec-WebSocket-Version: 13\r\nX-A: \xe4\r\n\r\n`,
        'latin1',
      ),
    );
  });

  test('a head is taken apart, and bad ones are not', () => {
    const head = parseHead('HTTP/1.1 404 Not Found\r\nA: 1\r\na:2 \r\nB:\r\n\r\n');
    expect(head.status).toBe(404);
    expect(head.all('A')).toEqual(['1', '2']);
    expect(head.field('b')).toBe('');
    expect(head.field('c')).toBeUndefined();
    expect(() => head.field('a')).toThrow(/2 fields/);
    expect(() => parseHead('HTTP/1.1 200 OK\r\nA : 1\r\n\r\n')).toThrow(/not a header field/);
    expect(() => parseHead('HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n\r\n')).toThrow(/not a header field/);
  });
});
