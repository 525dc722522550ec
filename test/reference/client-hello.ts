// The second reading of a ClientHello, by the words of RFC 8446 (records, message), RFC 6066 (server_name) and RFC 7301
// (ALPN): of all bytes at once, first the records, then the message in them, then its fields.

export interface ReferenceClientHello {
  readonly serverName: string | null;
  readonly isNameUnfit: boolean;
  readonly protocols: readonly string[] | null;
}

/** `more`: a ClientHello may still come of it. Else the description of the alert (RFC 8446 6). */
type Reading = ReferenceClientHello | 'more' | { readonly alert: string };

/** What a server takes before there is a TLS engine: bytes of a message, and of those in which it came. */
const MESSAGE_MAX = 16_384;
const ALL_MAX = 5 + 16_384;

const wrong = (alert: string) => ({ alert });

export function referenceClientHello(bytes: Buffer): Reading {
  let message = '';
  for (let rest = bytes.toString('latin1', 0, ALL_MAX); rest !== ''; ) {
    // 5.1: ContentType handshake, a version that begins with 3, a length of 1 to 2^14.
    if (!rest.startsWith('\x16')) return wrong('unexpected_message');
    if (rest.length > 1 && rest[1] !== '\x03') return wrong('protocol_version');
    if (rest.length < 5) break;
    const size = numberOf(rest.slice(3, 5));
    if (size === 0) return wrong('unexpected_message');
    if (size > 2 ** 14) return wrong('record_overflow');
    message += rest.slice(5, 5 + size);
    // 4: msg_type client_hello, a length of three bytes.
    if (message !== '' && message[0] !== '\x01') return wrong('unexpected_message');
    const end = message.length < 4 ? Number.POSITIVE_INFINITY : 4 + numberOf(message.slice(1, 4));
    if (end !== Number.POSITIVE_INFINITY && end > MESSAGE_MAX) return wrong('illegal_parameter');
    if (message.length >= end) return ofBody(message.slice(4, end));
    rest = rest.slice(5 + size);
  }
  return bytes.length > ALL_MAX ? wrong('illegal_parameter') : 'more';
}

/** 4.1.2. */
function ofBody(body: string): Reading {
  // legacy_version, random, legacy_session_id, cipher_suites, legacy_compression_methods
  let rest: string | null = body.length < 34 ? null : body.slice(34);
  for (const lengthBytes of [1, 2, 1]) rest = rest === null ? null : (cutVector(rest, lengthBytes)?.rest ?? null);
  if (rest === null) return wrong('decode_error');
  if (rest === '') return { serverName: null, isNameUnfit: false, protocols: null };
  const extensions = cutVector(rest, 2);
  if (extensions === null || extensions.rest !== '') return wrong('decode_error');
  let name: Pick<ReferenceClientHello, 'serverName' | 'isNameUnfit'> | null = null;
  let protocols: string[] | null = null;
  for (let left = extensions.data; left !== ''; ) {
    const extension = left.length < 2 ? null : cutVector(left.slice(2), 2);
    if (extension === null) return wrong('decode_error');
    const type = numberOf(left.slice(0, 2));
    left = extension.rest;
    // 4.2: not more than one of each type.
    if ((type === 0 && name !== null) || (type === 16 && protocols !== null)) return wrong('illegal_parameter');
    if (type === 0) name = nameOf(extension.data);
    if (type === 16) protocols = protocolsOf(extension.data);
    if ((type === 0 && name === null) || (type === 16 && protocols === null)) return wrong('decode_error');
  }
  return { ...(name ?? { serverName: null, isNameUnfit: false }), protocols };
}

/** RFC 6066 3: ServerNameList with one HostName, opaque<1..2^16-1>. */
function nameOf(data: string): Pick<ReferenceClientHello, 'serverName' | 'isNameUnfit'> | null {
  const list = cutVector(data, 2);
  if (list === null || list.rest !== '' || !list.data.startsWith('\0')) return null;
  const name = cutVector(list.data.slice(1), 2);
  if (name === null || name.rest !== '' || name.data === '') return null;
  const isHost = /^[!-~]{1,255}$/.test(name.data) && name.data !== '.';
  return { serverName: isHost ? name.data.replace(/\.$/, '').toLowerCase() : null, isNameUnfit: !isHost };
}

/** RFC 7301 3.1: ProtocolName<2..2^16-1>, each opaque<1..2^8-1>. */
function protocolsOf(data: string): string[] | null {
  const list = cutVector(data, 2);
  if (list === null || list.rest !== '' || list.data === '') return null;
  const names: string[] = [];
  for (let rest = list.data; rest !== ''; ) {
    const name = cutVector(rest, 1);
    if (name === null || name.data === '') return null;
    names.push(name.data);
    rest = name.rest;
  }
  return names;
}

/** 3.4: a length, then that many bytes. Null when it goes beyond what is there. */
function cutVector(text: string, lengthBytes: number): { readonly data: string; readonly rest: string } | null {
  if (text.length < lengthBytes) return null;
  const end = lengthBytes + numberOf(text.slice(0, lengthBytes));
  return text.length < end ? null : { data: text.slice(lengthBytes, end), rest: text.slice(end) };
}

function numberOf(bytes: string): number {
  return [...bytes].reduce((sum, byte) => sum * 256 + byte.charCodeAt(0), 0);
}
