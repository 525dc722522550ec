// What claims say: whose they are, and whether they hold what a method requires. They have no prototypes
// (protocol/strict-json), so a name from the config is looked up safely.

import { claimAt } from '../../protocol/claims.ts';
import type { JsonObject } from '../../protocol/strict-json.ts';

const SUBJECT_BYTES_MAX = 256;

/** Who it is by the claim `name`; undefined: it names nobody that could be told. Null for null: nobody is asked for. */
export function subjectOf(claims: JsonObject, name: string | null): string | null | undefined {
  if (name === null) return null;
  const value = claimAt(claims, name);
  const isGood = typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= SUBJECT_BYTES_MAX;
  return isGood ? value : undefined;
}

/** The first of `required` that is not there with all its values; null: there is none. */
export function missingClaim(claims: JsonObject, required: Readonly<Record<string, readonly string[]>>): string | null {
  for (const [name, values] of Object.entries(required)) {
    const claim = claimAt(claims, name);
    if (!values.every((value) => holds(claim, value))) return name;
  }
  return null;
}

/** As a whole, as a word (RFC 6749 3.3: scopes have spaces between them), or as an item of a list. */
function holds(claim: unknown, value: string): boolean {
  if (Array.isArray(claim)) return claim.some((item) => isSame(item, value));
  return isSame(claim, value) || (typeof claim === 'string' && claim.split(' ').includes(value));
}

function isSame(claim: unknown, value: string): boolean {
  return ['string', 'number', 'boolean'].includes(typeof claim) && String(claim) === value;
}
