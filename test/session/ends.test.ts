import { describe, expect, test } from 'vitest';
import { END_CAUSES, type EndCause } from '../../src/protocol/end-causes.ts';
import { everySplit } from '../support/every-split.ts';
import { binary, closeFrame, continuation, frame, ping, Rsv, text } from '../support/wire.ts';
import { MESSAGE_MAX, MODES, POLICY, Rig, TIMES } from './rig.ts';
import { rigFor, WAYS } from './ways.ts';

const MASKED = { mask: true } as const;
const NOTHING = Buffer.alloc(0);

interface Broken {
  readonly what: string;
  /** Sent by the side at fault. */
  readonly bytes: (mask: boolean) => Buffer[];
  readonly kind: 'protocol_error' | 'message_too_big' | 'too_many_fragments' | 'invalid_utf8';
  readonly limit: string | null;
  /** What the side at fault is told. */
  readonly told: string;
  /** What the other side is told, where it is not the same for all of the kind. */
  readonly text: string | null;
}

const protocolError = (what: string, told: string, bytes: Broken['bytes']): Broken => ({
  what,
  bytes,
  kind: 'protocol_error',
  limit: null,
  told: `1002 "${told}"`,
  text: null,
});

const overLimit = (kind: Broken['kind'], code: number, limit: string, bytes: Broken['bytes']): Broken => ({
  what: limit,
  bytes,
  kind,
  limit,
  told: `${code} "${limit}"`,
  text: limit,
});

const BROKEN: readonly Broken[] = [
  protocolError('F2: a reserved bit', 'reserved bit set', (mask) => [text('x', { mask, rsv: Rsv.Two })]),
  protocolError('F3: a reserved opcode', 'reserved opcode', (mask) => [frame({ opcode: 3, mask })]),
  protocolError('F4: a stray continuation', 'continuation without a start', (mask) => [continuation('x', { mask })]),
  protocolError('F5: a message inside a message', 'message inside a message', (mask) => [
    text('', { mask, fin: false }),
    text('x', { mask }),
  ]),
  protocolError('F6: a fragmented ping', 'control frame fragmented', (mask) => [ping('', { mask, fin: false })]),
  protocolError('F7: a long ping', 'control frame over 125 bytes', (mask) => [ping(Buffer.alloc(126), { mask })]),
  protocolError('F8: a Close of one byte', 'close body of one byte', (mask) => [
    frame({ opcode: 8, payload: 'x', mask }),
  ]),
  protocolError('F17: a Close with 1005', 'close code not allowed', (mask) => [closeFrame(1005, '', { mask })]),
  protocolError('F9: a length of 2^63', 'length above 2^63', (mask) => [frame({ opcode: 2, length: 2n ** 63n, mask })]),
  protocolError('F11: a long form', 'length not minimal', (mask) => [text('x', { mask, lengthForm: 16 })]),
  {
    what: 'F19: a reason that is not UTF-8',
    bytes: (mask) => [closeFrame(1000, Buffer.from([0xff]), { mask })],
    kind: 'invalid_utf8',
    limit: null,
    told: '1007 "close reason not UTF-8"',
    text: null,
  },
  overLimit('message_too_big', 1009, 'max_message_size', (mask) => [
    frame({ opcode: 2, length: 2 * MESSAGE_MAX + 1, mask }),
  ]),
  overLimit('message_too_big', 1009, 'max_frame_size', (mask) => [frame({ opcode: 2, length: 16_001, mask })]),
  overLimit('too_many_fragments', 1008, 'max_fragments', (mask) => [
    text('', { mask, fin: false }),
    ...Array.from({ length: 16 }, () => continuation('', { mask, fin: false })),
  ]),
];

/** The frames of `bytes` that are legal: all but the last. */
const legalPart = (broken: Broken, mask: boolean) => Buffer.concat(broken.bytes(mask).slice(0, -1));

const SAME_LIMITS = { policy: { fromClient: POLICY.fromBackend } } as const;

