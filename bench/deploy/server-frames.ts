// What a server sends, frame by frame, as a client of small messages needs it. Written from RFC 6455 alone, as all that
// a bench holds others against.

const FIN = 0x80;
const MASKED = 0x80;
const SHORT_MAX = 125;
const SHORT_FORM = 126;

export const OPCODE = { binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;
/** What a browser tells where no Close came, and where one came without a code. */
export const NO_CLOSE = 1006;
export const NO_CODE = 1005;

export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export class ServerFrames {
  /** Why nothing more can be read; null while all is well. */
  fault: string | null = null;
  private held: Buffer = Buffer.alloc(0);

  /** `bytes` may change afterwards. */
  push(bytes: Buffer): void {
    this.held = this.held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.held, bytes]);
  }

  /** The next whole frame; null when there is none, or a fault. */
  next(): ServerFrame | null {
    const { held } = this;
    if (this.fault !== null || held.length < 2) return null;
    const [first = 0, second = 0] = held;
    const opcode = first & 0x0f;
    // Fragments, reserved bits, other opcodes, masks, and lengths that nobody sent.
    const known: readonly number[] = Object.values(OPCODE);
    if ((first & 0xf0) !== FIN || !known.includes(opcode) || (second & MASKED) !== 0 || second > SHORT_FORM) {
      this.fault = `a frame that begins with ${held.toString('hex', 0, 2)}`;
      return null;
    }
    if (second > SHORT_MAX && held.length < 4) return null;
    const start = second > SHORT_MAX ? 4 : 2;
    const end = start + (second > SHORT_MAX ? held.readUInt16BE(2) : second);
    if (held.length < end) return null;
    this.held = held.subarray(end);
    return { opcode, payload: held.subarray(start, end) };
  }
}

/** Of the payload of a Close. */
export function closeCode(payload: Buffer): number {
  return payload.length < 2 ? NO_CODE : payload.readUInt16BE(0);
}
