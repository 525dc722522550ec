// Reads the first message of a TLS client for what decides who answers it: the server's name and the protocols above
// TLS. It takes records in any cut, copies what it needs, and judges nothing that the TLS engine judges anyway.

import { GrowingBytes } from '../growing-bytes.ts';
import type { AlertName } from './alerts.ts';

/** A ClientHello, its header included: what OpenSSL takes, and a record holds at most (RFC 8446 5.1). */
const HELLO_BYTES_MAX = 16_384;
/** As it came: in one record that is all full, or in more and smaller ones. */
const RAW_BYTES_MAX = 16_389;
const RECORD_HEADER_BYTES = 5;
const FRAGMENT_BYTES_MAX = 16_384;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const MESSAGE_HEADER_BYTES = 4;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** RFC 7301 3.1. */
const ALPN = 16;
/** RFC 1035 2.3.4, and what OpenSSL takes. */
const NAME_BYTES_MAX = 255;

export const HelloStep = { NeedData: 0, Done: 1, Violation: 2 } as const;
export type HelloStep = (typeof HelloStep)[keyof typeof HelloStep];

export interface ClientHello {
  /** In lower case, without a trailing dot; null when the client names none. */
  readonly serverName: string | null;
  /** What it names can be no host: too long, or not visible ASCII. `serverName` is null then. */
  readonly isNameUnfit: boolean;
  /** In the client's order; null when it offers none. */
  readonly protocols: readonly string[] | null;
}

export class ClientHelloReader {
  hello: ClientHello | null = null;
  violation: AlertName | null = null;
  /** All that was fed, as it came: the TLS engine reads it again. At most RAW_BYTES_MAX and one read. */
  private readonly raw = new GrowingBytes({ bytesMin: 1_024, bytesMax: RAW_BYTES_MAX, isPooled: true });
  private readonly message = new GrowingBytes({ bytesMin: 1_024, bytesMax: HELLO_BYTES_MAX, isPooled: true });
  /** Where in `raw` the next record begins, or the rest of this one. */
  private position = 0;
  private fragmentLeft = 0;

  /** What `takeBytes` gives is of no use before this is Done; a violation stays. */
  feed(bytes: Buffer, start: number, end: number): HelloStep {
    if (this.violation !== null) return HelloStep.Violation;
    this.raw.append(bytes, start, end);
    while (this.hello === null) {
      const fault = this.fragmentLeft === 0 ? this.readHeader() : this.readFragment();
      if (fault === 'more') break;
      if (fault !== null) return this.fail(fault);
    }
    if (this.hello !== null) return HelloStep.Done;
    return this.raw.size > RAW_BYTES_MAX ? this.fail('illegal_parameter') : HelloStep.NeedData;
  }

  /** Everything that came, which is not held any more. */
  takeBytes(): Buffer {
    return this.raw.take() ?? NOTHING;
  }

  /** What lies beyond is not looked at, so that nothing depends on the cut. */
  private get available(): number {
    return Math.min(this.raw.size, RAW_BYTES_MAX);
  }

  private fail(alert: AlertName): HelloStep {
    this.violation = alert;
    return HelloStep.Violation;
  }

  private readHeader(): AlertName | 'more' | null {
    const { position, raw } = this;
    const left = this.available - position;
    // What cannot be a record is refused with its first byte.
    if (left > 0 && raw.buffer[position] !== HANDSHAKE_RECORD) return 'unexpected_message';
    if (left > 1 && raw.buffer[position + 1] !== 3) return 'protocol_version';
    if (left < RECORD_HEADER_BYTES) return 'more';
    const size = raw.buffer.readUInt16BE(position + 3);
    // RFC 8446 5.1: no handshake record is empty.
    if (size === 0) return 'unexpected_message';
    if (size > FRAGMENT_BYTES_MAX) return 'record_overflow';
    this.position += RECORD_HEADER_BYTES;
    this.fragmentLeft = size;
    return null;
  }

