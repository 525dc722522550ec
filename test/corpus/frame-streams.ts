// What a peer may send once the protocol was switched: frames legal and illegal in every first two bytes, length form,
// close code, order and UTF-8 edge, and bytes that are no frames at all.

import { Random } from '../support/random.ts';
import { closeFrame, type FrameSpec, frame, Opcode } from '../support/wire.ts';
import { type CorpusCase, latin1, variantOf } from './corpus-case.ts';
import { UTF8_EDGES } from './utf8-edges.ts';

export type Side = 'client' | 'backend';
export type Size = 'some' | 'all';

const SEED = 0x5eed_0005;
/** Lengths of no, one and two bytes, and both longer forms. */
const SECOND_BYTES = [0x00, 0x01, 0x02, 0x7e, 0x7f];
const LENGTHS: readonly bigint[] = [
  ...[
    0n,
    1n,
    2n,
    124n,
    125n,
    126n,
    127n,
    128n,
    255n,
    256n,
    2000n,
    2001n,
    8000n,
    8001n,
    10_000n,
    10_001n,
    16_000n,
    16_001n,
  ],
  ...[20_000n, 20_001n, 65_535n, 65_536n, 65_537n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n],
  ...[2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n],
];

export function frameStreams(side: Side, size: Size): CorpusCase[] {
  const mask = side === 'client';
  const make = (spec: FrameSpec) => frame({ mask, ...spec });
  return [
    ...firstTwoBytes(size, mask),
    ...lengthForms(make),
    ...sums(make),
    ...closes(size, make),
    ...orders(make),
    ...texts(make),
    ...masks(mask),
    ...cutOff(make),
    ...noFrames(size),
    ...fromFewBytes(size),
  ];
}

/** Each first byte with each (or some) second byte at the start, and with a few inside a message; zeros follow. */
function firstTwoBytes(size: Size, mask: boolean): CorpusCase[] {
  const some = SECOND_BYTES.flatMap((length) => [length, length | 0x80]);
  const seconds = size === 'all' ? Array.from({ length: 256 }, (_, byte) => byte) : some;
  const firsts = Array.from({ length: 256 }, (_, byte) => byte);
  const opened = frame({ opcode: Opcode.Text, fin: false, payload: 'a', mask });
  const tail = Buffer.alloc(12);
  const pairs = (group: string, before: Buffer, after: readonly number[]) =>
    firsts.flatMap((first) =>
      after.map((second) => {
        const pair = Buffer.from([first, second]);
        return { group, variant: pair.toString('hex'), bytes: Buffer.concat([before, pair, tail]) };
      }),
    );
  return [
    ...pairs('first two bytes', Buffer.alloc(0), seconds),
    ...pairs('first two bytes in a message', opened, [0x00, 0x7e, 0x80, 0xfe]),
  ];
}

/** Each length in each form that can hold it, declared and not sent, or sent as far as that is not much. */
function lengthForms(make: (spec: FrameSpec) => Buffer): CorpusCase[] {
  const opcodes = [Opcode.Text, Opcode.Binary, Opcode.Continuation, Opcode.Close, Opcode.Ping, Opcode.Pong];
  const opened = make({ opcode: Opcode.Binary, fin: false, payload: Buffer.alloc(100) });
  const forms = [7, 16, 64] as const;
  const cases: CorpusCase[] = [];
  for (const opcode of opcodes) {
    for (const length of LENGTHS) {
      for (const lengthForm of forms) {
        if ((lengthForm === 7 && length > 125n) || (lengthForm === 16 && length > 0xffffn)) continue;
        const before = opcode === Opcode.Continuation ? opened : Buffer.alloc(0);
        const header = make({ opcode, length, lengthForm });
        const variant = `${opcode}-${length}-${lengthForm}`;
        cases.push({ group: 'length declared', variant, bytes: Buffer.concat([before, header]) });
        if (length > 20_001n) continue;
        const whole = make({ opcode, lengthForm, payload: Buffer.alloc(Number(length), 0x61) });
        cases.push({
          group: 'length sent',
          variant,
          bytes: Buffer.concat([before, whole, make({ opcode: Opcode.Ping })]),
        });
      }
    }
  }
  return cases;
}

/** Fragments that fill a message to its cap on either side, and by one byte more. */
function sums(make: (spec: FrameSpec) => Buffer): CorpusCase[] {
  const pairs = [
    ...[
      [8_000, 2_000],
      [8_000, 2_001],
      [5_000, 5_000],
      [5_000, 5_001],
    ],
    ...[
      [16_000, 4_000],
      [16_000, 4_001],
      [10_000, 10_000],
      [10_000, 10_001],
    ],
  ] as const;
  return pairs.map(([first, second]) => ({
    group: 'fragments of bytes',
    variant: `${first}-${second}`,
    bytes: Buffer.concat([
      make({ opcode: Opcode.Binary, fin: false, payload: Buffer.alloc(first) }),
      make({ opcode: Opcode.Continuation, payload: Buffer.alloc(second) }),
    ]),
  }));
}

