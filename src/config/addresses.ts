// Owns the texts of addresses: listeners, target URLs, hosts, CIDR blocks. It must not resolve or open anything.

import type { BindAddress } from '../protocol/addresses/bind-address.ts';
import { type CidrFault, maskOf, parseCidr } from '../protocol/addresses/cidr.ts';
import { parsePort, splitHostPort } from '../protocol/addresses/host-port.ts';
import { familyOf, parseIp } from '../protocol/addresses/ip-address.ts';
import { judgePath } from '../protocol/path.ts';
import { unreachable } from '../unreachable.ts';
import type { Endpoint } from './types.ts';
import type { Parsed } from './units.ts';

const HOST_LENGTH_MAX = 253;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
/** sun_path of Linux holds 108 bytes with its NUL (unix(7)). */
const UNIX_PATH_BYTES_MAX = 107;
const PORTS = { ws: 80, http: 80, wss: 443, https: 443 } as const;
const SCHEMES = 'ws://, wss://, http://, https://, ws+unix: or builtin:echo';
/** RFC 3986 3.3: what a path may hold unescaped, without the percent sign. */
const BASE = /^(\/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*\/?$/;

/** Schemes that need no more than a host and a port. */
type PlainScheme = 'ws' | 'http';

/** What `host:port` alone was meant as. */
function bareGuess(text: string, scheme: PlainScheme): string {
  const meant = `${scheme}://${text}`;
  const isBare = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]+(\/|$)/.test(text);
  return isBare && 'value' in parseTargetUrl(meant) ? ` (did you mean "${meant}"?)` : '';
}

/** A DNS name: labels of letters, digits, hyphen and underscore; not something that reads like an IPv4 address. */
export function isHostname(text: string): boolean {
  if (text.length === 0 || text.length > HOST_LENGTH_MAX) return false;
  const labels = text.split('.');
  // WHATWG URL 3.5 and RFC 3696 2: a last label of digits is meant as an IPv4 address, such as 1.2.3 or 10.0.0.256.
  if (/^[0-9]+$/.test(labels[labels.length - 1] ?? '')) return false;
  return labels.every((label) => LABEL.test(label));
}

export function parseListenAddress(text: string): Parsed<BindAddress> {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    const problem = unixPathProblem(path);
    return problem === null ? { value: { kind: 'unix', path } } : { problem };
  }
  if (text.startsWith('fd:')) return parseHandedOver(text.slice('fd:'.length));
  if (/^[0-9]+$/.test(text)) return { problem: `needs a colon before the port: ":${text}"` };
  const parts = parseHostPort(text);
  if ('problem' in parts) return parts;
  const { host, port } = parts.value;
  if (port === null) return { problem: 'needs a port: host:port, "[v6]:port", ":port", unix:/path or fd:3' };
  if (host === '' && !text.startsWith(':')) return { problem: 'needs a host before the port' };
  return { value: { kind: 'tcp', host, port } };
}

/** sd_listen_fds_with_names(3): the first descriptor is 3, a name holds no colon and has at most 255 characters. */
function parseHandedOver(name: string): Parsed<BindAddress> {
  if (/^[0-2]$/.test(name)) return { problem: 'the first socket that is handed over is fd:3' };
  if (/^(?!0\d)[\x21-\x39\x3b-\x7e]{1,255}$/.test(name)) return { value: { kind: 'fd', name } };
  return { problem: 'a socket that is handed over is fd:3 and up, or fd:NAME (LISTEN_FDNAMES)' };
}

/** `usual`: the scheme of one that is meant where there is none. */
export function parseTargetUrl(text: string, usual: PlainScheme = 'ws'): Parsed<Endpoint> {
  if (text === 'builtin:echo') return { value: { kind: 'echo' } };
  if (text.startsWith('ws+unix:')) return parseUnixTarget(text.slice('ws+unix:'.length));
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/s.exec(text);
  if (match === null) return { problem: `expected a URL that begins with ${SCHEMES}${bareGuess(text, usual)}` };
  const [, scheme = '', authority = '', rest = ''] = match;
  if (!isScheme(scheme)) return { problem: `unknown scheme, expected ${SCHEMES}` };
  if (authority.includes('@')) return { problem: 'a target URL holds no user name or password' };
  const parts = parseHostPort(authority);
  if ('problem' in parts) return parts;
  const { host, port } = parts.value;
  if (host === '') return { problem: 'a target URL needs a host' };
  if (port === 0) return { problem: 'port 0 cannot be dialed' };
  const base = parseBase(rest);
  if ('problem' in base) return base;
  const secure = scheme === 'wss' || scheme === 'https';
  return { value: { kind: 'tcp', host, port: port ?? defaultPort(scheme), secure, base: base.value } };
}

function isScheme(text: string): text is keyof typeof PORTS {
  return Object.hasOwn(PORTS, text);
}

export function defaultPort(scheme: keyof typeof PORTS): number {
  return PORTS[scheme];
}

function parseUnixTarget(rest: string): Parsed<Endpoint> {
  const colon = rest.indexOf(':');
  const path = (colon === -1 ? rest : rest.slice(0, colon)).replace(/^\/\/(?=\/)/, '');
  const problem = unixPathProblem(path);
  if (problem !== null) return { problem };
  const base = parseBase(colon === -1 ? '' : rest.slice(colon + 1));
  if ('problem' in base) return base;
  return { value: { kind: 'unix', path, base: base.value } };
}

