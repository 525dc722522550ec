// The front of a frame: what its first bytes say, by RFC 6455 5.2 alone. Judges nothing and imports nothing of src/.

export interface Front {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  /** False as long as the second byte is not here. */
  readonly masked: boolean;
  /** The seven bits of the second byte. */
  readonly length7: number;
  /** Null until the last byte of the length is here. */
  readonly length: number | null;
  /** Where the key or the payload begins, and where the payload does. */
  readonly lengthEnd: number;
  readonly headBytes: number;
}

/** Of the frame that begins at `at`, where there is at least one byte. */
export function frontOf(bytes: Buffer, at = 0): Front {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  const length7 = second & 0x7f;
  const masked = second >= 0x80;
  const lengthEnd = length7 === 126 ? 4 : length7 === 127 ? 10 : 2;
  const isHere = bytes.length - at >= lengthEnd;
  return {
    fin: first >= 0x80,
    rsv: (first >> 4) & 7,
    opcode: first & 0x0f,
    masked,
    length7,
    length: isHere ? lengthOf(bytes, at, length7) : null,
    lengthEnd,
    headBytes: lengthEnd + (masked ? 4 : 0),
  };
}

function lengthOf(bytes: Buffer, at: number, length7: number): number {
  if (length7 === 126) return bytes.readUInt16BE(at + 2);
  // Above 2^53 not exact, and still above it.
  return length7 === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : length7;
}

/** RFC 6455 5.3, in both directions. */
export function applyMask(bytes: Buffer, key: Buffer): Buffer {
  const out = Buffer.from(bytes);
  for (let at = 0; at < out.length; at += 1) out[at] = (out[at] ?? 0) ^ (key[at & 3] ?? 0);
  return out;
}

/** The payload of the whole frame at `at`, without its mask. */
export function clearPayload(bytes: Buffer, at: number, { headBytes, lengthEnd, length }: Front): Buffer {
  const payload = bytes.subarray(at + headBytes, at + headBytes + (length ?? 0));
  return headBytes === lengthEnd
    ? Buffer.from(payload)
    : applyMask(payload, bytes.subarray(at + lengthEnd, at + headBytes));
}
