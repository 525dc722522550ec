// A second opinion on a backend's answer: the head with regular expressions, the body in one go. It shares no code
// with the parsers it is compared to.

import { createHash } from 'node:crypto';
import { referenceAnswer } from './reference-extensions.ts';

export interface ReferenceResponse {
  readonly headBytes: number;
  readonly minor: number;
  readonly status: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export type ReferenceBody =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'dropped' }
  | { readonly kind: 'invalid' };

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
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
  const fields: [string, string][] = [];
  for (const line of lines) {
    const [, name, text] = FIELD_LINE.exec(line) ?? [];
    if (name === undefined || text === undefined) return null;
    fields.push([name, text.replace(/[\t ]+$/, '')]);
  }
  return { headBytes: whole.length, minor: Number(minor), status: Number(status), fields };
}

export function valuesOf(response: ReferenceResponse, name: string): string[] {
  return response.fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
}

function wordsOf(response: ReferenceResponse, name: string): string[] {
  const text = valuesOf(response, name).join(',').toLowerCase();
  return text.split(/[\t ]*,[\t ]*/).filter((word) => word !== '');
}

/** RFC 6455 4.1: whether a client that asked this may go on. */
export function switches(
  response: ReferenceResponse,
  asked: { key: string; protocols: readonly string[]; extensions: readonly string[] },
): boolean {
  const accept = createHash('sha1').update(`${asked.key}${GUID}`).digest('base64');
  const named = valuesOf(response, 'sec-websocket-protocol').join(',');
  const protocols = named.split(/[\t ]*,[\t ]*/).filter((each) => each !== '');
  return (
    response.status === 101 &&
    response.minor === 1 &&
    wordsOf(response, 'upgrade').join() === 'websocket' &&
    wordsOf(response, 'connection').includes('upgrade') &&
    valuesOf(response, 'sec-websocket-accept').join('\n') === accept &&
    (protocols.length === 0 ? !valuesOf(response, 'sec-websocket-protocol').some((each) => each !== '') : true) &&
    (protocols.length === 0 || (protocols.length === 1 && asked.protocols.includes(protocols[0] ?? ''))) &&
    referenceAnswer(valuesOf(response, 'sec-websocket-extensions'), asked.extensions)
  );
}

/** What passes on: nothing about this connection and its framing. */
export function endToEnd(response: ReferenceResponse): [string, string][] {
  const gone = new Set([
    ...wordsOf(response, 'connection'),
    ...['content-length', 'alt-svc', 'connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
    ...['proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization', 'proxy-connection', 'http2-settings'],
  ]);
  return response.fields.filter(([name]) => !gone.has(name.toLowerCase())).map(([name, value]) => [name, value]);
}

/** The body of a refusal, after which the backend closed. */
export function referenceBody(response: ReferenceResponse, rest: Buffer): ReferenceBody {
  const codings = valuesOf(response, 'transfer-encoding');
  const lengths = valuesOf(response, 'content-length').flatMap((value) => value.split(/[\t ]*,[\t ]*/));
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
