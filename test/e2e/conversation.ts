// Random legal conversations: what fast-check makes of one side, as the bytes that side sends.

import * as fc from 'fast-check';
import { closeFrame, type FrameSpec, frame, Opcode } from '../support/wire.ts';

/** What one side says, and in writes of which size. */
export interface Speech {
  readonly frames: readonly FrameSpec[];
  readonly pieceBytes: number;
}

export interface Conversation {
  readonly client: Speech;
  readonly backend: Speech;
  /** Who closes, and how; null is a Close without a code. */
  readonly closer: 'client' | 'backend';
  readonly code: number | null;
  readonly reason: string;
}

const payload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 64 }) },
  { weight: 2, arbitrary: fc.uint8Array({ minLength: 120, maxLength: 300 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 65_000, max: 70_000 }).map((size) => new Uint8Array(size).fill(size & 255)),
  },
);

const control = fc
  .record({ opcode: fc.constantFrom(Opcode.Ping, Opcode.Pong), payload: fc.uint8Array({ maxLength: 125 }) })
  .map(({ opcode, payload: bytes }): FrameSpec => ({ opcode, payload: Buffer.from(bytes) }));

/** A message in one to five fragments, with control frames in front of some of them. */
const message = fc
  .record({
    opcode: fc.constantFrom(Opcode.Text, Opcode.Binary),
    fragments: fc.array(fc.record({ payload, before: fc.option(control) }), { minLength: 1, maxLength: 5 }),
  })
  .map(({ opcode, fragments }) =>
    fragments.flatMap((fragment, at): FrameSpec[] => {
      const data: FrameSpec = {
        opcode: at === 0 ? opcode : Opcode.Continuation,
        fin: at === fragments.length - 1,
        payload: Buffer.from(fragment.payload),
      };
      return fragment.before === null ? [data] : [fragment.before, data];
    }),
  );

const speech: fc.Arbitrary<Speech> = fc.record({
  frames: fc
    .array(
      fc.oneof(
        { weight: 3, arbitrary: message },
        control.map((one) => [one]),
      ),
      { maxLength: 8 },
    )
    .map((all) => all.flat()),
  pieceBytes: fc.oneof(fc.integer({ min: 64, max: 200 }), fc.integer({ min: 1_000, max: 200_000 })),
});

const legalCode = fc.oneof(
  fc.constantFrom(1000, 1001, 1002, 1003),
  fc.integer({ min: 1007, max: 1014 }),
  fc.integer({ min: 3000, max: 4999 }),
  fc.constant(null),
);

export const conversation: fc.Arbitrary<Conversation> = fc.record({
  client: speech,
  backend: speech,
  closer: fc.constantFrom('client', 'backend'),
  code: legalCode,
  reason: fc.string({ maxLength: 40 }),
});

/** The frames of a speech as bytes, those of a client masked, each with a key of its own. */
export function bytesOf(frames: readonly FrameSpec[], isClient: boolean): Buffer {
  const key = (at: number) => Buffer.from([at & 255, 0xa5, (at * 13) & 255, 0x3c]);
  return Buffer.concat(frames.map((spec, at) => frame({ ...spec, mask: isClient ? key(at) : false })));
}

export function closeBytes({ code, reason }: Conversation, isClient: boolean): Buffer {
  return closeFrame(code, reason, { mask: isClient });
}
