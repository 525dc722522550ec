// Keys that are known by their hash. What a client brings is hashed before it is compared with anything, and whatever
// is wrong with it costs the same.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { ApiKeyAuth, ApiKeyEntry } from '../../config/types.ts';
import { type CredentialPlace, placeKey } from '../../protocol/credential-places.ts';
import { type Carried, decoderOf, findCredential } from './carriers.ts';
import type { AuthAsk, AuthMeans, AuthMethod, AuthVerdict, EntryFacts, Found, Grant, Standing } from './method.ts';

const SCHEMES = ['', 'bearer'];
/** Visible ASCII, 4 KiB at most. */
const KEY = /^[\x21-\x7e]{1,4096}$/;
/** RFC 4648 5, without padding. */
const BAD: AuthVerdict = { kind: 'bad', cause: 'key' };

interface KnownKey {
  readonly entry: ApiKeyEntry;
  readonly digest: Buffer;
}

export class ApiKeyMethod implements AuthMethod {
  readonly config: ApiKeyAuth;
  readonly challenge: string | null;
  readonly isGuessable = true;
  private readonly means: AuthMeans;
  /** By their digests in hex. */
  private readonly keys: ReadonlyMap<string, KnownKey>;

  constructor(config: ApiKeyAuth, means: AuthMeans) {
    this.config = config;
    this.means = means;
    this.keys = new Map(
      config.keys.map((entry) => [entry.sha256, { entry, digest: Buffer.from(entry.sha256, 'hex') }]),
    );
    // RFC 6750 3; no scheme of RFC 9110 11 stands for the other places.
    const isBearer = config.from.some((place) => placeKey(place) === 'header:authorization');
    this.challenge = isBearer ? 'Bearer realm="framegate"' : null;
  }

  get places(): readonly CredentialPlace[] {
    return this.config.from;
  }

  find(ask: AuthAsk, sole: ReadonlySet<string>): Found {
    const { from: places, prefix = '', decode } = this.config;
    const isMine = ({ scheme, text }: Carried) =>
      SCHEMES.includes(scheme) && text.startsWith(prefix) && !text.includes(' ');
    return findCredential({ places, schemes: SCHEMES, textOf: decoderOf(decode), isMine }, ask, sole);
  }

  judge(credential: string, { route }: AuthAsk): AuthVerdict {
    const { prefix = '' } = this.config;
    const digest = createHash('sha256').update(credential, 'latin1').digest();
    const known = this.keys.get(digest.toString('hex'));
    // A look-up stops at the first difference; that what it found is the same is asked once more, in constant time.
    const isKnown = timingSafeEqual(digest, known?.digest ?? NO_DIGEST) && KEY.test(credential);
    const expiresAt = expiryOf(known?.entry);
    const isGood = isKnown && credential.startsWith(prefix) && expiresAt > this.means.wallNow();
    if (known === undefined || !isGood) return BAD;
    const { entry } = known;
    if (entry.routes !== undefined && !entry.routes.includes(route))
      return { kind: 'refused', refusal: { slug: 'scope_missing', cause: 'routes' } };
    return { kind: 'good', grant: this.grantOf(entry, expiresAt) };
  }

  /** Its name and digest are what they were; expiry and quota may be others. */
  holds({ key, entry }: Standing): boolean {
    return entry !== null && this.keys.get(entry)?.entry.name === key;
  }

  entryOf(grant: Standing): EntryFacts | null {
    const known = this.holds(grant) ? this.keys.get(grant.entry ?? '') : undefined;
    return known === undefined ? null : { expiresAt: expiryOf(known.entry), quota: known.entry.quota };
  }

  private grantOf({ name, sha256, quota }: ApiKeyEntry, expiresAt: number): Grant {
    return {
      auth: this.config.name,
      identity: name,
      key: name,
      entry: sha256,
      jti: null,
      issuedAt: null,
      expiresAt,
      claims: null,
      forwarded: null,
      quota,
    };
  }
}

const NO_DIGEST = Buffer.alloc(32);

function expiryOf(entry: ApiKeyEntry | undefined): number {
  return entry?.expires ?? Number.POSITIVE_INFINITY;
}
