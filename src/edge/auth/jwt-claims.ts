// Whether the claims of a token whose signature is good let somebody in now, and until when (RFC 7519 4.1, RFC 8725 3).

import type { JwtAuth } from '../../config/types.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../../protocol/strict-json.ts';

/** The end of the year 9999, in seconds since 1970. */
const TIME_MAX = 253_402_300_799;

interface Standing {
  readonly claims: JsonObject;
  readonly jti: string | null;
  /** Milliseconds since 1970. */
  readonly issuedAt: number | null;
  /** Leeway included. */
  readonly expiresAt: number;
}

type Rules = Pick<JwtAuth, 'issuer' | 'audience' | 'require_exp' | 'leeway' | 'max_age'>;

/** A text: which claim is wrong. `now`: milliseconds since 1970. */
export function judgeClaims(payload: Uint8Array, rules: Rules, now: number): Standing | string {
  const claims = parseStrictJson(payload)?.value;
  if (!isJsonObject(claims)) return 'payload';
  const { iss, aud, jti = null } = claims;
  if (rules.issuer !== undefined && iss !== rules.issuer) return 'iss';
  if (rules.audience !== undefined && !isFor(aud, rules.audience)) return 'aud';
  if (jti !== null && typeof jti !== 'string') return 'jti';
  const times = timesOf(claims);
  if (typeof times === 'string') return times;
  const { exp, nbf, iat } = times;
  const { leeway, max_age: maxAge } = rules;
  if (exp === null && rules.require_exp) return 'exp';
  if (nbf !== null && nbf - leeway > now) return 'nbf';
  // Issued later than now, it would be newer than whatever revokes it.
  if (iat === null ? maxAge !== Number.POSITIVE_INFINITY : iat - leeway > now) return 'iat';
  const oldAt = (iat ?? now) + maxAge;
  const expiresAt = Math.min(exp ?? Number.POSITIVE_INFINITY, oldAt) + leeway;
  if (expiresAt <= now) return exp !== null && exp <= oldAt ? 'exp' : 'iat';
  return { claims, jti, issuedAt: iat, expiresAt };
}

/** RFC 7519 4.1.3: a text, or a list of them. */
function isFor(aud: unknown, audience: readonly string[]): boolean {
  const list: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return list.some((one) => typeof one === 'string' && audience.includes(one));
}

/** In milliseconds; null for one that is not there. */
interface Times {
  readonly exp: number | null;
  readonly nbf: number | null;
  readonly iat: number | null;
}

function timesOf(claims: JsonObject): Times | string {
  const times = { exp: null, nbf: null, iat: null } as { -readonly [K in keyof Times]: Times[K] };
  for (const name of ['exp', 'nbf', 'iat'] as const) {
    if (!(name in claims)) continue;
    const value = claims[name];
    // RFC 7519 2: a number, which may have a fraction. 1e309 is Infinity here.
    if (typeof value !== 'number' || !(value >= 0 && value <= TIME_MAX)) return name;
    times[name] = value * 1000;
  }
  return times;
}

/** RFC 7515 4.1.9: a media type, whose "application/" may be left out. */
export function isSameType(typ: string | null, wanted: string): boolean {
  return typ !== null && shortType(typ) === shortType(wanted);
}

function shortType(typ: string): string {
  const lower = typ.toLowerCase();
  const rest = lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
  // With another "/" in it, it would name another type without it.
  return rest.includes('/') ? lower : rest;
}
