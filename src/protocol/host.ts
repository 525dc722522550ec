// The authority of a request: what Host and an absolute target may hold, and the name that routes are chosen by.
// It resolves nothing and compares with no route.

export interface HostParts {
  /** Lower case, without port and trailing dot; IPv6 in brackets. */
  readonly hostname: string;
  readonly port: number | null;
}

const HOSTNAME_MAX = 253;
/** Names, IPv4 and what container networks use as names: labels of letters, digits, "-" and "_", none of them empty. */
const NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const PORT_MAX = 65_535;
const HEX_GROUP = /^[0-9A-Fa-f]{1,4}$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?=\d)|$)){4}$/;

/** RFC 9110 7.2, RFC 3986 3.2.2, without what no client sends: percent-encoding, sub-delims, user information. */
export function parseHost(text: string): HostParts | null {
  const bracket = text.startsWith('[') ? text.indexOf(']') : -1;
  if (text.startsWith('[') && bracket === -1) return null;
  const colon = text.indexOf(':', bracket + 1);
  const name = colon === -1 ? text : text.slice(0, colon);
  const port = parsePort(colon === -1 ? '' : text.slice(colon + 1));
  if (port === undefined) return null;
  if (bracket !== -1) {
    if (name.length !== bracket + 1 || !isIpv6(name.slice(1, -1))) return null;
    return { hostname: name.toLowerCase(), port };
  }
  if (name.length > HOSTNAME_MAX + 1 || !NAME.test(name)) return null;
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  return bare.length > HOSTNAME_MAX ? null : { hostname: bare.toLowerCase(), port };
}

/** RFC 3986 3.2.3 allows an empty port; it means the default one. */
function parsePort(text: string): number | null | undefined {
  if (text === '') return null;
  if (!PORT.test(text)) return undefined;
  const port = Number(text);
  return port <= PORT_MAX ? port : undefined;
}

/** RFC 4291 2.2. A zone never occurs in Host (RFC 9844), so `%` is refused. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === '') continue;
    const parts = half.split(':');
    const last = parts.at(-1) ?? '';
    if (index === halves.length - 1 && IPV4.test(last)) {
      parts.pop();
      groups += 2;
    }
    if (!parts.every((part) => HEX_GROUP.test(part))) return false;
    groups += parts.length;
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}