function closes(size: Size, make: (spec: FrameSpec) => Buffer): CorpusCase[] {
  const close = (payload: Buffer) => make({ opcode: Opcode.Close, payload });
  const code = (value: number, reason: Buffer | string = '') =>
    Buffer.concat([Buffer.from([value >> 8, value & 0xff]), Buffer.from(reason)]);
  const all = size === 'all' ? Array.from({ length: 5_200 }, (_, value) => value) : CLOSE_CODES;
  const behind = make({ opcode: Opcode.Text, payload: 'behind' });
  return [
    ...all.map((value) => ({ group: 'close code', variant: String(value), bytes: close(code(value)) })),
    ...CLOSE_CODES.map((value) => ({
      group: 'close code with a reason, and a frame behind',
      variant: String(value),
      bytes: Buffer.concat([close(code(value, 'why')), behind]),
    })),
    ...UTF8_EDGES.map((text) => ({
      group: 'close reason',
      variant: text.toString('hex'),
      bytes: close(code(1000, text)),
    })),
    ...[0, 1, 2, 3, 123, 124, 125, 126, 127].map((length) => ({
      group: 'close body of bytes',
      variant: String(length),
      bytes: close(Buffer.concat([code(1000), Buffer.alloc(125, 0x61)]).subarray(0, length)),
    })),
    { group: 'close', variant: 'twice', bytes: Buffer.concat([close(code(1000)), close(code(1001))]) },
    {
      group: 'close',
      variant: 'in-a-message',
      bytes: Buffer.concat([make({ opcode: 1, fin: false }), close(code(1000))]),
    },
    { group: 'close', variant: 'then-garbage', bytes: Buffer.concat([close(code(1000)), Buffer.alloc(300, 0xff)]) },
  ];
}

const CLOSE_CODES = [
  0, 1, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015,
];
CLOSE_CODES.push(
  1016,
  1017,
  1100,
  1999,
  2000,
  2500,
  2999,
  3000,
  3001,
  3999,
  4000,
  4999,
  5000,
  5001,
  9999,
  32_767,
  32_768,
  65_535,
);

/** Every order of up to three frames of nine kinds. */
function orders(make: (spec: FrameSpec) => Buffer): CorpusCase[] {
  const kinds: readonly (readonly [letter: string, bytes: Buffer])[] = [
    ['T', make({ opcode: Opcode.Text, payload: 'whole' })],
    ['t', make({ opcode: Opcode.Text, fin: false, payload: 'part' })],
    ['b', make({ opcode: Opcode.Binary, fin: false })],
    ['c', make({ opcode: Opcode.Continuation, fin: false, payload: 'more' })],
    ['z', make({ opcode: Opcode.Continuation, fin: false })],
    ['C', make({ opcode: Opcode.Continuation, payload: 'end' })],
    ['P', make({ opcode: Opcode.Ping, payload: 'ping' })],
    ['O', make({ opcode: Opcode.Pong })],
    ['X', closeFrame(1000, 'bye', { mask: make({ opcode: 1 }).readUInt8(1) >= 0x80 })],
  ];
  const grow = (words: readonly (readonly [string, Buffer])[]) =>
    words.flatMap(([word, bytes]) =>
      kinds.map(([letter, more]) => [word + letter, Buffer.concat([bytes, more])] as const),
    );
  const one = grow([['', Buffer.alloc(0)]]);
  const two = grow(one);
  const long = Array.from({ length: 20 }, (_, i) => {
    const word = `t${'c'.repeat(i + 2)}${i % 3 === 0 ? 'P' : ''}C`;
    const bytes = [...word].map((letter) => kinds.find(([kind]) => kind === letter)?.[1] ?? Buffer.alloc(0));
    return [word, Buffer.concat(bytes)] as const;
  });
  const all = [...one, ...two, ...grow(two), ...long, ['zeros', zeros(make)] as const, ['pings', pings(make)] as const];
  return all.map(([variant, bytes]) => ({ group: 'order of frames', variant, bytes }));
}

function zeros(make: (spec: FrameSpec) => Buffer): Buffer {
  const empty = make({ opcode: Opcode.Continuation, fin: false });
  return Buffer.concat([make({ opcode: Opcode.Binary, fin: false }), ...Array.from({ length: 40 }, () => empty)]);
}

function pings(make: (spec: FrameSpec) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: 60 }, () => make({ opcode: Opcode.Ping, payload: Buffer.alloc(125) })));
}

