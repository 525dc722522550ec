// The outer form of a signed token (RFC 7515 7.1): three parts, each spelled in the one way there is, and a header that
// asks for nothing but a signature. It judges no signature, and believes nothing that the header says.

import { isJsonObject, parseStrictJson } from './strict-json.ts';

/** What a token may have in characters. */
const LENGTH_MAX = 8192;
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** The last character of a part whose last group has two, or three: bits that are of no byte are zero. */
const LAST_OF_TWO = /[AQgw]$/;
const LAST_OF_THREE = /[AEIMQUYcgkosw048]$/;
/** Its payload would not be what is signed, or would have to be made of it first. */
const ASKS_FOR_MORE = ['crit', 'b64', 'zip', 'enc'];

export interface CompactJws {
  readonly alg: string;
  /** Null: it does not say. */
  readonly kid: string | null;
  readonly typ: string | null;
}

/** Whether it looks like one at all, for who tells kinds of credentials apart. */
export function isCompactForm(text: string): boolean {
  return FORM.test(text);
}

/** Null when it is none that could be good. */
export function parseCompactJws(token: string): CompactJws | null {
  if (token.length > LENGTH_MAX || !FORM.test(token)) return null;
  const parts = token.split('.');
  if (!parts.every(isCanonical)) return null;
  const header = parseStrictJson(Buffer.from(parts[0] ?? '', 'base64url'))?.value;
  if (!isJsonObject(header) || ASKS_FOR_MORE.some((name) => name in header)) return null;
  const { alg, kid = null, typ = null } = header;
  return typeof alg === 'string' && isTextOrNull(kid) && isTextOrNull(typ) ? { alg, kid, typ } : null;
}

/** RFC 4648 3.5: a decoder may take other bits there, and then one token has many spellings. */
function isCanonical(part: string): boolean {
  switch (part.length % 4) {
    case 1:
      return false;
    case 2:
      return LAST_OF_TWO.test(part);
    case 3:
      return LAST_OF_THREE.test(part);
    default:
      return true;
  }
}

/** An explicit null is none of both. */
function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
