// What a played peer sends: legal frames in legal order, and on demand each kind of illegal one. It keeps just enough
// state to know what is legal next; what of it goes on is the reference stream's business.

import type { Limits } from '../../reference/frames.ts';
import type { Random } from '../../support/random.ts';

/** Random bytes to cut payloads from; the same in every run. */
const noise = Buffer.alloc(140_000);
for (let i = 0, state = 1; i < noise.length; i++) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
  noise[i] = state >>> 16;
}
/** One character of each length, again and again; a new one begins at these places of every ten bytes. */
const words = Buffer.from('aé€😀'.repeat(14_000), 'utf8');
const wordBytes = 10;
const boundaries: readonly boolean[] = [true, true, false, true, false, false, true, false, false, false];

const closeCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
const illegalCloseCodes = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535];

export interface FrameBits {
  /** FIN, RSV and opcode. */
  readonly first: number;
  /** Masking key; null is unmasked. */
  readonly key: number | null;
  readonly payload: Buffer;
  /** What the head declares; the payload's own length. */
  readonly length?: number | bigint;
  /** Bytes of the length field behind the second byte. */
  readonly lengthBytes?: 0 | 2 | 8;
}

export interface ScriptSetup {
  readonly masked: boolean;
  readonly deflate: boolean;
  readonly validateUtf8: boolean;
}

export class PeerScript {
  inMessage = false;
  closeSent = false;
  private messageBytes = 0;
  private fragments = 0;
  private isText = false;
  private wordAt = 0;
  private readonly setup: ScriptSetup;
  private readonly random: Random;

  constructor(random: Random, setup: ScriptSetup) {
    this.random = random;
    this.setup = setup;
  }

  /** A frame that is legal under `limits`. */
  legal(limits: Limits): Buffer {
    const { random } = this;
    const dice = random.between(0, 99);
    if (dice < 12) return this.ping();
    if (dice < 20) return this.pong(this.payload(random.between(0, 20)));
    return this.data(limits);
  }

  ping(): Buffer {
    return this.control(9, this.payload(this.random.pick([0, 1, 4, 8, 125])));
  }

  pong(payload: Buffer): Buffer {
    return this.control(10, payload);
  }

  close(): Buffer {
    this.closeSent = true;
    const { random } = this;
    if (random.chance(0.2)) return this.control(8, noise.subarray(0, 0));
    const reason = random.pick(['', 'bye', 'ünï', 'x'.repeat(123)]);
    return this.control(8, closeBody(random.pick(closeCodes), Buffer.from(reason, 'utf8')));
  }

  /** One broken rule, whichever fits the state. */
  illegal(limits: Limits): Buffer {
    const { random } = this;
    const { masked } = this.setup;
    const key = this.key();
    const few = this.payload(random.between(0, 6));
    const start = this.inMessage ? 0 : 2;
    const first = 128 | start;
    if (this.setup.validateUtf8 && random.chance(0.4)) return this.badText();
    switch (random.between(0, 17)) {
      case 0:
        return build({ first, key: masked ? null : this.random.uint32(), payload: few });
      case 1:
        return build({ first: first | random.pick([16, 32, this.setup.deflate ? 80 : 64]), key, payload: few });
      case 2:
        return build({ first: 128 | random.pick([3, 5, 7, 11, 15]), key, payload: few });
      case 3:
        // A continuation without a start, or a message inside a message.
        return build({ first: 128 | (this.inMessage ? random.pick([1, 2]) : 0), key, payload: few });
      case 4:
        return build({ first: random.pick([8, 9, 10]), key, payload: this.payload(2) });
      case 5:
        return build({ first: 128 | random.pick([8, 9, 10]), key, payload: few, lengthBytes: random.pick([2, 8]) });
      case 6:
        return build({ first, key, payload: few, lengthBytes: random.pick([2, 8]) });
      case 7:
        return build({ first, key, payload: few, length: 2n ** 63n + 5n, lengthBytes: 8 });
      case 8:
        return this.control(8, this.payload(1));
      case 9:
        return this.control(8, closeBody(random.pick(illegalCloseCodes), few.subarray(0, 0)));
      case 10:
        return this.control(
          8,
          closeBody(1000, Buffer.from(random.pick(['c328', 'eda080', 'f4908080', '61e282']), 'hex')),
        );
      case 11:
        return build({ first, key, payload: few, length: limits.messageBytesMax + random.between(0, 1) });
      case 12:
        return build({ first, key, payload: few, length: limits.frameBytesMax + random.between(0, 1) });
      case 13:
        return build({ first, key, payload: few, length: random.pick([2n ** 53n - 1n, 2n ** 53n, 2n ** 62n]) });
      case 14:
        return this.tooManyFragments(limits);
      case 15:
        return this.badText();
      case 16:
        return this.noise(random.between(1, 40));
      default:
        return flipped(random, this.legal(limits));
    }
  }

