// The few frames framegate writes itself: control frames, and texts of its own. Masked with a fresh random key towards
// a backend, never towards a client (RFC 6455 5.1, 5.3).

import { randomFillSync } from 'node:crypto';
import { Opcode } from './frame-scanner.ts';
import { utf8Truncate } from './utf8.ts';

/** RFC 6455 5.5: a control frame holds 125 bytes; two of them are the code. */
const REASON_BYTES_MAX = 123;

interface CloseFrameOptions {
  readonly code: number;
  /** Cut at a code point if its UTF-8 form is longer than 123 bytes. */
  readonly reason: string;
  /** True towards a backend: a client's frames are masked. */
  readonly masked: boolean;
}

/** One whole Close frame. */
export function closeFrame(options: CloseFrameOptions): Buffer {
  const reason = utf8Truncate(options.reason, REASON_BYTES_MAX);
  const body = Buffer.alloc(2 + reason.length);
  body.writeUInt16BE(options.code, 0);
  reason.copy(body, 2);
  return wholeFrame(Opcode.Close, body, options.masked);
}

/** One whole ping that carries `token`. */
export function pingFrame(token: Buffer, masked: boolean): Buffer {
  return wholeFrame(Opcode.Ping, token, masked);
}

/** One whole pong: the answer to a ping that carried `body`. */
export function pongFrame(body: Buffer, masked: boolean): Buffer {
  return wholeFrame(Opcode.Pong, body, masked);
}

/** A text message in one frame. */
export function textFrame(text: string, masked: boolean): Buffer {
  return wholeFrame(Opcode.Text, Buffer.from(text), masked);
}

function wholeFrame(opcode: number, body: Buffer, masked: boolean): Buffer {
  const length = lengthBytes(body.length);
  const keyAt = 1 + length.length;
  const headerBytes = keyAt + (masked ? 4 : 0);
  const frame = Buffer.alloc(headerBytes + body.length);
  frame[0] = 0x80 | opcode;
  length.copy(frame, 1);
  body.copy(frame, headerBytes);
  if (!masked) return frame;
  frame[1]! |= 0x80; // a header has two bytes at least
  // RFC 6455 5.3: the key comes from a strong source of entropy and is fresh for every frame.
  randomFillSync(frame, keyAt, 4);
  for (let i = 0; i < body.length; i++) frame[headerBytes + i]! ^= frame[keyAt + (i & 3)]!; // within the frame
  return frame;
}

/** RFC 6455 5.2: the minimal number of bytes. */
function lengthBytes(length: number): Buffer {
  if (length < 126) return Buffer.of(length);
  if (length < 65_536) return Buffer.of(126, length >> 8, length & 0xff);
  const bytes = Buffer.alloc(9);
  bytes[0] = 127;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}
