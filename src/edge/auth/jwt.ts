// Signed tokens (RFC 7519) as RFC 8725 wants them judged: the config says which algorithms, keys and claims are good,
// the token only what it claims. What is no such token by its form costs no signature.

import { parseQuota } from '../../config/schema.ts';
import type { JwtAuth } from '../../config/types.ts';
import { claimAt } from '../../protocol/claims.ts';
import { type CompactJws, isCompactForm, parseCompactJws } from '../../protocol/compact-jws.ts';
import type { CredentialPlace } from '../../protocol/credential-places.ts';
import { decoderOf, findCredential } from './carriers.ts';
import { missingClaim, subjectOf } from './claims.ts';
import { isSameType, judgeClaims } from './jwt-claims.ts';
import { type JwtKeys, makeKeys } from './jwt-keys.ts';
import type { AuthAsk, AuthMeans, AuthMethod, AuthVerdict, Found, Grant, Standing } from './method.ts';

/** What all grants of this kind stand on: the method itself. A key that is rotated out ends nothing. */
const ENTRY = 'jwt';
const SCHEMES = ['', 'bearer'];

export class JwtMethod implements AuthMethod {
  readonly config: JwtAuth;
  readonly challenge: string | null;
  readonly isGuessable = false;
  private readonly means: AuthMeans;
  private readonly keys: JwtKeys;
  private readonly algorithms: ReadonlySet<string>;

  constructor(config: JwtAuth, means: AuthMeans) {
    this.config = config;
    this.means = means;
    this.algorithms = new Set(config.algorithms);
    this.keys = makeKeys(config.key, {
      pool: means.jwks,
      onFault: (cause) => means.unavailable(config.name, cause),
    });
    const isBearer = config.from.some(({ kind, name }) => kind === 'header' && name === 'authorization');
    this.challenge = isBearer ? 'Bearer realm="framegate"' : null;
  }

  get places(): readonly CredentialPlace[] {
    return this.config.from;
  }

  find(ask: AuthAsk, sole: ReadonlySet<string>): Found {
    const isMine = ({ scheme, text }: { readonly scheme: string; readonly text: string }) =>
      SCHEMES.includes(scheme) && isCompactForm(text);
    const { from: places, decode } = this.config;
    return findCredential({ places, schemes: SCHEMES, textOf: decoderOf(decode), isMine }, ask, sole);
  }

  judge(token: string): AuthVerdict | Promise<AuthVerdict> {
    const jws = parseCompactJws(token);
    if (jws === null) return bad('form');
    // RFC 8725 3.1: among those that the config takes.
    if (!this.algorithms.has(jws.alg)) return bad('alg');
    if (this.config.typ !== undefined && !isSameType(jws.typ, this.config.typ)) return bad('typ');
    return this.judgeSigned(token, jws);
  }

  holds({ entry }: Standing): boolean {
    return entry === ENTRY;
  }

  start(): void {
    this.keys.start?.();
  }

  stop(): void {
    this.keys.stop?.();
  }

  private async judgeSigned(token: string, { alg }: CompactJws): Promise<AuthVerdict> {
    const signed = await this.keys.check(token, alg);
    if (signed.kind === 'unavailable') this.means.unavailable(this.config.name, signed.cause);
    return signed.kind === 'good' ? this.judgePayload(signed.payload) : signed;
  }

  private judgePayload(payload: Uint8Array): AuthVerdict {
    const { config } = this;
    const standing = judgeClaims(payload, config, this.means.wallNow());
    if (typeof standing === 'string') return bad(standing);
    const { claims, jti, issuedAt, expiresAt } = standing;
    const identity = subjectOf(claims, config.subject);
    if (identity === undefined) return bad('subject');
    const asked = config.quota_claim === null ? undefined : claimAt(claims, config.quota_claim);
    const quota = asked === undefined ? null : parseQuota(asked);
    if (asked !== undefined && quota === null) return bad('quota_claim');
    const missing = missingClaim(claims, config.required);
    if (missing !== null) return { kind: 'refused', refusal: { slug: 'scope_missing', cause: `required ${missing}` } };
    const grant: Grant = {
      auth: config.name,
      identity,
      key: null,
      entry: ENTRY,
      jti,
      issuedAt,
      expiresAt,
      claims,
      forwarded: null,
      quota,
    };
    return { kind: 'good', grant };
  }
}

function bad(cause: string): AuthVerdict {
  return { kind: 'bad', cause };
}