  /** Anything. */
  noise(length: number): Buffer {
    return Buffer.from(this.payload(length));
  }

  private key(): number | null {
    return this.setup.masked ? this.random.uint32() : null;
  }

  private control(opcode: number, payload: Buffer): Buffer {
    return build({ first: 128 | opcode, key: this.key(), payload });
  }

  private data(limits: Limits): Buffer {
    const { random } = this;
    const begins = !this.inMessage;
    if (begins) {
      this.messageBytes = 0;
      this.fragments = 0;
      this.isText = random.chance(0.5);
      this.wordAt = 0;
    }
    const room = Math.max(0, Math.min(limits.messageBytesMax - this.messageBytes, limits.frameBytesMax));
    let length = Math.min(room, this.size());
    const isLast = this.fragments + 1 >= limits.fragmentsMax || random.chance(0.6);
    let payload: Buffer = noise.subarray(0, 0);
    if (this.isText && this.setup.validateUtf8) {
      // Back to the last character's end, or on to the next one's when the frame began inside a character.
      if (isLast) while (length > 0 && !boundaries[(this.wordAt + length) % wordBytes]) length -= 1;
      while (isLast && !boundaries[(this.wordAt + length) % wordBytes]) length += 1;
      payload = words.subarray(this.wordAt, this.wordAt + length);
      this.wordAt = (this.wordAt + length) % wordBytes;
    } else {
      payload = this.payload(length);
    }
    this.messageBytes += length;
    this.fragments += 1;
    this.inMessage = !isLast;
    const rsv = begins && this.setup.deflate && random.chance(0.5) ? 64 : 0;
    return build({
      first: (isLast ? 128 : 0) | rsv | (begins ? (this.isText ? 1 : 2) : 0),
      key: this.key(),
      payload,
    });
  }

  private size(): number {
    const { random } = this;
    const dice = random.between(0, 199);
    if (dice < 100) return random.between(0, 12);
    if (dice < 160) return random.between(0, 100);
    if (dice < 180) return random.between(124, 128);
    if (dice < 199) return random.between(0, 700);
    return random.pick([65_535, 65_536]);
  }

  private payload(length: number): Buffer {
    const at = this.random.between(0, 65_000);
    return noise.subarray(at, at + length);
  }

  private tooManyFragments(limits: Limits): Buffer {
    const frames: Buffer[] = [];
    for (let i = 0; i < Math.min(limits.fragmentsMax, 40) + 1; i++) {
      frames.push(build({ first: i === 0 && !this.inMessage ? 2 : 0, key: this.key(), payload: this.payload(i & 1) }));
    }
    return Buffer.concat(frames);
  }

  private badText(): Buffer {
    const key = this.key();
    const hex = this.random.pick(['61ff62', 'c080', 'e0809f', 'eda080', 'f4908080', '61e282', 'f0', '80']);
    const bad = Buffer.concat([words.subarray(0, wordBytes * this.random.between(0, 3)), Buffer.from(hex, 'hex')]);
    if (this.inMessage) return build({ first: 128, key, payload: bad });
    const cut = this.random.between(0, bad.length);
    return Buffer.concat([
      build({ first: 1, key, payload: bad.subarray(0, cut) }),
      build({ first: 128, key, payload: bad.subarray(cut) }),
    ]);
  }
}

export function build(bits: FrameBits): Buffer {
  const { first, key, payload } = bits;
  const masked = key !== null;
  const length = bits.length ?? payload.length;
  const needed = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const lengthBytes = bits.lengthBytes ?? needed;
  const headBytes = 2 + lengthBytes + (masked ? 4 : 0);
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  const short = lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127;
  frame[0] = first;
  frame[1] = (masked ? 128 : 0) | short;
  if (lengthBytes === 2) frame.writeUInt16BE(Number(length), 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  if (key === null) {
    payload.copy(frame, headBytes);
    return frame;
  }
  frame.writeUInt32BE(key, headBytes - 4);
  for (let i = 0; i < payload.length; i++) {
    frame[headBytes + i] = (payload[i] ?? 0) ^ (frame[headBytes - 4 + (i & 3)] ?? 0);
  }
  return frame;
}

function closeBody(code: number, reason: Buffer): Buffer {
  const body = Buffer.allocUnsafe(2 + reason.length);
  body.writeUInt16BE(code, 0);
  reason.copy(body, 2);
  return body;
}

function flipped(random: Random, frame: Buffer): Buffer {
  const at = random.between(0, Math.min(frame.length - 1, 12));
  frame[at] = (frame[at] ?? 0) ^ (1 << random.between(0, 7));
  return frame;
}
