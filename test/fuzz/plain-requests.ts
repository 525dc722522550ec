// Plain requests as clients send them one behind the other, and as attackers do: bytes, and how many of the first are
// in order whatever comes behind them.

import type { Random } from '../support/random.ts';
import { HEAD_TOKENS } from './attacks.ts';
import { mutate } from './mutate.ts';

export interface PlainTalk {
  readonly bytes: Buffer;
  /** So many of its requests are in order, and nothing in front of them is not. */
  readonly goodFirst: number;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'];
const EVIL = 'GET /evil HTTP/1.1\r\nHost: a\r\nX-Fuzz: evil\r\n\r\n';
const TOKENS: readonly string[] = [
  ...HEAD_TOKENS,
  ...['Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip, chunked\r\n', 'Content-Length: 3\r\n', 'Host: b\r\n'],
  ...['Connection: close\r\n', 'Connection: X-Fuzz\r\n', 'Connection: transfer-encoding, content-length\r\n'],
  ...['Upgrade: h2c\r\nConnection: Upgrade\r\n', 'Upgrade: websocket\r\n', 'Expect: 100-continue\r\n'],
  ...[
    EVIL,
    `0\r\n\r\n${EVIL}`,
    '0\r\n\r\n',
    '5\r\nhello\r\n',
    '5;a\r\nhello\r\n',
    '00\r\n',
    '0x5\r\n',
    'fffffffffffffff0\r\n',
  ],
  ...[
    ' HTTP/1.0\r\n',
    'POST ',
    'CONNECT ',
    'http://a/x',
    'http://b/x',
    '*',
    '//evil',
    '/..',
    '/%2e%2e/',
    '\r\n\r\n\r\n',
  ],
];

export function plainTalk(random: Random): PlainTalk {
  const parts: Buffer[] = [];
  let goodFirst = 0;
  let isGood = true;
  for (let left = random.between(1, 8); left > 0; left -= 1) {
    const { bytes, isLast } = goodRequest(random);
    if (random.chance(0.2)) {
      parts.push(random.chance(0.5) ? withLine(random, bytes) : mutate(random, bytes, TOKENS));
      isGood = false;
      continue;
    }
    parts.push(bytes);
    if (isGood) goodFirst += 1;
    if (isLast) isGood = false;
  }
  return { bytes: Buffer.concat(parts), goodFirst };
}

/** A whole line more in its head: most of what `mutate` changes is content. */
function withLine(random: Random, bytes: Buffer): Buffer {
  const at = bytes.indexOf('\r\n', 2) + 2;
  const token = Buffer.from(random.pick(TOKENS.filter((one) => one.endsWith('\r\n'))), 'latin1');
  return Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(at)]);
}

/** `isLast`: its connection closes behind it. */
function goodRequest(random: Random): { bytes: Buffer; isLast: boolean } {
  const isOld = random.chance(0.03);
  const closes = random.chance(0.05);
  const content = contentOf(random);
  const framing = random.pick(isOld ? ['none', 'length'] : ['none', 'length', 'chunked', 'chunked']);
  const name = random.between(0, 1e9).toString(36);
  const target = random.pick([
    `/${name}`,
    `/a/${name}?x=/../y`,
    `http://a/${name}`,
    `/%41${name};p`,
    `//${name}`.slice(1),
  ]);
  const fields = [
    'Host: a',
    `X-Fuzz: ${name}`,
    ...(closes ? ['Connection: close'] : random.chance(0.2) ? ['Connection: keep-alive, X-Gone', 'X-Gone: x'] : []),
    ...(random.chance(0.1) ? ['Upgrade: h2c', 'HTTP2-Settings: AAAA'] : []),
    ...(random.chance(0.2) ? ['X-Fuzz:\t two \t', 'x-fuzz-b: \xe9'] : []),
    ...(framing === 'length' ? [`Content-Length: ${content.length}`] : []),
    ...(framing === 'chunked' ? [random.pick(['Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED '])] : []),
    ...(framing !== 'none' && !isOld && random.chance(0.1) ? ['Expect: 100-continue'] : []),
  ];
  const line = `${random.pick(METHODS)} ${target} HTTP/${isOld ? '1.0' : '1.1'}`;
  const head = Buffer.from(`${[line, ...fields].join('\r\n')}\r\n\r\n`, 'latin1');
  const body = framing === 'none' ? [] : framing === 'length' ? [content] : chunked(random, content);
  const before = random.chance(0.1) ? [Buffer.from('\r\n')] : [];
  return { bytes: Buffer.concat([...before, head, ...body]), isLast: closes || isOld };
}

function contentOf(random: Random): Buffer {
  if (random.chance(0.3)) return Buffer.from(EVIL);
  if (random.chance(0.2)) return Buffer.from(`${random.pick(['0', '5'])}\r\n\r\n${EVIL}`);
  return random.bytes(random.chance(0.05) ? random.between(1, 70_000) : random.between(0, 200));
}

function chunked(random: Random, content: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  const longest = Math.max(1, Math.ceil(content.length / random.between(1, 20)));
  for (let at = 0; at < content.length; ) {
    const piece = content.subarray(at, at + random.between(1, longest));
    const size = `${random.pick(['', '0', '000'])}${piece.length.toString(16)}`;
    const line = `${random.chance(0.5) ? size : size.toUpperCase()}${random.pick(['', '', ';', ';a=b', ';c="d e"'])}`;
    parts.push(Buffer.from(`${line}\r\n`), piece, Buffer.from('\r\n'));
    at += piece.length;
  }
  const trailers = random.pick(['', '', 'X-Fuzz: trailer\r\n', 'Content-Length: 7\r\nTransfer-Encoding: gzip\r\n']);
  return [...parts, Buffer.from(`${random.pick(['0', '000', '0;x'])}\r\n${trailers}\r\n`)];
}
