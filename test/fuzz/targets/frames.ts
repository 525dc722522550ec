// The frame scanner against a decoder that looks at the whole stream at once, with a table of rules in their order.
// Accepted: the same steps, the same bytes let through, the same counts and the same broken rule at every cut.

import assert from 'node:assert/strict';
import type { ScannerLimits } from '../../../src/protocol/frame-scanner.ts';
import { scan } from '../../protocol/scan.ts';
import type { Random } from '../../support/random.ts';
import { closeFrame, closePayload, frame, Opcode } from '../../support/wire.ts';
import { cutsOf, inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';

/** The first byte chooses: bit 0 masked, bit 1 deflate, bits 2 to 4 the limits, bit 5 a change of limits. */
const SETUP_BYTES = 1;
const LIMITS: readonly ScannerLimits[] = [
  { messageBytesMax: 2 ** 40, frameBytesMax: 2 ** 40, fragmentsMax: 2 ** 30 },
  { messageBytesMax: 200, frameBytesMax: 130, fragmentsMax: 3 },
  { messageBytesMax: 125, frameBytesMax: 125, fragmentsMax: 2 },
  { messageBytesMax: 126, frameBytesMax: 10, fragmentsMax: 1 },
  { messageBytesMax: 1, frameBytesMax: 1, fragmentsMax: 5 },
  { messageBytesMax: 65_536, frameBytesMax: 65_535, fragmentsMax: 4 },
  { messageBytesMax: Number.POSITIVE_INFINITY, frameBytesMax: Number.POSITIVE_INFINITY, fragmentsMax: 2 },
  { messageBytesMax: 2 ** 53 - 1, frameBytesMax: 2 ** 53 - 1, fragmentsMax: 100 },
];
/** After how many headers the limits change. */
const RETUNE_AT = 2;

const LENGTHS = [0, 1, 2, 9, 10, 11, 124, 125, 126, 127, 129, 130, 131, 200, 201];
const LONG_LENGTHS = [65_535, 65_536, 65_537];
const CLOSE_CODES = [0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000, 65_535];
const DECLARED = [
  2n ** 31n,
  2n ** 32n,
  2n ** 40n,
  2n ** 40n + 1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
];

interface Setup {
  readonly masked: boolean;
  readonly deflate: boolean;
  readonly limits: ScannerLimits;
  readonly retunes: ReadonlyMap<number, ScannerLimits>;
}

export const frames = bytesTarget({ name: 'frames', make, check });

function make(random: Random): Buffer {
  const setup = random.between(0, 63);
  const { masked, deflate } = setupOf(setup);
  const parts: Buffer[] = [];
  let open = false;
  for (let left = random.between(0, 8); left > 0; left -= 1) {
    const mask = random.chance(0.98) === masked ? random.bytes(4) : false;
    if (random.chance(0.3)) {
      parts.push(controlFrame(random, mask));
      continue;
    }
    const opcode = open === random.chance(0.97) ? Opcode.Continuation : random.pick([Opcode.Text, Opcode.Binary]);
    const fin = random.chance(0.5);
    const rsv = random.chance(deflate ? 0.3 : 0.02) && !open ? 4 : 0;
    parts.push(frame({ opcode, fin, rsv, mask, payload: payloadOf(random), ...lengthOf(random) }));
    open = !fin;
  }
  const stream = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(setup), random.chance(0.4) ? mutate(random, stream, TOKENS) : stream]);
}

const TOKENS = [
  '\x81\x80\0\0\0\0',
  '\x81\0',
  '\x01\0',
  '\x80\0',
  '\0\0',
  '\xc1\0',
  '\x88\x80\0\0\0\0',
  '\x89\0',
  '\x7e\0\x7d',
];

function payloadOf(random: Random): Buffer {
  const length = random.chance(0.01) ? random.pick(LONG_LENGTHS) : random.pick(LENGTHS);
  return Buffer.alloc(length, random.uint32());
}

/** Mostly the payload's own in the shortest form; else too long a form, or a length that is not true. */
function lengthOf(random: Random): { lengthForm?: 16 | 64; length?: bigint } {
  if (random.chance(0.95)) return {};
  if (random.chance(0.5)) return { lengthForm: 64, length: random.pick(DECLARED) };
  return random.chance(0.5) ? { lengthForm: 64 } : { lengthForm: 64, length: BigInt(random.pick(LONG_LENGTHS)) };
}

