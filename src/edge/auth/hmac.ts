// Requests that are signed with a shared secret (draft-cavage-http-signatures-12). What has to be signed, and how far
// its date may be off, the config says; a signature under `replay: refuse` counts once.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { HmacAuth } from '../../config/types.ts';
import type { CredentialPlace } from '../../protocol/credential-places.ts';
import type { JudgedRequest } from '../../protocol/request-place.ts';
import {
  fieldValues,
  parseFixdate,
  parseSignatureHeader,
  type SignatureHeader,
  signingString,
} from '../../protocol/signature-header.ts';
import { ownText } from '../own-text.ts';
import { type Carried, findCredential, textBehind } from './carriers.ts';
import type {
  AuthAsk,
  AuthMeans,
  AuthMethod,
  AuthVerdict,
  EntryFacts,
  Found,
  Grant,
  NonceOf,
  Standing,
} from './method.ts';
import { Nonces } from './nonces.ts';

const PLACES: readonly CredentialPlace[] = [{ kind: 'header', name: 'authorization' }];
const SCHEME = 'signature';
/** Browsers cannot set Date. Where it is signed, it is the one that counts. */
const OWN_DATE = 'x-aux-date';
const NONCE = 'x-nonce';
const NONCE_MAX = 256;

type Key = HmacAuth['keys'][number];

export class HmacMethod implements AuthMethod {
  readonly config: HmacAuth;
  readonly places = PLACES;
  readonly challenge: string;
  readonly isGuessable = false;
  private readonly means: AuthMeans;
  private readonly keys: ReadonlyMap<string, Key>;
  /** Signs in place of a key that is not there. */
  private readonly nobody = randomBytes(32);
  private readonly nonces: Nonces;

  /** `before`: whom it replaces under its name. What has come to that one has come to this one. */
  constructor(config: HmacAuth, means: AuthMeans, before?: AuthMethod) {
    this.config = config;
    this.means = means;
    this.keys = new Map(config.keys.map((key) => [key.name, key]));
    const { headers: required } = config;
    this.challenge = `Signature realm="framegate",headers="${required.join(' ')}"`;
    this.nonces = before instanceof HmacMethod ? before.nonces : new Nonces();
  }

  find(ask: AuthAsk, sole: ReadonlySet<string>): Found {
    const isMine = ({ scheme }: Carried) => scheme === SCHEME;
    return findCredential({ places: PLACES, textOf: textBehind(SCHEME), isMine }, ask, sole);
  }

  judge(credentials: string, { request }: AuthAsk): AuthVerdict {
    const { config } = this;
    const { headers: required } = config;
    const header = parseSignatureHeader(credentials);
    if (header === null) return bad('form');
    // By its name alone: hs2019 would leave it to the key, and ours are for any of the hashes.
    const hash = config.algorithms.find((name) => name === header.algorithm)?.slice('hmac-'.length);
    if (hash === undefined) return bad('algorithm');
    if (!required.every((name) => header.signed.includes(name))) return bad('headers');
    const text = signingString(request, header.signed);
    if (text === null) return bad('headers');
    const date = dateOf(request, header);
    const now = this.means.wallNow();
    if (date === null || Math.abs(now - date) > config.clock_skew) return bad('date');
    const key = this.keys.get(header.keyId);
    const isSigned = isSignature(header.signature, hash, key?.secret ?? this.nobody, text);
    if (key === undefined || !isSigned) return bad('signature');
    const grant = this.grantOf(key);
    if (config.replay === 'allow') return { kind: 'good', grant };
    const [nonce = '', ...others] = header.signed.includes(NONCE) ? fieldValues(request.head.fields, NONCE) : [];
    if (nonce === '' || nonce.length > NONCE_MAX || others.length > 0) return bad('nonce');
    const oldest = now - config.clock_skew;
    const one = { auth: config.name, key: key.name, nonce: ownText(nonce), date, oldest };
    const { once } = this.means;
    const use = once === null ? () => faultOf(this.takeNonce(one)) : () => once.take(one).then(faultOf);
    return faultOf(this.nonces.look(key.name, nonce, oldest)) ?? { kind: 'good', grant: { ...grant, use } };
  }

  /** From now on that one has come. */
  takeNonce({ key, nonce, date, oldest }: NonceOf): ReturnType<Nonces['take']> {
    return this.nonces.take(key, nonce, date, oldest);
  }

  holds({ key, entry }: Standing): boolean {
    const own = this.keys.get(key ?? '');
    return own !== undefined && entry === digestOf(own);
  }

  entryOf(grant: Standing): EntryFacts | null {
    const own = this.holds(grant) ? this.keys.get(grant.key ?? '') : undefined;
    return own === undefined ? null : { expiresAt: Number.POSITIVE_INFINITY, quota: own.quota };
  }

  private grantOf(key: Key): Grant {
    return {
      auth: this.config.name,
      identity: key.name,
      key: key.name,
      entry: digestOf(key),
      jti: null,
      issuedAt: null,
      expiresAt: Number.POSITIVE_INFINITY,
      claims: null,
      forwarded: null,
      quota: key.quota,
    };
  }
}

/** What it says of a nonce; null for a new one. */
function faultOf(taken: ReturnType<Nonces['take']>): AuthVerdict | null {
  if (taken === 'new') return null;
  return taken === 'seen' ? bad('replay') : { kind: 'unavailable', cause: 'too many nonces' };
}

/** The signed one that counts, if it stands there once. */
function dateOf({ head }: JudgedRequest, { signed }: SignatureHeader): number | null {
  const name = signed.includes(OWN_DATE) ? OWN_DATE : 'date';
  const values = signed.includes(name) ? fieldValues(head.fields, name) : [];
  return values.length === 1 ? parseFixdate(values[0] ?? '') : null;
}

/** As long for a key that is not there. */
function isSignature(signature: Buffer, hash: string, secret: string | Buffer, text: string): boolean {
  const made = createHmac(hash, secret).update(text, 'latin1').digest();
  return made.length === signature.length && timingSafeEqual(made, signature);
}

/** Not the digest of the secret itself, which might be found elsewhere. */
function digestOf({ name, secret }: Key): string {
  return createHash('sha256')
    .update(JSON.stringify(['hmac', name, secret]))
    .digest('hex');
}

function bad(cause: string): AuthVerdict {
  return { kind: 'bad', cause };
}
