// Tokens as an authorization server makes them, and as nobody should: with node:crypto, which framegate does not sign
// with. One key of each type for the whole run: those of RSA take long to make.

import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export const SECRET_TEXT = 'a secret of thirty-two bytes, or more';

export interface SigningKey {
  readonly alg: string;
  readonly publicKey: KeyObject;
  readonly pem: string;
  /** As it stands in a JWK Set. */
  jwk(own?: Record<string, unknown>): Record<string, unknown>;
  sign(input: string): Buffer;
  /** With the same key, as another algorithm of its type would. */
  as(alg: string): (input: string) => Buffer;
}

type Asymmetric = 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA';

export function makeSigningKey(alg: Asymmetric, modulusLength = 2048): SigningKey {
  const { publicKey, privateKey } = pairFor(alg, modulusLength);
  const as = (name: string) => (input: string) => {
    const padding = name.startsWith('PS')
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: Number(name.slice(2)) / 8 }
      : {};
    const hash = name.startsWith('Ed') ? null : `sha${name.slice(2)}`;
    return sign(hash, Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363', ...padding });
  };
  return {
    alg,
    publicKey,
    pem: String(publicKey.export({ type: 'spki', format: 'pem' })),
    jwk: (own = {}) => ({ ...publicKey.export({ format: 'jwk' }), use: 'sig', ...own }),
    sign: as(alg),
    as,
  };
}

function pairFor(alg: Asymmetric, modulusLength: number) {
  switch (alg) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    default:
      return generateKeyPairSync('rsa', { modulusLength });
  }
}

export function hs256(input: string, secret: string | Buffer = SECRET_TEXT, bits = '256'): Buffer {
  return createHmac(`sha${bits}`, secret).update(input).digest();
}

/** A part of a token: of an object its JSON, a text as it is. */
export function part(value: object | string): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

export interface TokenSpec {
  readonly header: object | string;
  readonly payload: object | string;
  sign(input: string): Buffer;
}

export function tokenOf({ header, payload, sign: signed }: TokenSpec): string {
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${signed(input).toString('base64url')}`;
}

/** Seconds since 1970, from now. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}
