// Owns the forms of text that keys of `auth` take: places of credentials, names, hashes, secrets, claims, addresses of
// services. It must not know any key by name, and shows no text that may be a secret.

import type { CredentialPlace } from '../protocol/credential-places.ts';
import { isHopByHop, isOwnRequestField, isSafeName } from '../protocol/field-names.ts';
import { isBounded, parsePasswordHash } from '../protocol/password-hash.ts';
import { parseTargetUrl, printable } from './addresses.ts';
import { MAP_KEY } from './names.ts';
import type { TextValues } from './row-types.ts';
import { SECRET } from './secret-file.ts';
import type { Parsed } from './units.ts';

/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const CARRIER_PROBLEM = 'expected header:NAME, query:NAME, cookie:NAME, subprotocol:NAME, or subprotocol_prefix:TEXT';
/** What says something else of a request, and cannot be taken out of it or is shown in the log. */
const TAKEN = new Set(['cookie', 'host', 'origin', 'user-agent']);
const VISIBLE = /^[\x21-\x7e]*$/;
const TEXT_LENGTH_MAX = 1024;
const SECRET_BYTES_MAX = 8192;
const NAME_BYTES_MAX = 256;
/** Controls would break lines of logs and names of metrics. */
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

export function parseCarrier(text: string): Parsed<CredentialPlace> {
  const [, kind = '', name = ''] = /^(header|query|cookie|subprotocol|subprotocol_prefix):(.+)$/s.exec(text) ?? [];
  switch (kind) {
    case 'header': {
      const lower = name.toLowerCase();
      const isGood = isSafeName(lower) && !isOwnRequestField(lower) && !TAKEN.has(lower) && !lower.startsWith('sec-');
      return isGood
        ? { value: { kind, name: lower } }
        : { problem: `"${printable(name)}" is no field for credentials` };
    }
    case 'cookie':
    case 'subprotocol':
    case 'subprotocol_prefix':
      return TOKEN.test(name)
        ? { value: { kind, name } }
        : { problem: `"${printable(name)}" is no token (RFC 9110 5.6.2)` };
    case 'query':
      return { value: { kind, name } };
    default:
      return { problem: CARRIER_PROBLEM };
  }
}

export function printCarrier({ kind, name }: CredentialPlace): string {
  return `${kind}:${name}`;
}

export function parseKeyPrefix(text: string): Parsed<string> {
  return VISIBLE.test(text) && text.length <= 64
    ? { value: text }
    : { problem: 'expected at most 64 visible ASCII characters' };
}

/** Names of keys and users: any text that a line of the log can show. */
export function parseIdentity(text: string): Parsed<string> {
  const isGood = text !== '' && Buffer.byteLength(text) <= NAME_BYTES_MAX && !CONTROL.test(text);
  return isGood ? { value: text } : { problem: 'a name has 1 to 256 bytes and no control characters' };
}

/** RFC 7617 2: what stands behind the first colon is the password. */
export function parseUserName(text: string): Parsed<string> {
  return text.includes(':') ? { problem: 'no client can send a user name with ":"' } : parseIdentity(text);
}

export function parseIdentityPattern(text: string): Parsed<string> {
  return text === '*' ? { problem: 'every name fits: leave the list out' } : parseIdentity(text);
}

export function parseSha256(text: string): Parsed<string> {
  return /^[0-9A-Fa-f]{64}$/.test(text)
    ? { value: text.toLowerCase() }
    : { problem: 'expected the SHA-256 of the key as 64 hex digits, as framegate hash-key prints it' };
}

const TIME_PROBLEM = 'expected a time such as 2027-01-31T00:00:00Z';

/** RFC 3339, to milliseconds since 1970. */
export function parseTime(text: string): Parsed<number> {
  if (!/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text))
    return { problem: TIME_PROBLEM };
  const at = Date.parse(text.toUpperCase());
  // Date.parse takes the 31st of February for the 3rd of March.
  const isReal = Number.isFinite(at) && isCalendarDay(text);
  return isReal ? { value: at } : { problem: TIME_PROBLEM };
}

function isCalendarDay(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number);
  const date = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day ?? 0));
  return date.getUTCMonth() + 1 === month && date.getUTCDate() === day;
}

export function parsePassword(text: string): Parsed<string> {
  if (text === SECRET) return { problem: '*** stands where a hash was' };
  const parsed = parsePasswordHash(text);
  if (parsed === null)
    return { problem: 'expected a hash as framegate hash-password prints it, in quotes: "$scrypt$ln=15,r=8,p=1$..."' };
  return isBounded(parsed) ? { value: text } : { problem: 'scrypt takes ln 10 to 17, r 8 and p 1 to 4 here' };
}

export function parseRealm(text: string): Parsed<string> {
  const isGood = /^[\x20-\x7e]{1,128}$/.test(text) && !/["\\]/.test(text);
  return isGood ? { value: text } : { problem: 'expected 1 to 128 printable ASCII characters without quotes and "\\"' };
}

export function parseSharedSecret(text: string): Parsed<string> {
  if (text === SECRET) return { problem: '*** stands where a secret was: write the secret, or {file: path}' };
  const bytes = Buffer.byteLength(text);
  return bytes > 0 && bytes <= SECRET_BYTES_MAX
    ? { value: text }
    : { problem: `expected text of 1 to ${SECRET_BYTES_MAX} bytes, or {file: path}` };
}

export function parseClaim(text: string): Parsed<string> {
  return parseShort(text);
}

export function parseClaimOff(text: string): Parsed<string | null> {
  return text === 'off' ? { value: null } : parseShort(text);
}

export function parseShort(text: string): Parsed<string> {
  const isGood = text !== '' && text.length <= TEXT_LENGTH_MAX && !CONTROL.test(text);
  return isGood ? { value: text } : { problem: `expected text of 1 to ${TEXT_LENGTH_MAX} characters without controls` };
}

const URL_PROBLEM = 'expected https://host:port/path, or http:// to loopback';

export function parseServiceUrl(text: string): Parsed<TextValues['service_url']> {
  const [, scheme = '', authority = '', target = ''] = /^(https?):\/\/([^/?#]+)([^#]*)$/i.exec(text) ?? [];
  if (scheme === '') return { problem: URL_PROBLEM };
  const parsed = parseTargetUrl(`${scheme.toLowerCase()}://${authority}`);
  if ('problem' in parsed) return parsed;
  const { value: endpoint } = parsed;
  if (endpoint.kind !== 'tcp') return { problem: URL_PROBLEM };
  const path = target === '' ? '/' : target.startsWith('?') ? `/${target}` : target;
  if (!/^\/(?!\/)[\x21-\x7e]*$/.test(path))
    return { problem: 'a path has visible ASCII characters and no "//" in front' };
  return { value: { text, endpoint, authority: authority.toLowerCase(), path } };
}

/** draft-cavage-http-signatures-12 2.3. */
export function parseSignedField(text: string): Parsed<string> {
  const lower = text.toLowerCase();
  return lower === '(request-target)' || isSafeName(lower)
    ? { value: lower }
    : { problem: `"${printable(text)}" is no field, nor (request-target)` };
}

export function parseSentField(text: string): Parsed<string> {
  const lower = text.toLowerCase();
  return isSafeName(lower) && !isHopByHop(lower)
    ? { value: lower }
    : { problem: `"${printable(text)}" is no field that goes from end to end` };
}

export function parseAuthName(text: string): Parsed<string> {
  return MAP_KEY.test(text) ? { value: text } : { problem: `"${printable(text)}" is no name of a method` };
}
