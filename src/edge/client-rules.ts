// Whom a listener believes, and what: which peers are trusted, which field of theirs names the client, and how the
// client's scheme is known. Compiled from the config once; it keeps nothing of a request.

import type { ListenerConfig } from '../config/types.ts';
import { eachFromRight, nodeAddress, parseElement } from '../protocol/forwarded.ts';
import type { HeadField } from '../protocol/http-head.ts';
import { valuesOf } from '../protocol/lists.ts';
import { ENTRIES_MAX, parseForwarded, TrustedProxies } from './client-address.ts';
import { ownText } from './own-text.ts';

/** RFC 7239 5.4, and what proxies write for WebSockets. */
const SCHEME = /^(?:https?|wss?)$/i;

/** Why a field with one address names nobody. */
type Unclear = 'absent' | 'twice' | 'unreadable';

export class ClientRules {
  readonly trusted: TrustedProxies;
  /** The field that names the client, in lower case. */
  readonly source: string;
  private readonly scheme: ListenerConfig['forwarded_proto'];

  constructor(trusted: TrustedProxies, { client_ip_from, forwarded_proto }: ClientSettings) {
    this.trusted = trusted;
    this.source = client_ip_from;
    this.scheme = forwarded_proto;
  }

  trusts(peer: string): boolean {
    return this.trusted.trusts(peer);
  }

  /** Who the client of `peer` is: the peer itself, unless it is trusted and names another one. */
  clientOf(peer: string, fields: readonly HeadField[]): string {
    if (!this.trusts(peer)) return peer;
    if (this.source === 'x-forwarded-for') return this.trusted.clientOf(peer, valuesOf(fields, 'x-forwarded-for'));
    if (this.source === 'forwarded') return this.byElements(peer, valuesOf(fields, 'forwarded'));
    return this.single(fields)?.address ?? peer;
  }

  /** What is wrong with the one field in which a trusted peer was to name the client; null where nothing is. */
  unclear(fields: readonly HeadField[]): Unclear | null {
    if (this.source === 'x-forwarded-for' || this.source === 'forwarded') return null;
    const found = this.single(fields);
    if (found === null) return 'absent';
    return found.isTwice ? 'twice' : found.address === null ? 'unreadable' : null;
  }

  /**
   * The scheme that the client used, by what is known of its connection: `secure` is our own TLS, `proxied` what a
   * PROXY header said of it. Null: what the trusted peer says in X-Forwarded-Proto stays.
   */
  protoOf({ secure, proxied, peerTrusted }: Wire, fields: readonly HeadField[]): string | null {
    if (this.scheme !== 'auto') return this.scheme;
    if (secure || proxied === true) return 'https';
    if (peerTrusted) {
      const claimed = valuesOf(fields, 'x-forwarded-proto');
      // Of two nobody knows which a backend reads.
      if (claimed.length === 1 && SCHEME.test(claimed[0] ?? '')) return null;
    }
    return 'http';
  }

  /** RFC 7239 5.2, walked as X-Forwarded-For is: what names no address ends the walk. */
  private byElements(peer: string, lines: readonly string[]): string {
    let client = peer;
    eachFromRight(lines, ENTRIES_MAX, (text) => {
      const address = nodeAddress(parseElement(text)?.for ?? '');
      if (address === null) return false;
      client = ownText(address); // of what outlives the head
      return this.trusts(address);
    });
    return client;
  }

  private single(fields: readonly HeadField[]): { readonly address: string | null; readonly isTwice: boolean } | null {
    const [found, second] = fields.filter(({ lower }) => lower === this.source);
    if (found === undefined) return null;
    if (second !== undefined) return { address: null, isTwice: true };
    const address = parseForwarded(found.value);
    return { address: address === null ? null : ownText(address), isTwice: false };
  }
}

/** A listener without a config in force believes nobody. */
export const NOBODY_BELIEVED = new ClientRules(new TrustedProxies(null, false), {
  client_ip_from: 'x-forwarded-for',
  forwarded_proto: 'auto',
});

type ClientSettings = Pick<ListenerConfig, 'client_ip_from' | 'forwarded_proto'>;

interface Wire {
  readonly secure: boolean;
  readonly proxied: boolean | null;
  readonly peerTrusted: boolean;
}
