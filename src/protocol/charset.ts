// The byte classes of HTTP/1.1 heads and request targets, as lookup tables and string tests.
// It knows no positions and no states: who may stand where is for the parsers to say.

/** `table[byte] === 1` for the members of a class. Filled once, never written again. */
export type ByteClass = Readonly<Uint8Array>;

export const Byte = {
  NUL: 0x00,
  HTAB: 0x09,
  LF: 0x0a,
  CR: 0x0d,
  SP: 0x20,
  DOT: 0x2e,
  SLASH: 0x2f,
  ZERO: 0x30,
  NINE: 0x39,
  COLON: 0x3a,
  QUESTION: 0x3f,
  UPPER_H: 0x48,
  LOWER_H: 0x68,
} as const;

const VISIBLE_FROM = 0x21;
const VISIBLE_TO = 0x7e;

function classOf(members: string): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < members.length; i += 1) table[members.charCodeAt(i)] = 1;
  return table;
}

function visibleExcept(excluded: string): Uint8Array {
  const table = new Uint8Array(256).fill(1, VISIBLE_FROM, VISIBLE_TO + 1);
  for (let i = 0; i < excluded.length; i += 1) table[excluded.charCodeAt(i)] = 0;
  return table;
}

const ALPHA = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const DIGIT = '0123456789';

/** RFC 9110 5.6.2: tchar. */
export const TOKEN: ByteClass = classOf(`${ALPHA}${DIGIT}!#$%&'*+-.^_\`|~`);

/** RFC 9110 5.5: field-content without obs-text, HTAB and SP included. */
export const FIELD_ASCII: ByteClass = classOf('\t ').fill(1, VISIBLE_FROM, VISIBLE_TO + 1);

/** RFC 9110 5.5: field-content with obs-text, which passes byte for byte in ordinary fields. */
export const FIELD_TEXT: ByteClass = FIELD_ASCII.slice().fill(1, 0x80);

/**
 * What browsers send raw in a path: RFC 3986's characters and the few more that the WHATWG URL serializer leaves
 * alone (`|`, `^`, `[`, `]`). `?` is not among them, it starts the query.
 */
export const PATH: ByteClass = visibleExcept('#"<>\\`{}?');

/** What browsers send raw in a query: all visible ASCII but four. */
export const QUERY: ByteClass = visibleExcept('#"<>');

const TOKEN_TEXT = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function isToken(text: string): boolean {
  return TOKEN_TEXT.test(text);
}

const PROTOCOL_TEXT = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/;

/** RFC 9110 7.8: protocol-name ["/" protocol-version], both tokens. */
export function isProtocol(text: string): boolean {
  return PROTOCOL_TEXT.test(text);
}

const VISIBLE_TEXT = /^[\x21-\x7e]*$/;

/** Only visible ASCII: no space, no control byte, nothing that latin1 encoding could turn into one. */
export function isVisible(text: string): boolean {
  return VISIBLE_TEXT.test(text);
}

/** The value of a hex digit's character code, or -1. */
export function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  if (lower >= 0x61 && lower <= 0x66) return lower - 0x61 + 10;
  return -1;
}

/** Strip SP and HTAB at both ends. `trim()` would also take 0xA0, which is a letter of the value. */
export function trimOws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isOws(text.charCodeAt(start))) start += 1;
  while (end > start && isOws(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

export function isOws(code: number): boolean {
  return code === Byte.SP || code === Byte.HTAB;
}
