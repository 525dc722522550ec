// The second, strict reading of plain requests, the whole of what came at once: by the words of RFC 9112 and 9110, and
// what framegate refuses by choice in a framing. Places and other fields are not its business.

import { type Field, fieldsOf, TOKEN, trimmed, valuesOf } from './grammar.ts';

export interface PlainMessage {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: readonly Field[];
  readonly framing: 'none' | 'length' | 'chunked';
  readonly body: Buffer;
  /** Index just after its last byte. */
  readonly end: number;
}

export type PlainReading =
  | { readonly kind: 'message'; readonly message: PlainMessage }
  /** All that is there may be the beginning of one. */
  | { readonly kind: 'more' }
  /** `head`: the request that the fault lies in, where its head is in order. */
  | { readonly kind: 'fault'; readonly fault: string; readonly head: string | null };

const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/([1-9]\\.[0-9])$`);
const CHUNK_LINE = /^([0-9A-Fa-f]{1,13})(?:;[\t\x20-\x7e]*)?$/;

export function readPlain(bytes: Buffer, start = 0): PlainReading {
  const all = bytes.toString('latin1');
  const from = all.startsWith('\r\n', start) ? start + 2 : start;
  const end = all.indexOf('\r\n\r\n', from);
  if (end === -1) return { kind: 'more' };
  const [line = '', ...lines] = all.slice(from, end).split('\r\n');
  const fields = fieldsOf(lines);
  const [, method, target, version] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined || target === undefined || version === undefined) return fault('request line');
  if (typeof fields === 'string') return fault('field line');
  const codings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  const head = { method, target, version, fields };
  if (codings.length > 0) {
    if (lengths.length > 0 || version === '1.0') return fault('Transfer-Encoding where none may be', method);
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') return fault('Transfer-Encoding', method);
    return chunked(bytes, all, end + 4, head);
  }
  const [length = '0', ...more] = lengths;
  if (more.length > 0 || !/^(0|[1-9][0-9]{0,14})$/.test(length)) return fault('Content-Length', method);
  const bodyEnd = end + 4 + Number(length);
  if (bodyEnd > bytes.length) return { kind: 'more' };
  const framing = lengths.length === 0 ? 'none' : 'length';
  return { kind: 'message', message: { ...head, framing, body: bytes.subarray(end + 4, bodyEnd), end: bodyEnd } };
}

type Head = Pick<PlainMessage, 'method' | 'target' | 'version' | 'fields'>;

function chunked(bytes: Buffer, all: string, start: number, head: Head): PlainReading {
  const pieces: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = all.indexOf('\r\n', at);
    const line = lineEnd === -1 ? null : all.slice(at, lineEnd);
    if (line === null) return { kind: 'more' };
    const [, size] = CHUNK_LINE.exec(line) ?? [];
    if (size === undefined) return fault('chunk line', head.method);
    const length = Number.parseInt(size, 16);
    if (length === 0) return trailed(all, lineEnd + 2, head, Buffer.concat(pieces));
    const dataEnd = lineEnd + 2 + length;
    const close = all.slice(dataEnd, dataEnd + 2);
    if (!'\r\n'.startsWith(close)) return fault('chunk end', head.method);
    if (close.length < 2) return { kind: 'more' };
    pieces.push(bytes.subarray(lineEnd + 2, dataEnd));
    at = dataEnd + 2;
  }
}

function trailed(all: string, start: number, head: Head, body: Buffer): PlainReading {
  const end = all.startsWith('\r\n', start) ? start : all.indexOf('\r\n\r\n', start) + 2;
  if (end === 1) return { kind: 'more' };
  const text = all.slice(start, end);
  if (text !== '' && typeof fieldsOf(text.slice(0, -2).split('\r\n')) === 'string')
    return fault('trailer', head.method);
  return { kind: 'message', message: { ...head, framing: 'chunked', body, end: end + 2 } };
}

function fault(text: string, head: string | null = null): PlainReading {
  return { kind: 'fault', fault: text, head };
}

/** RFC 9110 7.6.1: the elements of Connection. */
export function nominated(fields: readonly Field[]): string[] {
  return valuesOf(fields, 'connection').flatMap((value) => value.split(',').map((each) => trimmed(each).toLowerCase()));
}
