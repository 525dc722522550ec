// A JWK Set (RFC 7517) as signatures are checked with it: public keys alone, few enough to look through for each token.
// What else stands in a set is dropped.

import { compactVerify, createLocalJWKSet, errors, type JWK } from 'jose';
import { isJsonObject, type JsonObject } from '../../protocol/strict-json.ts';

/** Of one set. A token names its key; without a name all of its kind are looked through. */
const KEYS_MAX = 256;
/** Of a token that does not name its key. */
const TRIED_MAX = 4;
/** RFC 7518 6, RFC 8037 2: of a public key, by its kty. Whatever else it has says nothing about signatures. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
};
/** RFC 7518 6.2.2, 6.3.2, 6.4.1. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
/** Two names of one thing (RFC 9864 2.2). Which of them is taken the config says. */
const ED25519 = /^Ed(?:DSA|25519)$/;

/** The payload; else why there is none. `no_key`: the set has none for this token. */
type Checked = Uint8Array | 'no_key' | 'signature';

export class KeySet {
  private readonly keyFor: ReturnType<typeof createLocalJWKSet>;

  private constructor(keys: JWK[]) {
    this.keyFor = createLocalJWKSet({ keys });
  }

  /** A text: what is wrong with it. */
  static parse(text: string): KeySet | string {
    const set = jsonOf(text);
    const keys: unknown = isJsonObject(set) && Object.hasOwn(set, 'keys') ? set.keys : null;
    if (!Array.isArray(keys)) return 'no JWK Set';
    if (keys.length > KEYS_MAX) return `more than ${KEYS_MAX} keys`;
    const usable = keys.flatMap((key) => usableKey(key) ?? []);
    // One that was emptied on purpose says so.
    if (usable.length === 0 && keys.length > 0) return 'no key for signatures';
    return new KeySet(usable);
  }

  /** `alg`: one that the config takes. */
  async check(token: string, alg: string): Promise<Checked> {
    const options = { algorithms: [alg] };
    try {
      return (await compactVerify(token, this.keyFor, options)).payload;
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'no_key';
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return 'signature';
      let tried = 0;
      for await (const key of error) {
        if (tried === TRIED_MAX) break;
        tried += 1;
        const checked = await compactVerify(token, key, options).catch(() => null);
        if (checked !== null) return checked.payload;
      }
      return 'signature';
    }
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What of it is a public key; null when it is none. */
function usableKey(key: unknown): JWK | null {
  if (!isJsonObject(key)) return null;
  const kty = textOf(key, 'kty');
  const members = kty !== null && Object.hasOwn(MEMBERS, kty) ? MEMBERS[kty] : undefined;
  if (kty === null || members === undefined) return null;
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(key, name))) return null;
  if (!members.every((name) => textOf(key, name) !== null)) return null;
  const made: Record<string, string> = {};
  for (const name of [...members, 'kid', 'use', 'alg']) {
    if (!Object.hasOwn(key, name)) continue;
    const value = textOf(key, name);
    if (value === null) return null;
    if (name !== 'alg' || !ED25519.test(value)) made[name] = value;
  }
  const operations: unknown = Object.hasOwn(key, 'key_ops') ? key.key_ops : ['verify'];
  return Array.isArray(operations) && operations.includes('verify') ? { ...made, kty } : null;
}

function textOf(key: JsonObject, name: string): string | null {
  const value = Object.hasOwn(key, name) ? key[name] : null;
  return typeof value === 'string' && value !== '' ? value : null;
}
