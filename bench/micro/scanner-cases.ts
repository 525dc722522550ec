// The frame scanner on streams of frames as they are read: in chunks, what one leaves over put in front of the next.
// The same bytes go through the receiver of `ws`, which collects and unmasks what the scanner only judges.

import type { EventEmitter } from 'node:events';
import * as ws from 'ws';
import { FrameScanner, Step } from '../../src/protocol/frame-scanner.ts';
import { maskedFrame, payloadOf, plainFrame } from '../load/frames.ts';
import type { MicroCase } from './micro-case.ts';

const READ_BYTES = 65_536;
const HEADROOM = 144;
const SIZES = [6, 125, 1024, 65_536];
/** Frames of the largest size are cut by reads; of small ones this many fill a read. */
const STREAM_BYTES_MIN = 4 * READ_BYTES;
const LIMITS = { messageBytesMax: 1_048_576, frameBytesMax: 1_048_576, fragmentsMax: 1024 };

/** Exported by `ws` and missing in its types. */
type ReceiverClass = new (options: {
  isServer: boolean;
  maxPayload: number;
}) => EventEmitter & {
  write(chunk: Buffer): boolean;
};

/** A read: its bytes stand in `[HEADROOM, end)`. */
interface Chunk {
  readonly bytes: Buffer;
  readonly end: number;
}

export function cases(): readonly MicroCase[] {
  const found: MicroCase[] = [];
  for (const masked of [true, false]) {
    const kind = masked ? 'masked' : 'plain';
    for (const size of SIZES) {
      const { stream, frames } = streamOf(size, masked);
      const name = `${kind} ${sizeText(size)}`;
      found.push(scannerCase(`scanner: ${name}`, stream, frames, masked, READ_BYTES));
      found.push(receiverCase(`ws Receiver: ${name}`, stream, frames, masked));
    }
    const { stream, frames, frameBytes } = streamOf(6, masked);
    found.push(scannerCase(`scanner: ${kind} 6 B, one a read`, stream, frames, masked, frameBytes));
    found.push(scannerCase(`scanner: ${kind} 6 B, every header split`, stream, frames, masked, frameBytes, 1));
  }
  return found;
}

function scannerCase(
  name: string,
  stream: Buffer,
  frames: number,
  masked: boolean,
  chunkBytes: number,
  firstBytes = chunkBytes,
): MicroCase {
  const scanner = new FrameScanner({ masked, deflate: false, limits: LIMITS });
  const chunks = chunksOf(stream, chunkBytes, firstBytes);
  const run = () => scan(scanner, chunks);
  return { name, unit: 'frame', operations: frames, bytes: stream.length, run, expected: frames };
}

/** What a relay does with each read, without the relaying. */
function scan(scanner: FrameScanner, chunks: readonly Chunk[]): number {
  const before = scanner.dataFrames;
  let leftFrom: Buffer | null = null;
  let leftStart = 0;
  let leftBytes = 0;
  for (const { bytes, end } of chunks) {
    if (leftFrom !== null && leftBytes > 0)
      leftFrom.copy(bytes, HEADROOM - leftBytes, leftStart, leftStart + leftBytes);
    scanner.feed(bytes, HEADROOM - leftBytes, end);
    let step = scanner.next();
    while (step === Step.Header) step = scanner.next();
    if (step !== Step.NeedData) return -1;
    leftFrom = bytes;
    leftStart = scanner.position;
    leftBytes = end - leftStart;
  }
  return scanner.remaining === 0 && leftBytes === 0 ? scanner.dataFrames - before : -1;
}

function receiverCase(name: string, stream: Buffer, frames: number, masked: boolean): MicroCase {
  let seen = 0;
  const Receiver: ReceiverClass = Reflect.get(ws, 'Receiver');
  const receiver = new Receiver({ isServer: masked, maxPayload: LIMITS.messageBytesMax });
  receiver.on('message', () => {
    seen += 1;
  });
  // Its own copy: unmasking changes the bytes in place.
  const chunks = chunksOf(stream, READ_BYTES, READ_BYTES).map(({ bytes, end }) => bytes.subarray(HEADROOM, end));
  const run = () => {
    const before = seen;
    for (const chunk of chunks) receiver.write(chunk);
    return seen - before;
  };
  return { name, unit: 'frame', operations: frames, bytes: stream.length, run, expected: frames };
}

function streamOf(size: number, masked: boolean): { stream: Buffer; frames: number; frameBytes: number } {
  const payload = payloadOf(size, size);
  const frame = masked ? maskedFrame(payload, 0x12345678) : plainFrame(payload);
  const frames = Math.ceil(STREAM_BYTES_MIN / frame.length);
  return { stream: Buffer.concat(new Array<Buffer>(frames).fill(frame)), frames, frameBytes: frame.length };
}

function chunksOf(stream: Buffer, chunkBytes: number, firstBytes: number): Chunk[] {
  const chunks: Chunk[] = [];
  let from = 0;
  while (from < stream.length) {
    const size = Math.min(from === 0 ? firstBytes : chunkBytes, stream.length - from);
    const bytes = Buffer.alloc(HEADROOM + size);
    stream.copy(bytes, HEADROOM, from, from + size);
    chunks.push({ bytes, end: HEADROOM + size });
    from += size;
  }
  return chunks;
}

function sizeText(size: number): string {
  return size < 1024 ? `${size} B` : `${size / 1024} KiB`;
}