  private readFragment(): AlertName | 'more' | null {
    const { raw, message, position } = this;
    const end = position + Math.min(this.fragmentLeft, this.available - position);
    if (end === position) return 'more';
    message.append(raw.buffer, position, end);
    this.position = end;
    this.fragmentLeft -= end - position;
    if (message.buffer[0] !== CLIENT_HELLO) return 'unexpected_message';
    if (message.size < MESSAGE_HEADER_BYTES) return null;
    const size = MESSAGE_HEADER_BYTES + message.buffer.readUIntBE(1, 3);
    if (size > HELLO_BYTES_MAX) return 'illegal_parameter';
    if (message.size < size) return null;
    const parsed = parseHello(message.view().subarray(MESSAGE_HEADER_BYTES, size));
    if (typeof parsed === 'string') return parsed;
    message.take();
    this.hello = parsed;
    return null;
  }
}

/** RFC 8446 4.1.2: version, random, session id, cipher suites, compression methods, extensions. */
function parseHello(body: Buffer): ClientHello | AlertName {
  const fields = new Fields(body);
  fields.skip(2 + 32);
  fields.vector(1);
  fields.vector(2);
  fields.vector(1);
  if (fields.isBroken) return 'decode_error';
  let name: ServerName = NO_NAME;
  let protocols: string[] | null = null;
  let hasName = false;
  // Older clients end here.
  const extensions = fields.left === 0 ? new Fields(NOTHING) : new Fields(fields.vector(2));
  if (fields.isBroken || fields.left > 0) return 'decode_error';
  while (extensions.left > 0) {
    const kind = extensions.number(2);
    const data = extensions.vector(2);
    if (extensions.isBroken) return 'decode_error';
    // RFC 8446 4.2: no extension stands twice.
    if ((kind === SERVER_NAME && hasName) || (kind === ALPN && protocols !== null)) return 'illegal_parameter';
    if (kind === SERVER_NAME) {
      const read = parseServerName(data);
      if (read === null) return 'decode_error';
      name = read;
      hasName = true;
    } else if (kind === ALPN) {
      protocols = parseProtocols(data);
      if (protocols === null) return 'decode_error';
    }
  }
  return { ...name, protocols };
}

type ServerName = Pick<ClientHello, 'serverName' | 'isNameUnfit'>;

/** RFC 6066 3: a list, which holds one name of each kind, and there is one kind. Null when it is not that. */
function parseServerName(data: Buffer): ServerName | null {
  const outer = new Fields(data);
  const list = new Fields(outer.vector(2));
  const kind = list.number(1);
  const name = list.vector(2);
  if (outer.isBroken || outer.left > 0 || list.isBroken || list.left > 0) return null;
  if (kind !== HOST_NAME || name.length === 0) return null;
  if (name.length > NAME_BYTES_MAX || name.some((byte) => byte <= 0x20 || byte >= 0x7f)) return UNFIT_NAME;
  const text = name.toString('latin1').toLowerCase();
  const host = text.endsWith('.') ? text.slice(0, -1) : text;
  return host === '' ? UNFIT_NAME : { serverName: host, isNameUnfit: false };
}

/** RFC 7301 3.1: a list of names, none of them empty. Null when it is not that. */
function parseProtocols(data: Buffer): string[] | null {
  const outer = new Fields(data);
  const list = new Fields(outer.vector(2));
  const names: string[] = [];
  while (list.left > 0) {
    const name = list.vector(1);
    if (name.length === 0) return null;
    names.push(name.toString('latin1'));
  }
  return outer.isBroken || outer.left > 0 || list.isBroken || names.length === 0 ? null : names;
}

/** Numbers and vectors of RFC 8446 3, in turn. What is not there reads as nothing, and breaks it. */
class Fields {
  isBroken = false;
  private readonly bytes: Buffer;
  private position = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.isBroken ? 0 : this.bytes.length - this.position;
  }

  skip(size: number): void {
    if (size > this.left) this.isBroken = true;
    else this.position += size;
  }

  number(size: 1 | 2): number {
    const { position } = this;
    this.skip(size);
    return this.isBroken ? 0 : this.bytes.readUIntBE(position, size);
  }

  /** With a length of `size` bytes before it. */
  vector(size: 1 | 2): Buffer {
    const length = this.number(size);
    const { position } = this;
    this.skip(length);
    return this.isBroken ? NOTHING : this.bytes.subarray(position, position + length);
  }
}

const NOTHING = Buffer.alloc(0);
const NO_NAME: ServerName = { serverName: null, isNameUnfit: false };
const UNFIT_NAME: ServerName = { serverName: null, isNameUnfit: true };
