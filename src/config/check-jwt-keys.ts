// Owns which keys fit which algorithms of a method jwt: secrets, public keys in PEM, keys of a JWK Set. What is told of
// them shows nothing of a secret.

import { createPublicKey, type KeyObject } from 'node:crypto';
import type { CrossReport } from './cross-report.ts';
import type { PathSegments } from './problems.ts';

type Algorithms = readonly string[];

/** RFC 7518 3.2: as long as the hash; nobody guesses 32. */
const SECRET_BYTES_MIN = 32;
/** RFC 7518 3.3. */
const RSA_BITS_MIN = 2048;
/** RFC 7518 3.4. */
const BY_CURVE: Readonly<Record<string, readonly [algorithm: string, curve: string]>> = {
  prime256v1: ['ES256', 'P-256'],
  secp384r1: ['ES384', 'P-384'],
  secp521r1: ['ES512', 'P-521'],
};
const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
/** RFC 8037, RFC 9864. */
const ED25519_ALGORITHMS = ['EdDSA', 'Ed25519'];

/** `path`: of the method. */
export function checkSecret(secret: string, algorithms: Algorithms, path: PathSegments, report: CrossReport): void {
  for (const [index, name] of algorithms.entries()) {
    if (!isSymmetric(name))
      report('error', [...path, 'algorithms', index], `${name} is checked with a public key: key or jwks, not secret`);
  }
  const at = [...path, 'secret'];
  const bytes = Buffer.byteLength(secret);
  const wanted = Math.max(0, ...algorithms.filter(isSymmetric).map((name) => Number(name.slice(2)) / 8));
  // Who knows the public key could sign with it.
  if (secret.includes('-----BEGIN ')) report('error', at, 'this is a key in PEM, which is no secret: key takes it');
  else if (bytes < SECRET_BYTES_MIN) report('error', at, `is below ${SECRET_BYTES_MIN} bytes: it could be guessed`);
  else if (bytes < wanted)
    report('warning', at, `HS${wanted * 8} wants ${wanted} bytes or more, as many as its hash has (RFC 7518 3.2)`);
}

export function checkPem(pem: string, algorithms: Algorithms, path: PathSegments, report: CrossReport): void {
  const at = [...path, 'key'];
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    report('error', at, 'this is a private key, which belongs to who issues tokens: the public one is needed here');
    return;
  }
  if ((pem.match(/-----BEGIN /g) ?? []).length > 1) {
    report('error', at, 'there is more than one key here: jwks takes several');
    return;
  }
  const key = publicKey(() => createPublicKey(pem));
  const facts = key === null ? 'there is no public key in PEM here' : factsOf(key);
  if (typeof facts === 'string') report('error', at, facts);
  else
    for (const [index, name] of algorithms.entries())
      if (!facts.algorithms.includes(name))
        report('error', [...path, 'algorithms', index], misfit(name, `key is ${facts.name}`));
}

/** A key that is fetched fits or not when it comes. */
export function checkPublicAlgorithms(algorithms: Algorithms, path: PathSegments, report: CrossReport): void {
  for (const [index, name] of algorithms.entries())
    if (isSymmetric(name)) report('error', [...path, 'algorithms', index], misfit(name, 'a JWK Set holds public keys'));
}

function misfit(algorithm: string, why: string): string {
  if (isSymmetric(algorithm)) return `${algorithm} is checked with secret, and ${why}`;
  return `${algorithm} does not fit: ${why}`;
}

function isSymmetric(algorithm: string): boolean {
  return algorithm.startsWith('HS');
}

/** What a key is, and what it can check. */
interface KeyFacts {
  readonly name: string;
  readonly algorithms: Algorithms;
}

