// What is moved into an otherwise valid plain request with a body, and why our verdict is what it is wherever another
// server's differs.

import type { Graft } from './grafts.ts';

interface Spec {
  readonly line?: string;
  readonly fields?: readonly string[];
  readonly body?: string;
}

const text = ({ line = 'POST /both HTTP/1.1', fields = [], body = '' }: Spec): string =>
  `${[line, 'Host: chat.example.com', ...fields].join('\r\n')}\r\n\r\n${body}`;
const graft = (name: string, spec: Spec, reason: string | null = null): Graft => ({
  name,
  bytes: Buffer.from(text(spec), 'latin1'),
  reason,
});
const CHUNKED = 'Transfer-Encoding: chunked';
const LAST = '0\r\n\r\n';
const SECOND = text({ line: 'GET /second HTTP/1.1' });
const encoded = (value: string): Spec => ({ fields: [`Transfer-Encoding: ${value}`], body: `5\r\nhello\r\n${LAST}` });
const long = (value: string, body = 'hello'): Spec => ({ fields: [`Content-Length: ${value}`], body });
const inChunks = (body: string, ...fields: string[]): Spec => ({ fields: [CHUNKED, ...fields], body });

/** Why framegate decides as it does; many grafts share a reason. */
const why = {
  length:
    'RFC 9110 8.6: one decimal number, as every reader writes it. Whoever takes a list or zeros for it ' +
    'forwards what the next one may read otherwise.',
  coding:
    'RFC 9112 6.1, 6.3: chunked alone is what every reader frames alike; with a length or another coding ' +
    'somebody was to be misled.',
  old: 'RFC 9112 6.1: HTTP/1.0 knows no Transfer-Encoding, so its framing is faulty.',
  chunk:
    'RFC 9112 7.1: hex digits at once, then CR LF, and CR LF behind the content. A reader that takes less ' +
    'finds other chunks than one that does not.',
  overflow: 'No body is that long: refused by its digits, and not waited for.',
  extension: 'RFC 9112 7.1.1: tokens and quoted strings; a control byte is in neither.',
  trailer: 'RFC 9110 6.5.1: trailers are dropped, so one that frames a body frames nothing.',
  line: 'RFC 9112 7.1.2: trailers are field lines.',
  connection: 'RFC 9110 7.6.1: what is meant for the backend must not be named there.',
  upgrade:
    'Who asks for a WebSocket is judged as an upgrade, Connection or not: no backend may take it for one ' +
    'that we did not.',
  expect: 'RFC 9110 10.1.1: 100-continue is the only expectation.',
  method:
    'RFC 9110 9.1: methods are told by their case; those that no server knows, TRACE and CONNECT are not ' +
    'forwarded.',
  absolute: 'RFC 9112 3.2.2: taken apart, and the backend gets origin-form.',
  authority: "RFC 9112 3.2.2: the authority must be Host's, as routes and backends may choose by either.",
  asterisk: 'RFC 9112 3.2.4: it asks about a server as a whole, and there is none behind routes.',
  slashes: 'RFC 3986 4.2: to many a reader the first of them begins the name of a host.',
  dots: 'RFC 3986 5.2.4: a backend that resolves them serves another path than was routed.',
} as const;

const SIZES: ReadonlyMap<string, string> = new Map([
  ['5 ', why.chunk],
  ['fffffffffffffff5', why.overflow],
]);

