// Owns the texts of addresses: listeners, target URLs, hosts, CIDR blocks. It must not resolve or open anything.

import { isIP, isIPv4, isIPv6 } from 'node:net';
import { judgePath } from '../protocol/path.ts';
import type { Endpoint } from './types.ts';
import type { Parsed } from './units.ts';

/** Where a listener binds; `mode` of a unix socket is a key of its own. */
export type BindAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface Cidr {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

const HOST_LENGTH_MAX = 253;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
/** sun_path of Linux holds 108 bytes with its NUL (unix(7)). */
const UNIX_PATH_BYTES_MAX = 107;
const PORTS: Readonly<Record<string, number>> = { ws: 80, http: 80, wss: 443, https: 443 };
const SCHEMES = 'ws://, wss://, http://, https://, ws+unix: or builtin:echo';
/** RFC 3986 3.3: what a path may hold unescaped, without the percent sign. */
const BASE = /^(\/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*\/?$/;

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
  if (/^[0-9]+$/.test(text)) return { problem: `needs a colon before the port: ":${text}"` };
  const parts = splitHostPort(text);
  if ('problem' in parts) return parts;
  const { host, port } = parts.value;
  if (port === null) return { problem: 'needs a port: host:port, "[v6]:port", ":port" or unix:/path' };
  if (host === '' && !text.startsWith(':')) return { problem: 'needs a host before the port' };
  return { value: { kind: 'tcp', host, port } };
}

export function parseTargetUrl(text: string): Parsed<Endpoint> {
  if (text === 'builtin:echo') return { value: { kind: 'echo' } };
  if (text.startsWith('ws+unix:')) return parseUnixTarget(text.slice('ws+unix:'.length));
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/s.exec(text);
  if (match === null) return { problem: `expected a URL that begins with ${SCHEMES}` };
  const [, scheme = '', authority = '', rest = ''] = match;
  const defaultPort = Object.hasOwn(PORTS, scheme) ? PORTS[scheme] : undefined;
  if (defaultPort === undefined) return { problem: `unknown scheme, expected ${SCHEMES}` };
  if (authority.includes('@')) return { problem: 'a target URL holds no user name or password' };
  const parts = splitHostPort(authority);
  if ('problem' in parts) return parts;
  const { host, port } = parts.value;
  if (host === '') return { problem: 'a target URL needs a host' };
  if (port === 0) return { problem: 'port 0 cannot be dialed' };
  const base = parseBase(rest);
  if ('problem' in base) return base;
  const secure = scheme === 'wss' || scheme === 'https';
  return { value: { kind: 'tcp', host, port: port ?? defaultPort, secure, base: base.value } };
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
function splitHostPort(text: string): Parsed<{ host: string; port: number | null }> {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (bracketed !== null) {
    const host = bracketed[1] ?? '';
    if (!isIPv6(host)) return { problem: `"[${printable(host)}]" is no IPv6 address` };
    return withPort(host.toLowerCase(), bracketed[2]);
  }
  const colon = text.indexOf(':');
  if (colon !== text.lastIndexOf(':')) return { problem: 'an IPv6 address stands in brackets: "[::1]:8080"' };
  const host = colon === -1 ? text : text.slice(0, colon);
  if (host !== '' && !isIPv4(host) && !isHostname(host)) {
    return { problem: `"${printable(host)}" is neither a host name nor an IP address` };
  }
  return withPort(host.toLowerCase(), colon === -1 ? undefined : text.slice(colon + 1));
}

function withPort(host: string, text: string | undefined): Parsed<{ host: string; port: number | null }> {
  if (text === undefined) return { value: { host, port: null } };
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text) || Number(text) > 65_535) {
    return { problem: 'a port is a whole number from 0 to 65535' };
  }
  return { value: { host, port: Number(text) } };
}

/** The `match.hosts` form: a name, `*.name`, an IPv4 or a bracketed IPv6 address; lower-case in the answer. */
export function parseHostPattern(text: string): Parsed<string> {
  if (text === '*') return { problem: 'leave hosts out to match any Host' };
  const host = text.toLowerCase().replace(/\.$/, '');
  if (/^\[[^\]]*\]$/.test(host) && isIPv6(host.slice(1, -1)) && !host.includes('%')) return { value: host };
  if (isIPv6(host)) return { problem: 'an IPv6 address stands in brackets: "[::1]"' };
  if (/:[0-9]*$/.test(host)) return { problem: 'the port of Host is ignored: leave it out' };
  const wild = host.startsWith('*.');
  const name = wild ? host.slice(2) : host;
  if (name.includes('*')) return { problem: '"*." may only stand at the beginning and covers one label or more' };
  if (isHostname(name) || (!wild && isIPv4(name))) return { value: host };
  return { problem: `"${printable(text)}" is no host name (write an international name in its xn-- form)` };
}

/** The Host a backend is sent: a name or address, with or without a port, as it stands. */
export function parseHostLiteral(text: string): Parsed<string> {
  const parts = splitHostPort(text);
  if ('problem' in parts) return parts;
  return parts.value.host === '' ? { problem: 'a Host needs a name' } : { value: text };
}

/** Strict: four decimal parts, host bits zero, no zone. A bare address stands for itself alone. */
export function parseCidr(text: string): Parsed<Cidr> {
  const [address = '', suffix, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0)
    return { problem: 'expected an address block such as 10.0.0.0/8 or "fd00::/8"' };
  if (address.includes('%')) return { problem: 'an address block has no zone' };
  const bits = version === 4 ? 32 : 128;
  if (suffix !== undefined && !/^(0|[1-9][0-9]{0,2})$/.test(suffix)) {
    return { problem: `the prefix is a whole number from 0 to ${bits}` };
  }
  const prefix = suffix === undefined ? bits : Number(suffix);
  if (prefix > bits) return { problem: `the prefix is a whole number from 0 to ${bits}` };
  const value = addressNumber(address, version);
  if (version === 6 && value >> 32n === 0xffffn && prefix >= 96) {
    return { problem: 'a v4-mapped client counts as IPv4: write the block as IPv4' };
  }
  // Set bits behind the prefix are a typing error in one of the two, and nobody knows in which.
  if ((value & ((1n << BigInt(bits - prefix)) - 1n)) !== 0n) {
    return { problem: `bits behind the prefix /${prefix} are set` };
  }
  return { value: { address: address.toLowerCase(), prefix, family: version === 4 ? 'ipv4' : 'ipv6' } };
}

/** `address` has passed isIP. */
function addressNumber(address: string, version: number): bigint {
  if (version === 4) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const dotted = /^(.*:)([0-9]+\.[0-9.]+)$/.exec(address);
  let text = address;
  if (dotted !== null) {
    const low = addressNumber(dotted[2] ?? '', 4);
    text = `${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = text.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...front, ...new Array<string>(8 - front.length - back.length).fill('0'), ...back];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
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
