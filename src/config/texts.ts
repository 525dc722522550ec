// Owns the forms of text that a key can take: how each is read, and written again. It must not know any key by name,
// and must not open or look up what a text names.

import type * as zod from 'zod';
import { familyOf } from '../protocol/addresses/ip-address.ts';
import { isCloseCodeConfigurable } from '../protocol/close-codes.ts';
import { parsePattern } from '../protocol/path.ts';
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
import type { TextForm } from './keys/row.ts';
import { NAME } from './names.ts';
import { parseOriginEntry } from './origins.ts';
import { parsedText, take, textOff } from './scalars.ts';
import { SECRET } from './secret-file.ts';
import type { TextInput, TextValues } from './types.ts';
import type { Parsed } from './units.ts';
import { z } from './zod.ts';

type Readers = { readonly [F in TextForm]: () => zod.ZodType<TextValues[F], TextInput<F>> };

const MODE_PROBLEM = 'expected three octal digits in quotes, such as "0660"';
const HEALTH_PROBLEM = 'expected one exact path such as /healthz, or off';
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
  file: () => z.string().min(1, { error: 'expected the path of a PEM file' }),
  token: () =>
    z
      .union([z.string(), z.literal(false), z.strictObject({ file: z.string() })], { error: TOKEN_PROBLEM })
      // A file has been read before the schema sees the value.
      .transform((input, ctx) => take(parseToken(typeof input === 'string' ? input : 'off'), input, ctx)),
  subprotocol: () => parsedText(parseSubprotocol),
  origin: () => parsedText(parseOriginEntry),
};

/** As it would be written; `***` for a token. */
export function printText<F extends TextForm>(form: F, value: TextValues[F]): string {
  if (value === null) return 'off';
  if (form === 'token') return SECRET;
  if (typeof value === 'number') return `0${value.toString(8).padStart(3, '0')}`;
  return typeof value === 'string' ? value : value.text;
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

/** RFC 6750 2.1 allows fewer, but what stands behind "Bearer " is compared as it is. */
const TOKEN = /^[\x21-\x7e]{1,512}$/;

function parseToken(text: string): Parsed<string | null> {
  if (text === 'off') return { value: null };
  // What `framegate config` prints in place of a secret must never become one.
  if (text === SECRET) return { problem: '*** stands where a secret was: write the secret, or {file: path}' };
  return TOKEN.test(text) ? { value: text } : { problem: TOKEN_PROBLEM };
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