/** The base goes before a path that begins with a slash, so its own last slash is dropped. */
function parseBase(text: string): Parsed<string> {
  if (text.includes('?')) return { problem: 'a target URL holds no query: the query is always that of the client' };
  if (text.includes('#')) return { problem: 'a target URL holds no fragment (RFC 6455 3)' };
  if (!BASE.test(text) || !judgePath(text === '' ? '/' : text).ok) {
    return {
      problem:
        'the path of a target URL holds no dot or empty segments, no %00, and escapes whatever RFC 3986 3.3 reserves',
    };
  }
  return { value: text.endsWith('/') ? text.slice(0, -1) : text };
}

function unixPathProblem(path: string): string | null {
  if (path === '') return 'a unix socket needs a path';
  // A NUL would make the kernel bind another, shorter or abstract, name.
  if (path.includes('\0') || path.includes(':')) return 'the path of a unix socket holds neither NUL nor colon';
  if (Buffer.byteLength(path) > UNIX_PATH_BYTES_MAX)
    return `the path of a unix socket has at most ${UNIX_PATH_BYTES_MAX} bytes`;
  return null;
}

/** `host:port`, `[v6]:port`, `host`, `:port`. The host comes back lower-case, without brackets. */
export function parseHostPort(text: string): Parsed<{ host: string; port: number | null }> {
  const parts = splitHostPort(text);
  if (parts === null) return { problem: 'an IPv6 address stands in brackets: "[::1]:8080"' };
  const { host, isBracketed } = parts;
  if (isBracketed && familyOf(host) !== 6) return { problem: `"[${printable(host)}]" is no IPv6 address` };
  if (!isBracketed && host !== '' && familyOf(host) !== 4 && !isHostname(host)) {
    return { problem: `"${printable(host)}" is neither a host name nor an IP address` };
  }
  const port = parts.port === null ? null : parsePort(parts.port);
  if (port === null && parts.port !== null) return { problem: 'a port is a whole number from 0 to 65535' };
  return { value: { host: host.toLowerCase(), port } };
}

/** The `match.hosts` form: a name, `*.name`, an IPv4 or a bracketed IPv6 address; lower-case in the answer. */
export function parseHostPattern(text: string): Parsed<string> {
  if (text === '*') return { problem: 'leave hosts out to match any Host' };
  const host = text.toLowerCase().replace(/\.$/, '');
  const parts = splitHostPort(host);
  if (parts?.isBracketed && parts.port === null && parseIp(parts.host)?.family === 6) return { value: host };
  if (familyOf(host) === 6) return { problem: 'an IPv6 address stands in brackets: "[::1]"' };
  if (/:[0-9]*$/.test(host)) return { problem: 'the port of Host is ignored: leave it out' };
  const wild = host.startsWith('*.');
  const name = wild ? host.slice(2) : host;
  if (name.includes('*')) return { problem: '"*." may only stand at the beginning and covers one label or more' };
  if (isHostname(name) || (!wild && familyOf(name) === 4)) return { value: host };
  return { problem: `"${printable(text)}" is no host name (write an international name in its xn-- form)` };
}

/** The Host a backend is sent: a name or address, with or without a port, as it stands. */
export function parseHostLiteral(text: string): Parsed<string> {
  const parts = parseHostPort(text);
  if ('problem' in parts) return parts;
  return parts.value.host === '' ? { problem: 'a Host needs a name' } : { value: text };
}

/** An address block as it stands, lower-case and with a prefix. */
export function parseBlock(text: string): Parsed<string> {
  const cidr = parseCidr(text);
  if ('fault' in cidr) return { problem: `${blockProblem(cidr)}${widerBlock(text, cidr)}` };
  const [address = ''] = text.toLowerCase().split('/');
  return { value: `${address}/${cidr.prefix}` };
}

/** The block that an IPv4 address is in: people write their own address with the prefix of their network. */
function widerBlock(text: string, fault: CidrFault): string {
  const address = parseIp(text.split('/')[0] ?? '');
  if (fault.fault !== 'bits_set' || address?.family !== 4) return '';
  const first = address.word3 & maskOf(96 + fault.prefix, 3);
  const parts = [24, 16, 8, 0].map((bits) => (first >>> bits) & 0xff);
  return ` (did you mean "${parts.join('.')}/${fault.prefix}"?)`;
}

export function blockProblem(fault: CidrFault): string {
  switch (fault.fault) {
    case 'no_block':
      return 'expected an address block such as 10.0.0.0/8 or "fd00::/8"';
    case 'zone':
      return 'an address block has no zone';
    case 'prefix':
      return `the prefix is a whole number from 0 to ${fault.bits}`;
    case 'mapped':
      return 'a v4-mapped client counts as IPv4: write the block as IPv4';
    case 'bits_set':
      return `bits behind the prefix /${fault.prefix} are set`;
    default:
      return unreachable(fault);
  }
}

/** Config text in a message: short, nothing in it that a terminal would obey, no user information. */
export function printable(text: string): string {
  const known = withoutUserinfo(text);
  const short = known.length > 64 ? `${known.slice(0, 64)}...` : known;
  return JSON.stringify(short)
    .slice(1, -1)
    .replace(/[^\x20-\x7e]/g, '?');
}

/** RFC 3986 3.2.1: what stands before an at sign may be a password; in a path, and in a plain name, it is none. */
function withoutUserinfo(text: string): string {
  const at = text.lastIndexOf('@');
  if (at < 0 || /^\/(?!\/)/.test(text) || !/[:/]/.test(text.slice(0, at))) return text;
  return `***${text.slice(at)}`;
}
