// Answers of a backend to the upgrade: a valid 101 with something grafted onto it, and answers that only look like one.

import { ACCEPT } from '../protocol/heads.ts';
import { type CorpusCase, hexByte, latin1, variants } from './corpus-case.ts';
import { ODD_BYTES } from './request-heads.ts';

const SWITCH = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${ACCEPT}`] as const;

/** What the request of these cases offered. */
export const OFFERED = {
  protocols: ['chat', 'superchat'],
  extensions: ['permessage-deflate; client_max_window_bits', 'permessage-deflate; server_max_window_bits=12'],
} as const;

/** An answer as latin1 text. `without` removes the fields of a 101 by the beginning of their line. */
function answer(options: { line?: string; without?: string; fields?: readonly string[]; body?: string }): string {
  const { line = 'HTTP/1.1 101 Switching Protocols', without, fields = [], body = '' } = options;
  const kept = SWITCH.filter((one) => without === undefined || !one.startsWith(`${without}:`));
  return `${[line, ...kept, ...fields].join('\r\n')}\r\n\r\n${body}`;
}

function refusal(line: string, fields: readonly string[], body = ''): string {
  return `${[line, ...fields].join('\r\n')}\r\n\r\n${body}`;
}

export function responseHeads(): CorpusCase[] {
  const plain = answer({});
  return [
    ...variants('status line', STATUS_LINES, (line) => answer({ line })),
    ...variants('status', STATUSES, (status) => answer({ line: `HTTP/1.1 ${status} x` })),
    ...oddBytes(),
    ...lineEnds(plain),
    ...Object.entries(VALUES).flatMap(([name, values]) =>
      variants(`value of ${name}`, values, (value) =>
        answer({ without: name, fields: value === MISSING ? [] : [`${name}: ${value}`] }),
      ),
    ),
    ...variants('more fields', MORE_FIELDS, (fields) => answer({ fields: fields.split('|') })),
    ...variants('before', BEFORE, (before) => before + plain),
    ...variants('behind', BEHIND, (behind) => plain + behind),
    ...Object.entries(BODIES).flatMap(([fields, bodies]) =>
      variants(`refusal, ${fields}`, bodies, (body) => refusal('HTTP/1.1 403 x', fields.split('|'), body)),
    ),
    ...variants('refusal, status', STATUSES, (status) => refusal(`HTTP/1.1 ${status} x`, ['Content-Length: 2'], 'ab')),
    ...Array.from({ length: plain.length }, (_, length) => ({
      group: 'cut off after',
      variant: String(length),
      bytes: latin1(plain.slice(0, length)),
    })),
    ...large(),
  ];
}

const STATUS_LINES = [
  'HTTP/1.1 101 Switching Protocols',
  'HTTP/1.1 101 ',
  'HTTP/1.1 101',
  'HTTP/1.1  101 x',
  'HTTP/1.1 101\tx',
  'HTTP/1.1\t101 x',
  ' HTTP/1.1 101 x',
  'HTTP/1.1 101x',
  'HTTP/1.1 101X x',
  'HTTP/1.1 1011',
];
STATUS_LINES.push(
  'HTTP/1.1 1 01',
  'HTTP/1.1 +101 x',
  'HTTP/1.1 0101 x',
  'HTTP/1.1 10 x',
  'HTTP/1.1 1.1 x',
  'HTTP/1.1 101.1 x',
  'HTTP/1.1 x',
  'HTTP/1.1',
  'HTTP/1.0 101 x',
  'HTTP/1.2 101 x',
  'HTTP/2 101',
  'HTTP/2.0 101 x',
);
STATUS_LINES.push(
  'http/1.1 101 x',
  'HTTP/11 101 x',
  'HTTP/1.10 101 x',
  'HTTP/01.1 101 x',
  'HTTP/1.1 101 \xe9',
  'HTTP/1.1 101 a\0b',
  'HTTP/1.1 101 a\x0bb',
  'HTTP/1.1 101 a\rb',
  'HTTP/1.1 101 a\nb',
  'HTTP/1.1 101 a\r\n b',
  'ICY 101 x',
  'RTSP/1.0 101 x',
);
STATUS_LINES.push(
  '',
  'GET / HTTP/1.1',
  'HTTP/1.1 \xb9\xb0\xb9 x',
  'HTTP/1.1 101 <script>',
  `HTTP/1.1 101 ${'x'.repeat(8192)}`,
  `HTTP/1.1 101 ${'x'.repeat(8170)}`,
  'HTTP/1.1 101 HTTP/1.1 200 OK',
  'HTTP/1.1 -101 x',
  'HTTP/1.1 1e2 x',
);

const STATUSES = [
  '000',
  '001',
  '099',
  '100',
  '101',
  '102',
  '103',
  '199',
  '200',
  '204',
  '206',
  '299',
  '300',
  '301',
  '302',
  '304',
  '308',
  '399',
  '400',
  '401',
  '403',
  '404',
  '405',
  '407',
  '426',
  '429',
  '499',
  '500',
  '502',
  '503',
  '511',
  '599',
  '600',
  '700',
  '999',
];

const MISSING = '<none>';
const VALUES: Readonly<Record<string, readonly string[]>> = {
  Upgrade: [
    MISSING,
    'websocket',
    'WebSocket',
    'WEBSOCKET',
    'websocket,',
    ',websocket',
    'websocket, websocket',
    'websocket, h2c',
    'h2c',
    '',
    'websocket/13',
    'xwebsocket',
    'web socket',
    '"websocket"',
    'websocket;x',
    'websocket\r\nUpgrade: h2c',
    'websocket\r\nUpgrade: websocket',
  ],
  Connection: [
    MISSING,
    'Upgrade',
    'upgrade',
    'keep-alive, upgrade',
    'upgrade, close',
    'close',
    '',
    ',',
    'xupgrade',
    'upgrade;x',
    '"upgrade"',
    'up grade',
    'upgrade\r\nConnection: close',
    'upgrade, sec-websocket-accept',
    'upgrade, set-cookie',
    'upgrade, a b',
  ],
  'Sec-WebSocket-Accept': [
    MISSING,
    ACCEPT,
    `${ACCEPT} `,
    `\t${ACCEPT}`,
    `${ACCEPT}x`,
    ACCEPT.slice(0, -1),
    ACCEPT.toLowerCase(),
    '',
    'x',
    `${ACCEPT}, ${ACCEPT}`,
    `"${ACCEPT}"`,
    `${ACCEPT}\r\nSec-WebSocket-Accept: ${ACCEPT}`,
    `x\r\nSec-WebSocket-Accept: ${ACCEPT}`,
    `${ACCEPT}\xa0`,
    'ICX+Yqv66kxgM0FcWaLWlFLwTAI=',
  ],
  'Sec-WebSocket-Protocol': [
    MISSING,
    'chat',
    'superchat',
    'Chat',
    'CHAT',
    'other',
    '',
    'chat, superchat',
    'chat,',
    'chat\r\nSec-WebSocket-Protocol: chat',
    'chat\r\nSec-WebSocket-Protocol: superchat',
    'chat x',
    '"chat"',
    'chat\xa0',
    '__proto__',
    'constructor',
  ],
  'Sec-WebSocket-Extensions': [
    MISSING,
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits=15',
    'permessage-deflate; client_max_window_bits=8',
    'permessage-deflate; client_max_window_bits=7',
    'permessage-deflate; client_max_window_bits=16',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; client_max_window_bits=015',
    'permessage-deflate; client_max_window_bits="15"',
    'permessage-deflate; server_max_window_bits=12',
    'permessage-deflate; server_max_window_bits=13',
    'permessage-deflate; server_max_window_bits=12; server_max_window_bits=12',
    'permessage-deflate; server_no_context_takeover',
    'permessage-deflate; client_no_context_takeover',
    'permessage-deflate; server_no_context_takeover=1',
    'permessage-deflate; unknown',
    'permessage-deflate, permessage-deflate',
    'permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate',
    'x',
    'PERMESSAGE-DEFLATE',
    '',
    ',',
    'permessage-deflate,',
    'permessage-deflate;',
    'permessage-deflate; =1',
    'permessage-deflate; a="',
    '__proto__',
  ],
  'Content-Length': ['0', '5', '-1', 'x', '0\r\nContent-Length: 0'],
  'Transfer-Encoding': ['chunked', 'identity', 'x'],
  'Set-Cookie': ['a=b', 'a=b\r\nSet-Cookie: c=d', 'a=\xe9', ''],
};

const MORE_FIELDS = [
  ' x: y',
  '\tx: y',
  'x : y',
  'x',
  ': y',
  ':',
  'x\0: y',
  'x: \0',
  'x: \x01',
  'x: \x7f',
  'x: \xff',
  'x\xff: y',
  'x: y\rz',
  'x: y\nz',
  'x[]: y',
  'x_y: z',
  'x.y: z',
  '__proto__: x',
  'constructor: x',
  'Sec-WebSocket-Version: 13',
];
MORE_FIELDS.push(
  'Proxy-Connection: keep-alive',
  'Keep-Alive: timeout=5',
  'Trailer: x',
  'TE: x',
  'Via: 1.1 x',
  'Server: nginx',
  'Location: //evil',
  'Connection: close|Connection: upgrade',
  'x: y|x: z',
  'Sec-WebSocket-Key: x',
  'HTTP/1.1 200 OK',
  'Upgrade:',
  'x:',
);

const INTERIM = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n';
const BEFORE = [
  '\r\n',
  '\n',
  ' ',
  '\0',
  'x',
  INTERIM,
  INTERIM.repeat(8),
  INTERIM.repeat(9),
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 100\r\n\r\n',
  'HTTP/1.1 100 x\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 100 x\r\nTransfer-Encoding: chunked\r\n\r\n',
];
BEFORE.push(
  `HTTP/1.1 103 x\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.0 100 x\r\n\r\n',
  '\x81\x00',
  'HTTP/1.1 102 x\n\n',
  '\x16\x03\x01',
  'SSH-2.0-x\r\n',
);