describe.each(MODES)('a broken rule, $mode', ({ stable }) => {
  const make = () => new Rig({ stable, ...SAME_LIMITS });

  test.each(BROKEN)('by the client: $what', (broken) => {
    const { kind, limit, told } = broken;
    const cause: EndCause = `client_${kind}`;
    const legal = Buffer.concat([text('before', MASKED), legalPart(broken, true)]);
    const stream = Buffer.concat([text('before', MASKED), ...broken.bytes(true)]);
    const expected = `close fin masked 1001 "${broken.text ?? 'client protocol error'}"`;
    everySplit(stream, (pieces) => {
      const rig = make();
      rig.fromClient(...pieces);
      expect(rig.backend.received.subarray(0, legal.length).equals(legal)).toBe(true);
      // The backend is told at once, the client when the backend has answered.
      expect(rig.atBackend.at(-1)).toBe(expected);
      expect(rig.client.receivedBytes).toBe(0);
      rig.fromBackend(closeFrame(1001));
      expect(rig.atClient).toEqual([`close fin ${told}`]);
      expect(rig.client.finSent).toBe(true);
      rig.fromClient(text('ignored', MASKED));
      rig.finFrom(rig.client);
      rig.finFrom(rig.backend);
      expect(rig.atBackend.at(-1)).toBe(expected);
      rig.expectEnd({ cause, limit, clean: false });
    });
  });

  test.each(BROKEN)('B16: B17: by the backend: $what', (broken) => {
    const { kind, limit, told } = broken;
    const cause: EndCause = `backend_${kind}`;
    const legal = Buffer.concat([text('before'), legalPart(broken, false)]);
    const stream = Buffer.concat([text('before'), ...broken.bytes(false)]);
    const expected = `close fin 1011 "${broken.text ?? 'upstream protocol error'}"`;
    everySplit(stream, (pieces) => {
      const rig = make();
      rig.fromBackend(...pieces);
      expect(rig.client.received.subarray(0, legal.length).equals(legal)).toBe(true);
      expect(rig.atClient.at(-1)).toBe(expected);
      expect(rig.backend.receivedBytes).toBe(0);
      rig.fromClient(closeFrame(1011, '', MASKED));
      expect(rig.atBackend).toEqual([`close fin masked ${told}`]);
      rig.finFrom(rig.client);
      rig.finFrom(rig.backend);
      expect(rig.atClient.at(-1)).toBe(expected);
      rig.expectEnd({ cause, limit, clean: false });
    });
  });

  test('F1: a frame of the client that is not masked; B16: one of the backend that is', () => {
    const up = make();
    up.fromClient(text('x'));
    up.fromBackend(closeFrame(1001));
    expect([up.atBackend, up.atClient]).toEqual([
      ['close fin masked 1001 "client protocol error"'],
      ['close fin 1002 "frame not masked"'],
    ]);
    const down = make();
    down.fromBackend(text('x', MASKED));
    down.fromClient(closeFrame(1000, '', MASKED));
    expect([down.atBackend, down.atClient]).toEqual([
      ['close fin masked 1002 "frame masked"'],
      ['close fin 1011 "upstream protocol error"'],
    ]);
  });

  const HITS = [
    ['max_message_size', 10_001, [frame({ opcode: 2, length: MESSAGE_MAX + 1, ...MASKED })]],
    [
      'max_message_size',
      10_005,
      [
        frame({ opcode: 2, fin: false, payload: Buffer.alloc(6_000), ...MASKED }),
        frame({ opcode: 0, length: 4_005, ...MASKED }),
      ],
    ],
    ['max_frame_size', 8_001, [frame({ opcode: 2, length: 8_001, ...MASKED })]],
    [
      'max_fragments',
      9,
      [text('', { ...MASKED, fin: false }), ...Array<Buffer>(8).fill(continuation('', { ...MASKED, fin: false }))],
    ],
  ] as const;

  test.each(HITS)('the owner is told of %s, once, and what it came to: %i', (limit, value, frames) => {
    const rig = new Rig({ stable });
    rig.fromClient(...frames, ...frames);
    rig.fromBackend(text('x', MASKED));
    rig.advance(2 * TIMES.close);
    expect(rig.limitHits).toEqual([{ isClient: true, limit, value }]);
    rig.expectEnd({ cause: rig.session.cause ?? 'forced', limit, clean: false });
  });

  test('a broken rule that is no limit is no hit', () => {
    const rig = make();
    rig.fromBackend(text('x', MASKED));
    expect(rig.limitHits).toEqual([]);
  });

  test('F26: 5.3: each of our Closes to a backend has a key of its own', () => {
    const keys = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const rig = make();
      rig.fromClient(text('x'));
      keys.add(rig.framesAt(rig.backend)[0]?.maskKey?.toString('hex') ?? 'none');
    }
    expect(keys.size).toBe(20);
    expect(keys.has('none')).toBe(false);
  });

  test('the order: the innocent side, its last answers, the culprit, the FINs', () => {
    const rig = make();
    rig.fromClient(text('ping?', MASKED), text('x'));
    expect(rig.told()).toEqual([
      'backend: text fin masked "ping?"',
      'backend: close fin masked 1001 "client protocol error"',
    ]);
    rig.fromBackend(text('pong!'), text('and more', { fin: false }));
    expect(rig.told()).toEqual(['client: text fin "pong!"', 'client: text "and more"']);
    rig.fromBackend(closeFrame(1001));
    expect(rig.told()).toEqual(['client: close fin 1002 "frame not masked"', 'client: FIN']);
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    expect(rig.told()).toEqual(['backend: destroyed', 'client: destroyed']);
  });

  test('the culprit is told after 200 ms even if the other has not answered; then nothing more is relayed', () => {
    const rig = make();
    rig.fromClient(text('x'));
    rig.told();
    rig.advance(TIMES.lastAnswers - 1);
    rig.fromBackend(text('late'));
    expect(rig.told()).toEqual(['client: text fin "late"']);
    rig.advance(1);
    expect(rig.told()).toEqual(['client: close fin 1002 "frame not masked"', 'client: FIN']);
    rig.fromBackend(text('too late'), closeFrame(1001));
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    expect(rig.told()).toEqual(['backend: destroyed', 'client: destroyed']);
    rig.expectEnd({ cause: 'client_protocol_error', clean: false });
  });

  test('the same for a backend: told after 200 ms, and we FIN to it: it can answer nothing', () => {
    const rig = make();
    rig.fromBackend(text('x', MASKED));
    rig.told();
    rig.advance(TIMES.lastAnswers - 1);
    rig.fromClient(text('late', MASKED));
    rig.advance(1);
    rig.fromClient(text('too late', MASKED), closeFrame(1011, '', MASKED));
    expect(rig.told()).toEqual([
      'backend: text fin masked "late"',
      'backend: close fin masked 1002 "frame masked"',
      'backend: FIN',
      'client: FIN',
    ]);
  });

  test('a FIN of the innocent side is an answer too', () => {
    const rig = make();
    rig.fromClient(text('x'));
    rig.told();
    rig.finFrom(rig.backend);
    expect(rig.told().filter((line) => line !== 'backend: FIN')).toEqual([
      'client: close fin 1002 "frame not masked"',
      'client: FIN',
      'backend: destroyed',
    ]);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'client_protocol_error', clean: false });
  });

  test('the culprit may vanish, at any moment, and so may the other', () => {
    for (const when of [0, 1, 2, 3]) {
      for (const first of ['client', 'backend'] as const) {
        const rig = make();
        rig.fromClient(text('x'));
        if (when > 0) rig.advance(TIMES.lastAnswers);
        if (when > 1) rig.fromBackend(closeFrame(1001));
        if (when > 2) rig.finFrom(rig.backend);
        rig.rstFrom(rig[first]);
        rig.advance(TIMES.lastAnswers);
        rig.rstFrom(first === 'client' ? rig.backend : rig.client);
        rig.expectEnd({ cause: 'client_protocol_error', clean: false });
      }
    }
  });

  test('what the innocent side has half sent to the culprit is relayed to its end first', () => {
    const rig = make();
    const half = binary(Buffer.alloc(100, 5));
    rig.fromBackend(half.subarray(0, 50));
    rig.fromClient(text('x'));
    rig.advance(TIMES.lastAnswers);
    expect(rig.told()).toEqual(['backend: close fin masked 1001 "client protocol error"']);
    rig.fromBackend(Buffer.concat([half.subarray(50), text('dropped')]));
    expect(rig.told().slice(1)).toEqual(['client: close fin 1002 "frame not masked"', 'client: FIN']);
    expect(rig.client.received.subarray(0, 102)).toEqual(half);
  });

  test('nobody answers and nobody FINs: both are destroyed timeouts.close after their Closes', () => {
    const rig = make();
    rig.fromClient(text('x'));
    rig.advance(TIMES.close - 1);
    expect(rig.backend.destroyed).toBe(false);
    rig.advance(1);
    expect([rig.backend.destroyed, rig.client.destroyed]).toEqual([true, false]);
    rig.advance(TIMES.lastAnswers - 1);
    expect(rig.ends).toBe(0);
    rig.advance(1);
    rig.expectEnd({ cause: 'client_protocol_error', clean: false });
  });

  test('a second broken rule, of the other side, changes nothing but ends the wait', () => {
    const rig = make();
    rig.fromClient(text('x'));
    rig.told();
    rig.fromBackend(text('y', MASKED));
    expect(rig.told()).toEqual(
      ['client: close fin 1002 "frame not masked"', 'backend: FIN', 'client: FIN'].sort(byName),
    );
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'client_protocol_error', clean: false });
  });

  test('F21: a broken rule of the side that was told to close by the other is answered as a Close would be', () => {
    const rig = make();
    rig.fromBackend(closeFrame(1000));
    rig.fromClient(text('x'));
    expect(rig.atBackend).toEqual(['close fin masked 1001 "client lost"']);
    expect(rig.client.finSent).toBe(true);
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'backend_close', clean: false });
  });
});

