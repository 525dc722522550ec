// What a client seems to speak whose request is refused: a sentence for the log, so that whoever runs it knows what to
// change. It decides nothing, and repeats no byte of a peer.

import type { RequestHead } from './http-head.ts';
import type { RefusalSlug } from './refusals.ts';

const TLS = 'looks like TLS: this listener speaks plain HTTP, so clients connect to ws://, or TLS ends in front of it';
const PROXY = 'looks like the PROXY protocol: switch it off where the connection comes from';
const HTTP_2 = 'looks like HTTP/2: only HTTP/1.1 is spoken here';
const HTTP_1_0 = 'HTTP/1.0 has no upgrade: set proxy_http_version 1.1 when nginx stands in front';
const SOCKET_IO = "looks like Socket.IO polling: give its route http, or set transports: ['websocket'] in the client";
const SIGNALR = 'looks like SignalR negotiate: give its route http, or set skipNegotiation in the client';
const SOCKJS = 'looks like SockJS info or a fallback of it: give its route http, or relay /websocket alone';

/** RFC 8446 5.1: the content type of a handshake record, and the major version of all records. */
const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR = 0x03;
/** proxy-protocol.txt 2.2. */
const PROXY_V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** A parser that has refused what it was fed. */
interface BrokenHead {
  readonly method: string;
  readonly target: string;
  readonly position: number;
  readonly bytesSeen: number;
}

/** Of a head that breaks the syntax; `bytes[start, end)` is what was fed last. */
export function hintOfBytes(parser: BrokenHead, bytes: Buffer, start: number, end: number): string | undefined {
  // proxy-protocol.txt 2.1.
  if (parser.method === 'PROXY' && /^(?:TCP4|TCP6|UNKNOWN)$/.test(parser.target)) return PROXY;
  const isFirst = parser.position - start === parser.bytesSeen;
  if (!isFirst) return undefined;
  const major = start + 1 < end ? bytes[start + 1] : TLS_MAJOR;
  if (bytes[start] === TLS_HANDSHAKE && major === TLS_MAJOR) return TLS;
  const isProxy = bytes.subarray(start, Math.min(end, start + PROXY_V2.length)).equals(PROXY_V2);
  return isProxy ? PROXY : undefined;
}

/** Of a complete head that is refused with `slug`. */
export function hintOfHead(slug: RefusalSlug, { method, target, version, fields }: RequestHead): string | undefined {
  if (slug === 'http_version') {
    if (method === 'PRI') return HTTP_2;
    return version === '1.0' ? HTTP_1_0 : undefined;
  }
  if (slug !== 'method' && slug !== 'upgrade_required') return undefined;
  if (fields.some((field) => field.lower === 'upgrade' && /^h2c?$/i.test(field.value))) return HTTP_2;
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const query = queryAt < 0 ? '' : target.slice(queryAt);
  if (/[?&]EIO=/.test(query) && /[?&]transport=polling(?:&|$)/.test(query)) return SOCKET_IO;
  if (method !== 'GET' && path.endsWith('/negotiate')) return SIGNALR;
  return /\/(?:info|iframe[^/]*\.html|xhr|xhr_send|xhr_streaming|eventsource|htmlfile|jsonp|jsonp_send)$/.test(path)
    ? SOCKJS
    : undefined;
}
