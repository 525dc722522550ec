// Owns the forms of text that the keys of `acme` take.

import { familyOf } from '../protocol/addresses/ip-address.ts';
import { isHostname, printable } from './addresses.ts';
import { parseServiceUrl } from './auth-texts.ts';
import type { ServiceUrl } from './row-types.ts';
import type { Parsed } from './units.ts';

/** Directories that have a word of their own. */
const DIRECTORIES: ReadonlyMap<string, string> = new Map([
  ['letsencrypt', 'https://acme-v02.api.letsencrypt.org/directory'],
  ['letsencrypt-staging', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
]);
const WILDCARD = 'a "*." can be proved by dns-01 alone: get that certificate elsewhere, and name its cert and key';
const ADDRESS = 'an address is no domain: name a host';

export function parseDomain(text: string): Parsed<string> {
  const name = text.toLowerCase().replace(/\.$/, '');
  if (name.startsWith('*')) return { problem: WILDCARD };
  if (familyOf(name) !== 0 || name.startsWith('[')) return { problem: ADDRESS };
  return isHostname(name) ? { value: name } : { problem: `"${printable(text)}" is no host name` };
}

export function parseDirectory(text: string): Parsed<ServiceUrl> {
  const url = DIRECTORIES.get(text) ?? text;
  const parsed = parseServiceUrl(url);
  if ('problem' in parsed) return { problem: 'expected letsencrypt, letsencrypt-staging, or https://host:port/path' };
  // RFC 8555 6.1.
  if (!parsed.value.endpoint.secure) return { problem: 'ACME is spoken over https alone (RFC 8555 6.1)' };
  return { value: { ...parsed.value, text } };
}

export function parseEmail(text: string): Parsed<string> {
  const isGood = /^[\x21-\x7e]{1,254}$/.test(text) && /^[^@,?:]+@[^@,?:]+$/.test(text);
  return isGood ? { value: text } : { problem: 'expected one address, such as ops@example.com' };
}
