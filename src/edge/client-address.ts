// Who the client is: the socket's peer, or what trusted proxies say of it in X-Forwarded-For. Nothing that a peer
// sends can make this throw; what is returned is an IP address in its one canonical spelling, or the peer as given.

import assert from 'node:assert/strict';
import { BlockList, isIP, SocketAddress } from 'node:net';
import { ownText } from './own-text.ts';

/** Entries looked at, from the right: more proxies in a row than anybody has. */
const ENTRIES_MAX = 32;
/** The longest entry is a bracketed IPv6 address with a zone and a port; what is longer is no address. */
const ENTRY_LENGTH_MAX = 128;
const V4_MAPPED = '::ffff:';

export class TrustedProxies {
  private readonly blocks = new BlockList();
  private readonly isEmpty: boolean;

  /** `cidrs` come from a checked config: `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`. */
  constructor(cidrs: readonly string[]) {
    this.isEmpty = cidrs.length === 0;
    for (const cidr of cidrs) {
      const [address = '', prefix] = cidr.split('/');
      const version = isIP(address);
      assert(version !== 0, 'an address block was checked');
      const bits = version === 4 ? 32 : 128;
      this.blocks.addSubnet(address, prefix === undefined ? bits : Number(prefix), version === 4 ? 'ipv4' : 'ipv6');
    }
  }

  /** False for what is no IP address, such as the peer of a unix socket. */
  trusts(address: string): boolean {
    if (this.isEmpty) return false;
    const version = isIP(address);
    return version !== 0 && this.blocks.check(address, version === 4 ? 'ipv4' : 'ipv6');
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
  const bracketed = /^\[([^\]]*)\](?::[0-9]{1,5})?$/.exec(entry)?.[1];
  if (bracketed !== undefined) return canonicalV6(bracketed);
  const v4 = /^([0-9.]+)(?::[0-9]{1,5})?$/.exec(entry)?.[1];
  if (v4 !== undefined) return isIP(v4) === 4 ? v4 : null;
  return canonicalV6(entry);
}

/** RFC 5952 spelling, so that one client has one name; a v4-mapped address is the IPv4 address in it. */
function canonicalV6(text: string): string | null {
  const zone = text.indexOf('%');
  const address = zone === -1 ? text : text.slice(0, zone);
  if (isIP(address) !== 6) return null;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return canonical.startsWith(V4_MAPPED) && canonical.includes('.') ? canonical.slice(V4_MAPPED.length) : canonical;
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
