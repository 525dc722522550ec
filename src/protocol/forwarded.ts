// The Forwarded field of RFC 7239: taken apart from its right end, where the nearest proxy has written, and written.
// It believes nothing: whose elements count is for those who ask. It never throws.

import { isPortLike, splitHostPort } from './addresses/host-port.ts';
import { parseIp, printIp } from './addresses/ip-address.ts';
import { isToken, trimOws } from './charset.ts';

/** An element with a name and a port in each of its parameters has about 300. */
const ELEMENT_LENGTH_MAX = 1_024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

type ForwardedParameter = 'for' | 'by' | 'host' | 'proto';

/** What one proxy said; no other parameters are looked at. */
type ForwardedElement = Readonly<Partial<Record<ForwardedParameter, string>>>;

const NAMES: ReadonlySet<string> = new Set(['for', 'by', 'host', 'proto']);

/**
 * Where the last element of `text` before `end` begins: behind a comma outside of quotes. Read from the right, so that
 * an open quote in what a client sent hides nothing that a proxy wrote behind it.
 */
export function elementStart(text: string, end: number): number {
  let isQuoted = false;
  for (let at = end - 1; at >= 0; at -= 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE && !isEscaped(text, at)) isQuoted = !isQuoted;
    else if (code === COMMA && !isQuoted) return at + 1;
  }
  return 0;
}

/** RFC 9110 5.6.4: a character behind an odd number of backslashes stands for itself. */
function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (before > 0 && text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
  return (at - before) % 2 === 1;
}

/** RFC 7239 4: pairs with a token or a quoted string, no blanks around them, none twice. Null for everything else. */
export function parseElement(text: string): ForwardedElement | null {
  if (text === '' || text.length > ELEMENT_LENGTH_MAX) return null;
  const seen = new Map<string, string>();
  for (let at = 0; at < text.length; ) {
    const equals = text.indexOf('=', at);
    if (equals === -1) return null;
    const name = text.slice(at, equals).toLowerCase();
    const isQuoted = text.charCodeAt(equals + 1) === QUOTE;
    const end = isQuoted ? quoteEnd(text, equals + 1) : nextSemicolon(text, equals);
    const raw = text.slice(equals + 1, end);
    // RFC 7239 4: each parameter at most once in an element.
    if (!isToken(name) || seen.has(name) || end === -1) return null;
    const value = isQuoted ? unquoted(raw) : raw;
    if (isQuoted ? value === null : !isToken(raw)) return null;
    seen.set(name, value ?? '');
    if (end === text.length) break;
    // Behind a pair another one has to come.
    if (text.charAt(end) !== ';' || end + 1 === text.length) return null;
    at = end + 1;
  }
  return Object.fromEntries([...seen].filter(([name]) => NAMES.has(name)));
}

function nextSemicolon(text: string, from: number): number {
  const at = text.indexOf(';', from);
  return at === -1 ? text.length : at;
}

/** Behind the closing quote of the string that begins at `start`; -1 when there is none. */
function quoteEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at + 1;
  }
  return -1;
}

/** Visible ASCII, blanks and tabs; what else a quoted string may hold is in no address, host or scheme. */
function unquoted(text: string): string | null {
  const value = text.slice(1, -1).replace(/\\(.)/g, '$1');
  return /^[\t\x20-\x7e]*$/.test(value) ? value : null;
}

/**
 * RFC 7239 6: the address in a `for` or `by`, in its one spelling: IPv4, or IPv6 in brackets, with a port (it may be an
 * obfuscated one) or without. Null for `unknown`, obfuscated names and everything else.
 */
export function nodeAddress(node: string): string | null {
  const parts = splitHostPort(node);
  if (parts === null) return null;
  const { host, isBracketed, port } = parts;
  if (port !== null && !isPortLike(port) && !/^_[A-Za-z0-9._-]+$/.test(port)) return null;
  const address = parseIp(host);
  return address?.family === (isBracketed ? 6 : 4) ? printIp(address) : null;
}

/** One element of ours. `node`: an address, or '' for a peer that has none. */
export function writeElement(node: string, more: { readonly host?: string; readonly proto?: string } = {}): string {
  const shown = node === '' ? 'unknown' : node.includes(':') ? `[${node}]` : node;
  const host = more.host === undefined ? '' : `;host=${written(more.host)}`;
  const proto = more.proto === undefined ? '' : `;proto=${written(more.proto)}`;
  return `for=${written(shown)}${host}${proto}`;
}

/** RFC 7239 4: what is no token is quoted. Hosts and addresses hold neither quotes nor backslashes. */
function written(value: string): string {
  return isToken(value) ? value : `"${value}"`;
}

/** Elements from the right over all lines, blanks and empty ones left out; false from `take` ends it. */
export function eachFromRight(lines: readonly string[], max: number, take: (element: string) => boolean): void {
  let left = max;
  // RFC 9110 5.3: several lines are one list.
  for (let line = lines.length - 1; line >= 0; line -= 1) {
    const text = lines[line] ?? '';
    for (let end = text.length; end >= 0 && left > 0; ) {
      const start = elementStart(text, end);
      const element = trimOws(text.slice(start, end));
      end = start - 1;
      left -= 1;
      // RFC 9110 5.6.1.2: empty list elements are ignored; they count, so that they cost no more than others.
      if (element !== '' && !take(element)) return;
    }
  }
}

/** The elements at the right end that are well-formed, as they were sent and in their order. */
export function soundElements(lines: readonly string[], max: number): string[] {
  const sound: string[] = [];
  eachFromRight(lines, max, (element) => {
    if (parseElement(element) === null) return false;
    sound.unshift(element);
    return true;
  });
  return sound;
}
