// The authority of a request: what Host and an absolute target may hold, and the name that routes are chosen by.
// It resolves nothing and compares with no route.

import { parsePort, splitHostPort } from './addresses/host-port.ts';
import { parseIp } from './addresses/ip-address.ts';

export interface HostParts {
  /** Lower case, without port and trailing dot; IPv6 in brackets. */
  readonly hostname: string;
  readonly port: number | null;
}

const HOSTNAME_MAX = 253;
/** Names, IPv4 and what container networks use as names: labels of letters, digits, "-" and "_", none of them empty. */
const NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/;

/** RFC 9110 7.2, RFC 3986 3.2.2, without what no client sends: percent-encoding, sub-delims, user information. */
export function parseHost(text: string): HostParts | null {
  const parts = splitHostPort(text);
  if (parts === null) return null;
  const { host, isBracketed } = parts;
  const port = portOf(parts.port ?? '');
  if (port === undefined) return null;
  // A zone never occurs in Host (RFC 9844), so `%` is refused.
  if (isBracketed) return parseIp(host)?.family === 6 ? { hostname: `[${host.toLowerCase()}]`, port } : null;
  if (host.length > HOSTNAME_MAX + 1 || !NAME.test(host)) return null;
  const bare = host.endsWith('.') ? host.slice(0, -1) : host;
  return bare.length > HOSTNAME_MAX ? null : { hostname: bare.toLowerCase(), port };
}

/** RFC 3986 3.2.3 allows an empty port; it means the default one. */
function portOf(text: string): number | null | undefined {
  if (text === '') return null;
  const port = parsePort(text);
  return port === null || port === 0 ? undefined : port;
}