function controlFrame(random: Random, mask: Buffer | false): Buffer {
  if (random.chance(0.7)) {
    const opcode = random.pick([Opcode.Ping, Opcode.Pong]);
    return frame({ opcode, mask, payload: Buffer.alloc(random.pick([0, 1, 5, 125]), 0x70), fin: random.chance(0.98) });
  }
  if (random.chance(0.1)) return frame({ opcode: Opcode.Close, mask, payload: random.bytes(random.between(0, 3)) });
  const reason = random.pick(['', 'bye', 'é', Buffer.of(0xc3), Buffer.alloc(123, 0x61), Buffer.of(0xed, 0xa0, 0x80)]);
  return closeFrame(random.pick(CLOSE_CODES), closePayload(0, reason).subarray(2), { mask });
}

function setupOf(byte: number): Setup {
  const at = (byte >> 2) & 7;
  const limits = LIMITS[at] ?? assert.fail('eight limits');
  const next = LIMITS[(at + 1) & 7] ?? assert.fail('eight limits');
  const retunes = new Map((byte & 32) === 0 ? [] : [[RETUNE_AT, next]]);
  return { masked: (byte & 1) === 1, deflate: (byte & 2) === 2, limits, retunes };
}

function check(input: Buffer): void {
  const setup = setupOf(input[0] ?? 0);
  const stream = input.subarray(SETUP_BYTES);
  const expected = decode(stream, setup);
  inBoundedTime(() => scan(setup, [stream], setup.retunes));
  for (const cut of cutsOf(stream)) {
    const { events, allowed, violation, counters } = scan(setup, cut, setup.retunes);
    const name = `in ${cut.length} pieces`;
    assert.deepEqual(events, expected.events, name);
    assert.equal(violation, expected.violation, name);
    assert.equal(allowed.length, expected.allowed, name);
    assert(allowed.equals(stream.subarray(0, expected.allowed)), `${name}: other bytes`);
    const { messages, dataFrames, dataBytes, largestMessage } = expected;
    assert.deepEqual(counters, { messages, dataFrames, dataBytes, largestMessage }, name);
  }
}

interface Decoded {
  readonly events: string[];
  /** How many bytes may go on. */
  allowed: number;
  violation: string | null;
  messages: number;
  dataFrames: number;
  dataBytes: number;
  largestMessage: number;
}

/** What is known of one frame once all its bytes that have arrived are looked at. */
interface Seen {
  readonly bytes: Buffer;
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly isControl: boolean;
  readonly length7: number;
  /** Null until its last byte is here. */
  readonly length: bigint | null;
  readonly headerBytes: number;
}

/** Bytes and frames of the message under way. */
interface Message {
  open: boolean;
  bytes: bigint;
  frames: number;
}

/** RFC 6455 5, one frame after another, each as far as its bytes are here. */
function decode(stream: Buffer, setup: Setup): Decoded {
  const found: Decoded = {
    events: [],
    allowed: 0,
    violation: null,
    messages: 0,
    dataFrames: 0,
    dataBytes: 0,
    largestMessage: 0,
  };
  const message: Message = { open: false, bytes: 0n, frames: 0 };
  let limits = setup.limits;
  let coming: ScannerLimits | undefined;
  for (let at = 0; at < stream.length; at = found.allowed) {
    const seen = look(stream.subarray(at), setup.masked);
    const payloadEnd = at + seen.headerBytes + Number(seen.length ?? 0n);
    found.violation = firstBroken(seen, setup, message, limits);
    if (found.violation !== null) {
      found.events.push(`violation ${found.violation}`);
      return found;
    }
    if (seen.length === null || seen.bytes.length < seen.headerBytes) return found;
    if (seen.isControl) {
      if (payloadEnd > stream.length) return found;
      found.allowed = payloadEnd;
      const wire = stream.toString('hex', at, payloadEnd);
      if (seen.opcode !== 8) found.events.push(`control ${seen.opcode} ${wire}`);
      else {
        found.events.push(`close ${closeCodeOf(seen, setup.masked)} ${wire}`);
        return found;
      }
      continue;
    }
    message.bytes = (seen.opcode === 0 ? message.bytes : 0n) + seen.length;
    message.frames = seen.opcode === 0 ? message.frames + 1 : 1;
    message.open = !seen.fin;
    found.allowed = Math.min(payloadEnd, stream.length);
    found.events.push(`header ${seen.opcode} +${seen.length}`);
    found.messages += seen.opcode === 0 ? 0 : 1;
    found.dataFrames += 1;
    found.dataBytes += found.allowed - at - seen.headerBytes;
    found.largestMessage = Math.max(found.largestMessage, Number(message.bytes));
    coming = setup.retunes.get(found.dataFrames) ?? coming;
    // New limits are for the next message.
    if (coming !== undefined && !message.open) limits = coming;
  }
  return found;
}

