// Keys that are known by their hash. What a client brings is hashed before it is compared with anything.

import { createHash } from 'node:crypto';
import type { ApiKeyAuth, ApiKeyEntry } from '../../config/types.ts';
import type { CredentialPlace } from '../../protocol/credential-places.ts';
import { findCredential } from './carriers.ts';
import type { AuthAsk, AuthMeans, AuthMethod, AuthVerdict, Found, Grant, Standing } from './method.ts';

const SCHEMES = ['', 'bearer'];
const BAD: AuthVerdict = { kind: 'bad', cause: 'key' };

export class ApiKeyMethod implements AuthMethod {
  readonly config: ApiKeyAuth;
  readonly challenge = null;
  readonly isGuessable = true;
  private readonly means: AuthMeans;
  /** By their digests. */
  private readonly entries: ReadonlyMap<string, ApiKeyEntry>;

  constructor(config: ApiKeyAuth, means: AuthMeans) {
    this.config = config;
    this.means = means;
    this.entries = new Map(config.keys.map((entry) => [entry.sha256, entry]));
  }

  get places(): readonly CredentialPlace[] {
    return this.config.from;
  }

  find(ask: AuthAsk, sole: ReadonlySet<string>): Found {
    const { from: places, prefix = '' } = this.config;
    return findCredential(
      { places, schemes: SCHEMES, isMine: ({ scheme, text }) => SCHEMES.includes(scheme) && text.startsWith(prefix) },
      ask,
      sole,
    );
  }

  judge(credential: string, { route }: AuthAsk): AuthVerdict {
    const entry = this.entries.get(createHash('sha256').update(credential, 'latin1').digest('hex'));
    const expiresAt = entry?.expires ?? Number.POSITIVE_INFINITY;
    if (entry === undefined || expiresAt <= this.means.wallNow()) return BAD;
    if (entry.routes !== undefined && !entry.routes.includes(route))
      return { kind: 'refused', refusal: { slug: 'scope_missing', cause: 'routes' } };
    return { kind: 'good', grant: this.grantOf(entry, expiresAt) };
  }

  holds({ entry }: Standing): boolean {
    return entry !== null && this.entries.has(entry);
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
