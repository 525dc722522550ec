// The second reading of a backend's answer: the head with regular expressions, the body in one go, and whether a client
// may go on after it. It shares no code with the parsers that it is compared to, and imports nothing of src/.

import { createHash } from 'node:crypto';
import { referenceAnswer } from './extensions.ts';
import { elementsOf, type Field, fieldsOf, isCommasAlone, valuesOf } from './grammar.ts';

export interface ReferenceResponse {
  readonly headBytes: number;
  readonly minor: number;
  readonly status: number;
  readonly fields: readonly Field[];
}

export type ReferenceBody =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'dropped' }
  | { readonly kind: 'invalid' };

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const HELD_MAX = 64 * 1024;
const OVERHEAD_MAX = 16 * 1024;

export function referenceResponse(
  bytes: Buffer,
  { headBytesMax, relaxLf }: { headBytesMax: number; relaxLf: boolean },
): ReferenceResponse | null {
  const all = bytes.toString('latin1');
  const isLoose = relaxLf && /^HTTP\/1\.[01] 101[ \r\n]/.test(all);
  const [whole = ''] = (isLoose ? /^.*?\n\r?\n/s : /^.*?\r\n\r\n/s).exec(all) ?? [];
  if (whole === '' || whole.length > headBytesMax) return null;
  const [statusLine = '', ...lines] = whole.split(isLoose ? /\r?\n/ : '\r\n').slice(0, -2);
  const [, minor, status] = STATUS_LINE.exec(statusLine) ?? [];
  if (minor === undefined || status === undefined) return null;
  const fields = fieldsOf(lines);
  return typeof fields === 'string'
    ? null
    : { headBytes: whole.length, minor: Number(minor), status: Number(status), fields };
}

export interface Asked {
  readonly key: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly string[];
}

/** null when the bytes begin with a 101 that a client which asked this may accept, after any interim answers. */
export function strictSwitchFault(bytes: Buffer, asked: Asked): string | null {
  for (let at = 0; ; ) {
    const response = referenceResponse(bytes.subarray(at), { headBytesMax: Infinity, relaxLf: false });
    if (response === null || response.minor !== 1) return 'not complete, or not well-formed';
    if (response.status === 101 || response.status >= 200) return switchFault(response, asked);
    at += response.headBytes;
  }
}

/** RFC 6455 4.1: null when a client that asked this may go on; else what is wrong. */
export function switchFault(response: ReferenceResponse, asked: Asked): string | null {
  const values = (name: string) => valuesOf(response.fields, name);
  if (response.status !== 101 || response.minor !== 1) return 'status';
  if (wordsOf(response, 'upgrade').join() !== 'websocket') return 'Upgrade';
  if (!wordsOf(response, 'connection').includes('upgrade')) return 'Connection';
  const accept = createHash('sha1').update(`${asked.key}${GUID}`).digest('base64');
  if (values('sec-websocket-accept').join('\n') !== accept) return 'Sec-WebSocket-Accept';
  const [protocol, second] = elementsOf(values('sec-websocket-protocol'));
  if (isCommasAlone(values('sec-websocket-protocol')) || second !== undefined) return 'Sec-WebSocket-Protocol';
  if (protocol !== undefined && !asked.protocols.includes(protocol)) return 'Sec-WebSocket-Protocol';
  return referenceAnswer(values('sec-websocket-extensions'), asked.extensions) ? null : 'Sec-WebSocket-Extensions';
}

function wordsOf({ fields }: ReferenceResponse, name: string): string[] {
  return elementsOf(valuesOf(fields, name)).map((word) => word.toLowerCase());
}

