// Judges the front of a frame, always from its first byte: whether the bytes at hand break a rule, say too little, or
// make a whole head. Written from RFC 6455 5, RFC 7692 6 and the meaning of the limits, importing nothing of src/.

import { isUtf8 } from 'node:buffer';

export interface Limits {
  readonly messageBytesMax: number;
  readonly frameBytesMax: number;
  readonly fragmentsMax: number;
}

/** What a broken rule is called in the reason of an end, behind `client_` or `backend_`. */
export type BrokenRule = 'protocol_error' | 'message_too_big' | 'too_many_fragments' | 'invalid_utf8';

/** The code for the side that broke it. */
export const brokenRuleCodes: Readonly<Record<BrokenRule, number>> = {
  protocol_error: 1002,
  message_too_big: 1009,
  too_many_fragments: 1008,
  invalid_utf8: 1007,
};

/** What is known of the message that the frame may belong to. */
export interface MessageSoFar {
  readonly inMessage: boolean;
  readonly messageBytes: number;
  readonly fragments: number;
}

export const isControl = (opcode: number): boolean => opcode >= 8;

export function isLegalCloseCode(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/** One head, read anew for each frame. */
export class Head {
  opcode = 0;
  fin = false;
  headBytes = 0;
  payloadBytes = 0;
  broken: BrokenRule | null = null;
  /** The config key of a limit that was broken. */
  limit: string | null = null;

  private readonly masked: boolean;
  private readonly deflate: boolean;

  constructor(masked: boolean, deflate: boolean) {
    this.masked = masked;
    this.deflate = deflate;
  }

  /** True when a frame may begin at `at`: its head is whole, a control frame too. False: `broken`, or too few bytes. */
  read(bytes: Buffer, at: number, message: MessageSoFar, limits: Limits): boolean {
    this.broken = null;
    this.limit = null;
    const has = bytes.length - at;
    if (has < 1) return false;
    const first = bytes[at] ?? 0;
    this.opcode = first & 15;
    this.fin = first >= 128;
    if (!this.firstByteIsLegal((first >> 4) & 7, message.inMessage)) return this.breaks('protocol_error');
    if (has < 2) return false;
    const second = bytes[at + 1] ?? 0;
    const short = second & 127;
    if (second >= 128 !== this.masked) return this.breaks('protocol_error');
    if (isControl(this.opcode) && (short > 125 || (this.opcode === 8 && short === 1))) {
      return this.breaks('protocol_error');
    }
    if (!this.readLength(bytes, at, short, has)) return false;
    if (isControl(this.opcode)) return this.controlIsWhole(bytes, at, has);
    if (!this.keepsLimits(message, limits)) return false;
    return has >= this.headBytes;
  }

  private firstByteIsLegal(rsv: number, inMessage: boolean): boolean {
    const { opcode } = this;
    if (isControl(opcode)) return rsv === 0 && this.fin && opcode <= 10;
    if (opcode > 2) return false;
    if ((opcode === 0) !== inMessage) return false;
    return rsv === 0 || (rsv === 4 && this.deflate && opcode !== 0);
  }

  private readLength(bytes: Buffer, at: number, short: number, has: number): boolean {
    const key = this.masked ? 4 : 0;
    this.payloadBytes = short;
    this.headBytes = 2 + key;
    if (short === 126) {
      if (has < 4) return false;
      this.payloadBytes = bytes.readUInt16BE(at + 2);
      this.headBytes = 4 + key;
      if (this.payloadBytes < 126) return this.breaks('protocol_error');
    }
    if (short === 127) {
      if (has >= 3 && (bytes[at + 2] ?? 0) >= 128) return this.breaks('protocol_error');
      if (has < 10) return false;
      this.payloadBytes = Number(bytes.readBigUInt64BE(at + 2));
      this.headBytes = 10 + key;
      if (this.payloadBytes < 65_536) return this.breaks('protocol_error');
    }
    return true;
  }

  private keepsLimits(message: MessageSoFar, limits: Limits): boolean {
    if (this.payloadBytes > limits.messageBytesMax - message.messageBytes) {
      return this.breaks('message_too_big', 'max_message_size');
    }
    if (this.payloadBytes > limits.frameBytesMax) return this.breaks('message_too_big', 'max_frame_size');
    if (message.fragments + 1 > limits.fragmentsMax) return this.breaks('too_many_fragments', 'max_fragments');
    return true;
  }

  private controlIsWhole(bytes: Buffer, at: number, has: number): boolean {
    if (has < this.headBytes + this.payloadBytes) return false;
    if (this.opcode !== 8 || this.payloadBytes === 0) return true;
    const body = clearPayload(bytes, at, this.headBytes, this.payloadBytes, this.masked);
    if (!isLegalCloseCode(body.readUInt16BE(0))) return this.breaks('protocol_error');
    return isUtf8(body.subarray(2)) || this.breaks('invalid_utf8');
  }

  private breaks(rule: BrokenRule, limit: string | null = null): false {
    this.broken = rule;
    this.limit = limit;
    return false;
  }
}

/** The payload of the whole frame at `at`, without its mask. */
export function clearPayload(bytes: Buffer, at: number, headBytes: number, length: number, masked: boolean): Buffer {
  const payload = Buffer.from(bytes.subarray(at + headBytes, at + headBytes + length));
  if (!masked) return payload;
  for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (bytes[at + headBytes - 4 + (i & 3)] ?? 0);
  return payload;
}
