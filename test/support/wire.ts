// WebSocket bytes for tests: builds and takes apart frames and upgrade requests, the illegal ones too.
// Written from RFC 6455 alone and importing nothing of src/, so that a misreading there is not repeated here.

import { createHash } from 'node:crypto';
import { applyMask, frontOf } from '../reference/front.ts';

export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

/** The bits of `rsv`: RSV1 is the highest of the three. */
export const Rsv = { None: 0, One: 4, Two: 2, Three: 1 } as const;

/** The masking key of RFC 6455 5.7's examples: what `mask: true` masks with. */
export const exampleMask: Buffer = Buffer.from('37fa213d', 'hex');

/** The key of RFC 6455 1.3's example: what a request holds unless another is asked for. */
export const exampleKey = 'dGhlIHNhbXBsZSBub25jZQ==';

export interface FrameSpec {
  opcode: number;
  /** Default true. */
  fin?: boolean;
  /** Three bits, RSV1 = 4; default 0. */
  rsv?: number;
  /** Default false; true is `exampleMask`, a buffer is the key. */
  mask?: boolean | Buffer;
  /** Default empty; a string is sent as UTF-8. */
  payload?: Buffer | string;
  /** The length the header declares; default the payload's own. */
  length?: number | bigint;
  /** The form of the length in bits; default the shortest that fits. */
  lengthForm?: 7 | 16 | 64;
}

/** What the shorthands take besides the payload. */
export type FrameOptions = Omit<FrameSpec, 'opcode' | 'payload'>;

export interface Frame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: boolean;
  readonly maskKey: Buffer | null;
  /** Unmasked. */
  readonly payload: Buffer;
  /** The frame as it was on the wire. */
  readonly bytes: Buffer;
}

export function frame(spec: FrameSpec): Buffer {
  const payload = toBytes(spec.payload ?? '');
  const key = spec.mask === true ? exampleMask : spec.mask || null;
  const first = ((spec.fin ?? true) ? 0x80 : 0) | ((spec.rsv ?? 0) << 4) | spec.opcode;
  const length = BigInt(spec.length ?? payload.length);
  const form = spec.lengthForm ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const maskBit = key === null ? 0 : 0x80;
  const head = Buffer.alloc(form === 7 ? 2 : form === 16 ? 4 : 10);
  head[0] = first;
  if (form === 7) {
    head[1] = maskBit | Number(length);
  } else if (form === 16) {
    head[1] = maskBit | 126;
    head.writeUInt16BE(Number(length), 2);
  } else {
    head[1] = maskBit | 127;
    head.writeBigUInt64BE(length, 2);
  }
  return key === null ? Buffer.concat([head, payload]) : Buffer.concat([head, key, applyMask(payload, key)]);
}

export function text(payload: Buffer | string, options: FrameOptions = {}): Buffer {
  return frame({ ...options, opcode: Opcode.Text, payload });
}

export function binary(payload: Buffer | string, options: FrameOptions = {}): Buffer {
  return frame({ ...options, opcode: Opcode.Binary, payload });
}

export function continuation(payload: Buffer | string, options: FrameOptions = {}): Buffer {
  return frame({ ...options, opcode: Opcode.Continuation, payload });
}

export function ping(payload: Buffer | string = '', options: FrameOptions = {}): Buffer {
  return frame({ ...options, opcode: Opcode.Ping, payload });
}

export function pong(payload: Buffer | string = '', options: FrameOptions = {}): Buffer {
  return frame({ ...options, opcode: Opcode.Pong, payload });
}

/** A Close frame; with `code` null it has no payload, whatever the reason. */
export function closeFrame(code: number | null, reason: Buffer | string = '', options: FrameOptions = {}): Buffer {
  return frame({ ...options, opcode: Opcode.Close, payload: code === null ? '' : closePayload(code, reason) });
}

export function closePayload(code: number, reason: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code, 0);
  return Buffer.concat([head, toBytes(reason)]);
}

export interface CloseStatus {
  /** null when the frame has no code. */
  code: number | null;
  reason: string;
}

export function closeOf(received: Frame): CloseStatus {
  if (received.opcode !== Opcode.Close) throw new Error(`not a Close frame: ${describeFrame(received)}`);
  if (received.payload.length === 0) return { code: null, reason: '' };
  return { code: received.payload.readUInt16BE(0), reason: received.payload.toString('utf8', 2) };
}

/** The first frame of `bytes`, or null when it is not complete. The frame's buffers are copies. */
export function takeFrame(bytes: Buffer): Frame | null {
  if (bytes.length < 2) return null;
  const { length, lengthEnd, headBytes, masked, fin, rsv, opcode } = frontOf(bytes);
  if (length === null || bytes.length < headBytes + length) return null;
  const wire = Buffer.from(bytes.subarray(0, headBytes + length));
  const maskKey = masked ? wire.subarray(lengthEnd, headBytes) : null;
  const raw = wire.subarray(headBytes);
  const payload = maskKey === null ? raw : applyMask(raw, maskKey);
  return { fin, rsv, opcode, masked, maskKey, payload, bytes: wire };
}

