// Drives a FrameScanner over pieces of a stream as a relay does: carries over what NeedData leaves, lets pass what it
// allows. Every piece lies in a buffer of its own that is destroyed after use.

import assert from 'node:assert/strict';
import {
  FrameScanner,
  Opcode,
  type ScannerLimits,
  type ScannerOptions,
  SPILL_BYTES_MAX,
  Step,
} from '../../src/protocol/frame-scanner.ts';
import type { Violation } from '../../src/protocol/violations.ts';
import { placed } from '../support/every-split.ts';

export const WIDE: ScannerLimits = { messageBytesMax: 2 ** 40, frameBytesMax: 2 ** 40, fragmentsMax: 2 ** 30 };

export const options = (masked: boolean, more: Partial<ScannerOptions> = {}): ScannerOptions => ({
  masked,
  deflate: false,
  limits: WIDE,
  ...more,
});

export interface Scan {
  /** `header 1 +5`, `control 9 [wire hex]`, `close 1000`, `violation rsv`. */
  readonly events: string[];
  /** The bytes that may go on. */
  readonly allowed: Buffer;
  readonly violation: Violation | null;
  readonly counters: { messages: number; dataBytes: number; largestMessage: number; dataFrames: number };
  readonly inMessage: boolean;
  readonly remaining: number;
  /** Bytes left over, incomplete. */
  readonly spill: number;
}

/**
 * Scan until the end of the pieces, a Close, or a violation. `retunes`: new limits, by how many headers have passed
 * when they come.
 */
export function scan(
  setup: ScannerOptions,
  pieces: readonly Buffer[],
  retunes: ReadonlyMap<number, ScannerLimits> = new Map(),
): Scan {
  const scanner = new FrameScanner(setup);
  const events: string[] = [];
  const allowed: Buffer[] = [];
  let spill: Buffer = Buffer.alloc(0);
  for (const piece of pieces) {
    const { bytes, start, end } = placed(Buffer.concat([spill, piece]));
    scanner.feed(bytes, start, end);
    const last = readAll(scanner, bytes, events, retunes);
    const passed = last === Step.Violation ? scanner.frameStart : scanner.position;
    if (passed < start) assert.fail(`took back ${start - passed} bytes`);
    allowed.push(Buffer.from(bytes.subarray(start, passed)));
    spill = last === Step.NeedData ? Buffer.from(bytes.subarray(passed, end)) : Buffer.alloc(0);
    if (spill.length > SPILL_BYTES_MAX) assert.fail(`left ${spill.length} bytes over`);
    bytes.fill(0x5a);
    scanner.release();
    if (last !== Step.NeedData) break;
  }
  const { messages, dataBytes, largestMessage, dataFrames, violation, inMessage, remaining } = scanner;
  return {
    events,
    allowed: Buffer.concat(allowed),
    violation,
    counters: { messages, dataBytes, largestMessage, dataFrames },
    inMessage,
    remaining,
    spill: spill.length,
  };
}

/** Steps until NeedData, Close or Violation, which it returns. */
function readAll(
  scanner: FrameScanner,
  bytes: Buffer,
  events: string[],
  retunes: ReadonlyMap<number, ScannerLimits>,
): Step {
  for (;;) {
    const step = scanner.next();
    const wire = () => bytes.toString('hex', scanner.frameStart, scanner.position);
    if (step === Step.Header) {
      events.push(`header ${scanner.opcode} +${scanner.remaining}`);
      const limits = retunes.get(scanner.dataFrames);
      if (limits !== undefined) scanner.retune(limits);
    }
    if (step === Step.Control) events.push(`control ${scanner.opcode} ${wire()}`);
    if (step === Step.Close) {
      if (scanner.opcode !== Opcode.Close) assert.fail(`a Close of opcode ${scanner.opcode}`);
      events.push(`close ${scanner.closeCode} ${wire()}`);
      return step;
    }
    if (step === Step.Violation) {
      events.push(`violation ${scanner.violation}`);
      expectDead(scanner, bytes);
      return step;
    }
    if (step === Step.NeedData) return step;
  }
}

/** A scanner that has seen a violation says so for ever, whatever comes. */
function expectDead(scanner: FrameScanner, bytes: Buffer): void {
  const { violation, frameStart } = scanner;
  const steps = [scanner.next()];
  const legal = Buffer.from('8180000000008100', 'hex');
  scanner.feed(legal, 0, legal.length);
  steps.push(scanner.next());
  scanner.feed(bytes, frameStart, frameStart);
  steps.push(scanner.next());
  if (steps.some((step) => step !== Step.Violation)) assert.fail(`alive after ${violation}: ${steps}`);
  if (scanner.violation !== violation || scanner.frameStart !== frameStart) assert.fail('the verdict has changed');
}
