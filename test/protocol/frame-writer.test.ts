import { describe, expect, test } from 'vitest';
import { CloseCode } from '../../src/protocol/close-codes.ts';
import { END_CAUSES, type EndCauseRow } from '../../src/protocol/end-causes.ts';
import { closeFrame, pongFrame, textFrame } from '../../src/protocol/frame-writer.ts';
import { VIOLATIONS } from '../../src/protocol/violations.ts';
import { closeOf, describeFrame, exampleMask, Opcode, parseFrames, text } from '../support/wire.ts';
import { options, scan } from './scan.ts';

function only(bytes: Buffer) {
  const [frame, ...more] = parseFrames(bytes);
  if (frame === undefined || more.length > 0) throw new Error('not one frame');
  return frame;
}

describe('a message and a pong of our own', () => {
  test.each([0, 1, 125, 126, 65_535, 65_536])(
    '5.2: %i bytes have the shortest length there is, masked or not',
    (size) => {
      const payload = 'x'.repeat(size);
      for (const mask of [false, exampleMask]) {
        const written = textFrame(payload, mask !== false);
        const frame = only(written);
        expect([frame.masked, frame.payload.toString() === payload]).toEqual([mask !== false, true]);
        expect(written.length).toBe(text(payload, { mask }).length);
      }
    },
  );

  test('5.5.3: a pong carries what the ping did', () => {
    const frame = only(pongFrame(Buffer.from('ping'), true));
    expect([frame.opcode, frame.masked, frame.payload.toString()]).toEqual([Opcode.Pong, true, 'ping']);
  });
});

describe('a Close of our own', () => {
  test('F26: 5.1: towards a client it is not masked, byte for byte', () => {
    expect(closeFrame({ code: 1001, reason: 'bye', masked: false }).toString('hex')).toBe('880503e9627965');
    expect(closeFrame({ code: 1011, reason: '', masked: false }).toString('hex')).toBe('880203f3');
  });

  test('F26: 5.3: towards a backend it is masked, with a fresh key each time', () => {
    const keys = new Set<string>();
    for (let i = 0; i < 500; i++) {
      const frame = only(closeFrame({ code: 1001, reason: 'going', masked: true }));
      expect(describeFrame(frame)).toBe('close fin masked 1001 "going"');
      keys.add(frame.maskKey?.toString('hex') ?? '');
    }
    expect(keys.size).toBeGreaterThan(495);
  });

  const LENGTHS = [
    ['x'.repeat(122), 122],
    ['x'.repeat(123), 123],
    ['x'.repeat(124), 123],
    ['x'.repeat(5000), 123],
    ['ü'.repeat(61), 122],
    [`x${'ü'.repeat(61)}`, 123],
    ['ü'.repeat(62), 122],
    ['€'.repeat(41), 123],
    ['€'.repeat(42), 123],
    [`x${'€'.repeat(41)}`, 121],
    [`xx${'€'.repeat(41)}`, 122],
    ['\u{1f600}'.repeat(31), 120],
    [`xxx${'\u{1f600}'.repeat(31)}`, 123],
    [`xx${'\u{1f600}'.repeat(31)}`, 122],
  ] as const;

  test.each(LENGTHS)('F20: 5.5: a long reason is cut at a code point (%s): %i bytes', (reason, bytes) => {
    for (const masked of [true, false]) {
      const frame = only(closeFrame({ code: 1008, reason, masked }));
      const said = closeOf(frame);
      expect(frame.payload.length).toBe(2 + bytes);
      expect(reason.startsWith(said.reason)).toBe(true);
      expect(said.code).toBe(1008);
    }
  });

  test('F20: half a surrogate pair becomes U+FFFD, never bytes that are not UTF-8', () => {
    const frame = only(closeFrame({ code: 1008, reason: `${'x'.repeat(119)}\ud83d`, masked: false }));
    expect(closeOf(frame).reason).toBe(`${'x'.repeat(119)}\ufffd`);
    const cut = only(closeFrame({ code: 1008, reason: `${'x'.repeat(122)}\ud83d`, masked: false }));
    expect(closeOf(cut).reason).toBe('x'.repeat(122));
  });

  test('every Close we can send passes our own scanner and fits in a control frame', () => {
    const notices = Object.values<EndCauseRow>(END_CAUSES).flatMap(({ client, backend }) => [client, backend]);
    const rules = Object.values(VIOLATIONS).map(({ close, text }) => ({ code: close, text }));
    for (const notice of [...notices, ...rules]) {
      if (notice === null) continue;
      for (const masked of [true, false]) {
        const bytes = closeFrame({ code: notice.code, reason: notice.text, masked });
        const result = scan(options(masked), [bytes]);
        expect(result.events).toEqual([`close ${notice.code} ${bytes.toString('hex')}`]);
        expect(closeOf(only(bytes)).reason).toBe(notice.text);
        expect(Object.values(CloseCode)).toContain(notice.code);
      }
    }
  });
});
