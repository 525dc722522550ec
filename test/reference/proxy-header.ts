// The second reading of a PROXY header, by the words of HAProxy's proxy-protocol.txt: of all bytes at once, without
// anything that is fast or that streams.

import { isIP } from 'node:net';

export interface ReferenceProxyHeader {
  readonly headerBytes: number;
  /** Address and port as written, `null` for the socket's own peer. */
  readonly source: readonly [string, number] | null;
  readonly destination: readonly [string, number] | null;
  readonly secure: boolean | null;
}

type Reading = ReferenceProxyHeader | 'more' | 'wrong';
type Versions = 'v1' | 'v2' | 'any';

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';
/** What an incomplete line of version 1 may still become. */
const LINE = /^PROXY (?:(TCP[46]) ([^ ]+) ([^ ]+) ([0-9]{1,5}) ([0-9]{1,5})|UNKNOWN(?: [^\r\n]*)?)\r\n/;

/** `more`: nothing is wrong with what is there, or only what a whole line would show. */
export function referenceProxyHeader(bytes: Buffer, versions: Versions): Reading {
  const text = bytes.toString('latin1');
  if (versions !== 'v2' && (text.startsWith('PROXY ') || 'PROXY '.startsWith(text))) return ofLine(text);
  const begins = text.startsWith(SIGNATURE) || SIGNATURE.startsWith(text);
  return versions !== 'v1' && begins ? ofBlock(bytes) : text === '' ? 'more' : 'wrong';
}

function ofLine(text: string): Reading {
  const head = text.slice(0, 107);
  const end = head.indexOf('\n') + 1;
  // A CR that is the last byte so far may be followed by LF, unless there is no place for it.
  const begun = end > 0 ? head.slice(0, end) : head;
  if (/\r[^\n]|(?<!\r)\n/s.test(begun)) return 'wrong';
  if (end === 0) return text.length >= 107 ? 'wrong' : 'more';
  const [, family, from = '', to = '', fromPort = '', toPort = ''] = LINE.exec(begun) ?? ['wrong'];
  if (!LINE.test(begun)) return 'wrong';
  if (family === undefined) return { headerBytes: end, source: null, destination: null, secure: null };
  const version = Number(family.slice(3));
  const isPort = (port: string) => String(Number(port)) === port && Number(port) <= 65_535;
  if (isIP(from) !== version || isIP(to) !== version || from.includes('%') || to.includes('%')) return 'wrong';
  if (!isPort(fromPort) || !isPort(toPort)) return 'wrong';
  const source = [plain(from), Number(fromPort)] as const;
  return { headerBytes: end, source, destination: [plain(to), Number(toPort)], secure: null };
}

function ofBlock(bytes: Buffer): Reading {
  const versionAndCommand = bytes[12] ?? 0x20;
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) return 'wrong';
  const isLocal = versionAndCommand === 0x20;
  const familyAndSocket = bytes[13] ?? 0;
  const [family, socket] = [familyAndSocket >> 4, familyAndSocket % 16];
  if (!isLocal && (family > 3 || socket > 1)) return 'wrong';
  if (bytes.length < 16) return 'more';
  const headerBytes = 16 + bytes.readUInt16BE(14);
  const nothing = { headerBytes, source: null, destination: null, secure: null };
  const isUnread = isLocal || family === 0 || socket === 0;
  const tlvsAt = 16 + ([0, 12, 36, 216][family] ?? 0);
  if (!isUnread && headerBytes < tlvsAt) return 'wrong';
  if (isUnread) return bytes.length < headerBytes ? 'more' : nothing;
  const header = bytes.subarray(0, headerBytes);
  const tlvs = vectorsOf(header, tlvsAt, headerBytes);
  if (tlvs === 'wrong') return 'wrong';
  const ssl = tlvs.filter(({ type }) => type === 0x20);
  const sums = tlvs.filter(({ type }) => type === 0x03);
  if (ssl.length > 1 || sums.length > 1) return 'wrong';
  for (const { at, end } of ssl) {
    if (end - at < 5 || vectorsOf(header, at + 5, end) === 'wrong') return 'wrong';
  }
  for (const { at, end } of sums) if (end - at !== 4) return 'wrong';
  if (bytes.length < headerBytes) return 'more';
  for (const { at } of sums) {
    const zeroed = Buffer.from(header);
    zeroed.writeUInt32BE(0, at);
    if (header.readUInt32BE(at) !== referenceCrc32c(zeroed)) return 'wrong';
  }
  const [first] = ssl;
  const secure = first === undefined ? null : (header[first.at] ?? 0) % 2 === 1;
  if (family === 3) return { ...nothing, secure };
  const size = family === 1 ? 4 : 16;
  const addressAt = (at: number) => addressOf(header.subarray(at, at + size));
  const source = [addressAt(16), header.readUInt16BE(16 + 2 * size)] as const;
  const destination = [addressAt(16 + size), header.readUInt16BE(18 + 2 * size)] as const;
  return { headerBytes, source, destination, secure };
}

interface Vector {
  readonly type: number;
  /** Of its value, which need not be there yet. */
  readonly at: number;
  readonly end: number;
}

/** As far as they are there. */
function vectorsOf(header: Buffer, start: number, end: number): Vector[] | 'wrong' {
  const found: Vector[] = [];
  for (let at = start; at < end && at <= header.length; ) {
    if (end - at < 3) return 'wrong';
    if (at + 3 > header.length) break;
    const vector = { type: header.readUInt8(at), at: at + 3, end: at + 3 + header.readUInt16BE(at + 1) };
    if (vector.end > end) return 'wrong';
    found.push(vector);
    at = vector.end;
  }
  return found;
}

/** RFC 4960 appendix B, bit by bit. */
export function referenceCrc32c(bytes: Buffer): number {
  let register = 0xffff_ffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit += 1) {
      const isOdd = ((register ^ (byte >> bit)) & 1) === 1;
      register = ((register >>> 1) ^ (isOdd ? 0x82f6_3b78 : 0)) >>> 0;
    }
  }
  return (register ^ 0xffff_ffff) >>> 0;
}

function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return plain(groups.join(':'));
}

/** The URL parser knows the one spelling of each IPv6 address, but for those that hold an IPv4 address. */
function plain(address: string): string {
  if (isIP(address) === 4) return address;
  const spelt = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const groups = /^::(ffff:)?([0-9a-f]+):([0-9a-f]+)$/.exec(spelt);
  if (groups === null) return spelt;
  const v4 = [groups[2], groups[3]].flatMap((group = '') => {
    const word = Number.parseInt(group, 16);
    return [word >> 8, word & 255];
  });
  return `${groups[1] === undefined ? '::' : ''}${v4.join('.')}`;
}
