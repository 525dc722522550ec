// Client certificates that TLS has verified: the session stands on one of its names, until it ends, or until an
// authority that vouches for it leaves the config. Nothing of it is in a request.

import type { CertificateAuth } from '../../config/types.ts';
import { certificateIdentity } from '../../protocol/client-certificate.ts';
import type { CredentialPlace } from '../../protocol/credential-places.ts';
import type { AuthAsk, AuthMeans, AuthMethod, AuthVerdict, Found, Standing } from './method.ts';

/** What grants of this kind stand on begins so. */
const ENTRY = 'certificate';

export class CertificateMethod implements AuthMethod {
  readonly config: CertificateAuth;
  readonly places: readonly CredentialPlace[] = [];
  readonly challenge = null;
  readonly isGuessable = false;
  private readonly means: AuthMeans;
  private readonly authorities: ReadonlySet<string>;
  /** Null: all. */
  private readonly allowed: ReadonlySet<string> | null;

  /** `authorities`: digests, as `ClientAuthorities` has them, of all that listeners have. */
  constructor(config: CertificateAuth, means: AuthMeans, authorities: ReadonlySet<string>) {
    this.config = config;
    this.means = means;
    this.authorities = authorities;
    const { allow, subject } = config;
    // RFC 9525 6.3: DNS names have no case.
    this.allowed =
      allow === null ? null : new Set(allow.map((one) => (subject === 'san_dns' ? one.toLowerCase() : one)));
  }

  find({ arrival }: AuthAsk): Found {
    return arrival.tls?.certificate?.sha256 ?? null;
  }

  judge(_: string, { arrival }: AuthAsk): AuthVerdict {
    const { name: auth, subject } = this.config;
    const certificate = arrival.tls?.certificate ?? null;
    const identity = certificate === null ? null : certificateIdentity(certificate, subject);
    if (certificate === null || identity === null) return { kind: 'bad', cause: subject };
    // A connection may be older than its end.
    if (certificate.notAfter <= this.means.wallNow()) return { kind: 'bad', cause: 'expired' };
    if (!this.allows(identity)) return { kind: 'refused', refusal: { slug: 'scope_missing', cause: 'allow' } };
    const grant = {
      auth,
      identity,
      key: null,
      entry: [ENTRY, ...certificate.vouching].join(' '),
      jti: null,
      issuedAt: null,
      expiresAt: certificate.notAfter,
      claims: null,
      forwarded: null,
      quota: null,
    };
    return { kind: 'good', grant };
  }

  holds({ entry }: Standing): boolean {
    const [kind, ...vouching] = (entry ?? '').split(' ');
    return kind === ENTRY && vouching.every((digest) => this.authorities.has(digest));
  }

  private allows(identity: string): boolean {
    const { allowed } = this;
    if (allowed === null || allowed.has(identity)) return true;
    // "*.y" stands for all that end in ".y": each dot may be where it begins.
    for (let dot = identity.indexOf('.', 1); dot !== -1; dot = identity.indexOf('.', dot + 1))
      if (allowed.has(`*${identity.slice(dot)}`)) return true;
    return false;
  }
}
