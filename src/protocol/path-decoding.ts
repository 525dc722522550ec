// A path as a backend may read it that decodes before it routes: for comparing and judging, never for sending, nor for
// the log. It knows no patterns.

import { hexValue } from './charset.ts';

/**
 * What becomes of `%2F` and `%5C`: `split` makes slashes of both, because who decodes a backslash mostly takes it for a
 * slash; `keep` leaves them, so that they end no segment.
 */
export type EncodedSlashes = 'split' | 'keep';

const PERCENT = 0x25;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;

/**
 * Every escape decoded once; two paths that RFC 3986 6.2.2 calls equivalent come out equal. `%25` stays, so that
 * nothing is decoded twice by whoever compares two of these. Null when an escape is malformed or is NUL.
 */
export function decodePath(path: string, slashes: EncodedSlashes): string | null {
  let percent = path.indexOf('%');
  if (percent === -1) return path;
  let decoded = '';
  let taken = 0;
  while (percent !== -1) {
    const high = percent + 2 < path.length ? hexValue(path.charCodeAt(percent + 1)) : -1;
    const low = percent + 2 < path.length ? hexValue(path.charCodeAt(percent + 2)) : -1;
    // RFC 3986 2.1: "%" HEXDIG HEXDIG; %00 ends the string of many a backend early.
    if (high === -1 || low === -1 || (high === 0 && low === 0)) return null;
    decoded += path.slice(taken, percent) + decodedByte(high * 16 + low, slashes);
    taken = percent + 3;
    percent = path.indexOf('%', taken);
  }
  return decoded + path.slice(taken);
}

/** Whether a slash or backslash is escaped in `path`. */
export function hasEncodedSlash(path: string): boolean {
  return /%2f|%5c/i.test(path);
}

function decodedByte(code: number, slashes: EncodedSlashes): string {
  if (code === PERCENT) return '%25';
  if (code !== SLASH && code !== BACKSLASH) return String.fromCharCode(code);
  if (slashes === 'split') return '/';
  return code === SLASH ? '%2F' : '%5C';
}
