// Origins of pages: the field read strictly, as RFC 6454 6.2 writes one, and lists of them, compared by scheme, host
// and port, never as text. It knows no routes, and what a missing Origin means is not its business.

import { parseIp, printIp } from './addresses/ip-address.ts';
import { parseHost } from './host.ts';

interface PageOrigin {
  /** Lower case. */
  readonly scheme: string;
  /** Lower case; a dot at its end makes another host of it, as for browsers. IPv6 in brackets. */
  readonly host: string;
  /** Null where the scheme has no usual one, and none is there. */
  readonly port: number | null;
}

/** An entry of a list: of `*.example.com` the host is `example.com`, and stands for what has labels before it. */
interface Pattern extends PageOrigin {
  readonly isWildcard: boolean;
}

/** RFC 3986 3.1. */
const SCHEME = /^[a-z][a-z0-9+.-]{0,62}$/;
/** Scheme, the longest host and a port: what is longer is no origin. */
const LENGTH_MAX = 384;
const USUAL_PORTS: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
]);
/** Of a page without one, such as a sandboxed frame or a local file (RFC 6454 7.3). */
const OPAQUE = 'null';
const SAME = 'same';

function parseOrigin(text: string): PageOrigin | null {
  const colon = text.indexOf('://');
  if (colon === -1 || text.length > LENGTH_MAX) return null;
  const scheme = text.slice(0, colon).toLowerCase();
  const authority = text.slice(colon + 3);
  // RFC 6454 6.2: a port that is written is a number.
  if (!SCHEME.test(scheme) || authority.endsWith(':')) return null;
  const place = parseAuthority(authority);
  return place === null ? null : { scheme, host: place.host, port: place.port ?? USUAL_PORTS.get(scheme) ?? null };
}

function parseAuthority(text: string): { readonly host: string; readonly port: number | null } | null {
  const parts = parseHost(text);
  if (parts === null) return null;
  const { hostname, port } = parts;
  const address = hostname.startsWith('[') ? parseIp(hostname.slice(1, -1)) : null;
  if (address !== null) return { host: `[${printIp(address)}]`, port };
  return { host: text.charAt(hostname.length) === '.' ? `${hostname}.` : hostname, port };
}

/** Null for what no list can hold. */
export function parseOriginPattern(text: string): Pattern | null {
  const wildcard = /^([^/]*:\/\/)\*\.(.*)$/s.exec(text);
  const origin = parseOrigin(wildcard === null ? text : `${wildcard[1]}${wildcard[2]}`);
  const isName = origin?.host.startsWith('[') === false;
  return origin === null || (wildcard !== null && !isName) ? null : { ...origin, isWildcard: wildcard !== null };
}

export function printOriginPattern({ scheme, host, port, isWildcard }: Pattern): string {
  const shown = port === null || port === USUAL_PORTS.get(scheme) ? '' : `:${port}`;
  return `${scheme}://${isWildcard ? '*.' : ''}${host}${shown}`;
}

/** Hosts that stand in a list with the same scheme and port. */
interface Hosts {
  readonly exact: Set<string>;
  /** By what follows `*.`. */
  readonly wildcards: Set<string>;
}

export class OriginSet {
  private hasSame = false;
  private hasOpaque = false;
  private readonly hosts = new Map<string, Hosts>();

  /** `entries`: `same`, `null`, and what `parseOriginPattern` takes. */
  constructor(entries: Iterable<string>) {
    for (const entry of entries) {
      if (entry === SAME) this.hasSame = true;
      else if (entry === OPAQUE) this.hasOpaque = true;
      else this.add(entry);
    }
  }

  /** `origin` as the client sent it; `host`: what it knows this place by, with its port. */
  allows(origin: string, host: string): boolean {
    if (origin === OPAQUE) return this.hasOpaque;
    const page = parseOrigin(origin);
    return page !== null && (this.lists(page) || (this.hasSame && isSamePlace(page, host)));
  }

  private lists({ scheme, host, port }: PageOrigin): boolean {
    const hosts = this.hosts.get(keyOf(scheme, port));
    if (hosts === undefined) return false;
    return hosts.exact.has(host) || (hosts.wildcards.size > 0 && endsInOneOf(host, hosts.wildcards));
  }

  private add(entry: string): void {
    const pattern = parseOriginPattern(entry);
    if (pattern === null) throw new Error('an entry of a list of origins was checked');
    const key = keyOf(pattern.scheme, pattern.port);
    const hosts = this.hosts.get(key) ?? { exact: new Set(), wildcards: new Set() };
    hosts[pattern.isWildcard ? 'wildcards' : 'exact'].add(pattern.host);
    this.hosts.set(key, hosts);
  }
}

/** No scheme has a blank in it. */
function keyOf(scheme: string, port: number | null): string {
  return `${scheme} ${port ?? ''}`;
}

/** Labels are not empty, so each dot has one or more in front of it. */
function endsInOneOf(host: string, suffixes: ReadonlySet<string>): boolean {
  for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
    if (suffixes.has(host.slice(dot + 1))) return true;
  }
  return false;
}

/** Host says no scheme, so a port that it leaves out is the usual one of the page's. */
function isSamePlace({ scheme, host, port }: PageOrigin, hostField: string): boolean {
  const usual = USUAL_PORTS.get(scheme);
  const place = usual === undefined ? null : parseAuthority(hostField);
  return place !== null && place.host === host && (place.port ?? usual) === port;
}