/** `client` before `backend`, each in its own order. */
function byName(a: string, b: string): number {
  return Number(a.startsWith('backend')) - Number(b.startsWith('backend'));
}

describe.each(MODES)('a peer that is gone, $mode', ({ stable }) => {
  const make = () => new Rig({ stable });

  test.each(['FIN', 'RST'])('client_lost: a %s of the client without a Close', (how) => {
    const rig = make();
    if (how === 'FIN') rig.finFrom(rig.client);
    else rig.rstFrom(rig.client);
    expect(rig.told()).toEqual(['client: destroyed', 'backend: close fin masked 1001 "client lost"']);
    rig.fromBackend(text('dropped'), closeFrame(1001));
    expect(rig.told()).toEqual([]);
    rig.finFrom(rig.backend);
    expect(rig.told()).toEqual(['backend: destroyed']);
    rig.expectEnd({ cause: 'client_lost', clean: false });
  });

  test.each(['FIN', 'RST'])('E1: E2: backend_lost: a %s of the backend without a Close', (how) => {
    const rig = make();
    if (how === 'FIN') rig.finFrom(rig.backend);
    else rig.rstFrom(rig.backend);
    expect(rig.told()).toEqual(['backend: destroyed', 'client: close fin 1012 "backend lost"']);
    rig.fromClient(text('dropped', MASKED), closeFrame(1012, '', MASKED));
    expect(rig.told()).toEqual(['client: FIN']);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'backend_lost', clean: false });
  });

  test('the other side does not answer: destroyed after timeouts.close', () => {
    const rig = make();
    rig.rstFrom(rig.backend);
    rig.advance(TIMES.close - 1);
    expect(rig.client.destroyed).toBe(false);
    rig.advance(1);
    rig.expectEnd({ cause: 'backend_lost', clean: false });
  });

  test('between fragments a Close can still be said', () => {
    const rig = make();
    rig.fromBackend(text('part', { fin: false }));
    rig.rstFrom(rig.backend);
    expect(rig.atClient).toEqual(['text "part"', 'close fin 1012 "backend lost"']);
    expect(rig.session.midFrame).toBe(false);
  });

  test('inside a header or a control frame, which are not relayed yet, too', () => {
    for (const part of [
      text('x').subarray(0, 1),
      ping('hello').subarray(0, 6),
      binary(Buffer.alloc(200)).subarray(0, 3),
    ]) {
      const rig = make();
      rig.fromBackend(part);
      rig.finFrom(rig.backend);
      expect(rig.told()).toEqual(['backend: destroyed', 'client: close fin 1012 "backend lost"']);
      expect(rig.session.midFrame).toBe(false);
    }
  });

  test.each(['FIN', 'RST'])('E1: a %s inside a relayed frame: no Close is possible, the client is destroyed', (how) => {
    for (const received of [2, 3, 101]) {
      const rig = make();
      rig.fromBackend(binary(Buffer.alloc(100)).subarray(0, received));
      if (how === 'FIN') rig.finFrom(rig.backend);
      else rig.rstFrom(rig.backend);
      expect(rig.told()).toEqual(['backend: destroyed', 'client: destroyed']);
      expect(rig.client.receivedBytes).toBe(received);
      expect(rig.client.finSent).toBe(false);
      rig.expectEnd({ cause: 'backend_lost', clean: false, midFrame: true });
    }
  });

  test('E1: the same for a client inside a frame', () => {
    const rig = make();
    rig.fromClient(text('hello', MASKED).subarray(0, 7));
    rig.finFrom(rig.client);
    expect(rig.told()).toEqual(['client: destroyed', 'backend: destroyed']);
    rig.expectEnd({ cause: 'client_lost', clean: false, midFrame: true });
  });

  test('what a slow client has not taken is still sent, then the Close', () => {
    const rig = make();
    rig.client.setRoom(2);
    rig.fromBackend(text('hello'));
    rig.finFrom(rig.backend);
    rig.advance(TIMES.close * 2);
    rig.takeFrom(rig.client);
    expect(rig.atClient).toEqual(['text fin "hello"', 'close fin 1012 "backend lost"']);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'backend_lost', clean: false });
  });

  test('both at once', () => {
    const rig = make();
    rig.client.rst();
    rig.backend.rst();
    rig.pump();
    rig.expectEnd({ cause: 'client_lost', clean: false });
  });
});

