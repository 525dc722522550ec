import { describe, expect, test } from 'vitest';
import { everySplit } from '../support/every-split.ts';
import { binary, closeFrame, continuation, ping, pong, text } from '../support/wire.ts';
import { MODES, POLICY, Rig, SIDE, TIMES } from './rig.ts';

const SIDES = ['client', 'backend'] as const;
const CASES = MODES.flatMap(({ mode, stable }) => SIDES.map((side) => ({ mode, stable, side })));
const NO_TAIL = { tail: Buffer.alloc(0) };
const bytes = (hex: string) => Buffer.from(hex, 'hex');

describe.each(CASES)('validate_utf8: text of the $side, $mode', ({ stable, side }) => {
  const mask = side === 'client';
  const make = () => new Rig({ stable, policy: { [side]: { ...SIDE, validateUtf8: true } } });
  const sink = side === 'client' ? 'backend' : 'client';
  const from = (rig: Rig, ...pieces: Buffer[]) =>
    side === 'client' ? rig.fromClient(...pieces) : rig.fromBackend(...pieces);
  const cause = side === 'client' ? 'client_invalid_utf8' : 'backend_invalid_utf8';
  const otherTold =
    side === 'client' ? 'close fin masked 1001 "client protocol error"' : 'close fin 1011 "upstream protocol error"';
  const told = `close fin ${side === 'client' ? '' : 'masked '}1007 "text not UTF-8"`;

  /** The other side answers; then the one at fault has been told. */
  function expectTold(rig: Rig): void {
    if (side === 'client') rig.fromBackend(closeFrame(1001));
    else rig.fromClient(closeFrame(1011, '', { mask: true }));
    expect((side === 'client' ? rig.atClient : rig.atBackend).at(-1)).toBe(told);
    rig.finFrom(rig.client);
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause, clean: false, midFrame: rig.session.midFrame });
  }

  function expectInvalid(rig: Rig): void {
    expect(rig.session.cause).toBe(cause);
    expect((side === 'client' ? rig.atBackend : rig.atClient).at(-1)).toBe(otherTold);
    expect(rig.session.midFrame).toBe(false);
    expectTold(rig);
  }

  test('legal text passes, cut anywhere, in fragments that cut characters, with control frames between them', () => {
    const letters = Buffer.from('κόσμε😀');
    const stream = Buffer.concat([
      text(letters.subarray(0, 1), { mask, fin: false }),
      ping(bytes('ff'), { mask }),
      continuation(letters.subarray(1, 11), { mask, fin: false }),
      pong(bytes('c3'), { mask }),
      continuation('', { mask, fin: false }),
      ping('x', { mask }),
      continuation(letters.subarray(11), { mask }),
      ping(bytes('80'), { mask }),
      text('', { mask }),
      binary(bytes('ff'), { mask }),
      text('é', { mask }),
    ]);
    everySplit(
      stream,
      (pieces) => {
        const rig = make();
        from(rig, ...pieces);
        rig.expectAlive();
        expect(rig[sink].received.equals(stream)).toBe(true);
      },
      NO_TAIL,
    );
  });

  test.each(['ff', '80', 'c0af', 'eda080', 'f4908080', '61e28261'])('%s: 1007 in front of the frame', (hex) => {
    const rig = make();
    const before = text('before', { mask });
    from(rig, Buffer.concat([before, text(bytes(hex), { mask }), text('after', { mask })]));
    expect(rig[sink].received.subarray(0, before.length)).toEqual(before);
    expect((side === 'client' ? rig.atBackend : rig.atClient).length).toBe(2);
    expectInvalid(rig);
  });

  test('a character that the end of the message cuts: 1007; in fragments too, an empty last one included', () => {
    const streams = [
      [text(bytes('c3'), { mask })],
      [text(bytes('e282'), { mask, fin: false }), continuation('', { mask })],
      [text('a', { mask, fin: false }), continuation(bytes('f09f98'), { mask })],
    ];
    for (const frames of streams) {
      const rig = make();
      from(rig, ...frames);
      expectInvalid(rig);
      const whole = make();
      from(whole, Buffer.concat(frames));
      expectInvalid(whole);
    }
  });

  test('half of the frame was relayed: the other side is cut off at the first impossible byte', () => {
    const rig = make();
    const whole = text(bytes('6162e0806162'), { mask });
    const head = whole.length - 6;
    from(rig, whole.subarray(0, head + 3));
    rig.expectAlive();
    from(rig, whole.subarray(head + 3, head + 4));
    expect(rig.session.cause).toBe(cause);
    expect(rig[sink].destroyed).toBe(true);
    expect(rig[sink].received).toEqual(whole.subarray(0, head + 3));
    expect(rig.session.midFrame).toBe(true);
    expect((side === 'client' ? rig.atClient : rig.atBackend).at(-1)).toBe(told);
    rig.finFrom(rig[side]);
    rig.expectEnd({ cause, clean: false, midFrame: true });
  });

  test('at every cut: what was relayed is legal, and the end is the same', () => {
    const good = text('good', { mask });
    const stream = Buffer.concat([good, text(bytes('6162ff61'), { mask }), text('never', { mask })]);
    everySplit(
      stream,
      (pieces) => {
        const rig = make();
        from(rig, ...pieces);
        expect(rig.session.cause).toBe(cause);
        const badAt = stream.indexOf(text(bytes('6162ff61'), { mask })) + 2 + (mask ? 4 : 0) + 2;
        const relayed = rig[sink].received;
        expect(relayed.subarray(0, good.length)).toEqual(good);
        const upTo = rig[sink].destroyed ? relayed.length : good.length;
        expect(upTo).toBeLessThanOrEqual(badAt);
        expect(relayed.subarray(0, upTo)).toEqual(stream.subarray(0, upTo));
      },
      NO_TAIL,
    );
  });

  test('binary messages are not judged, nor text when it is off', () => {
    const rig = make();
    from(rig, binary(bytes('ff'), { mask, fin: false }), continuation(bytes('80'), { mask }));
    rig.expectAlive();
    const off = new Rig({ stable });
    from(off, text(bytes('ff'), { mask }));
    off.expectAlive();
  });

  describe('another policy while the session is open', () => {
    const judging = { ...POLICY, [side]: { ...SIDE, validateUtf8: true } };
    const bad = text(bytes('ff'), { mask });

    test('switched on, at every cut: a message whose header has come is not judged, all others are', () => {
      for (let cut = 0; cut <= bad.length; cut++) {
        const rig = new Rig({ stable });
        from(rig, binary(bytes('ff'), { mask }), bad.subarray(0, cut));
        rig.session.retune(judging);
        from(rig, bad.subarray(cut));
        expect([cut, rig.session.cause]).toEqual([cut, cut < bad.length - 1 ? cause : null]);
      }
    });

    test('switched on inside a message: its later fragments are not judged, nor is binary, but the next text', () => {
      const rig = new Rig({ stable });
      from(rig, text(bytes('c3'), { mask, fin: false }));
      rig.session.retune(judging);
      rig.session.retune(judging);
      from(rig, ping('x', { mask }), continuation(bytes('ff'), { mask, fin: false }), continuation('', { mask }));
      from(rig, binary(bytes('ff'), { mask }), text('é', { mask }));
      rig.expectAlive();
      from(rig, bad);
      expect(rig.session.cause).toBe(cause);
      expectTold(rig);
    });

    test('switched off: the message under way is judged to its end, the next is not', () => {
      const rest = [continuation(bytes('a9'), { mask, fin: false }), continuation('z', { mask })];
      const rig = make();
      from(rig, text(bytes('c3'), { mask, fin: false }));
      rig.session.retune(POLICY);
      from(rig, ...rest, bad, bad);
      rig.expectAlive();
      rig.session.retune(judging);
      from(rig, text('é', { mask }));
      rig.expectAlive();
      from(rig, bad);
      expect(rig.session.cause).toBe(cause);
      const late = make();
      from(late, text(bytes('c3'), { mask, fin: false }));
      late.session.retune(POLICY);
      from(late, continuation(bytes('ff'), { mask }));
      expect(late.session.cause).toBe(cause);
    });

    test('switched off between messages, and on again', () => {
      const rig = make();
      from(rig, text('é', { mask }));
      rig.session.retune(POLICY);
      from(rig, bad);
      rig.expectAlive();
      rig.session.retune(judging);
      from(rig, bad);
      expect(rig.session.cause).toBe(cause);
    });
  });

  test('once the session ends, what still comes is not judged: the answer to our Close counts', () => {
    const rig = make();
    rig.session.end('drain');
    if (side === 'backend') rig.fromClient(closeFrame(1000, '', { mask: true }));
    else rig.fromClient(closeFrame(1012, '', { mask: true }));
    rig.fromBackend(text(bytes('ff')), closeFrame(1001));
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'drain', clean: true });
  });

  test('8.1: text whose frame has to be ended before a Close is judged to its end', () => {
    if (side === 'client') return; // an end begins with a Close to the client
    for (const [rest, isText] of [
      ['62', true],
      ['ff', false],
    ] as const) {
      const rig = make();
      rig.fromBackend(bytes('810261'));
      rig.session.end('drain');
      expect(rig.client.destroyed).toBe(false);
      rig.fromBackend(bytes(rest));
      // What is relayed of it cannot be made whole any more.
      expect(rig.client.destroyed).toBe(!isText);
      expect(rig.client.received.includes(0xff)).toBe(false);
      expect(rig.atClient).toEqual(isText ? ['text fin "ab"', 'close fin 1012 "server restart"'] : []);
      rig.finFrom(rig.client);
      rig.finFrom(rig.backend);
      rig.advance(TIMES.close);
      expect(rig.session.midFrame).toBe(!isText);
    }
  });
});
