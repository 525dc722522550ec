// What a session makes of a stream of one side, on transports in memory: what the other side got, what each was told,
// how it ended. The same in every cut, and as the strict reading and the table of ends want it.

import assert from 'node:assert/strict';
import { brokenRuleCodes, readStream, ruleOf } from '../reference/frames.ts';
import { POLICY, Rig, SIDE, TIMES } from '../session/rig.ts';
import type { MemoryTransport } from '../support/memory-transport.ts';
import { closeOf, type Frame, Opcode, splitFrames } from '../support/wire.ts';
import { smallPieces } from './cuts.ts';
import type { Side } from './frame-streams.ts';

export interface StreamOptions {
  readonly side: Side;
  readonly deflate?: boolean;
  /** Text is checked: then the cause and what the culprit is told are compared in every cut, and nothing else. */
  readonly validateUtf8?: boolean;
}

/** Long enough for every close handshake, and too short for a peer that says nothing to be idle. */
const PATIENCE_MS = 4 * TIMES.close;

interface Outcome {
  readonly cause: string | null;
  readonly toOther: Buffer;
  readonly toCulprit: Buffer;
}

/** The cause of the end, the same in all cuts. A stream that ends nothing ends with its sender's reset. */
export function streamVerdictInCuts(bytes: Buffer, cuts: readonly number[], options: StreamOptions): string {
  const whole = play([bytes], options);
  if (options.validateUtf8 !== true) checkOutcome(bytes, whole, options);
  const expected = describe(whole, options);
  assert.equal(describe(play(smallPieces(bytes), options), options), expected, 'byte by byte');
  for (const cut of cuts) {
    const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
    assert.equal(describe(play(pieces, options), options), expected, `cut at ${cut}`);
  }
  return whole.cause ?? '';
}

/** All of it in one read, and to the end of its session: the cause of that. */
export function causeOf(bytes: Buffer, options: StreamOptions): string {
  return play([bytes], options).cause ?? '';
}

function play(pieces: readonly Buffer[], options: StreamOptions): Outcome {
  const side = { ...SIDE, validateUtf8: options.validateUtf8 ?? false };
  const policy = { client: side, backend: side, bufferedBytesMax: 1_000_000 };
  // Both kinds of reads: one buffer for all, overwritten behind each, and pieces with memory of their own.
  const rig = new Rig({ stable: pieces.length > 2, deflate: options.deflate ?? false, policy });
  const [culprit, other] = options.side === 'client' ? [rig.client, rig.backend] : [rig.backend, rig.client];
  for (const piece of pieces) {
    culprit.send(piece);
    rig.pump();
  }
  if (rig.session.cause === null) rig.rstFrom(culprit);
  rig.advance(PATIENCE_MS);
  assert.deepEqual(
    [
      rig.ends,
      rig.client.destroyed,
      rig.backend.destroyed,
      rig.wheel.size,
      rig.faults,
      misuseOf(rig.client, rig.backend),
    ],
    [1, true, true, 0, [], []],
    'ended once, with nothing left',
  );
  return { cause: rig.session.cause, toOther: other.received, toCulprit: culprit.received };
}

function misuseOf(...transports: readonly MemoryTransport[]): string[] {
  return transports.flatMap((transport) => transport.misuse);
}

/**
 * Our own frames have masks of their own towards a backend, so they are compared by what they say. Where text is
 * checked, what of a bad frame has gone on depends on the cut, and with it whether a Close can follow: not compared.
 */
function describe(outcome: Outcome, options: StreamOptions): string {
  const toCulprit = inWords(outcome.toCulprit);
  return `${outcome.cause}: ${options.validateUtf8 === true ? '' : inWords(outcome.toOther)} | ${toCulprit}`;
}

function inWords(bytes: Buffer): string {
  const { frames, rest } = splitFrames(bytes);
  const words = frames.map(({ opcode, payload, bytes: wire }) =>
    opcode === Opcode.Close ? `close ${payload.toString('hex')}` : wire.toString('hex'),
  );
  return `${words.join()} ${rest.toString('hex')}`;
}

function checkOutcome(bytes: Buffer, outcome: Outcome, options: StreamOptions): void {
  const { side } = options;
  const limits = side === 'client' ? POLICY.fromClient : POLICY.fromBackend;
  const direction = { masked: side === 'client', deflate: options.deflate ?? false };
  const { frames, passed, fault } = readStream(bytes, direction, limits);
  const last = frames.at(-1);
  const { cause, toOther, toCulprit } = outcome;
  assert(toOther.subarray(0, passed).equals(bytes.subarray(0, passed)), `the first ${passed} bytes go on`);
  const behind = splitFrames(toOther.subarray(passed));
  const own = behind.frames.map((one) => closeCode(one));
  assert.equal(behind.rest.length, 0, 'only whole frames behind them');
  const lost = side === 'client' ? 1001 : 1012;
  const blamed = side === 'client' ? 1001 : 1011;
  if (fault === null && last?.opcode === Opcode.Close) {
    assert.deepEqual([cause, own], [`${side}_close`, []]);
    return;
  }
  if (fault === null) {
    const isInside = last !== undefined && last.end > bytes.length;
    assert.deepEqual([cause, own], [`${side}_lost`, isInside ? [] : [lost]]);
    return;
  }
  assert.deepEqual([cause, own], [`${side}_${ruleOf(fault)}`, [blamed]]);
  // Whoever broke a rule is told so by one Close and by nothing else.
  assert.deepEqual(splitFrames(toCulprit).frames.map(closeCode), [brokenRuleCodes[ruleOf(fault)]]);
  for (const one of [...behind.frames, ...splitFrames(toCulprit).frames]) {
    const towardsBackend = (side === 'client') === behind.frames.includes(one);
    assert.equal(one.masked, towardsBackend, 'masked towards a backend only');
  }
}

function closeCode(one: Frame): number | null {
  assert.equal(one.opcode, Opcode.Close);
  return closeOf(one).code;
}