describe.each(MODES)('an end without a culprit, $mode', ({ stable }) => {
  const make = () => new Rig({ stable });

  test.each([
    ['drain', '1012 "server restart"', '1001 "server restart"'],
    ['idle', '1001 "idle timeout"', '1001 "idle timeout"'],
  ] as const)('%s: the client first, the backend when the client has answered', (cause, toClient, toBackend) => {
    const rig = make();
    rig.session.end(cause);
    expect(rig.told()).toEqual([`client: close fin ${toClient}`]);
    rig.fromBackend(text('dropped'), ping('dropped'));
    rig.fromClient(text('still relayed', MASKED), ping('p', MASKED));
    expect(rig.told()).toEqual(['backend: text fin masked "still relayed"', 'backend: ping fin masked "p"']);
    rig.fromClient(Buffer.concat([text('last', MASKED), closeFrame(1012, 'ok', MASKED), text('no', MASKED)]));
    expect(rig.told()).toEqual([
      'backend: text fin masked "last"',
      `backend: close fin masked ${toBackend}`,
      'client: FIN',
    ]);
    rig.fromBackend(text('dropped'), closeFrame(1001));
    expect(rig.told()).toEqual([]);
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    expect(rig.told()).toEqual(['backend: destroyed', 'client: destroyed']);
    rig.expectEnd({ cause, clean: true });
  });

  test('a client that does not answer is destroyed after timeouts.close, then the backend is told', () => {
    const rig = make();
    rig.session.end('drain');
    rig.advance(TIMES.close - 1);
    rig.fromClient(text('still', MASKED));
    expect(rig.told().slice(1)).toEqual(['backend: text fin masked "still"']);
    rig.advance(1);
    expect(rig.told()).toEqual(['client: destroyed', 'backend: close fin masked 1001 "server restart"']);
    rig.fromBackend(closeFrame(1001));
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause: 'drain', clean: false });
  });

  test('a client that FINs instead ends it too', () => {
    const rig = make();
    rig.session.end('drain');
    rig.finFrom(rig.client);
    expect(rig.told().sort()).toEqual(
      [
        'client: close fin 1012 "server restart"',
        'backend: close fin masked 1001 "server restart"',
        'client: FIN',
        'client: destroyed',
      ].sort(),
    );
    rig.finFrom(rig.backend);
    rig.expectEnd({ cause: 'drain', clean: false });
  });

  test('a client cut off inside a frame that was being relayed takes the backend with it', () => {
    const rig = make();
    rig.session.end('drain');
    rig.fromClient(text('hello', MASKED).subarray(0, 8));
    rig.advance(TIMES.close);
    rig.expectEnd({ cause: 'drain', clean: false, midFrame: true });
  });

  test('a Close of the backend meanwhile is swallowed, and answered when the client has closed', () => {
    const rig = make();
    rig.session.end('drain');
    rig.told();
    rig.fromBackend(closeFrame(4000, 'mine'));
    expect(rig.told()).toEqual([]);
    rig.fromClient(text('up', MASKED), closeFrame(1012, '', MASKED));
    expect(rig.told()).toEqual([
      'backend: text fin masked "up"',
      'backend: close fin masked 1001 "server restart"',
      'client: FIN',
    ]);
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.expectEnd({ cause: 'drain', clean: true });
  });

  test('a backend that vanishes meanwhile: the client has its Close already', () => {
    const rig = make();
    rig.session.end('drain');
    rig.rstFrom(rig.backend);
    rig.fromClient(text('nowhere', MASKED), closeFrame(1012, '', MASKED));
    rig.finFrom(rig.client);
    expect(rig.told()).toEqual([
      'client: close fin 1012 "server restart"',
      'backend: destroyed',
      'client: FIN',
      'client: destroyed',
    ]);
    rig.expectEnd({ cause: 'drain', clean: false });
  });

  test('a broken rule of the client meanwhile is no answer, but its last word', () => {
    const rig = make();
    rig.session.end('drain');
    rig.fromClient(text('x'));
    expect(rig.told()).toEqual([
      'client: close fin 1012 "server restart"',
      'backend: close fin masked 1001 "server restart"',
      'client: FIN',
    ]);
  });

  test('only the first cause counts', () => {
    const rig = make();
    rig.session.end('drain');
    rig.session.end('idle', { limit: 'idle' });
    expect([rig.session.cause, rig.session.limit]).toEqual(['drain', null]);
    expect(rig.told().length).toBe(1);
  });

  describe('while a frame is half relayed to the client', () => {
    const half = binary(Buffer.alloc(100, 9));

    function halfRelayed(): Rig {
      const rig = make();
      rig.fromBackend(half.subarray(0, 40));
      rig.session.end('drain');
      expect(rig.told()).toEqual([]);
      return rig;
    }

    test('the Close goes behind its end; what follows it is dropped', () => {
      for (let at = 41; at < half.length; at += 7) {
        const rig = halfRelayed();
        rig.fromBackend(half.subarray(40, at), Buffer.concat([half.subarray(at), text('dropped')]), text('dropped'));
        expect(rig.atClient.slice(1)).toEqual(['close fin 1012 "server restart"']);
        expect(rig.client.received.subarray(0, half.length)).toEqual(half);
        rig.fromClient(closeFrame(1012, '', MASKED));
        rig.fromBackend(closeFrame(1001));
        rig.finFrom(rig.client);
        rig.finFrom(rig.backend);
        rig.expectEnd({ cause: 'drain', clean: true });
      }
    });

    test('it is waited for timeouts.close, then the client is destroyed and the backend told', () => {
      const rig = halfRelayed();
      rig.advance(TIMES.close - 1);
      expect(rig.client.destroyed).toBe(false);
      rig.advance(1);
      expect(rig.told()).toEqual(['client: destroyed', 'backend: close fin masked 1001 "server restart"']);
      expect(rig.client.receivedBytes).toBe(40);
      rig.fromBackend(half.subarray(40), closeFrame(1001));
      rig.finFrom(rig.backend);
      rig.expectEnd({ cause: 'drain', clean: false, midFrame: true });
    });

    test('a byte of it now and then buys no time', () => {
      const rig = halfRelayed();
      for (let i = 0; i < 9; i++) {
        rig.fromBackend(half.subarray(40 + i, 41 + i));
        rig.advance(TIMES.close / 10);
      }
      rig.advance(TIMES.close / 10 - 1);
      expect(rig.client.destroyed).toBe(false);
      rig.advance(1);
      expect(rig.client.destroyed).toBe(true);
    });

    test('a FIN of the backend meanwhile: the client is destroyed, the backend is answered', () => {
      const rig = halfRelayed();
      rig.finFrom(rig.backend);
      expect(rig.told().filter((line) => !line.endsWith('FIN'))).toEqual([
        'client: destroyed',
        'backend: close fin masked 1001 "server restart"',
        'backend: destroyed',
      ]);
      rig.expectEnd({ cause: 'drain', clean: false, midFrame: true });
    });

    test('its end may be lost: the client is destroyed at once', () => {
      const rig = halfRelayed();
      rig.rstFrom(rig.backend);
      rig.expectEnd({ cause: 'drain', clean: false, midFrame: true });
    });

    test('a Close of the client meanwhile needs no waiting for ours', () => {
      const rig = halfRelayed();
      rig.fromClient(closeFrame(1000, 'bye', MASKED));
      expect(rig.told().filter((line) => line.startsWith('backend'))).toEqual(['backend: close fin masked 1000 "bye"']);
      rig.fromBackend(Buffer.concat([half.subarray(40), closeFrame(1000)]));
      expect(rig.atClient.slice(1)).toEqual(['close fin 1012 "server restart"']);
      expect(rig.client.finSent).toBe(true);
    });
  });
});

