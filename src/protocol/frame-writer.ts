// The few frames framegate writes itself: Close frames. Masked with a fresh random key towards a backend, never
// towards a client (RFC 6455 5.1, 5.3).

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
  return controlFrame(Opcode.Close, body, options.masked);
}

/** One whole ping that carries `token`. */
export function pingFrame(token: Buffer, masked: boolean): Buffer {
  return controlFrame(Opcode.Ping, token, masked);
}

function controlFrame(opcode: number, body: Buffer, masked: boolean): Buffer {
  const headerBytes = masked ? 6 : 2;
  const frame = Buffer.alloc(headerBytes + body.length);
  frame[0] = 0x80 | opcode;
  frame[1] = (masked ? 0x80 : 0) | body.length;
  body.copy(frame, headerBytes);
  if (!masked) return frame;
  // RFC 6455 5.3: the key comes from a strong source of entropy and is fresh for every frame.
  randomFillSync(frame, 2, 4);
  for (let i = 0; i < body.length; i++) frame[headerBytes + i]! ^= frame[2 + (i & 3)]!; // within the frame
  return frame;
}