export const PLAIN_GRAFTS: readonly Graft[] = [
  graft('no body', {}),
  graft('a body by its length', long('5')),
  graft('a body in chunks', inChunks(`5\r\nhello\r\n${LAST}`)),
  ...['DELETE', 'OPTIONS', 'GET'].map((method) =>
    graft(`${method} with a request in its chunks`, {
      line: `${method} /both HTTP/1.1`,
      fields: [CHUNKED],
      body: `${SECOND.length.toString(16)}\r\n${SECOND}\r\n${LAST}`,
    }),
  ),
  graft('a second request behind a body by its length', long('5', `hello${SECOND}`)),
  graft('a second request behind a body in chunks', inChunks(LAST + SECOND)),
  graft('half a body', long('5', 'he')),
  graft('half a chunk', inChunks('5\r\nhe')),
  // Lengths
  ...['5, 5', '+5', '-5', '0x5', '5 5', '', '5;', '99999999999999999999'].map((value) =>
    graft(`Content-Length: ${value}`, long(value), value === '5, 5' ? why.length : null),
  ),
  graft('Content-Length: 05', long('05'), why.length),
  graft('Content-Length: 5 twice', { fields: ['Content-Length: 5', 'Content-Length: 5'], body: 'hello' }, why.length),
  graft('Content-Length: 5 and 4', { fields: ['Content-Length: 5', 'Content-Length: 4'], body: 'hello' }),
  graft('Content_Length: 5', { fields: ['Content_Length: 5'], body: '' }),
  // Codings
  graft('Transfer-Encoding and Content-Length', inChunks(`5\r\nhello\r\n${LAST}`, 'Content-Length: 5'), why.coding),
  ...[
    'xchunked',
    'chunked, chunked',
    'gzip, chunked',
    'chunked, gzip',
    'gzip',
    'identity',
    '',
    ',chunked',
    '"chunked"',
  ].map((value) =>
    graft(`Transfer-Encoding: ${value}`, encoded(value), /^(?:gzip, |,)chunked$/.test(value) ? why.coding : null),
  ),
  graft('Transfer-Encoding: CHUNKED', encoded('CHUNKED')),
  graft('Transfer-Encoding: 0x0B chunked', encoded('\x0bchunked')),
  graft('Transfer-Encoding: 0xA0 chunked', encoded('\xa0chunked')),
  graft('Transfer-Encoding: chunked twice', inChunks(LAST, CHUNKED)),
  graft('Transfer-Encoding with a space before the colon', { fields: ['Transfer-Encoding : chunked'], body: LAST }),
  graft(
    'Transfer-Encoding in HTTP/1.0',
    { ...inChunks(`5\r\nhello\r\n${LAST}`), line: 'POST /both HTTP/1.0' },
    why.old,
  ),
  // Chunks
  ...['0x5', '+5', ' 5', '5 ', '', 'g', '00000005', 'fffffffffffffff5'].map((size) =>
    graft(`a chunk size of "${size}"`, inChunks(`${size}\r\nhello\r\n${LAST}`), SIZES.get(size) ?? null),
  ),
  graft('a chunk size that ends in LF', inChunks(`5\nhello\r\n${LAST}`), why.chunk),
  graft('a chunk that ends in LF', inChunks(`5\r\nhello\n${LAST}`), why.chunk),
  graft('a chunk that is longer', inChunks(`5\r\nhello!\r\n${LAST}`)),
  graft('a chunk extension', inChunks(`5;a=b\r\nhello\r\n${LAST}`)),
  graft('LF in a chunk extension', inChunks(`5;a\nb\r\nhello\r\n${LAST}`)),
  graft('NUL in a chunk extension', inChunks(`5;\0\r\nhello\r\n${LAST}`), why.extension),
  graft('a trailer', inChunks('5\r\nhello\r\n0\r\nX: y\r\n\r\n')),
  graft('Content-Length as a trailer', inChunks('5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n'), why.trailer),
  graft('a trailer without a colon', inChunks('5\r\nhello\r\n0\r\nX\r\n\r\n'), why.line),
  graft('a last chunk that ends in LF', inChunks('5\r\nhello\r\n0\n\n'), why.chunk),
  // What else stands in the head
  graft(
    'Connection names Content-Length',
    {
      fields: ['Content-Length: 5', 'Connection: content-length'],
      body: 'hello',
    },
    why.connection,
  ),
  graft('Connection names Transfer-Encoding', inChunks(`5\r\nhello\r\n${LAST}`, 'Connection: transfer-encoding')),
  graft('Upgrade: h2c', { fields: ['Connection: Upgrade', 'Upgrade: h2c', 'Content-Length: 5'], body: 'hello' }),
  graft(
    'Upgrade: websocket without Connection',
    { line: 'GET /both HTTP/1.1', fields: ['Upgrade: websocket'] },
    why.upgrade,
  ),
  graft('Expect: 200-ok', { fields: ['Expect: 200-ok', 'Content-Length: 5'], body: 'hello' }, why.expect),
  graft('post', { ...long('5'), line: 'post /both HTTP/1.1' }, why.method),
  graft('FETCH', { ...long('5'), line: 'FETCH /both HTTP/1.1' }, why.method),
  graft('TRACE', { line: 'TRACE /both HTTP/1.1' }, why.method),
  graft('an absolute target', { ...long('5'), line: 'POST http://chat.example.com/both HTTP/1.1' }, why.absolute),
  graft('an absolute target of another host', { ...long('5'), line: 'POST http://evil/both HTTP/1.1' }, why.authority),
  graft('OPTIONS *', { line: 'OPTIONS * HTTP/1.1' }, why.asterisk),
  graft('two slashes', { ...long('5'), line: 'POST //evil/both HTTP/1.1' }, why.slashes),
  graft('dot segments', { ...long('5'), line: 'POST /a/%2e%2e/both HTTP/1.1' }, why.dots),
];
