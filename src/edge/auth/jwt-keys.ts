// What signatures of tokens are checked with: a secret, a public key, a JWK Set of a file or of a URL. Which algorithm
// a key is used with the config says; a token only chooses among those.

import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import { compactVerify } from 'jose';
import type { JwtKeyConfig } from '../../config/types.ts';
import { KeySet } from './key-set.ts';
import type { JwksPool, RemoteJwks } from './remote-jwks.ts';

/** `kid`, `signature`: which of them is wrong. */
type Signed =
  | { readonly kind: 'good'; readonly payload: Uint8Array }
  | { readonly kind: 'bad'; readonly cause: 'key' | 'signature' }
  | { readonly kind: 'unavailable'; readonly cause: string };

export interface JwtKeys {
  /** `alg`: what the token says, which the config takes. Never rejects. */
  check(token: string, alg: string): Promise<Signed>;
  start?(): void;
  stop?(): void;
}

interface KeysAround {
  readonly pool: JwksPool;
  readonly onFault: (cause: string) => void;
}

export function makeKeys(config: JwtKeyConfig, around: KeysAround): JwtKeys {
  switch (config.kind) {
    case 'secret':
      return new SecretKeys(config.secret);
    case 'pem':
      return new PemKeys(config.pem);
    case 'jwks_file':
      return new FileKeys(config.text);
    case 'jwks_url':
      return new UrlKeys(config, around);
  }
}

const BAD_KEY: Signed = { kind: 'bad', cause: 'key' };
const BAD_SIGNATURE: Signed = { kind: 'bad', cause: 'signature' };

type VerifyKey = Parameters<typeof compactVerify>[1];

async function checkWith(token: string, alg: string, key: VerifyKey): Promise<Signed> {
  try {
    return { kind: 'good', payload: (await compactVerify(token, key, { algorithms: [alg] })).payload };
  } catch {
    return BAD_SIGNATURE;
  }
}

class SecretKeys implements JwtKeys {
  private readonly secret: Buffer;
  /** By the hash; at most three. Each is made once: of bytes jose would make one for each token. */
  private readonly keys = new Map<string, Promise<webcrypto.CryptoKey>>();

  constructor(secret: string) {
    this.secret = Buffer.from(secret, 'utf8');
  }

  async check(token: string, alg: string): Promise<Signed> {
    const bits = /^HS(256|384|512)$/.exec(alg)?.[1];
    if (bits === undefined) return BAD_KEY;
    const known = this.keys.get(bits);
    const key = known ?? this.imported(bits);
    this.keys.set(bits, key);
    return checkWith(token, alg, await key);
  }

  private imported(bits: string): Promise<webcrypto.CryptoKey> {
    const algorithm = { name: 'HMAC', hash: `SHA-${bits}` };
    return webcrypto.subtle.importKey('raw', this.secret, algorithm, false, ['verify']);
  }
}

/** What a key can be used with, by its type and curve; RSA keys below 2048 bits are refused by jose. */
function fits({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, alg: string): boolean {
  switch (asymmetricKeyType) {
    case 'rsa':
      return /^[RP]S(?:256|384|512)$/.test(alg);
    case 'ec':
      return alg === ES_BY_CURVE[asymmetricKeyDetails?.namedCurve ?? ''];
    case 'ed25519':
      return alg === 'EdDSA' || alg === 'Ed25519';
    default:
      return false;
  }
}

const ES_BY_CURVE: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

class PemKeys implements JwtKeys {
  /** Null: there is none in that text. */
  private readonly key: KeyObject | null;

  constructor(pem: string) {
    this.key = publicKeyOf(pem);
  }

  async check(token: string, alg: string): Promise<Signed> {
    const { key } = this;
    return key !== null && fits(key, alg) ? checkWith(token, alg, key) : BAD_KEY;
  }
}

function publicKeyOf(pem: string): KeyObject | null {
  try {
    return createPublicKey(pem);
  } catch {
    return null;
  }
}

class FileKeys implements JwtKeys {
  /** A text: what is wrong with it. */
  private readonly set: KeySet | string;

  constructor(text: string) {
    this.set = KeySet.parse(text);
  }

  async check(token: string, alg: string): Promise<Signed> {
    return typeof this.set === 'string' ? BAD_KEY : signedOf(await this.set.check(token, alg));
  }
}

class UrlKeys implements JwtKeys {
  private readonly config: RemoteJwks['config'];
  private readonly around: KeysAround;
  /** Null as long as the method is not in force. */
  private source: RemoteJwks | null = null;

  constructor(config: RemoteJwks['config'], around: KeysAround) {
    this.config = config;
    this.around = around;
  }

  start(): void {
    this.source = this.around.pool.take(this.config, this.around.onFault);
  }

  stop(): void {
    if (this.source !== null) this.around.pool.giveBack(this.source, this.around.onFault);
  }

  async check(token: string, alg: string): Promise<Signed> {
    const { source } = this;
    if (source === null) return { kind: 'unavailable', cause: 'not started' };
    if (source.keys === null) await source.renew();
    const { keys } = source;
    if (keys === null) return { kind: 'unavailable', cause: source.fault };
    const checked = await keys.check(token, alg);
    if (checked !== 'no_key') return signedOf(checked);
    // The key may be a new one: of a set that has come meanwhile, or that is asked for now.
    const fault = source.keys === keys ? await (source.renew() ?? 'cooldown') : null;
    if (fault === 'cooldown') return BAD_KEY;
    if (fault !== null) return { kind: 'unavailable', cause: fault };
    return signedOf((await source.keys?.check(token, alg)) ?? 'no_key');
  }
}

function signedOf(checked: Awaited<ReturnType<KeySet['check']>>): Signed {
  if (checked === 'no_key') return BAD_KEY;
  return checked === 'signature' ? BAD_SIGNATURE : { kind: 'good', payload: checked };
}
