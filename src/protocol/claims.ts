// What is known of whoever a session is for, once a method of auth has said so, and how a claim of theirs is read.
// Claims have no prototypes (strict-json), so a name from the config is looked up safely.

import { isJsonObject, type JsonObject } from './strict-json.ts';

export interface Holder {
  /** The method. */
  readonly auth: string;
  /** Who it is, within the method; null: nobody says. */
  readonly identity: string | null;
  readonly claims: JsonObject | null;
  /** What a service said: texts by the names of fields in lower case. */
  readonly forwarded: ReadonlyMap<string, string> | null;
}

/** By its exact name, else as a dotted path; undefined: there is none. */
export function claimAt(claims: JsonObject, name: string): unknown {
  if (name in claims) return claims[name];
  let value: unknown = claims;
  for (const part of name.split('.')) {
    if (!isJsonObject(value) || !(part in value)) return undefined;
    value = value[part];
  }
  return value;
}

/** A claim that is text, a number, a truth, or a list of these; none of anything else. */
export function claimTexts(claims: JsonObject | null, name: string): readonly string[] {
  const value = claims === null ? undefined : claimAt(claims, name);
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.every(isPlain) ? items.map(String) : [];
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
