// Bad credentials of every kind that costs something to find out: of the right form, for a key or a user that is there
// where there is one, and each another one.

import { randomBytes, scryptSync } from 'node:crypto';
import { passwordHashText } from '../../src/protocol/password-hash.ts';
import { inSeconds, makeSigningKey, part, SECRET_TEXT } from '../support/tokens.ts';
import { exampleKey, upgradeRequest } from '../support/wire.ts';
import type { CredentialHead } from './credential-clients-process.ts';

export interface BadKind {
  /** Of its route and its method. */
  readonly name: string;
  /** In the config. */
  readonly method: object;
  /** Fields of the handshakes that come, in turn. */
  readonly fields: readonly Readonly<Record<string, string>>[];
  /** The p99 of an open session may be so many times what it is in quiet. */
  readonly factor: number;
  /** How long a name may take to be looked up meanwhile; null: it shares nothing with look-ups. */
  readonly lookUpMs: number | null;
  /** Besides `401 unauthorized`. */
  readonly answers: readonly string[];
  /** Each of them counts against its address. */
  readonly isCounted: boolean;
  /** Of the authorization server, and how long its answer is remembered; 0: nothing is the same twice. */
  readonly asks: { readonly path: string; readonly keptMs: number } | null;
}

const FACTOR = 1.2;
const SECONDS_PER_DAY = 86_400;
export const UNAVAILABLE = '503 auth_unavailable';
const NEGATIVE_CACHE_MS = 5_000;
const KID = 'current';
const SIGNATURE = 'keyId="device",algorithm="hmac-sha256",headers="(request-target) host date",signature="{text:16}"';
const CHEAP = { factor: FACTOR, lookUpMs: null, answers: [], isCounted: false, asks: null };

/** `url`: of the authorization server. `jwks`: what it serves. */
export function badKinds(url: (path: string) => string): { readonly kinds: readonly BadKind[]; readonly jwks: string } {
  const rsa = makeSigningKey('RS256');
  return {
    kinds: [...secretKinds(), ...tokenKinds(rsa.pem, url), ...askedKinds(url)],
    jwks: JSON.stringify({ keys: [rsa.jwk({ kid: KID, alg: 'RS256' })] }),
  };
}

function secretKinds(): BadKind[] {
  return [
    {
      ...CHEAP,
      name: 'api_key',
      method: { api_key: { keys: [{ name: 'acme', sha256: randomBytes(32).toString('hex') }] } },
      fields: [{ 'X-API-Key': '{base64url:24}' }],
      isCounted: true,
    },
    {
      ...CHEAP,
      name: 'basic',
      method: { basic: { users: [{ name: 'adams', password: hashed('correct horse') }] } },
      // Six bytes with the colon each, which end with a base64 group.
      fields: ['adams:', 'nobod:'].map((user) => ({
        Authorization: `Basic ${Buffer.from(user).toString('base64')}{text:12}`,
      })),
      factor: 2,
      lookUpMs: 150,
      answers: [UNAVAILABLE],
      isCounted: true,
    },
    {
      ...CHEAP,
      name: 'hmac',
      method: { hmac: { keys: [{ name: 'device', secret: SECRET_TEXT }] } },
      fields: [{ Date: '{date}', Authorization: `Signature ${SIGNATURE}` }],
    },
  ];
}

function tokenKinds(pem: string, url: (path: string) => string): BadKind[] {
  const claims = part({ sub: 'u1', exp: inSeconds(SECONDS_PER_DAY) });
  const token = (header: object, signature: string) => bearer(`${part(header)}.${claims}.${signature}`);
  const algorithms = ['RS256'];
  return [
    {
      ...CHEAP,
      name: 'jwt-secret',
      method: { jwt: { secret: SECRET_TEXT, algorithms: ['HS256'] } },
      fields: [token({ alg: 'HS256' }, '{base64url:32}')],
    },
    {
      ...CHEAP,
      name: 'jwt-key',
      method: { jwt: { key: pem, algorithms } },
      fields: [token({ alg: 'RS256' }, '{base64url:256}')],
    },
    {
      ...CHEAP,
      name: 'jwt-jwks',
      method: { jwt: { jwks: { url: url('/jwks') }, algorithms } },
      fields: [
        token({ alg: 'RS256', kid: KID }, '{base64url:256}'),
        bearer(`${headerOfUnknownKey()}.${claims}.{base64url:256}`),
      ],
      asks: { path: '/jwks', keptMs: 30_000 },
    },
  ];
}

function askedKinds(url: (path: string) => string): BadKind[] {
  const introspection = { url: url('/introspect'), client_id: 'framegate', client_secret: SECRET_TEXT };
  const asked = { ...CHEAP, answers: [UNAVAILABLE] };
  const another = bearer('{base64url:24}');
  return [
    {
      ...asked,
      name: 'introspection',
      method: { introspection },
      fields: [another],
      isCounted: true,
      asks: { path: '/introspect', keptMs: 0 },
    },
    {
      ...asked,
      name: 'introspection-same',
      method: { introspection },
      fields: [bearer(randomBytes(24).toString('base64url'))],
      asks: { path: '/introspect', keptMs: NEGATIVE_CACHE_MS },
    },
    {
      ...asked,
      name: 'forward',
      method: { forward: { url: url('/check') } },
      fields: [another],
      isCounted: true,
      asks: { path: '/check', keptMs: 0 },
    },
  ];
}

/** On the path of its route, or on any other one with the same bytes behind it. */
export function headsOf({ name, fields }: BadKind, path = `/${name}`): CredentialHead[] {
  return fields.map((headers) => ({
    name,
    text: upgradeRequest({ path, key: exampleKey, headers }).toString('latin1'),
  }));
}

function bearer(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}

/** With a kid of its own each: both texts around it are whole base64 groups. */
function headerOfUnknownKey(): string {
  return `${part('{ "alg":"RS256", "kid":"')}{text:12}${part('"}')}`;
}

/** As `hash-password` does. */
function hashed(password: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });
  return passwordHashText({ ln: 15, r: 8, p: 1, salt, hash });
}
