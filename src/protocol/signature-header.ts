// Signed requests (draft-cavage-http-signatures-12): the credentials of the scheme Signature, the text that is signed,
// and the date in it. It knows no keys.

import { trimOws } from './charset.ts';
import type { HeadField } from './http-head.ts';

export interface SignatureHeader {
  readonly keyId: string;
  /** As it was sent. */
  readonly algorithm: string;
  /** What is signed, in that order, each once; lower case. */
  readonly signed: readonly string[];
  readonly signature: Buffer;
}

/** 2.1. `created` and `expires` are not for keyed hashes (2.3), and what nobody knows may change what is meant. */
const NAMES = ['keyId', 'algorithm', 'headers', 'signature'];
/** No quoted pair: none of the four needs one. */
const PARAMETER = /^([A-Za-z]+)="([\x20\x21\x23-\x5b\x5d-\x7e]*)"$/;
const PARAMETERS_MAX = 4096;
const SIGNED_MAX = 64;
/** With its padding, and bits that are of no byte zero. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;
const SIGNED = /^(?:\(request-target\)|[a-z0-9-]+)$/;

/** `credentials`: behind the scheme. Null when they break a rule of the draft. */
export function parseSignatureHeader(credentials: string): SignatureHeader | null {
  if (credentials.length > PARAMETERS_MAX) return null;
  const found = new Map<string, string>();
  // A comma within quotes parts what is no parameter then.
  for (const element of credentials.split(',')) {
    const [, name = '', value = ''] = PARAMETER.exec(trimOws(element)) ?? [];
    if (!NAMES.includes(name) || found.has(name)) return null;
    found.set(name, value);
  }
  const [keyId = '', algorithm = '', list = '', signature = ''] = NAMES.map((name) => found.get(name));
  const signed = list.split(' ');
  const isGood =
    keyId !== '' &&
    algorithm !== '' &&
    signature !== '' &&
    BASE64.test(signature) &&
    signed.length <= SIGNED_MAX &&
    signed.every((name) => SIGNED.test(name)) &&
    new Set(signed).size === signed.length;
  return isGood ? { keyId, algorithm, signed, signature: Buffer.from(signature, 'base64') } : null;
}

interface SignedRequest {
  readonly head: { readonly method: string; readonly fields: readonly HeadField[] };
  readonly path: string;
  readonly query: string;
}

/** 2.3: what is signed, in latin1. Null when one of the fields is not there. */
export function signingString({ head, path, query }: SignedRequest, signed: readonly string[]): string | null {
  const lines: string[] = [];
  for (const name of signed) {
    if (name === '(request-target)') {
      lines.push(`${name}: ${head.method.toLowerCase()} ${path}${query}`);
      continue;
    }
    const values = fieldValues(head.fields, name);
    if (values.length === 0) return null;
    lines.push(`${name}: ${values.join(', ')}`);
  }
  return lines.join('\n');
}

export function fieldValues(fields: readonly HeadField[], lower: string): readonly string[] {
  return fields.filter((field) => field.lower === lower).map(({ value }) => trimOws(value));
}

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const DATE = /^[A-Z][a-z]{2}, \d{2} ([A-Z][a-z]{2}) \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** RFC 9110 5.6.7, IMF-fixdate alone, to milliseconds since 1970; null for another text, or a day that never was. */
export function parseFixdate(text: string): number | null {
  const month = DATE.exec(text)?.[1];
  if (month === undefined) return null;
  const numbers = [text.slice(12, 16), text.slice(5, 7), text.slice(17, 19), text.slice(20, 22), text.slice(23, 25)];
  const [year = 0, day, hour, minute, second] = numbers.map(Number);
  const at = new Date(Date.UTC(year, MONTHS.indexOf(month) / 3, day, hour, minute, second));
  return at.toUTCString() === text ? at.getTime() : null;
}
