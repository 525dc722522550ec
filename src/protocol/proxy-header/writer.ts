// Writes the header that proxy-header.ts reads: on behalf of a client, or of whoever sends it. Clauses are those of
// HAProxy's proxy-protocol.txt.

import { type IpAddress, parseZonedIp, printIp } from '../addresses/ip-address.ts';
import type { Endpoint } from './reader.ts';
import { SIGNATURE } from './v2-reader.ts';

/** Who is spoken for, and where it was heard. */
export interface ProxiedConnection {
  /** Null: nobody knows, as with one on a unix socket. */
  readonly source: Endpoint | null;
  readonly destination: Endpoint | null;
}

interface Ends {
  readonly family: 4 | 6;
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
}

const FIXED_BYTES = 16;
const LENGTH_AT = 14;
/** 2.2: version 2, and its command. */
const LOCAL = 0x20;
const PROXY = 0x21;
/** 2.2: streams over IPv4 and IPv6. */
const INET = 0x11;
const INET6 = 0x21;
/** An address that is none; both have a family of their own. */
const NOWHERE = { 4: '0.0.0.0', 6: '::' } as const;

/** `connection`: null when the sender speaks for itself, as a check does. */
export function writeProxyHeader(version: 'v1' | 'v2', connection: ProxiedConnection | null): Buffer {
  const ends = connection === null ? null : endsOf(connection);
  return version === 'v1' ? writeV1(ends) : writeV2(ends);
}

/** Null when nobody knows the source. A header is of one family: an IPv4 end is mapped when the other is not. */
function endsOf({ source, destination }: ProxiedConnection): Ends | null {
  const from = source === null ? null : parseZonedIp(source.address);
  if (source === null || from === null) return null;
  const known = destination === null ? null : parseZonedIp(destination.address);
  const to = known ?? parseZonedIp(NOWHERE[from.isV4 ? 4 : 6]);
  if (to === null) return null;
  return {
    family: from.isV4 && to.isV4 ? 4 : 6,
    source: from,
    sourcePort: source.port,
    destination: to,
    destinationPort: known === null ? 0 : (destination?.port ?? 0),
  };
}

function writeV1(ends: Ends | null): Buffer {
  // 2.1: it says that the connection is what it is.
  if (ends === null) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  const { family, source, sourcePort, destination, destinationPort } = ends;
  const text = (address: IpAddress) => (family === 6 && address.isV4 ? `::ffff:${printIp(address)}` : printIp(address));
  const line = `PROXY TCP${family} ${text(source)} ${text(destination)} ${sourcePort} ${destinationPort}\r\n`;
  return Buffer.from(line, 'latin1');
}

function writeV2(ends: Ends | null): Buffer {
  // 2.2: LOCAL has no addresses, and no family.
  if (ends === null) return fixedPart(LOCAL, 0, 0);
  const { family, source, sourcePort, destination, destinationPort } = ends;
  const size = family === 4 ? 4 : 16;
  const header = fixedPart(PROXY, family === 4 ? INET : INET6, 2 * size + 4);
  writeAddress(header, FIXED_BYTES, family, source);
  writeAddress(header, FIXED_BYTES + size, family, destination);
  header.writeUInt16BE(sourcePort, FIXED_BYTES + 2 * size);
  header.writeUInt16BE(destinationPort, FIXED_BYTES + 2 * size + 2);
  return header;
}

function fixedPart(command: number, family: number, length: number): Buffer {
  const header = Buffer.alloc(FIXED_BYTES + length);
  SIGNATURE.copy(header);
  header[SIGNATURE.length] = command;
  header[SIGNATURE.length + 1] = family;
  header.writeUInt16BE(length, LENGTH_AT);
  return header;
}

function writeAddress(header: Buffer, at: number, family: 4 | 6, address: IpAddress): void {
  const { word0, word1, word2, word3 } = address;
  const words = family === 4 ? [word3] : [word0, word1, word2, word3];
  for (const [index, word] of words.entries()) header.writeInt32BE(word, at + 4 * index);
}
