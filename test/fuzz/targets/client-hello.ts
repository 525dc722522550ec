// The reader of ClientHellos. Accepted: the name and protocols that a second reader finds in all bytes at once; the
// alert that it finds due; or waiting for more where it does. The same at every cut, all bytes given back as they came.

import assert from 'node:assert/strict';
import { ClientHelloReader, HelloStep } from '../../../src/protocol/tls/client-hello.ts';
import { referenceClientHello } from '../../reference/client-hello.ts';
import {
  helloBody,
  helloMessage,
  inRecords,
  protocolsData,
  serverNameData,
  vector,
} from '../../support/client-hello.ts';
import type { Random } from '../../support/random.ts';
import { cutsOf, inBoundedTime } from '../cuts.ts';
import { bytesTarget } from '../fuzz-target.ts';
import { mutate } from '../mutate.ts';

const NAMES = ['a.test', 'A.Test.', '.', '..', 'x..', '192.0.2.1', '\xe4.test', 'a b', 'a\0b', '', 'n'.repeat(255)];
const PROTOCOLS = ['h2', 'http/1.1', 'http/1.0', '\xff', 'p'.repeat(255)];
const TOKENS = ['\x16\x03\x01', '\x16\x03\x03\0\x01', '\x15\x03\x03\0\x02', '\x01\0', '\0\0', '\0\x10', '\x01', '\x03'];

export const clientHello = bytesTarget({ name: 'client-hello', make, check });

function make(random: Random): Buffer {
  const body = bodyOf(random);
  const message = helloMessage(random.chance(0.3) ? mutate(random, body, TOKENS) : body);
  const sizes = [16_384, 16_384, 1, 3, 4, random.between(1, 200), random.between(1, 16_384)];
  const bytes = inRecords(random.chance(0.1) ? mutate(random, message, TOKENS) : message, random.pick(sizes));
  const tail = random.chance(0.2) ? random.bytes(random.between(1, 40)) : Buffer.alloc(0);
  return Buffer.concat([random.chance(0.3) ? mutate(random, bytes, TOKENS) : bytes, tail]);
}

function bodyOf(random: Random): Buffer {
  const others = Array.from({ length: random.between(0, 3) }, () => extensionOf(random));
  return helloBody({
    ...(random.chance(0.7) ? { name: nameOf(random) } : {}),
    ...(random.chance(0.6) ? { protocols: protocolsOf(random) } : {}),
    extensions: others,
    isBare: random.chance(0.05),
    sessionId: random.bytes(random.pick([0, 32, 255])),
  });
}

function nameOf(random: Random): Buffer {
  if (random.chance(0.1)) return random.bytes(random.between(0, 300));
  return Buffer.from(random.pick(NAMES), 'latin1');
}

function protocolsOf(random: Random): string[] {
  return Array.from({ length: random.between(random.chance(0.1) ? 0 : 1, 4) }, () => random.pick(PROTOCOLS));
}

/** Now and then a second one of those that count, with what is wrong or right; or one that fills the message. */
function extensionOf(random: Random): readonly [number, Buffer] {
  if (random.chance(0.1)) return [0, serverNameData(nameOf(random))];
  if (random.chance(0.1)) return [16, protocolsData(protocolsOf(random))];
  if (random.chance(0.1)) return [random.pick([0, 16]), vector(2, random.bytes(random.between(0, 8)))];
  const size = random.chance(0.1) ? random.between(15_000, 17_000) : random.between(0, 20);
  return [random.between(1, 15), random.bytes(size)];
}

function feedAll(pieces: readonly Buffer[]): ReturnType<typeof referenceClientHello> {
  const reader = new ClientHelloReader();
  const fed: Buffer[] = [];
  for (const piece of pieces) {
    // In a buffer of its own that is overwritten afterwards, as a read buffer is.
    const lent = Buffer.concat([Buffer.from('xx'), piece, Buffer.from('yy')]);
    const step = reader.feed(lent, 2, lent.length - 2);
    lent.fill(0xee);
    fed.push(piece);
    if (step === HelloStep.NeedData) continue;
    if (step === HelloStep.Violation) return { alert: reader.violation ?? 'none' };
    assert(reader.takeBytes().equals(Buffer.concat(fed)), 'bytes were lost or changed');
    return reader.hello ?? 'more';
  }
  return 'more';
}

function check(input: Buffer): void {
  const told = referenceClientHello(input);
  for (const cut of [[input], ...cutsOf(input)]) {
    assert.deepEqual(
      inBoundedTime(() => feedAll(cut)),
      told,
      `in ${cut.length} pieces`,
    );
  }
}
