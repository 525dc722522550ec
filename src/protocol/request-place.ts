// Where a request leads: its target, path and Host, judged on a complete head whatever it asks for. Routes, upgrades
// and bodies are not its business.

import { type HostParts, parseHost } from './host.ts';
import type { RequestHead } from './http-head.ts';
import { valuesOf } from './lists.ts';
import { judgePath } from './path.ts';
import type { RefusalSlug } from './refusals.ts';

/** What a request asks for: enough to choose its route. */
export interface RequestPlace {
  /** As sent. */
  readonly host: string;
  /** Lower case, without port and trailing dot; IPv6 in brackets. */
  readonly hostname: string;
  /** The raw path, byte for byte; begins with '/'. */
  readonly path: string;
  /** '' or '?' and what follows it. */
  readonly query: string;
  /** The path as a backend may read it that decodes first, %2F and %5C too. For comparing routes, never for sending. */
  readonly decodedPath: string;
}

/** What every request comes to that was judged, an upgrade or not. */
export interface JudgedRequest extends RequestPlace {
  readonly head: RequestHead;
  readonly origin: string | null;
  /** Subprotocols that it offers: only an upgrade offers some. */
  readonly protocols: readonly string[];
  /** Lower-case names of the fields that Connection makes hop-by-hop, besides those that always are. */
  readonly nominated: ReadonlySet<string>;
}

const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?]*)(.*)$/s;
const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['ws', 80],
  ['https', 443],
  ['wss', 443],
]);

/** Target form, path, Host and authority, in this order. */
export function judgePlace({
  target: text,
  fields,
}: Pick<RequestHead, 'target' | 'fields'>): RequestPlace | RefusalSlug {
  const target = splitTarget(text);
  if (typeof target === 'string') return target;
  const verdict = judgePath(target.path);
  if (!verdict.ok) return verdict.slug;
  // RFC 9112 3.2: exactly one valid Host.
  const [host, ...moreHosts] = valuesOf(fields, 'host');
  const hostParts = host === undefined || moreHosts.length > 0 ? null : parseHost(host);
  if (host === undefined || hostParts === null) return 'host';
  // RFC 9112 3.2.2 lets the authority win over Host; a request in which they differ was made to confuse.
  if (target.authority !== null && !sameAuthority(target.authority, hostParts)) return 'authority';
  return {
    host: detached(host),
    hostname: detached(hostParts.hostname),
    path: detached(target.path),
    query: target.query,
    decodedPath: verdict.decoded,
  };
}

interface Target {
  readonly path: string;
  readonly query: string;
  readonly authority: { readonly parts: HostParts; readonly defaultPort: number } | null;
}

function splitTarget(target: string): Target | 'target_form' | 'authority' {
  if (target.startsWith('/')) return { ...splitQuery(target), authority: null };
  const absolute = ABSOLUTE.exec(target);
  // RFC 9112 3.2: asterisk-form and authority-form belong to OPTIONS and CONNECT.
  if (absolute === null) return 'target_form';
  const [, scheme = '', authority = '', rest = ''] = absolute;
  const defaultPort = DEFAULT_PORTS.get(scheme.toLowerCase());
  // RFC 9110 4.2.4: user information in a target is an attempt to disguise its host.
  const parts = parseHost(authority);
  if (defaultPort === undefined || parts === null) return 'authority';
  return { ...splitQuery(rest.startsWith('/') ? rest : `/${rest}`), authority: { parts, defaultPort } };
}

function splitQuery(text: string): { path: string; query: string } {
  const at = text.indexOf('?');
  return at === -1 ? { path: text, query: '' } : { path: text.slice(0, at), query: text.slice(at) };
}

function sameAuthority(authority: NonNullable<Target['authority']>, host: HostParts): boolean {
  const { parts, defaultPort } = authority;
  return parts.hostname === host.hostname && (parts.port ?? defaultPort) === (host.port ?? defaultPort);
}

/** A copy: a string cut from a head would keep the whole head alive for as long as the session lives. */
export function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
