// Owns the forms of text that keys of upstreams take: what is hashed, cookies, what checks send and expect, names that
// are looked up. It must not know any key by name.

import { hostPort } from '../protocol/addresses/host-port.ts';
import { isSafeName } from '../protocol/field-names.ts';
import { isHostname, parseHostPort, parseTargetUrl, printable } from './addresses.ts';
import type { HashKey, TextValues } from './row-types.ts';
import { formatDuration, type Parsed, parseDuration } from './units.ts';

/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** RFC 6265 4.1.1: path-value, without what a browser would read otherwise. */
const COOKIE_PATH = /^\/[\x21-\x3a\x3c-\x7e]{0,255}$/;
const AGE = { min: 1_000, max: 400 * 24 * 3_600_000, off: false };
/** RFC 3986 3.3 and 3.4, without a fragment. */
const CHECK_PATH = /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2}){0,2047}$/;
/** RFC 9110 5.5, ASCII only. */
const FIELD_TEXT = /^(?:[\x21-\x7e](?:[\x20-\x7e\t]{0,2046}[\x21-\x7e])?)?$/;
const MESSAGE_BYTES_MAX = 4_096;
const SEGMENT_MAX = 64;
const DNS_PORT = 53;

const HASH_PROBLEM = 'expected header:NAME, cookie:NAME, query:NAME, path, segment:N, identity, or claim:NAME';

export function parseHashKey(text: string): Parsed<HashKey> {
  if (text === 'path' || text === 'identity') return { value: { kind: text } };
  const [, kind = '', rest = ''] = /^(header|cookie|query|segment|claim):(.+)$/s.exec(text) ?? [];
  switch (kind) {
    case 'header': {
      const name = rest.toLowerCase();
      return isSafeName(name) ? { value: { kind, name } } : { problem: `"${printable(rest)}" is no field name` };
    }
    case 'cookie':
      return TOKEN.test(rest) ? { value: { kind, name: rest } } : { problem: `"${printable(rest)}" is no cookie name` };
    case 'query':
    case 'claim':
      return { value: { kind, name: rest } };
    case 'segment': {
      const index = /^[1-9][0-9]?$/.test(rest) ? Number(rest) : 0;
      const isGood = index > 0 && index <= SEGMENT_MAX;
      return isGood ? { value: { kind, index } } : { problem: `segments of a path count from 1 to ${SEGMENT_MAX}` };
    }
    default:
      return { problem: HASH_PROBLEM };
  }
}

export function printHashKey(key: HashKey): string {
  switch (key.kind) {
    case 'path':
    case 'identity':
      return key.kind;
    case 'segment':
      return `segment:${key.index}`;
    default:
      return `${key.kind}:${key.name}`;
  }
}

export function parseCookieName(text: string): Parsed<string> {
  return TOKEN.test(text) ? { value: text } : { problem: `"${printable(text)}" is no cookie name (RFC 6265 4.1.1)` };
}

export function parseCookiePath(text: string): Parsed<string> {
  return COOKIE_PATH.test(text) ? { value: text } : { problem: 'expected a path without ";" and blanks' };
}

/** Seconds, rounded up; null for `session`. */
export function parseCookieAge(text: string): Parsed<number | null> {
  if (text === 'session') return { value: null };
  const parsed = parseDuration(text, AGE);
  return 'problem' in parsed
    ? { problem: `${parsed.problem}; or session` }
    : { value: Math.ceil(parsed.value / 1_000) };
}

export function printCookieAge(seconds: number | null): string {
  return seconds === null ? 'session' : formatDuration(seconds * 1_000);
}

export function parseCheckPath(text: string): Parsed<string> {
  return CHECK_PATH.test(text) ? { value: text } : { problem: 'expected a path, with a query or without: /health' };
}

export function parseFieldText(text: string): Parsed<string> {
  return FIELD_TEXT.test(text) ? { value: text } : { problem: 'expected visible ASCII, with blanks inside only' };
}

const STATUS_PROBLEM = 'expected a status code from 100 to 599, or a range such as "200-299"';

export function parseStatuses(text: string): Parsed<TextValues['statuses']> {
  const [, first = '', last = first] = /^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  return first !== '' && from <= to ? { value: { from, to } } : { problem: STATUS_PROBLEM };
}

export function printStatuses({ from, to }: TextValues['statuses']): string {
  return from === to ? `${from}` : `${from}-${to}`;
}

export function parseMessage(text: string): Parsed<string> {
  const bytes = Buffer.byteLength(text);
  const isGood = bytes > 0 && bytes <= MESSAGE_BYTES_MAX;
  return isGood ? { value: text } : { problem: `expected text of 1 to ${MESSAGE_BYTES_MAX} bytes` };
}

export function parseDnsName(text: string): Parsed<string> {
  const name = text.toLowerCase().replace(/\.$/, '');
  return isHostname(name) ? { value: name } : { problem: `"${printable(text)}" is no name that can be looked up` };
}

export function parseDnsServer(text: string): Parsed<string> {
  const parts = parseHostPort(text);
  if ('problem' in parts) return parts;
  const { host, port } = parts.value;
  if (isHostname(host) || host === '' || port === 0)
    return { problem: 'expected an IP address, with a port or without' };
  return { value: hostPort({ host, port: port ?? DNS_PORT }) };
}

/** As the path of a target's url. */
export function parseBasePath(text: string): Parsed<string> {
  const parsed = text.startsWith('/') ? parseTargetUrl(`ws://host${text}`) : { problem: 'expected a path: /base' };
  if ('problem' in parsed) return parsed;
  return { value: 'base' in parsed.value ? parsed.value.base : '' };
}
