// A second reading of one direction of frames, by the words of RFC 6455 5 and 7.4, over a whole buffer. It imports
// nothing of src/: how many bytes may go on, and what ends the stream.

import type { Side } from './frame-streams.ts';

export interface StrictLimits {
  readonly messageBytesMax: number;
  readonly frameBytesMax: number;
  readonly fragmentsMax: number;
}

export type StreamEnd = 'open' | 'close' | 'protocol_error' | 'message_too_big' | 'too_many_fragments' | 'invalid_utf8';

export interface StrictReading {
  /** Bytes that the other side gets. */
  readonly passed: number;
  readonly end: StreamEnd;
  /** They end where a frame ends. */
  readonly atBoundary: boolean;
}

interface Reader {
  readonly bytes: Buffer;
  readonly masked: boolean;
  readonly deflate: boolean;
  readonly limits: StrictLimits;
  inMessage: boolean;
  messageBytes: bigint;
  fragments: number;
}

interface Header {
  readonly opcode: number;
  readonly fin: boolean;
  readonly length: bigint;
  /** Where the payload begins. */
  readonly bodyAt: number;
}

export function readStrictly(bytes: Buffer, side: Side, deflate: boolean, limits: StrictLimits): StrictReading {
  const masked = side === 'client';
  const reader: Reader = { bytes, masked, deflate, limits, inMessage: false, messageBytes: 0n, fragments: 0 };
  let at = 0;
  for (;;) {
    const header = readHeader(reader, at);
    if (typeof header === 'string') return { passed: at, end: header, atBoundary: true };
    const bodyEnd = BigInt(header.bodyAt) + header.length;
    const isWhole = bodyEnd <= BigInt(bytes.length);
    if (header.opcode >= 8) {
      if (!isWhole) return { passed: at, end: 'open', atBoundary: true };
      const fault = header.opcode === 8 ? closeFault(reader, header, Number(bodyEnd)) : null;
      if (fault !== null) return { passed: fault === 'close' ? Number(bodyEnd) : at, end: fault, atBoundary: true };
    } else {
      const limit = countFrame(reader, header);
      if (limit !== null) return { passed: at, end: limit, atBoundary: true };
      // The limits speak on the length; the key must be there before anything goes on.
      if (header.bodyAt > bytes.length) return { passed: at, end: 'open', atBoundary: true };
      if (!isWhole) return { passed: bytes.length, end: 'open', atBoundary: false };
    }
    at = Number(bodyEnd);
  }
}

/** The frame's header, or how the stream ends with it. */
function readHeader(reader: Reader, at: number): Header | StreamEnd {
  const { bytes, masked } = reader;
  const first = bytes[at];
  if (first === undefined) return 'open';
  const opcode = first & 0x0f;
  const fin = first >= 0x80;
  const rsv = (first >> 4) & 7;
  const isControl = opcode >= 8;
  if ((opcode > 2 && opcode < 8) || opcode > 10) return 'protocol_error';
  if (rsv !== 0 && !(rsv === 4 && reader.deflate && (opcode === 1 || opcode === 2))) return 'protocol_error';
  if (isControl && !fin) return 'protocol_error';
  if (!isControl && (opcode === 0) !== reader.inMessage) return 'protocol_error';
  const second = bytes[at + 1];
  if (second === undefined) return 'open';
  if (second >= 0x80 !== masked) return 'protocol_error';
  const short = second & 0x7f;
  if (isControl && (short > 125 || (opcode === 8 && short === 1))) return 'protocol_error';
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (lengthBytes === 8 && (bytes[at + 2] ?? 0) >= 0x80) return 'protocol_error';
  if (bytes.length < at + 2 + lengthBytes) return 'open';
  let length = BigInt(short);
  if (lengthBytes > 0) length = BigInt(`0x${bytes.toString('hex', at + 2, at + 2 + lengthBytes)}`);
  if ((short === 126 && length < 126n) || (short === 127 && length < 65_536n)) return 'protocol_error';
  return { opcode, fin, length, bodyAt: at + 2 + lengthBytes + (masked ? 4 : 0) };
}

function countFrame(reader: Reader, header: Header): StreamEnd | null {
  const { limits } = reader;
  const bytes = (header.opcode === 0 ? reader.messageBytes : 0n) + header.length;
  const fragments = (header.opcode === 0 ? reader.fragments : 0) + 1;
  if (bytes > BigInt(limits.messageBytesMax) || header.length > BigInt(limits.frameBytesMax)) return 'message_too_big';
  if (fragments > limits.fragmentsMax) return 'too_many_fragments';
  reader.messageBytes = bytes;
  reader.fragments = fragments;
  reader.inMessage = !header.fin;
  return null;
}

function closeFault(reader: Reader, header: Header, end: number): StreamEnd {
  const body = Buffer.from(reader.bytes.subarray(header.bodyAt, end));
  if (reader.masked)
    for (const [i, byte] of body.entries()) body[i] = byte ^ (reader.bytes[header.bodyAt - 4 + (i & 3)] ?? 0);
  if (body.length === 0) return 'close';
  const code = body.readUInt16BE(0);
  const isLegal =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
  if (!isLegal) return 'protocol_error';
  return isUtf8(body.subarray(2)) ? 'close' : 'invalid_utf8';
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
