// Cuts frames out of a stream that arrives in chunks, without copying a large frame more than once.
// It judges nothing.

import { type Frame, takeFrame } from '../support/wire.ts';
import { frontOf } from './front.ts';

export class FrameReader {
  private parts: Buffer[] = [];
  private size = 0;
  private needed = 2;

  /** The frames that are complete now. */
  push(chunk: Buffer): Frame[] {
    if (this.size === 0) this.parts = [chunk];
    else this.parts.push(chunk);
    this.size += chunk.length;
    if (this.size < this.needed) return [];
    let rest = this.parts.length === 1 ? chunk : Buffer.concat(this.parts);
    const frames: Frame[] = [];
    for (let next = takeFrame(rest); next !== null; next = takeFrame(rest)) {
      frames.push(next);
      rest = rest.subarray(next.bytes.length);
    }
    this.parts = [rest];
    this.size = rest.length;
    this.needed = bytesNeeded(rest);
    return frames;
  }
}

/** The size of the frame that begins here, as far as it can be told. */
function bytesNeeded(bytes: Buffer): number {
  if (bytes.length < 2) return 2;
  const { length, headBytes } = frontOf(bytes);
  return bytes.length < headBytes ? headBytes : headBytes + (length ?? 0);
}
