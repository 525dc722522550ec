// The RFC 6455 frame scanner of one direction: finds frame borders in a byte stream, judges each header, and tells how
// far the bytes may go on. It copies no payload, allocates nothing per frame, calls nobody back and never throws.

import { isCloseCodeOnWire, NO_STATUS } from './close-codes.ts';
import { isUtf8Range } from './utf8.ts';
import type { Violation } from './violations.ts';

/** What `next()` found. One step, one meaning. */
export const Step = {
  /** Everything up to `position` may go on; the bytes from there are an incomplete header or control frame. */
  NeedData: 0,
  /** The header of a data frame passed; its payload follows. `position` is just behind the header. */
  Header: 1,
  /** A whole ping or pong stands in `[frameStart, position)`. */
  Control: 2,
  /** A whole, legal Close stands in `[frameStart, position)`; `closeCode` is its code. */
  Close: 3,
  /** The frame at `frameStart` broke `violation`. Final: the scanner stays here. */
  Violation: 4,
} as const;
export type Step = (typeof Step)[keyof typeof Step];

export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

/** Bytes of the longest frame that is held until it is complete: a masked control frame. */
export const CONTROL_FRAME_BYTES_MAX = 2 + 4 + 125;
/** What `NeedData` can leave over at most: all of that but its last byte. */
export const SPILL_BYTES_MAX = CONTROL_FRAME_BYTES_MAX - 1;

export interface ScannerLimits {
  /** Wire bytes of one message, all fragments together. */
  readonly messageBytesMax: number;
  readonly frameBytesMax: number;
  readonly fragmentsMax: number;
}

export interface ScannerOptions {
  /** True for what a client sends: its frames must be masked; a server's must not (RFC 6455 5.1). */
  readonly masked: boolean;
  /** True when permessage-deflate was agreed on: RSV1 may stand on the first frame of a message (RFC 7692 6). */
  readonly deflate: boolean;
  readonly limits: ScannerLimits;
}

const FIN = 0x80;
/** First bytes of a message in one frame. */
const TEXT_MESSAGE = FIN | Opcode.Text;
const BINARY_MESSAGE = FIN | Opcode.Binary;
const RSV1 = 0x40;
const RSV = 0x70;
const MASK = 0x80;
/** 2^53: above it a length is no exact number any more, and far above any limit. */
const HIGH_WORD_MAX = 0x1fffff;

export class FrameScanner {
  /** Index of the next byte to judge. All bytes before it (control frames: whole) have passed. */
  position = 0;
  /** Where the frame of the last Control, Close or Violation begins. */
  frameStart = 0;
  /** Opcode of the frame of the last Header, Control or Close. */
  opcode = 0;
  /** Payload bytes of the current data frame still to come: 0 means that the stream stands at a frame boundary. */
  remaining = 0;
  /** Index of the payload of the last Control or Close. */
  payloadStart = 0;
  /** Code of the last Close; 1005 when it had none. */
  closeCode = 0;
  violation: Violation | null = null;
  /** What a limit was broken with: bytes, or frames for `too_many_fragments`. */
  violationValue = 0;
  /** True between the first and the last frame of a message. */
  inMessage = false;
  /** Bytes and frames of the current message so far, by its headers. */
  messageBytes = 0;
  fragments = 0;
  /** Messages begun, data payload bytes passed, and the largest message so far (by its headers). */
  messages = 0;
  dataBytes = 0;
  largestMessage = 0;
  /** Data frames begun: with `dataBytes`, what tells progress from silence. */
  dataFrames = 0;

  private readonly masked: boolean;
  private readonly rsv1Allowed: boolean;
  /** The second byte of a frame of no length, and the size of a header whose length fits in that byte. */
  private readonly maskBit: number;
  private readonly smallHeaderBytes: number;
  /** What a message of one short frame may hold at most; -1 when no limit lets one pass. */
  private smallMessageMax = 0;
  private limits: ScannerLimits;
  /** Those of the next message, while one that began under others is under way. */
  private nextLimits: ScannerLimits | null = null;
  private bytes: Buffer = NO_BYTES;
  private end = 0;

  constructor(options: ScannerOptions) {
    this.masked = options.masked;
    this.rsv1Allowed = options.deflate;
    this.maskBit = options.masked ? MASK : 0;
    this.smallHeaderBytes = options.masked ? 6 : 2;
    this.limits = options.limits;
    this.retune(options.limits);
  }