function look(bytes: Buffer, masked: boolean): Seen {
  const first = bytes[0] ?? 0;
  const length7 = (bytes[1] ?? 0) & 0x7f;
  const lengthBytes = length7 === 126 ? 2 : length7 === 127 ? 8 : 0;
  const isHere = bytes.length >= 2 + lengthBytes;
  const long =
    lengthBytes === 2 ? BigInt(isHere ? bytes.readUInt16BE(2) : 0) : isHere ? bigLength(bytes, lengthBytes) : 0n;
  return {
    bytes,
    fin: first >= 0x80,
    rsv: (first >> 4) & 7,
    opcode: first & 15,
    isControl: (first & 8) === 8,
    length7,
    length: isHere ? (lengthBytes === 0 ? BigInt(length7) : long) : null,
    headerBytes: 2 + lengthBytes + (masked ? 4 : 0),
  };
}

function bigLength(bytes: Buffer, lengthBytes: number): bigint {
  return lengthBytes === 8 ? bytes.readBigUInt64BE(2) : 0n;
}

/** The rules in their order: how many bytes of the frame they need, and whether they are broken. */
function firstBroken(seen: Seen, setup: Setup, message: Message, limits: ScannerLimits): string | null {
  const { bytes, rsv, opcode, isControl, fin, length7, length, headerBytes } = seen;
  const before = opcode === 0 ? message : { bytes: 0n, frames: 0 };
  const size = length ?? 0n;
  const whole = headerBytes + length7;
  const lengthEnd = headerBytes - (setup.masked ? 4 : 0);
  const isOver = (max: number, value: bigint) => max !== Number.POSITIVE_INFINITY && value > BigInt(max);
  const close = opcode === 8 ? closeBodyOf(seen, setup.masked) : Buffer.alloc(0);
  const rules: readonly (readonly [name: string, needs: number, broken: boolean])[] = [
    ['rsv', 1, isControl ? rsv !== 0 : rsv !== 0 && !(rsv === 4 && setup.deflate && opcode !== 0)],
    ['opcode', 1, [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].includes(opcode)],
    ['control_fragmented', 1, isControl && !fin],
    ['continuation_without_start', 1, opcode === 0 && !message.open],
    ['message_inside_message', 1, (opcode === 1 || opcode === 2) && message.open],
    [setup.masked ? 'mask_missing' : 'mask_present', 2, (bytes[1] ?? 0) >= 0x80 !== setup.masked],
    ['control_length', 2, isControl && length7 > 125],
    ['close_length', 2, opcode === 8 && length7 === 1],
    ['length_msb', 3, !isControl && length7 === 127 && (bytes[2] ?? 0) >= 0x80],
    ['message_too_big', lengthEnd, !isControl && size >= 2n ** 53n],
    ['length_not_minimal', lengthEnd, (length7 === 126 && size < 126n) || (length7 === 127 && size < 65_536n)],
    ['message_too_big', lengthEnd, !isControl && isOver(limits.messageBytesMax, before.bytes + size)],
    ['frame_too_big', lengthEnd, !isControl && isOver(limits.frameBytesMax, size)],
    ['too_many_fragments', lengthEnd, !isControl && before.frames + 1 > limits.fragmentsMax],
    ['close_code', whole, opcode === 8 && length7 > 0 && !isSendable(close.length < 2 ? 0 : close.readUInt16BE(0))],
    ['close_reason', whole, opcode === 8 && !decodes(close.subarray(2))],
  ];
  return rules.find(([, needs, broken]) => bytes.length >= needs && broken)?.[0] ?? null;
}

function closeBodyOf({ bytes, headerBytes, length7 }: Seen, masked: boolean): Buffer {
  const body = bytes.subarray(headerBytes, headerBytes + length7);
  return masked ? Buffer.from(body.map((byte, i) => byte ^ (bytes[headerBytes - 4 + (i % 4)] ?? 0))) : body;
}

function closeCodeOf(seen: Seen, masked: boolean): number {
  return seen.length7 === 0 ? 1005 : closeBodyOf(seen, masked).readUInt16BE(0);
}

/** RFC 6455 7.4 and the registry it set up. */
function isSendable(code: number): boolean {
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
  return registered.includes(code) || (code >= 3000 && code < 5000);
}

function decodes(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
