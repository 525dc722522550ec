// What one side has received at the end of a session, held against all that the other side sent: a front of what may go
// on, cut anywhere only if the side was cut off, and behind a whole frame at most one Close of the proxy's own.

import { isLegalCloseCode, noLimits, readFrame, readStream } from '../../reference/frames.ts';
import { clearPayload } from '../../reference/front.ts';
import type { Rates } from './rates.ts';
import { ReferenceStream, type StreamSetup } from './stream.ts';

const noRates: Rates = {
  messagesPerSecond: Infinity,
  messageBurst: Infinity,
  bytesPerSecond: Infinity,
  byteBurst: Infinity,
  controlFramesPerSecond: Infinity,
  controlFrameBurst: Infinity,
  onExceeded: 'close',
};

export interface Sent {
  readonly stream: ReferenceStream;
  /** What had to go on if all of it was read, and what may have gone on at most. */
  readonly must: Buffer;
  readonly may: Buffer;
  /** Payload of data frames that may be counted; only with bad text not all that comes before an end of its own. */
  readonly payloadMax: number;
}

/** Judges everything that one side has sent. */
export function judgeSent(bytes: Buffer, setup: Omit<StreamSetup, 'rates' | 'now'>): Sent {
  const stream = new ReferenceStream({ ...setup, rates: noRates, now: 0 });
  stream.read(bytes, 'open', true, 0);
  const must = Buffer.concat(stream.out);
  if (stream.spent !== 'text') return { stream, must, may: must, payloadMax: stream.payloadBytes };
  // Nobody looks at the text of what goes nowhere any more.
  const { payloadMax } = judgeSent(bytes, { ...setup, validateUtf8: false });
  return { stream, must, may: byteWise(bytes, setup), payloadMax };
}

/** Of bad text more goes on when it comes in pieces: whatever stands before the first impossible byte. */
function byteWise(bytes: Buffer, setup: Omit<StreamSetup, 'rates' | 'now'>): Buffer {
  const stream = new ReferenceStream({ ...setup, rates: noRates, now: 0 });
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at++) {
    stream.read(bytes.subarray(at, at + 1), 'open', true, 0);
    out.push(...stream.out);
  }
  return Buffer.concat(out);
}

export interface Receipt {
  readonly relayed: number;
  /** It ends inside a frame. */
  readonly isInside: boolean;
  /** A Close came, and whether it was the proxy's own. */
  readonly closed: 'ours' | 'relayed' | null;
  readonly code: number | null;
}

export interface ReceiptOptions {
  readonly received: Buffer;
  readonly sent: Sent;
  /** What may have gone on at most. */
  readonly may: Buffer;
  /** True for what a client sent, and for what a backend gets. */
  readonly masked: boolean;
  readonly deflate: boolean;
}

/** Throws when `received` is none of what it may be. */
export function judgeReceipt(options: ReceiptOptions): Receipt {
  const { received, sent, may, masked } = options;
  const { stream } = sent;
  const same = commonBytes(received, may);
  const boundary = lastBoundary(may, same, options);
  if (same === received.length) {
    const isWhole = same === boundary;
    const gotClose = isWhole && same === sent.must.length && stream.spent === 'close';
    return {
      relayed: same,
      isInside: !isWhole,
      closed: gotClose ? 'relayed' : null,
      code: gotClose ? stream.closeCode : null,
    };
  }
  return { relayed: boundary, isInside: false, closed: 'ours', code: ownCloseCode(received, boundary, masked) };
}

/** The code of the one Close of our own that `received` ends with, from `at` on. */
function ownCloseCode(received: Buffer, at: number, masked: boolean): number {
  const short = received.length - at;
  const what = `neither sent by the other side nor our Close: ${received.toString('hex', at, at + 80)}`;
  const nothing = { inMessage: false, messageBytes: 0, fragments: 0 };
  const head = readFrame(received, at, { masked, deflate: false }, nothing, noLimits);
  if (head === null || typeof head === 'string' || head.opcode !== 8) throw new Error(what);
  const { headBytes, length } = head;
  if (length === null || headBytes + length !== short || length < 2) throw new Error(what);
  const code = clearPayload(received, at, head).readUInt16BE(0);
  if (!isLegalCloseCode(code)) throw new Error(what);
  return code;
}

function commonBytes(a: Buffer, b: Buffer): number {
  const most = Math.min(a.length, b.length);
  if (a.compare(b, 0, most, 0, most) === 0) return most;
  let same = 0;
  while (a[same] === b[same]) same += 1;
  return same;
}

/** Where the last frame that is whole within the first `end` bytes of legal frames ends. */
function lastBoundary(frames: Buffer, end: number, direction: ReceiptOptions): number {
  const whole = readStream(frames, direction, noLimits).frames.filter((frame) => frame.end <= end);
  return whole.at(-1)?.end ?? 0;
}
