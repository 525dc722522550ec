// Owns the forms of text that a key can take: how each is read, and written again. It must not know any key by name,
// and must not open or look up what a text names.

import type * as zod from 'zod';
import { familyOf } from '../protocol/addresses/ip-address.ts';
import { isCloseCodeConfigurable } from '../protocol/close-codes.ts';
import { isOwnAnswerField, isOwnRequestField, isSafeName, mayNameClient } from '../protocol/field-names.ts';
import { parsePattern } from '../protocol/path.ts';
import { parseDirectory, parseDomain, parseEmail } from './acme-texts.ts';
import { UNIX } from './address-lists.ts';
import {
  isHostname,
  parseBlock,
  parseHostLiteral,
  parseHostPattern,
  parseListenAddress,
  parseTargetUrl,
  printable,
} from './addresses.ts';
import {
  parseAuthName,
  parseCarrier,
  parseClaim,
  parseClaimOff,
  parseIdentity,
  parseIdentityPattern,
  parseKeyPrefix,
  parsePassword,
  parseRealm,
  parseSentField,
  parseServiceUrl,
  parseSha256,
  parseSharedSecret,
  parseShort,
  parseSignedField,
  parseTime,
  parseUserName,
  printCarrier,
} from './auth-texts.ts';
import { parseFieldName, readTemplate, TEMPLATE_PROBLEM } from './header-texts.ts';
import type { TextForm } from './keys/row.ts';
import { NAME } from './names.ts';
import { parseOriginEntry } from './origins.ts';
import type { TextInput, TextValues } from './row-types.ts';
import { parsedText, take, textOff } from './scalars.ts';
import { SECRET } from './secret-file.ts';
import type { Parsed } from './units.ts';
import {
  parseBasePath,
  parseCheckPath,
  parseCookieAge,
  parseCookieName,
  parseCookiePath,
  parseDnsName,
  parseDnsServer,
  parseFieldText,
  parseHashKey,
  parseMessage,
  parseStatuses,
  printCookieAge,
  printHashKey,
  printStatuses,
} from './upstream-texts.ts';
import { z } from './zod.ts';

type Readers = { readonly [F in TextForm]: () => zod.ZodType<TextValues[F], TextInput<F>> };

const MODE_PROBLEM = 'expected three octal digits in quotes, such as "0660"';
const HEALTH_PROBLEM = 'expected one exact path such as /healthz, or off';
const FILE_PROBLEM = 'expected the path of a PEM file';
const PASSPHRASE_PROBLEM = 'expected text of 1 to 1024 bytes without NUL, {file: path}, or off';
const TICKETS_PROBLEM = 'expected on, off, or {file: path} of a file with 96 hex digits';
const TOKEN_PROBLEM = 'expected text of 1 to 512 visible ASCII characters without a space, {file: path}, or off';