/** The complete frames of `bytes`, and what is left behind the last one. */
export function splitFrames(bytes: Buffer): { frames: Frame[]; rest: Buffer } {
  const frames: Frame[] = [];
  let rest = bytes;
  for (;;) {
    const next = takeFrame(rest);
    if (next === null) return { frames, rest };
    frames.push(next);
    rest = rest.subarray(next.bytes.length);
  }
}

/** The frames of `bytes`; bytes that are no complete frame are an error. */
export function parseFrames(bytes: Buffer): Frame[] {
  const { frames, rest } = splitFrames(bytes);
  if (rest.length > 0) {
    throw new Error(`${frames.length} frames, then ${rest.length} bytes of a part: ${describeBytes(rest)}`);
  }
  return frames;
}

/** A frame in words, for messages and snapshots: `text fin "hello"`, `close fin masked 1000 "bye"`. */
export function describeFrame(received: Frame): string {
  const names: Record<number, string> = {
    0: 'continuation',
    1: 'text',
    2: 'binary',
    8: 'close',
    9: 'ping',
    10: 'pong',
  };
  const words = [names[received.opcode] ?? `opcode ${received.opcode}`];
  if (received.fin) words.push('fin');
  if (received.rsv !== 0) words.push(`rsv ${received.rsv}`);
  if (received.masked) words.push('masked');
  const status = received.opcode === Opcode.Close && received.payload.length >= 2 ? closeOf(received) : null;
  words.push(status === null ? describeBytes(received.payload) : `${status.code} ${JSON.stringify(status.reason)}`);
  return words.join(' ');
}

/** Bytes in print: escaped text, or hex where more than a few bytes are not text; long ones without their middle. */
export function describeBytes(bytes: Buffer, most = 512): string {
  if (bytes.length > most) {
    const half = most >> 1;
    const cut = `<${bytes.length - 2 * half} bytes>`;
    return `${describeBytes(bytes.subarray(0, half))} ${cut} ${describeBytes(bytes.subarray(-half))}`;
  }
  let odd = 0;
  for (const byte of bytes) if ((byte < 0x20 && byte !== 13 && byte !== 10) || byte > 0x7e) odd += 1;
  return odd > 2 ? `<${bytes.toString('hex')}>` : JSON.stringify(bytes.toString('latin1'));
}

export interface UpgradeRequestSpec {
  method?: string;
  /** The request target as it stands in the request line; default `/`. */
  path?: string;
  version?: string;
  /** Default `framegate.test`. */
  host?: string;
  /** Default `exampleKey`. */
  key?: string;
  /** Sent after the standard fields, in this order; values go out as latin1. */
  headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  /** Standard fields to leave out, in any case: `['sec-websocket-version']`. */
  omit?: readonly string[];
}

/** A legal upgrade request, changed as asked; header values are latin1. */
export function upgradeRequest(spec: UpgradeRequestSpec = {}): Buffer {
  const omitted = new Set((spec.omit ?? []).map((name) => name.toLowerCase()));
  const standard: readonly (readonly [string, string])[] = [
    ['Host', spec.host ?? 'framegate.test'],
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Key', spec.key ?? exampleKey],
    ['Sec-WebSocket-Version', '13'],
  ];
  const more = headerPairs(spec.headers ?? []);
  const pairs = [...standard.filter(([name]) => !omitted.has(name.toLowerCase())), ...more];
  const lines = [`${spec.method ?? 'GET'} ${spec.path ?? '/'} ${spec.version ?? 'HTTP/1.1'}`];
  for (const [name, value] of pairs) lines.push(`${name}: ${value}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** The Sec-WebSocket-Accept that answers `key` (RFC 6455 4.2.2). */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

export interface Head {
  /** The first line without its line end. */
  readonly line: string;
  /** The status of a response; 0 when the first line is none. */
  readonly status: number;
  readonly fields: readonly (readonly [string, string])[];
  /** The head as it came, its empty line included. */
  readonly raw: string;
  /** The value of the only field of that name, in any case; undefined when there is none. Several are an error. */
  field(name: string): string | undefined;
  /** All values of that name, in order. */
  all(name: string): string[];
}

/** A head up to and including its empty line, as latin1. Strict: whatever we send has CRLF and `Name: value`. */
export function parseHead(raw: string): Head {
  const lines = raw.slice(0, -4).split('\r\n');
  const line = lines.shift() ?? '';
  const fields = lines.map((entry): readonly [string, string] => {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*$/.exec(entry);
    if (match === null) throw new Error(`not a header field: ${JSON.stringify(entry)}`);
    return [match[1] ?? '', match[2] ?? ''];
  });
  const all = (name: string) =>
    fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(line);
  return {
    line,
    status: status === null ? 0 : Number(status[1]),
    fields,
    raw,
    all,
    field(name) {
      const values = all(name);
      if (values.length > 1) throw new Error(`${values.length} fields named ${name}: ${JSON.stringify(values)}`);
      return values[0];
    },
  };
}

export function headerPairs(
  headers: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  return isPairs(headers) ? headers : Object.entries(headers);
}

function isPairs(
  headers: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
): headers is readonly (readonly [string, string])[] {
  return Array.isArray(headers);
}

function toBytes(payload: Buffer | string): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload;
}
