// What clients are counted by: the address, or as much of it as one subscriber holds, and the network that many of them
// share. It counts nobody.

import { dotted, groupOf, parseZonedIp } from './ip-address.ts';

const CLIENT_SUFFIX = '::/64';
const NAT64_WORD0 = 0x0064_ff9b;

/**
 * Who shares limits: an IPv4 address stands for itself, an IPv6 address for its /64, which is what one subscriber
 * gets at least (RFC 6177 2). IPv4 inside IPv6 (v4-mapped, RFC 4291 2.5.5.2; NAT64, RFC 6052 2.1) counts as IPv4.
 * `text` is an IP address in any spelling; null for everything else.
 */
export function clientKeyOf(text: string): string | null {
  const address = parseZonedIp(text);
  if (address === null) return null;
  // Spelled in one way only; the text itself, since a session keeps what it is counted by.
  if (address.family === 4) return text;
  const isNat64 = address.word0 === NAT64_WORD0 && address.word1 === 0 && address.word2 === 0;
  if (address.isV4 || isNat64) return dotted(address.word3);
  const groups = [0, 1, 2, 3].map((index) => groupOf(address, index).toString(16));
  return `${groups.join(':')}${CLIENT_SUFFIX}`;
}

/** The /48 around the /64 of a client; null for an IPv4 address, which is no part of anything. */
export function networkKeyOf(clientKey: string): string | null {
  if (!clientKey.endsWith(CLIENT_SUFFIX)) return null;
  const first = clientKey.indexOf(':');
  const second = clientKey.indexOf(':', first + 1);
  return `${clientKey.slice(0, clientKey.indexOf(':', second + 1))}::/48`;
}
