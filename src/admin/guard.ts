// Who may ask the admin listener: judges of Host, Origin, Sec-Fetch-Site and Authorization. Pure; server.ts answers.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { AdminConfig } from '../config/types.ts';
import { isPortLike, splitHostPort } from '../protocol/addresses/host-port.ts';
import { familyOf, parseIp } from '../protocol/addresses/ip-address.ts';

/** What decides who may ask. */
export type AdminSettings = Pick<AdminConfig, 'address' | 'token' | 'hosts' | 'public' | 'page'>;

/**
 * A page in a browser can send requests anywhere without asking, and measure how long their answers take. Browsers say
 * where they came from in Origin and in Sec-Fetch-Site; other clients send neither. `origin` of the listener itself is
 * http or https with the Host asked for.
 */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin, host } = headers;
  if (origin === undefined) return false;
  const match = /^https?:\/\/(.+)$/.exec(origin.toLowerCase());
  return match === null || match[1] !== host?.toLowerCase();
}

/** A person follows a link to a whole page, whose content the page with the link does not get to see. */
export function isNavigation(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}

/**
 * A page whose name was made to point here (DNS rebinding) asks with that name as Host. Addresses cannot be rebound, so
 * they pass, and so do names that were listed.
 */
export function isKnownHost(host: string | undefined, names: readonly string[]): boolean {
  if (host === undefined) return false;
  const parts = splitHostPort(host);
  if (parts === null || (parts.port !== null && !isPortLike(parts.port))) return false;
  if (parts.isBracketed) return parseIp(parts.host)?.family === 6;
  const name = bareName(parts.host);
  return familyOf(name) === 4 || name === 'localhost' || names.some((known) => bareName(known) === name);
}

function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** Compares digests: equal in length, in constant time, whatever was sent. */
export class TokenCheck {
  private readonly digest: Buffer | null;

  constructor(token: string | null) {
    this.digest = token === null ? null : digestOf(token);
  }

  passes(authorization: string | undefined): boolean {
    if (this.digest === null) return true;
    // RFC 9110 11.1: the scheme is case-insensitive.
    const match = /^bearer +([^ ]+) *$/i.exec(authorization ?? '');
    return match !== null && timingSafeEqual(digestOf(match[1] ?? ''), this.digest);
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
