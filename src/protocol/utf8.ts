// Is a run of bytes UTF-8 (RFC 3629)? Nothing else.

import { isUtf8 } from 'node:buffer';

/** True when `[start, end)` is complete, well-formed UTF-8. An empty range is. */
export function isUtf8Range(bytes: Buffer, start: number, end: number): boolean {
  return isUtf8(bytes.subarray(start, end));
}

/** The longest start of `text` whose UTF-8 form fits in `bytesMax`, never cut inside a code point. */
export function utf8Truncate(text: string, bytesMax: number): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= bytesMax) return bytes;
  let end = bytesMax;
  // A byte 10xxxxxx continues a code point: step back to where one begins.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1; // more than bytesMax bytes are here
  return bytes.subarray(0, end);
}