describe('the table of causes', () => {
  /** To the client, to the backend; null where that side is destroyed or gone. */
  const codes: Record<EndCause, readonly [number | null, number | null]> = {
    client_close: [1000, 1000],
    backend_close: [1000, 1000],
    client_lost: [null, 1001],
    backend_lost: [1012, null],
    client_protocol_error: [1002, 1001],
    backend_protocol_error: [1011, 1002],
    client_message_too_big: [1009, 1001],
    backend_message_too_big: [1011, 1009],
    client_too_many_fragments: [1008, 1001],
    backend_too_many_fragments: [1011, 1008],
    client_invalid_utf8: [1007, 1001],
    backend_invalid_utf8: [1011, 1007],
    client_message_stall: [1008, 1001],
    backend_message_stall: [1011, 1008],
    client_stalled: [null, 1001],
    backend_stalled: [1012, null],
    client_rate: [1008, 1001],
    backend_rate: [1011, 1008],
    client_slow: [1013, 1001],
    backend_slow: [1012, 1001],
    client_pong_timeout: [null, 1001],
    backend_pong_timeout: [1012, null],
    overload: [1013, 1001],
    idle: [1001, 1001],
    drain: [1012, 1001],
    lifetime: [1012, 1001],
    route_removed: [1012, 1001],
    target_removed: [1012, 1001],
    target_drain: [1012, 1001],
    rebalance: [1012, 1001],
    credential_expired: [3000, 1001],
    credential_revoked: [3003, 1001],
    admin: [1008, 1001],
    internal_error: [1011, 1011],
    forced: [null, null],
  };

  const causes = Object.keys(END_CAUSES) as EndCause[];

  /** Both sides answer whatever they are told, and FIN. */
  function answer(rig: Rig): void {
    rig.advance(TIMES.lastAnswers);
    for (let turn = 0; turn < 3; turn++) {
      rig.fromClient(closeFrame(1000, '', MASKED));
      rig.fromBackend(closeFrame(1000));
      rig.advance(1);
    }
    rig.finFrom(rig.backend);
    rig.finFrom(rig.client);
    rig.advance(2 * TIMES.close);
  }

  const sent = (rig: Rig) => [rig.session.client.closeSent, rig.session.backend.closeSent];

  test.each(causes)('%s: its codes on both sides, and nothing is left of it', (cause) => {
    for (const { stable } of MODES) {
      const rig = rigFor(cause, { stable });
      WAYS[cause](rig);
      expect(rig.session.cause).toBe(cause);
      answer(rig);
      expect(sent(rig)).toEqual(codes[cause]);
      const said = (transport: typeof rig.client) =>
        rig.framesAt(transport).flatMap((one) => (one.opcode === 8 ? [one.payload.readUInt16BE(0)] : []));
      expect([said(rig.client), said(rig.backend)]).toEqual(codes[cause].map((code) => (code === null ? [] : [code])));
      rig.expectEnd({ cause, limit: rig.session.limit, clean: rig.session.isClean });
    }
  });

  test.each(causes)('%s: close_codes changes what the client is told, never the backend', (cause) => {
    const rig = rigFor(cause, { policy: { closeCodes: { [cause]: 4321 } } });
    WAYS[cause](rig);
    answer(rig);
    const [toClient, toBackend] = codes[cause];
    const isOurs = toClient !== null && cause !== 'client_close' && cause !== 'backend_close';
    expect(sent(rig)).toEqual([isOurs ? 4321 : toClient, toBackend]);
  });

  test.each(causes)('%s: a reset of both, at once or later, ends it once', (cause) => {
    for (const wait of [0, TIMES.lastAnswers, TIMES.close - 1]) {
      for (const names of [
        ['client', 'backend'],
        ['backend', 'client'],
      ] as const) {
        const rig = rigFor(cause);
        WAYS[cause](rig);
        rig.advance(wait);
        for (const name of names) rig.rstFrom(rig[name]);
        rig.expectEnd({ cause, limit: rig.session.limit, clean: rig.session.isClean });
      }
    }
  });

  test.each(causes)('%s: a side that answers nothing is destroyed in a bounded time', (cause) => {
    const rig = rigFor(cause);
    WAYS[cause](rig);
    rig.advance(2 * TIMES.close + TIMES.lastAnswers);
    rig.expectEnd({ cause, limit: rig.session.limit, clean: false });
  });

  test.each(causes)('%s: a side that takes nothing is destroyed in a bounded time', (cause) => {
    const rig = rigFor(cause);
    WAYS[cause](rig);
    rig.client.setRoom(0);
    rig.backend.setRoom(0);
    rig.advance(2 * TIMES.close + TIMES.lastAnswers + TIMES.writeStall);
    rig.expectEnd({ cause, limit: rig.session.limit, clean: false });
  });

  test.each(causes)('%s: cut while it ends, everything is over at once', (cause) => {
    const rig = rigFor(cause);
    WAYS[cause](rig);
    rig.session.cut();
    const expected = cause === 'drain' ? 'forced' : cause;
    rig.expectEnd({ cause: expected, limit: rig.session.limit, clean: false });
  });

  test('every split of what is relayed before it is the same', () => {
    const stream = Buffer.concat([text('a', MASKED), text('b', { ...MASKED, fin: false }), continuation('c', MASKED)]);
    everySplit(
      stream,
      (pieces) => {
        const rig = new Rig({ stable: false });
        rig.fromClient(...pieces);
        rig.session.end('drain');
        rig.fromClient(closeFrame(1000, '', MASKED));
        expect(rig.backend.received.subarray(0, stream.length).equals(stream)).toBe(true);
        expect(rig.atBackend.slice(3)).toEqual(['close fin masked 1001 "server restart"']);
      },
      { tail: NOTHING },
    );
  });
});
