// The second reading of frames: which rule the bytes at hand break, and how far a stream may go on. Written from
// RFC 6455 5 and 7.4, RFC 7692 6 and the meaning of the limits, over whole buffers; it imports nothing of src/.

import { isUtf8 } from 'node:buffer';
import { clearPayload, type Front, frontOf } from './front.ts';

export interface Limits {
  readonly messageBytesMax: number;
  readonly frameBytesMax: number;
  readonly fragmentsMax: number;
}

export const noLimits: Limits = { messageBytesMax: Infinity, frameBytesMax: Infinity, fragmentsMax: Infinity };

/** What a broken rule is called in the reason of an end, behind `client_` or `backend_`. */
export type BrokenRule = 'protocol_error' | 'message_too_big' | 'too_many_fragments' | 'invalid_utf8';

/** The code for the side that broke it. */
export const brokenRuleCodes: Readonly<Record<BrokenRule, number>> = {
  protocol_error: 1002,
  message_too_big: 1009,
  too_many_fragments: 1008,
  invalid_utf8: 1007,
};

/** What a frame can do wrong, with the config key of a limit. */
const FAULTS = {
  rsv: ['protocol_error'],
  opcode: ['protocol_error'],
  control_fragmented: ['protocol_error'],
  continuation_without_start: ['protocol_error'],
  message_inside_message: ['protocol_error'],
  mask_missing: ['protocol_error'],
  mask_present: ['protocol_error'],
  control_length: ['protocol_error'],
  close_length: ['protocol_error'],
  length_msb: ['protocol_error'],
  length_not_minimal: ['protocol_error'],
  message_too_big: ['message_too_big', 'max_message_size'],
  frame_too_big: ['message_too_big', 'max_frame_size'],
  too_many_fragments: ['too_many_fragments', 'max_fragments'],
  close_code: ['protocol_error'],
  close_reason: ['invalid_utf8'],
} as const satisfies Record<string, readonly [rule: BrokenRule, limit?: string]>;

export type Fault = keyof typeof FAULTS;

export function ruleOf(fault: Fault): BrokenRule {
  return FAULTS[fault][0];
}

export function limitOf(fault: Fault): string | null {
  return FAULTS[fault][1] ?? null;
}

/** What is known of the message that a frame may belong to. */
export interface MessageSoFar {
  readonly inMessage: boolean;
  readonly messageBytes: number;
  readonly fragments: number;
}

export interface Direction {
  readonly masked: boolean;
  readonly deflate: boolean;
}

export const isControl = (opcode: number): boolean => opcode >= 8;

/** RFC 6455 7.4 and the registry that it set up. */
export function isLegalCloseCode(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/** A frame that may begin, a control frame only with all of its payload; a fault; or null while bytes are missing. */
export function readFrame(
  bytes: Buffer,
  at: number,
  direction: Direction,
  message: MessageSoFar,
  limits: Limits,
): Front | Fault | null {
  const has = bytes.length - at;
  if (has < 1) return null;
  const front = frontOf(bytes, at);
  const fault =
    firstByteFault(front, direction.deflate, message.inMessage) ??
    (has < 2 ? null : secondByteFault(front, direction.masked, bytes[at + 2] ?? 0)) ??
    lengthFault(front, message, limits);
  if (fault !== null) return fault;
  const { opcode, length, headBytes } = front;
  if (has < 2 || length === null || has < headBytes + (isControl(opcode) ? length : 0)) return null;
  return (opcode === 8 ? closeFault(clearPayload(bytes, at, front)) : null) ?? front;
}

function firstByteFault({ opcode, fin, rsv }: Front, deflate: boolean, inMessage: boolean): Fault | null {
  // RFC 7692 6: RSV1 on the first frame of a message.
  const mayCompress = deflate && !isControl(opcode) && opcode !== 0;
  if (rsv !== 0 && !(rsv === 4 && mayCompress)) return 'rsv';
  if ((opcode > 2 && opcode < 8) || opcode > 10) return 'opcode';
  if (isControl(opcode)) return fin ? null : 'control_fragmented';
  if (opcode === 0 && !inMessage) return 'continuation_without_start';
  return opcode !== 0 && inMessage ? 'message_inside_message' : null;
}

function secondByteFault(front: Front, masked: boolean, third: number): Fault | null {
  const { opcode, length7 } = front;
  if (front.masked !== masked) return masked ? 'mask_missing' : 'mask_present';
  if (isControl(opcode) && length7 > 125) return 'control_length';
  if (opcode === 8 && length7 === 1) return 'close_length';
  return length7 === 127 && third >= 0x80 ? 'length_msb' : null;
}

function lengthFault({ opcode, length7, length }: Front, message: MessageSoFar, limits: Limits): Fault | null {
  if (length === null || isControl(opcode)) return null;
  // What no counter can hold exactly.
  if (length >= 2 ** 53) return 'message_too_big';
  if ((length7 === 126 && length < 126) || (length7 === 127 && length < 65_536)) return 'length_not_minimal';
  const before = opcode === 0 ? message : { messageBytes: 0, fragments: 0 };
  if (length > limits.messageBytesMax - before.messageBytes) return 'message_too_big';
  if (length > limits.frameBytesMax) return 'frame_too_big';
  return before.fragments + 1 > limits.fragmentsMax ? 'too_many_fragments' : null;
}

function closeFault(body: Buffer): Fault | null {
  if (body.length === 0) return null;
  if (!isLegalCloseCode(body.readUInt16BE(0))) return 'close_code';
  return isUtf8(body.subarray(2)) ? null : 'close_reason';
}

/** One frame of a stream: `[at, end)` of its bytes, `end` where its payload would be complete. */
export interface ReadFrame extends Front {
  readonly at: number;
  readonly length: number;
  readonly end: number;
}

export interface StreamReading {
  /** The last may be incomplete, unless it is a control frame; behind a Close there is none. */
  readonly frames: readonly ReadFrame[];
  /** How many bytes may go on. */
  readonly passed: number;
  readonly fault: Fault | null;
}

/** All frames of a stream; `retunes` are limits from after so many data frames on, for the messages behind. */
export function readStream(
  bytes: Buffer,
  direction: Direction,
  limits: Limits,
  retunes: ReadonlyMap<number, Limits> = new Map(),
): StreamReading {
  const frames: ReadFrame[] = [];
  const message = { inMessage: false, messageBytes: 0, fragments: 0 };
  let passed = 0;
  let dataFrames = 0;
  let coming = limits;
  let current = limits;
  while (passed < bytes.length && frames.at(-1)?.opcode !== 8) {
    const at = passed;
    const front = readFrame(bytes, at, direction, message, current);
    if (front === null) break;
    if (typeof front === 'string') return { frames, passed, fault: front };
    const length = front.length ?? 0;
    const end = at + front.headBytes + length;
    frames.push({ ...front, at, length, end });
    passed = Math.min(end, bytes.length);
    if (isControl(front.opcode)) continue;
    message.messageBytes = (front.opcode === 0 ? message.messageBytes : 0) + length;
    message.fragments = (front.opcode === 0 ? message.fragments : 0) + 1;
    message.inMessage = !front.fin;
    dataFrames += 1;
    coming = retunes.get(dataFrames) ?? coming;
    if (!message.inMessage) current = coming;
  }
  return { frames, passed, fault: null };
}
