// Owns how an entry of a list of origins is read: as it is compared, or what is wrong with it.

import { parseOriginPattern, printOriginPattern } from '../protocol/origin.ts';
import { printable } from './addresses.ts';
import type { Parsed } from './units.ts';

const FORM = 'scheme://host[:port] such as https://app.example.com or "https://*.example.com", same, or "null"';

/** In the one spelling of that origin: so two that are the same are seen to be. */
export function parseOriginEntry(text: string): Parsed<string> {
  if (text === 'same' || text === 'null') return { value: text };
  if (text === '*' || text === 'any') return { problem: 'to let all pages in write origins: any, without a list' };
  const pattern = parseOriginPattern(text);
  // RFC 6455 10.2: it names the page, not the WebSocket that the page opens.
  if (pattern !== null && /^wss?$/.test(pattern.scheme)) {
    return { problem: `an origin is that of a page: write ${pattern.scheme === 'ws' ? 'http' : 'https'}://` };
  }
  return pattern === null ? { problem: problemOf(text) } : { value: printOriginPattern(pattern) };
}

function problemOf(text: string): string {
  const parts = /^([^/]*:\/\/[^/?#]*)[/?#]/.exec(text);
  if (parts !== null && parseOriginPattern(parts[1] ?? '') !== null) {
    return 'an origin ends with its host or port: leave the path out';
  }
  if (!text.includes('://') && parseOriginPattern(`https://${text}`) !== null) {
    return `an origin begins with its scheme: https://${text}`;
  }
  if (/[^ -~]/.test(text)) return 'write the host as browsers send it, in ASCII: xn--...';
  return `"${printable(text)}" is no origin: expected ${FORM}`;
}