  /** New limits from the next message on. */
  retune(limits: ScannerLimits): void {
    this.nextLimits = this.inMessage ? limits : null;
    if (this.inMessage) return;
    const { messageBytesMax, frameBytesMax, fragmentsMax } = limits;
    this.limits = limits;
    this.smallMessageMax = fragmentsMax < 1 ? -1 : Math.min(125, messageBytesMax, frameBytesMax);
  }

  /** Judge `[start, end)` next. What `NeedData` left over must stand, contiguous, at its front. */
  feed(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Forget the bytes of the last `feed`; nothing long-lived keeps a view of a read buffer. */
  release(): void {
    this.bytes = NO_BYTES;
  }

  /** Find the next thing in the bytes fed. Call until it says NeedData, Close or Violation. */
  next(): Step {
    if (this.violation !== null) return Step.Violation;
    if (this.remaining > 0 && !this.takePayload()) return Step.NeedData;
    const at = this.position;
    const available = this.end - at;
    this.frameStart = at;
    if (available < 2) {
      // The first byte alone can break a rule already; everything else needs the second.
      if (available === 1 && this.breaksFirstByte(this.bytes[at]!)) return Step.Violation;
      return Step.NeedData;
    }
    const first = this.bytes[at]!; // within `available`
    const second = this.bytes[at + 1]!;
    if (this.takeSmallMessage(at, first, second, available)) return Step.Header;
    if (this.breaksFirstByte(first)) return Step.Violation;
    if (second >= MASK !== this.masked) return this.violate(this.masked ? 'mask_missing' : 'mask_present');
    this.opcode = first & 0x0f;
    const length7 = second & 0x7f;
    if (this.opcode >= Opcode.Close) return this.takeControl(at, length7, available);
    return this.takeHeader(at, length7, available, first);
  }

  /**
   * The most common frame by far, a whole message of at most 125 bytes, breaks no rule that a look at its first two
   * bytes does not show. For speed only: without this the general way finds the same.
   */
  private takeSmallMessage(at: number, first: number, second: number, available: number): boolean {
    if ((first !== TEXT_MESSAGE && first !== BINARY_MESSAGE) || this.inMessage) return false;
    const length = second - this.maskBit;
    if (length < 0 || length > this.smallMessageMax || available < this.smallHeaderBytes) return false;
    this.opcode = first & 0x0f;
    this.messages += 1;
    this.dataFrames += 1;
    this.messageBytes = length;
    this.fragments = 1;
    if (length > this.largestMessage) this.largestMessage = length;
    this.remaining = length;
    this.position = at + this.smallHeaderBytes;
    return true;
  }

  /** Payload of the current data frame, as far as it is here. True when it is complete. */
  private takePayload(): boolean {
    const available = this.end - this.position;
    if (available < this.remaining) {
      this.position = this.end;
      this.remaining -= available;
      this.dataBytes += available;
      return false;
    }
    this.position += this.remaining;
    this.dataBytes += this.remaining;
    this.remaining = 0;
    return true;
  }

  private takeHeader(at: number, length7: number, available: number, first: number): Step {
    let size = this.masked ? 6 : 2;
    let length = length7;
    if (length7 === 126) {
      if (available < 4) return Step.NeedData;
      length = this.bytes[at + 2]! * 256 + this.bytes[at + 3]!; // within `available`
      size += 2;
      // RFC 6455 5.2: the minimal number of bytes MUST be used.
      if (length < 126) return this.violate('length_not_minimal');
    } else if (length7 === 127) {
      if (available < 10) {
        // RFC 6455 5.2: the most significant bit MUST be 0. Known from the third byte on.
        if (available > 2 && this.bytes[at + 2]! >= 0x80) return this.violate('length_msb');
        return Step.NeedData;
      }
      const high = this.bytes.readUInt32BE(at + 2);
      const low = this.bytes.readUInt32BE(at + 6);
      if (high >= 0x80000000) return this.violate('length_msb');
      length = high * 0x100000000 + low; // above 2^53 no exact number, but far above any limit
      if (high > HIGH_WORD_MAX) return this.violate('message_too_big', length);
      size += 8;
      if (length < 65536) return this.violate('length_not_minimal');
    }
    if (this.breaksLimit(length, first)) return Step.Violation;
    // Judged before the mask is here, so that no cut changes when a limit speaks.
    if (available < size) return Step.NeedData;
    this.beginFrame(length, first);
    this.position = at + size;
    return Step.Header;
  }

  private breaksLimit(length: number, first: number): boolean {
    const continued = (first & 0x0f) === Opcode.Continuation;
    const before = continued ? this.messageBytes : 0;
    const fragments = continued ? this.fragments : 0;
    // By subtraction: the sum of two lengths near 2^53 is not exact.
    if (length > this.limits.messageBytesMax - before) this.violate('message_too_big', before + length);
    else if (length > this.limits.frameBytesMax) this.violate('frame_too_big', length);
    else if (fragments >= this.limits.fragmentsMax) this.violate('too_many_fragments', fragments + 1);
    return this.violation !== null;
  }

  private beginFrame(length: number, first: number): void {
    if (this.inMessage) {
      this.messageBytes += length;
      this.fragments += 1;
    } else {
      this.messages += 1;
      this.messageBytes = length;
      this.fragments = 1;
    }
    if (this.messageBytes > this.largestMessage) this.largestMessage = this.messageBytes;
    this.dataFrames += 1;
    this.inMessage = first < FIN;
    this.remaining = length;
    if (this.nextLimits !== null) this.retune(this.nextLimits);
  }

  private takeControl(at: number, length7: number, available: number): Step {
    // RFC 6455 5.5: control frames fit in 125 bytes, so the longer length forms are never legal there.
    if (length7 > 125) return this.violate('control_length');
    if (this.opcode === Opcode.Close && length7 === 1) return this.violate('close_length'); // RFC 6455 5.5.1
    const payloadStart = at + (this.masked ? 6 : 2);
    const frameEnd = payloadStart + length7;
    if (frameEnd > at + available) return Step.NeedData;
    this.payloadStart = payloadStart;
    if (this.opcode === Opcode.Close && this.breaksClose(payloadStart, frameEnd)) return Step.Violation;
    this.position = frameEnd;
    return this.opcode === Opcode.Close ? Step.Close : Step.Control;
  }

  private breaksClose(start: number, end: number): boolean {
    this.closeCode = NO_STATUS;
    if (start === end) return false;
    let body = this.bytes;
    let from = start;
    if (this.masked) {
      body = unmasked(this.bytes, start, end);
      from = 0;
    }
    const code = body.readUInt16BE(from);
    if (!isCloseCodeOnWire(code)) this.violate('close_code');
    else if (!isUtf8Range(body, from + 2, from + end - start)) this.violate('close_reason');
    this.closeCode = code;
    return this.violation !== null;
  }

  /** The rules that the first byte of a frame decides (RFC 6455 5.2, 5.4, 5.5; RFC 7692 6). */
  private breaksFirstByte(first: number): boolean {
    const opcode = first & 0x0f;
    if (opcode >= Opcode.Close) {
      if ((first & RSV) !== 0) this.violate('rsv');
      else if (opcode > Opcode.Pong) this.violate('opcode');
      else if (first < FIN) this.violate('control_fragmented');
      return this.violation !== null;
    }
    const rsv = first & RSV;
    if (rsv !== 0 && !(rsv === RSV1 && this.rsv1Allowed && opcode !== Opcode.Continuation)) this.violate('rsv');
    else if (opcode > Opcode.Binary) this.violate('opcode');
    else if (opcode === Opcode.Continuation && !this.inMessage) this.violate('continuation_without_start');
    else if (opcode !== Opcode.Continuation && this.inMessage) this.violate('message_inside_message');
    return this.violation !== null;
  }

  private violate(violation: Violation, value = 0): Step {
    this.violation = violation;
    this.violationValue = value;
    return Step.Violation;
  }
}

const NO_BYTES = Buffer.alloc(0);

/** The payload `[start, end)` of a masked control frame, in the clear; the key stands in the four bytes before it. */
function unmasked(bytes: Buffer, start: number, end: number): Buffer {
  const clear = Buffer.from(bytes.subarray(start, end));
  for (let i = 0; i < clear.length; i++) clear[i]! ^= bytes[start - 4 + (i & 3)]!; // the key precedes the payload
  return clear;
}
