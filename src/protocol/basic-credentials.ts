// What the scheme Basic (RFC 7617) carries: a user and a password, in one spelling only. It compares nothing.

/** Longer than any name and password that a config takes. */
const TEXT_LENGTH_MAX = 2_048;
const BASE64 = /^[+/0-9A-Za-z]+={0,2}$/;

interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** Null: not of this form. `text` is what stands behind the scheme. */
export function parseBasic(text: string): BasicCredentials | null {
  // Node takes junk and unused bits for Base64: a form first, and then the way back, so that one text says one thing.
  if (text.length > TEXT_LENGTH_MAX || !BASE64.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return null;
  // RFC 7617 2: no control characters (RFC 5234 B.1).
  if (bytes.some((byte) => byte < 0x20 || byte === 0x7f)) return null;
  const pair = utf8(bytes);
  // RFC 7617 2: the first colon ends the name, which has none.
  const colon = pair?.indexOf(':') ?? -1;
  return pair === null || colon === -1 ? null : { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** Null when it is none: what is put in for a broken character would make two texts one. */
function utf8(bytes: Buffer): string | null {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : null;
}
