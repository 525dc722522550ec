// Reads what an ACME authority says besides its objects: the URLs that it names, and how long it is to be left alone.

import type { ServiceUrl } from '../config/types.ts';

const URL_LENGTH_MAX = 2_048;
const HTTPS_PORT = 443;
/** Longer than any authority asks for. */
const RETRY_MAX_MS = 7 * 86_400_000;

/** Null for what is no https URL (RFC 8555 6.1), or has more in it than a host, a port and a path. */
export function serviceUrl(text: string): ServiceUrl | null {
  if (text.length > URL_LENGTH_MAX || !/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return null;
  const { protocol, username, password, hostname, port, host, pathname, search, hash } = new URL(text);
  if (protocol !== 'https:' || username !== '' || password !== '' || hash !== '') return null;
  const named = hostname.replace(/^\[(.*)\]$/, '$1');
  const number = port === '' ? HTTPS_PORT : Number(port);
  const endpoint = { kind: 'tcp', host: named, port: number, secure: true, base: '' } as const;
  return { text, endpoint, authority: host, path: `${pathname}${search}` };
}

/** RFC 9110 10.2.3: seconds, or a date; null where it is neither. */
export function retryAfterOf(text: string | undefined, wallNow: number): number | null {
  if (text === undefined) return null;
  const ms = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - wallNow;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), RETRY_MAX_MS);
}