export const TEXTS: Readers = {
  plain: () => z.string(),
  name: () => parsedText(parseName),
  address: () =>
    parsedText((text) => {
      const parsed = parseListenAddress(text);
      return 'problem' in parsed ? parsed : { value: { text, bind: parsed.value } };
    }),
  mode: () =>
    z
      .string({ error: MODE_PROBLEM })
      .regex(/^0?[0-7]{3}$/, { error: MODE_PROBLEM })
      .transform((text) => Number.parseInt(text, 8)),
  cidr: () => parsedText(parseBlock),
  client_field: () => parsedText(parseClientField),
  proxy: () => parsedText((text) => (text === UNIX ? { value: text } : parseBlock(text))),
  ip: () => parsedText((text) => (familyOf(text) === 0 ? { problem: 'expected an IP address' } : { value: text })),
  path: () =>
    parsedText((text) => {
      const parsed = parsePattern(text);
      return parsed.ok ? { value: parsed.pattern } : { problem: parsed.problem };
    }),
  health_path: () => textOff(parseHealthPath, HEALTH_PROBLEM),
  host: () => parsedText(parseHostPattern),
  admin_host: () =>
    parsedText((text) => (text.startsWith('*.') ? { problem: 'expected a whole host name' } : parseHostPattern(text))),
  upstream_host: () =>
    parsedText((text) => (text === 'client' || text === 'target' ? { value: text } : parseHostLiteral(text))),
  server_name: () =>
    parsedText((text) =>
      isHostname(text) && familyOf(text) === 0
        ? { value: text }
        : { problem: 'expected a host name: SNI carries no address (RFC 6066 3)' },
    ),
  url: () =>
    parsedText((text) => {
      const parsed = parseTargetUrl(text);
      return 'problem' in parsed ? parsed : { value: { text, endpoint: parsed.value } };
    }),
  file: () => z.string().min(1, { error: FILE_PROBLEM }),
  file_off: () =>
    textOff(
      (text) => (text === '' ? { problem: FILE_PROBLEM } : { value: text === 'off' ? null : text }),
      FILE_PROBLEM,
    ),
  ciphers: () => parsedText(parseCiphers),
  passphrase: () =>
    z
      .union([z.string(), z.literal(false), z.strictObject({ file: z.string() })], { error: PASSPHRASE_PROBLEM })
      .transform((input, ctx) => take(parsePassphrase(typeof input === 'string' ? input : 'off'), input, ctx)),
  tickets: () =>
    z
      .union([z.string(), z.boolean(), z.strictObject({ file: z.string() })], { error: TICKETS_PROBLEM })
      .transform((input, ctx) => take(parseTickets(input), input, ctx)),
  token: () =>
    z
      .union([z.string(), z.literal(false), z.strictObject({ file: z.string() })], { error: TOKEN_PROBLEM })
      // A file has been read before the schema sees the value.
      .transform((input, ctx) => take(parseToken(typeof input === 'string' ? input : 'off'), input, ctx)),
  subprotocol: () => parsedText(parseSubprotocol),
  origin: () => parsedText(parseOriginEntry),
  request_field: () => parsedText((text) => parseFieldName(text, isOwnRequestField)),
  answer_field: () => parsedText((text) => parseFieldName(text, isOwnAnswerField)),
  template: () =>
    z
      .union([z.string(), z.strictObject({ file: z.string() })], { error: TEMPLATE_PROBLEM })
      // A file has been read before the schema sees the value.
      .transform((input, ctx) => take(readTemplate(typeof input === 'string' ? input : ''), input, ctx)),
  hash_key: () => parsedText(parseHashKey),
  cookie_name: () => parsedText(parseCookieName),
  cookie_path: () => parsedText(parseCookiePath),
  cookie_age: () => parsedText(parseCookieAge),
  secret: () => TEXTS.token(),
  check_path: () => parsedText(parseCheckPath),
  check_host: () => parsedText(parseHostLiteral),
  field_text: () => parsedText(parseFieldText),
  statuses: () => parsedText(parseStatuses),
  message: () => parsedText(parseMessage),
  dns_name: () => parsedText(parseDnsName),
  dns_server: () => parsedText(parseDnsServer),
  base_path: () => parsedText(parseBasePath),
  carrier: () => parsedText(parseCarrier),
  key_prefix: () => parsedText(parseKeyPrefix),
  identity: () => parsedText(parseIdentity),
  user_name: () => parsedText(parseUserName),
  identity_pattern: () => parsedText(parseIdentityPattern),
  sha256: () => parsedText(parseSha256),
  time: () => parsedText(parseTime),
  password_hash: () => parsedText(parsePassword),
  realm: () => parsedText(parseRealm),
  shared_secret: () => textOrFile(parseSharedSecret),
  public_key: () => textOrFile(parseSharedSecret),
  claim: () => parsedText(parseClaim),
  claim_off: () => textOff(parseClaimOff, 'expected the name of a claim, or off'),
  claim_text: () => parsedText(parseShort),
  // A number or a boolean is compared by its text.
  claim_value: () =>
    z
      .union([z.string(), z.number(), z.boolean()], { error: 'expected text, a number, true or false' })
      .transform((input, ctx) => take(parseShort(String(input)), input, ctx)),
  service_url: () => parsedText(parseServiceUrl),
  signed_field: () => parsedText(parseSignedField),
  sent_field: () => parsedText(parseSentField),
  auth_name: () => parsedText(parseAuthName),
  acme_domain: () => parsedText(parseDomain),
  acme_directory: () => parsedText(parseDirectory),
  email: () => parsedText(parseEmail),
};

/** A file has been read before the schema sees the value. */
function textOrFile(parse: (text: string) => Parsed<string>) {
  return z
    .union([z.string(), z.strictObject({ file: z.string() })], {
      error: ({ input }) => (input === undefined ? 'is required' : 'expected text, or {file: path}'),
    })
    .transform((input, ctx) => take(parse(typeof input === 'string' ? input : ''), input, ctx));
}

type Printers = { readonly [F in TextForm]?: (value: TextValues[F]) => string };

/** Of the forms whose value is no text, or is shown otherwise. */
const PRINTERS: Printers = {
  mode: (value) => `0${value.toString(8).padStart(3, '0')}`,
  token: secretText,
  passphrase: secretText,
  secret: secretText,
  tickets: (value) => (typeof value === 'string' ? value : SECRET),
  ciphers: (value) => (value.startsWith(TLS13_CIPHERS) ? value.slice(TLS13_CIPHERS.length) : value),
  hash_key: printHashKey,
  cookie_age: printCookieAge,
  statuses: printStatuses,
  carrier: printCarrier,
  sha256: () => SECRET,
  password_hash: () => SECRET,
  shared_secret: () => SECRET,
  public_key: () => SECRET,
  service_url: ({ text }) => text,
  acme_directory: ({ text }) => text,
  time: (at) => new Date(at).toISOString(),
  base_path: (base) => (base === '' ? '/' : base),
};