/** A text: why it is good for nothing. */
function factsOf({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): KeyFacts | string {
  if (type === 'rsa') {
    const bits = details.modulusLength ?? 0;
    return bits < RSA_BITS_MIN
      ? `an RSA key of ${bits} bits is too short: ${RSA_BITS_MIN} or more (RFC 7518 3.3)`
      : { name: 'an RSA key', algorithms: RSA_ALGORITHMS };
  }
  if (type === 'ec') {
    const [algorithm, curve] = BY_CURVE[details.namedCurve ?? ''] ?? [];
    return algorithm === undefined
      ? 'no algorithm is for this curve: P-256, P-384 and P-521 are'
      : { name: `an EC key on ${curve}`, algorithms: [algorithm] };
  }
  if (type === 'ed25519') return { name: 'an Ed25519 key', algorithms: ED25519_ALGORITHMS };
  return `no algorithm is for keys of type ${type ?? 'secret'}: RSA, EC and Ed25519 keys are taken`;
}

function publicKey(made: () => KeyObject): KeyObject | null {
  try {
    return made();
  } catch {
    return null;
  }
}

/** RFC 7518 6.2.2, 6.3.2, 6.4.1, RFC 8037 2. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'];
/** As many as are looked through for a token that names none. */
const KEYS_MAX = 256;

/** The text of a file. What is wrong with one of its keys is told at `file`, by its position. */
export function checkSet(text: string, algorithms: Algorithms, path: PathSegments, report: CrossReport): void {
  const at = [...path, 'jwks', 'file'];
  const keys = keysOf(text);
  if (typeof keys === 'string') {
    report('error', at, keys);
    return;
  }
  const kids = new Map<string, number>();
  let usable = 0;
  let isFaulty = false;
  for (const [index, key] of keys.entries()) {
    const which = `keys[${index}]`;
    const fault = secrecyFault(key);
    const use = fault === null ? useOf(key, algorithms) : null;
    if (fault !== null) report('error', at, `${which} ${fault}`);
    else if (use !== null) report('warning', at, `${which} is not used: ${use}`);
    isFaulty ||= fault !== null;
    if (fault !== null || use !== null) continue;
    usable += 1;
    const kid = `${String(memberOf(key, 'kty'))} ${String(memberOf(key, 'kid'))}`;
    const other = memberOf(key, 'kid') === undefined ? undefined : kids.get(kid);
    if (other !== undefined) report('error', at, `${which} has the kid of keys[${other}]: a token would mean both`);
    isFaulty ||= other !== undefined;
    if (!kids.has(kid)) kids.set(kid, index);
  }
  if (usable === 0 && !isFaulty) report('error', at, `no key in it can check ${algorithms.join(', ')}`);
}

/** RFC 7517 5. */
function keysOf(text: string): readonly unknown[] | string {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return 'this file is no JSON';
  }
  const keys = memberOf(set, 'keys');
  if (!Array.isArray(keys)) return 'this is no JWK Set: { "keys": [...] }';
  return keys.length > KEYS_MAX ? `holds more than ${KEYS_MAX} keys` : keys;
}

/** What must not be in a set at all. */
function secrecyFault(key: unknown): string | null {
  if (memberOf(key, 'kty') === 'oct' || memberOf(key, 'k') !== undefined)
    return 'is a secret: who may read this file could sign with it';
  return PRIVATE_MEMBERS.some((name) => memberOf(key, name) !== undefined)
    ? 'is a private key: only its public half belongs here'
    : null;
}

/** Why a key is passed over; null when it is not. */
function useOf(key: unknown, algorithms: Algorithms): string | null {
  const use = memberOf(key, 'use');
  if (use !== undefined && use !== 'sig') return 'its use is not sig';
  const operations = memberOf(key, 'key_ops');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'its key_ops lack verify';
  const made = publicKey(() => createPublicKey({ key: jwkOf(key), format: 'jwk' }));
  if (made === null) return 'it is no public key';
  const facts = factsOf(made);
  if (typeof facts === 'string') return facts;
  const own = memberOf(key, 'alg');
  const fitting = facts.algorithms.filter((name) => own === undefined || isSameAlgorithm(own, name));
  if (fitting.length === 0) return 'its alg does not fit it';
  return fitting.some((name) => algorithms.includes(name)) ? null : `it is ${facts.name}, for ${fitting.join(', ')}`;
}

function isSameAlgorithm(a: unknown, b: string): boolean {
  return a === b || (ED25519_ALGORITHMS.includes(String(a)) && ED25519_ALGORITHMS.includes(b));
}

/** What makes a key, and nothing else of it. */
function jwkOf(key: unknown): Record<string, string> {
  const members = ['kty', 'n', 'e', 'crv', 'x', 'y'].map((name) => [name, memberOf(key, name)] as const);
  return Object.fromEntries(members.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
    return undefined;
  return (value as Record<string, unknown>)[name]; // an own member of what JSON.parse made
}
