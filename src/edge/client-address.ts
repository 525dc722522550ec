// Who the client is: the socket's peer, or what trusted proxies say of it in X-Forwarded-For. Nothing that a peer
// sends can make this throw; what is returned is an IP address in its one canonical spelling, or the peer as given.

import type { AddressSet } from '../protocol/addresses/address-set.ts';
import { isPortLike, splitHostPort } from '../protocol/addresses/host-port.ts';
import { familyOf, parseZonedIp, printIp } from '../protocol/addresses/ip-address.ts';
import { ownText } from './own-text.ts';

/** Entries looked at, from the right: more proxies in a row than anybody has. */
export const ENTRIES_MAX = 32;
/** The longest entry is a bracketed IPv6 address with a zone and a port; what is longer is no address. */
const ENTRY_LENGTH_MAX = 128;

export class TrustedProxies {
  private readonly blocks: AddressSet | null;
  private readonly trustsUnix: boolean;

  /** `trustsUnix`: whoever connects to a unix socket is one. */
  constructor(blocks: AddressSet | null, trustsUnix: boolean) {
    this.blocks = blocks === null || blocks.isEmpty ? null : blocks;
    this.trustsUnix = trustsUnix;
  }

  /** `text`: '' for the peer of a unix socket. False for what else is no IP address. */
  trusts(text: string): boolean {
    if (text === '') return this.trustsUnix;
    if (this.blocks === null) return false;
    const address = parseZonedIp(text);
    return address !== null && this.blocks.has(address);
  }

  /**
   * The client's address. Each proxy appends the peer it saw, so the list is walked from the right for as long as the
   * one who wrote an entry is trusted; the first address that is not, or that cannot be read, ends the walk.
   * `forwardedFor`: the values of all X-Forwarded-For lines in their order.
   */
  clientOf(peer: string, forwardedFor: readonly string[]): string {
    let client = peer;
    if (!this.trusts(peer)) return client;
    let left = ENTRIES_MAX;
    // RFC 9110 5.3: several lines are one list.
    for (let line = forwardedFor.length - 1; line >= 0; line--) {
      const text = forwardedFor[line] ?? '';
      let end = text.length;
      while (end >= 0 && left > 0) {
        // lastIndexOf would take -1 for 0.
        const comma = end === 0 ? -1 : text.lastIndexOf(',', end - 1);
        const entry = trimBlanks(text.slice(comma + 1, end));
        end = comma === -1 ? -1 : comma;
        left -= 1;
        // RFC 9110 5.6.1.2: empty list elements are ignored; they count, so that they cost no more than others.
        if (entry === '') continue;
        const address = parseForwarded(entry);
        if (address === null) return client;
        client = ownText(address); // of what outlives the head: tables of addresses, the session's lines
        if (!this.trusts(address)) return client;
      }
    }
    return client;
  }
}

/**
 * One entry of X-Forwarded-For: an address, in brackets or not, with a port or without. Null for everything else, such
 * as `unknown` and the `_names` of RFC 7239 6. A zone says something to the host that wrote it only, and is dropped.
 */
export function parseForwarded(entry: string): string | null {
  if (entry.length > ENTRY_LENGTH_MAX) return null;
  const parts = splitHostPort(entry);
  // Colons that nothing tells apart are those of an IPv6 address without brackets.
  if (parts === null) return plainV6(entry);
  if (parts.port !== null && !isPortLike(parts.port)) return null;
  if (parts.isBracketed) return plainV6(parts.host);
  return familyOf(parts.host) === 4 ? parts.host : null;
}

/** In its one spelling, so that one client has one name; a v4-mapped address is the IPv4 address in it. */
function plainV6(text: string): string | null {
  const address = parseZonedIp(text);
  return address?.family === 6 ? printIp(address) : null;
}

/** SP and HTAB only: `trim` would take 0xA0 for a blank. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