/** As it would be written; `***` for a secret. */
export function printText<F extends TextForm>(form: F, value: TextValues[F]): string {
  const printer: ((value: TextValues[F]) => string) | undefined = PRINTERS[form];
  if (printer !== undefined) return printer(value);
  if (value === null) return 'off';
  // Of what was read from a text, that text.
  return typeof value === 'object' && 'text' in value ? String(value.text) : String(value);
}

function secretText(value: string | null): string {
  return value === null ? 'off' : SECRET;
}

const CLOSE_CODE_PROBLEM = 'a close code to choose is 1001, 1008, 1011 to 1014, or 3000 to 4999';

export function closeCode() {
  return z.int({ error: CLOSE_CODE_PROBLEM }).refine(isCloseCodeConfigurable, { error: CLOSE_CODE_PROBLEM });
}

function parseName(text: string): Parsed<string> {
  return NAME.test(text) ? { value: text } : { problem: 'a name has 1 to 128 visible ASCII characters and no space' };
}

/** RFC 9110 5.6.2. */
const SUBPROTOCOL = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** A subprotocol, or with a "*" at its end the beginning of some. */
function parseSubprotocol(text: string): Parsed<string> {
  if (text === '*') return { problem: 'every name begins with nothing: leave the list out, or write any' };
  return SUBPROTOCOL.test(text)
    ? { value: text }
    : { problem: `"${printable(text)}" is no subprotocol name (a token, RFC 6455 11.3.4)` };
}

/** What `framegate config` prints in place of a secret must never become one. */
const SECRET_PROBLEM = '*** stands where a secret was: write the secret, or {file: path}';

/** RFC 6750 2.1 allows fewer, but what stands behind "Bearer " is compared as it is. */
const TOKEN = /^[\x21-\x7e]{1,512}$/;

function parseToken(text: string): Parsed<string | null> {
  if (text === 'off') return { value: null };
  if (text === SECRET) return { problem: SECRET_PROBLEM };
  return TOKEN.test(text) ? { value: text } : { problem: TOKEN_PROBLEM };
}

/** What OpenSSL has room for. */
const PASSPHRASE_BYTES_MAX = 1024;

function parsePassphrase(text: string): Parsed<string | null> {
  if (text === 'off') return { value: null };
  if (text === SECRET) return { problem: SECRET_PROBLEM };
  const bytes = Buffer.byteLength(text);
  const isGood = bytes > 0 && bytes <= PASSPHRASE_BYTES_MAX && !text.includes('\0');
  return isGood ? { value: text } : { problem: PASSPHRASE_PROBLEM };
}

function parseTickets(input: unknown): Parsed<TextValues['tickets']> {
  if (input === true || input === 'on') return { value: 'on' };
  if (input === false || input === 'off') return { value: 'off' };
  if (input === SECRET) return { problem: SECRET_PROBLEM };
  const isKey = typeof input === 'string' && /^[0-9A-Fa-f]{96}$/.test(input);
  return isKey ? { value: { key: Buffer.from(input, 'hex') } } : { problem: TICKETS_PROBLEM };
}

/** Those of Node. A list without any would switch TLSv1.3 off. */
const TLS13_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:';

/** Whether OpenSSL knows them is found out by asking it. */
function parseCiphers(text: string): Parsed<string> {
  if (!/^[\x21-\x7e]{1,4096}$/.test(text)) return { problem: 'expected a list of ciphers in the words of OpenSSL' };
  return { value: /(?:^|:)TLS_/.test(text) ? text : TLS13_CIPHERS + text };
}

/** Longer names are no header field of anybody. */
const FIELD_LENGTH_MAX = 64;
const FIELD_PROBLEM =
  'expected x-forwarded-for, forwarded, or the name of a field with one address such as cf-connecting-ip';

function parseClientField(text: string): Parsed<string> {
  const lower = text.toLowerCase();
  if (lower.length > FIELD_LENGTH_MAX || !isSafeName(lower)) return { problem: FIELD_PROBLEM };
  return mayNameClient(lower) ? { value: lower } : { problem: `${lower} means something else: ${FIELD_PROBLEM}` };
}

function parseHealthPath(text: string): Parsed<string | null> {
  if (text === 'off') return { value: null };
  if (!text.startsWith('/')) return { problem: HEALTH_PROBLEM };
  const parsed = parsePattern(text);
  if (!parsed.ok) return { problem: parsed.problem };
  const { prefix, segments } = parsed.pattern;
  const isExact = !prefix && segments.every((segment) => segment.kind === 'literal');
  return isExact ? { value: text } : { problem: HEALTH_PROBLEM };
}
