// `host:port` as people and peers write it: taken apart, and put together again. Whether a host is a name, and which
// ports are wanted, is for those who ask.

interface HostPort {
  /** Without brackets, as it stands. */
  readonly host: string;
  readonly isBracketed: boolean;
  /** What follows the colon, which may be nothing; null without one. */
  readonly port: string | null;
}

const PORT_MAX = 65_535;

/** `host`, `host:port`, `[v6]`, `[v6]:port`, `:port`. Null: there are colons that only brackets would tell apart. */
export function splitHostPort(text: string): HostPort | null {
  if (text.startsWith('[')) {
    const bracket = text.indexOf(']');
    const isWhole = bracket === text.length - 1;
    if (bracket !== -1 && (isWhole || text.charAt(bracket + 1) === ':')) {
      return { host: text.slice(1, bracket), isBracketed: true, port: isWhole ? null : text.slice(bracket + 2) };
    }
  }
  const colon = text.indexOf(':');
  if (colon === -1) return { host: text, isBracketed: false, port: null };
  if (text.includes(':', colon + 1)) return null;
  return { host: text.slice(0, colon), isBracketed: false, port: text.slice(colon + 1) };
}

/** 0 to 65535 without leading zeros; null for everything else. */
export function parsePort(text: string): number | null {
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text)) return null;
  const port = Number(text);
  return port <= PORT_MAX ? port : null;
}

/** Of a port that nobody looks at: whether it is one in form. */
export function isPortLike(text: string): boolean {
  return /^[0-9]{1,5}$/.test(text);
}

/** RFC 3986 3.2.2: an IPv6 address stands in brackets. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

export function unbracketed(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

export function hostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${bracketed(host)}:${port}`;
}

/** Where to dial what is bound there: the unspecified addresses are no place to go. */
export function reachable({ host, port }: { readonly host: string; readonly port: number }) {
  if (host === '' || host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}