const BEHIND = [
  '\x81\x01a',
  '\x88\x00',
  '\x81\x81\0\0\0\0a',
  '\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'x'.repeat(2000),
  '\0',
  '\x81',
  '\xff',
];

const BODIES: Readonly<Record<string, readonly string[]>> = {
  'Content-Length: 0': ['', 'x', 'HTTP/1.1 200 OK\r\n\r\n'],
  'Content-Length: 5': ['', 'abc', 'abcde', 'abcdefgh'],
  'Content-Length: 05': ['abcde'],
  'Content-Length: +5': ['abcde'],
  'Content-Length: -5': ['abcde'],
  'Content-Length: 0x5': ['abcde'],
  'Content-Length: 5, 5': ['abcde'],
  'Content-Length:': ['abcde'],
  'Content-Length: 5|Content-Length: 5': ['abcde'],
  'Content-Length: 99999999999999999999': ['abcde'],
  'Content-Length: 65536': ['a'.repeat(65_536), 'a'],
  'Content-Length: 65537': ['a'.repeat(65_537), 'a'],
  'Content-Length: 5|Transfer-Encoding: chunked': ['0\r\n\r\n'],
  'Transfer-Encoding: chunked': [
    '0\r\n\r\n',
    '00\r\n\r\n',
    '5\r\nabcde\r\n0\r\n\r\n',
    '5;x=y\r\nabcde\r\n0\r\n\r\n',
    '5 \r\nabcde\r\n0\r\n\r\n',
    ' 5\r\nabcde\r\n0\r\n\r\n',
    '5\nabcde\n0\n\n',
    '5\r\nabcde0\r\n\r\n',
    '5\r\nabcdef\r\n0\r\n\r\n',
    '0x5\r\nabcde\r\n0\r\n\r\n',
    '+5\r\nabcde\r\n0\r\n\r\n',
    '-5\r\n',
    '0_5\r\nabcde\r\n0\r\n\r\n',
    '\r\nabcde\r\n0\r\n\r\n',
    'g\r\n',
    'ffffffff\r\n',
    'fffffffffffffffff\r\n',
    '0000000000005\r\nabcde\r\n0\r\n\r\n',
    '0\r\nX: y\r\n\r\n',
    '0\r\nX: y\n\r\n',
    '0\r\n\rX',
    '5\r\nabcde\r\n',
    '5;\rx\r\nabcde\r\n0\r\n\r\n',
    '5;x\ny\r\nabcde\r\n0\r\n\r\n',
    '5\r\r\nabcde\r\n0\r\n\r\n',
    `0\r\n${'X: y\r\n'.repeat(4000)}\r\n`,
    `0;${'x'.repeat(20_000)}\r\n\r\n`,
    '1\r\na\r\n'.repeat(3000),
  ],
  'Transfer-Encoding: Chunked': ['0\r\n\r\n'],
  'Transfer-Encoding: identity': ['abc'],
  'Transfer-Encoding: gzip, chunked': ['0\r\n\r\n'],
  'Transfer-Encoding: chunked, chunked': ['0\r\n\r\n'],
  'Transfer-Encoding: \xa0chunked': ['0\r\n\r\n'],
  'Transfer-Encoding: chunked|Transfer-Encoding: chunked': ['0\r\n\r\n'],
  'X: y': ['', 'abc', 'a'.repeat(65_536), 'a'.repeat(65_537)],
};

