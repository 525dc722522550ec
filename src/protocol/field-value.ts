// What somebody said, as the value of a header field: visible ASCII stays, all else becomes %XX, and there is an end to
// it. Nothing that comes out can end a line, nor be taken for something else by whoever decodes it once.

import assert from 'node:assert';

/** Of one value, its escapes and the commas of a list included. */
export const VALUE_BYTES_MAX = 1024;

const SPACE = 0x20;
const PERCENT = 0x25;
const TILDE = 0x7e;
/** A character of UTF-8 has at most three bytes behind its first. */
const CONTINUATIONS_MAX = 3;

/** Nothing in it is escaped. */
const PLAIN = /^[\x21-\x24\x26-\x7e](?:[\x20-\x24\x26-\x7e]*[\x21-\x24\x26-\x7e])?$/;

/**
 * Bytes, one to a latin1 character. Of what is too long the rest is left out, from the first character of UTF-8 on that
 * does not fit whole; then blanks at the end go too.
 */
export function encodeBytes(bytes: string, lengthMax = VALUE_BYTES_MAX): string {
  if (bytes.length <= lengthMax && PLAIN.test(bytes)) return bytes;
  const { length } = bytes;
  let start = 0;
  while (start < length && bytes.charCodeAt(start) === SPACE) start += 1;
  let end = length;
  while (end > start && bytes.charCodeAt(end - 1) === SPACE) end -= 1;
  let encoded = '';
  for (let at = 0; at < length; ) {
    const next = characterEnd(bytes, at);
    const isInside = at >= start && at < end;
    const character = encodeRange(bytes, at, next, isInside);
    if (character.length > lengthMax - encoded.length) return encoded.replace(/ +$/, '');
    encoded += character;
    at = next;
  }
  return encoded;
}

/** The same for text: as UTF-8, half a surrogate pair as U+FFFD. */
export function encodeText(text: string, lengthMax = VALUE_BYTES_MAX): string {
  return encodeBytes(Buffer.from(text, 'utf8').toString('latin1'), lengthMax);
}

/** Joined with ",", which is escaped in the items. Items that do not fit whole are left out, with all behind them. */
export function encodeList(items: readonly string[]): string {
  let encoded = '';
  for (const item of items) {
    const text = encodeText(item, Number.POSITIVE_INFINITY).replaceAll(',', '%2C');
    const more = encoded === '' ? text : `${encoded},${text}`;
    if (more.length > VALUE_BYTES_MAX) return encoded;
    encoded = more;
  }
  return encoded;
}

/** Where the character that begins at `at` ends; a byte that is no part of UTF-8 stands for itself. */
function characterEnd(bytes: string, at: number): number {
  if (bytes.charCodeAt(at) < 0xc0) return at + 1;
  const endMax = Math.min(bytes.length, at + 1 + CONTINUATIONS_MAX);
  let end = at + 1;
  while (end < endMax && (bytes.charCodeAt(end) & 0xc0) === 0x80) end += 1;
  return end;
}

function encodeRange(bytes: string, start: number, end: number, keepsBlanks: boolean): string {
  let encoded = '';
  for (let at = start; at < end; at += 1) {
    const code = bytes.charCodeAt(at);
    // Written as latin1, U+010D U+010A would be CR LF.
    assert(code <= 0xff, 'a byte is at most 255');
    const isKept = code > SPACE ? code <= TILDE && code !== PERCENT : code === SPACE && keepsBlanks;
    encoded += isKept ? bytes[at] : `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
