// The frame scanner against the reference, which looks at the whole stream at once.
// Accepted: the same steps, the same bytes let through, the same counts and the same broken rule at every cut.

import assert from 'node:assert/strict';
import type { ScannerLimits } from '../../../src/protocol/frame-scanner.ts';
import { scan } from '../../protocol/scan.ts';
import { isControl, type ReadFrame, readStream } from '../../reference/frames.ts';
import { clearPayload } from '../../reference/front.ts';
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
  readonly allowed: number;
  readonly violation: string | null;
  readonly messages: number;
  readonly dataFrames: number;
  readonly dataBytes: number;
  readonly largestMessage: number;
}

/** The reading of the reference, in the words of a scan. */
function decode(stream: Buffer, { retunes, limits, ...direction }: Setup): Decoded {
  const { frames: read, passed, fault } = readStream(stream, direction, limits, retunes);
  const data = read.filter(({ opcode }) => !isControl(opcode));
  let messageBytes = 0;
  let largestMessage = 0;
  for (const { opcode, length } of data) {
    messageBytes = (opcode === 0 ? messageBytes : 0) + length;
    largestMessage = Math.max(largestMessage, messageBytes);
  }
  return {
    events: [...read.map((one) => eventOf(stream, one)), ...(fault === null ? [] : [`violation ${fault}`])],
    allowed: passed,
    violation: fault,
    messages: data.filter(({ opcode }) => opcode !== 0).length,
    dataFrames: data.length,
    dataBytes: data.reduce((sum, { at, headBytes, end }) => sum + Math.min(end, passed) - at - headBytes, 0),
    largestMessage,
  };
}

function eventOf(stream: Buffer, frame: ReadFrame): string {
  const { opcode, at, end, length } = frame;
  if (!isControl(opcode)) return `header ${opcode} +${length}`;
  const wire = stream.toString('hex', at, end);
  if (opcode !== Opcode.Close) return `control ${opcode} ${wire}`;
  const body = clearPayload(stream, at, frame);
  return `close ${body.length === 0 ? 1005 : body.readUInt16BE(0)} ${wire}`;
}