/** One odd byte in one place of each field line of a 101. */
function oddBytes(): CorpusCase[] {
  const places: readonly (readonly [place: string, make: (name: string, value: string, byte: string) => string])[] = [
    ['in the name', (name, value, byte) => `${name.slice(0, 2)}${byte}${name.slice(2)}: ${value}`],
    ['behind the name', (name, value, byte) => `${name}${byte}: ${value}`],
    ['before the value', (name, value, byte) => `${name}:${byte}${value}`],
    ['in the value', (name, value, byte) => `${name}: ${value.slice(0, 1)}${byte}${value.slice(1)}`],
    ['behind the value', (name, value, byte) => `${name}: ${value}${byte}`],
  ];
  return places.flatMap(([place, make]) =>
    [...SWITCH, 'Sec-WebSocket-Protocol: chat', 'X-Plain: abc'].flatMap((line) => {
      const [name = '', value = ''] = line.split(': ');
      return ODD_BYTES.map((byte) => ({
        group: `odd byte ${place}, ${name}`,
        variant: hexByte(byte),
        bytes: latin1(answer({ without: name, fields: [make(name, value, byte)] })),
      }));
    }),
  );
}

function lineEnds(plain: string): CorpusCase[] {
  const ends = ['\n', '\r', '\r\r\n', '\n\r', '\r\n\r', '\0\r\n', ' \r\n', '\x85', '', '\r\n ', '\r\n\r\n'];
  return [...plain.matchAll(/\r\n/g)].flatMap(({ index }, line) =>
    variants(`line end ${line}`, ends, (end) => plain.slice(0, index) + end + plain.slice(index + 2)),
  );
}

/** Field lines of that many bytes together, line ends included. */
function filling(bytes: number): string[] {
  const first = `X: ${'a'.repeat(6_000)}`;
  return [first, first, `X: ${'a'.repeat(bytes - 2 * (first.length + 2) - 5)}`];
}

function large(): CorpusCase[] {
  const base = answer({}).length;
  const heads: readonly (readonly [variant: string, fields: readonly string[]])[] = [
    ['a-long-line', [`X: ${'a'.repeat(16_000)}`]],
    ['many-fields', Array.from({ length: 1_500 }, (_, i) => `X-${i}: y`)],
    ['a-line-at-cap', [`X: ${'a'.repeat(16_384 - base - 5)}`]],
    ['a-line-over-cap', [`X: ${'a'.repeat(16_385 - base - 5)}`]],
    ['head-at-cap', filling(16_384 - base)],
    ['head-over-cap', filling(16_385 - base)],
    ['commas', [`Connection: ${','.repeat(8000)}`, `Upgrade: ${','.repeat(8000)}`]],
  ];
  return heads.map(([variant, fields]) => ({ group: 'large', variant, bytes: latin1(answer({ fields })) }));
}