/** What passes on: nothing about this connection and its framing. */
export function endToEnd(response: ReferenceResponse): Field[] {
  const gone = new Set([
    ...wordsOf(response, 'connection'),
    ...['content-length', 'alt-svc', 'connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
    ...['proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization', 'proxy-connection', 'http2-settings'],
  ]);
  return response.fields.filter(([name]) => !gone.has(name.toLowerCase()));
}

/** The body of a refusal, after which the backend closed. */
export function referenceBody(response: ReferenceResponse, rest: Buffer): ReferenceBody {
  const codings = valuesOf(response.fields, 'transfer-encoding');
  const lengths = valuesOf(response.fields, 'content-length').flatMap((value) => value.split(/[\t ]*,[\t ]*/));
  const isChunked = codings.length === 1 && codings[0]?.toLowerCase() === 'chunked' && response.minor === 1;
  if (codings.length > 0 && (!isChunked || lengths.length > 0)) return { kind: 'invalid' };
  if (!lengths.every((each) => /^[0-9]{1,15}$/.test(each)) || new Set(lengths).size > 1) return { kind: 'invalid' };
  if (response.status < 200 || response.status === 204 || response.status === 304) return whole(Buffer.alloc(0));
  if (isChunked) return chunks(rest);
  if (lengths.length === 0) return whole(rest);
  const length = Number(lengths[0]);
  if (length > HELD_MAX) return { kind: 'dropped' };
  return rest.length < length ? { kind: 'dropped' } : whole(rest.subarray(0, length));
}

function whole(bytes: Buffer): ReferenceBody {
  return bytes.length > HELD_MAX ? { kind: 'dropped' } : { kind: 'whole', bytes };
}

function chunks(rest: Buffer): ReferenceBody {
  const text = rest.toString('latin1');
  const parts: string[] = [];
  let held = 0;
  let overhead = 0;
  const next = (pattern: RegExp, at: number) => {
    const sticky = new RegExp(pattern, 'sy');
    sticky.lastIndex = at;
    return sticky.exec(text);
  };
  for (let at = 0; ; ) {
    const digits = next(/[0-9A-Fa-f]{1,7}/, at)?.[0] ?? '';
    const size = Number.parseInt(digits, 16);
    if (size > HELD_MAX - held) return { kind: 'dropped' };
    const line = next(/[0-9A-Fa-f]{1,7}(?:;([^\n\r\0]*))?\r\n/, at);
    overhead += line?.[1] === undefined ? 0 : line[1].length + 1;
    if (overhead > OVERHEAD_MAX) return { kind: 'invalid' };
    if (line === null) return cutShort(text.slice(at), CUT_SIZE, OVERHEAD_MAX - overhead);
    at += line[0].length;
    if (size === 0) {
      return trailer(text, at, OVERHEAD_MAX - overhead)
        ? whole(Buffer.from(parts.join(''), 'latin1'))
        : cutShort(text.slice(at), CUT_TRAILER, OVERHEAD_MAX - overhead);
    }
    const data = text.slice(at, at + size);
    if (data.length < size) return { kind: 'dropped' };
    const end = text.slice(at + size, at + size + 2);
    if (end !== '\r\n') return '\r\n'.startsWith(end) ? { kind: 'dropped' } : { kind: 'invalid' };
    parts.push(data);
    held += size;
    at += size + 2;
  }
}

/** What a size line and a trailer can look like as far as they came. */
const CUT_SIZE = /^(?:[0-9A-Fa-f]{0,7}|[0-9A-Fa-f]{1,7}(;[^\n\r\0]*)?\r?)$/;
const CUT_TRAILER = /^((?:[^\n\r\0]+\r\n)*[^\n\r\0]*\r?)$/;

/** A body that may have gone on like this is dropped, and one that never was in order is refused. */
function cutShort(text: string, form: RegExp, room: number): ReferenceBody {
  const match = form.exec(text);
  const counted = (match?.[1] ?? '').replace(/\n/g, '').length;
  return match === null || counted > room ? { kind: 'invalid' } : { kind: 'dropped' };
}

/** Lines up to an empty one; every byte but the LFs counts. */
function trailer(text: string, at: number, room: number): boolean {
  const [lines] = /^(?:[^\n\r\0]+\r\n)*\r\n/.exec(text.slice(at)) ?? [];
  return lines !== undefined && lines.length - lines.split('\n').length + 1 <= room;
}