/** Text at the edges of UTF-8, in one frame, and cut into fragments at each byte. */
function texts(make: (spec: FrameSpec) => Buffer): CorpusCase[] {
  return UTF8_EDGES.flatMap((text) => {
    const variant = text.toString('hex');
    const split = Array.from({ length: Math.max(0, text.length - 1) }, (_, i) =>
      Buffer.concat([
        make({ opcode: Opcode.Text, fin: false, payload: text.subarray(0, i + 1) }),
        make({ opcode: Opcode.Continuation, payload: text.subarray(i + 1) }),
      ]),
    );
    return [
      { group: 'text', variant, bytes: make({ opcode: Opcode.Text, payload: text }) },
      ...split.map((bytes, i) => ({ group: 'text in fragments', variant: `${variant}/${i + 1}`, bytes })),
    ];
  });
}

/** Masks of both roles mixed, and keys that hide or copy the payload. */
function masks(mask: boolean): CorpusCase[] {
  const keys = ['00000000', 'ffffffff', '00000001', '80808080', '61616161'];
  const good = frame({ opcode: Opcode.Text, payload: 'good', mask });
  const bad = frame({ opcode: Opcode.Text, payload: 'bad', mask: !mask });
  return [
    ...keys.map((key) => ({
      group: 'masking key',
      variant: key,
      bytes: Buffer.concat([frame({ opcode: Opcode.Text, payload: 'aaaa', mask: Buffer.from(key, 'hex') }), good]),
    })),
    { group: 'masks mixed', variant: 'good-bad', bytes: Buffer.concat([good, bad]) },
    { group: 'masks mixed', variant: 'bad-good', bytes: Buffer.concat([bad, good]) },
    { group: 'masks mixed', variant: 'bad-ping', bytes: frame({ opcode: Opcode.Ping, mask: !mask }) },
    { group: 'masks mixed', variant: 'bad-close', bytes: closeFrame(1000, '', { mask: !mask }) },
    { group: 'masks mixed', variant: 'bad-empty', bytes: frame({ opcode: Opcode.Binary, mask: !mask }) },
  ];
}

/** A legal conversation that ends at each of its bytes. */
function cutOff(make: (spec: FrameSpec) => Buffer): CorpusCase[] {
  const all = Buffer.concat([
    make({ opcode: Opcode.Text, fin: false, payload: 'one' }),
    make({ opcode: Opcode.Ping, payload: 'two' }),
    make({ opcode: Opcode.Continuation, payload: Buffer.alloc(200, 0x62) }),
    make({ opcode: Opcode.Binary, payload: 'three' }),
  ]);
  return Array.from({ length: all.length }, (_, length) => ({
    group: 'cut off after',
    variant: String(length),
    bytes: all.subarray(0, length),
  }));
}

/** Other protocols, and one byte over and over. */
function noFrames(size: Size): CorpusCase[] {
  const texts = [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01',
    'SSH-2.0-x\r\n',
    '\r\n',
    '{"a":1}\n',
  ];
  texts.push(
    '\x00hixie\xff',
    '\xff\x00',
    'OPTIONS * HTTP/1.1\r\n\r\n',
    '<policy-file-request/>\0',
    'PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n',
    '*1\r\n$4\r\nPING\r\n',
    '\x1f\x8b\x08\x00',
  );
  const random = Array.from({ length: size === 'all' ? 2_000 : 100 }, (_, i) => {
    const source = new Random(Random.caseSeed(SEED, i));
    return { group: 'random bytes', variant: String(source.seed), bytes: source.bytes(source.between(1, 200)) };
  });
  const repeated = Array.from({ length: 256 }, (_, byte) => ({
    group: 'one byte over and over',
    variant: byte.toString(16),
    bytes: Buffer.alloc(300, byte),
  }));
  const others = texts.map((text) => ({ group: 'no frames', variant: variantOf(text), bytes: latin1(text) }));
  return [...others, ...repeated, ...random];
}

/** Random streams of the few bytes that mean something in a header, as fuzzers of frame parsers end up with. */
function fromFewBytes(size: Size): CorpusCase[] {
  const bytes = [
    0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x40, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84,
  ];
  bytes.push(0x85, 0x88, 0x89, 0x8a, 0x8b, 0xc0, 0xc1, 0xe8, 0xf0, 0xf7, 0xfd, 0xfe, 0xff);
  return Array.from({ length: size === 'all' ? 10_000 : 400 }, (_, i) => {
    const source = new Random(Random.caseSeed(SEED + 1, i));
    const stream = Buffer.from(Array.from({ length: source.between(2, 40) }, () => source.pick(bytes)));
    return { group: 'random header bytes', variant: String(source.seed), bytes: stream };
  });
}
