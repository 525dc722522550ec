// Tokens that their authorization server is asked about (RFC 7662). Its answers are remembered for a while, and nobody
// comes in without one that says so.

import { createHmac, randomBytes } from 'node:crypto';
import type { AuthConfig, IntrospectionAuth } from '../../config/types.ts';
import { TimedCache } from '../../limits/timed-cache.ts';
import type { AbortLike } from '../../net/abort.ts';
import { isCompactForm } from '../../protocol/compact-jws.ts';
import type { CredentialPlace } from '../../protocol/credential-places.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../../protocol/strict-json.ts';
import type { ServiceAnswer } from '../../services/service-client.ts';
import { ownText } from '../own-text.ts';
import { AuthService, rechecksOf } from './auth-service.ts';
import { type Carried, decoderOf, findCredential } from './carriers.ts';
import { missingClaim, subjectOf } from './claims.ts';
import { Flights } from './flights.ts';
import type {
  AuthAsk,
  AuthMeans,
  AuthMethod,
  AuthVerdict,
  Found,
  Grant,
  Kept,
  RecheckRules,
  Rivals,
} from './method.ts';

const ANSWER_BYTES_MAX = 65_536;
const ENTRIES_MAX = 10_000;
/** Of good answers together, as they came. */
const REMEMBERED_BYTES_MAX = 8 * 1024 * 1024;
/** What all grants of this kind stand on: the method itself. */
const ENTRY = 'introspection';
const SCHEMES = ['', 'bearer'];
const TOKEN = /^[\x21-\x7e]{1,8192}$/;
const JTI_LENGTH_MAX = 256;
/** ECMA-262 21.4.1.1: times beyond it are none. */
const TIME_MS_MAX = 8.64e15;
const GONE: AuthVerdict = { kind: 'unavailable', cause: 'aborted' };

export class IntrospectionMethod implements AuthMethod {
  readonly config: IntrospectionAuth;
  readonly challenge: string | null;
  readonly isGuessable = true;
  readonly rechecks: RecheckRules | null;
  private readonly means: AuthMeans;
  private readonly service: AuthService;
  private readonly secret = randomBytes(32);
  /** By digests of tokens. Bad ones have a table of their own: whoever guesses pushes nobody's good one out. */
  private readonly good = new TimedCache<AuthVerdict>(ENTRIES_MAX, REMEMBERED_BYTES_MAX);
  private readonly bad = new TimedCache<AuthVerdict>(ENTRIES_MAX);
  private readonly flights = new Flights<AuthVerdict>(GONE);
  /** How often all was forgotten: what was asked before is not remembered. */
  private era = 0;

  constructor(config: IntrospectionAuth, means: AuthMeans) {
    this.config = config;
    this.means = means;
    this.service = new AuthService(config, means);
    this.rechecks = rechecksOf(config);
    const isHeader = config.from.some(({ kind, name }) => kind === 'header' && name === 'authorization');
    // RFC 6750 3.
    this.challenge = isHeader ? 'Bearer realm="framegate"' : null;
  }

  get places(): readonly CredentialPlace[] {
    return this.config.from;
  }

  find(ask: AuthAsk, sole: ReadonlySet<string>, rivals: Rivals): Found {
    const { from: places, decode } = this.config;
    const isMine = (carried: Carried) => isOther(carried, rivals(carried.place));
    return findCredential({ places, schemes: SCHEMES, textOf: decoderOf(decode), isMine }, ask, sole);
  }

  judge(token: string, { clientKey, signal }: AuthAsk): AuthVerdict | Promise<AuthVerdict> {
    if (!TOKEN.test(token)) return { kind: 'bad', cause: 'token' };
    const digest = this.digestOf(token);
    const known = this.recalled(digest);
    this.means.metrics.auth(this.config.name).cache.add(known === null ? 'miss' : 'hit');
    if (known !== null) return this.keeping(token, known);
    const asked = this.flights.ask(digest, signal, (whole) => this.askAnew(digest, token, clientKey, whole));
    return asked.then((verdict) => this.keeping(token, verdict));
  }

  async recheck(kept: Kept, signal: AbortLike): Promise<AuthVerdict> {
    if (kept.kind !== 'introspection') return GONE;
    const { token } = kept;
    const digest = this.digestOf(token);
    return this.flights.ask(digest, signal, (whole) => this.askAnew(digest, token, '', whole));
  }

  holds({ entry }: Grant): boolean {
    return entry === ENTRY;
  }

  forget(): void {
    this.era += 1;
    this.good.clear();
    this.bad.clear();
    this.flights.forget();
  }

  private digestOf(token: string): string {
    return createHmac('sha256', this.secret).update(token).digest('base64url');
  }

  /** What is remembered for all holds no token; what a session stands on does where it is asked about again. */
  private keeping(token: string, verdict: AuthVerdict): AuthVerdict {
    if (verdict.kind !== 'good' || this.rechecks === null) return verdict;
    return { ...verdict, grant: { ...verdict.grant, kept: { kind: 'introspection', token: ownText(token) } } };
  }

  private recalled(digest: string): AuthVerdict | null {
    const now = this.means.clock.now();
    const known = this.good.get(digest, now) ?? this.bad.get(digest, now) ?? null;
    // The wall clock may have been set forward.
    return known?.kind === 'good' && known.grant.expiresAt <= this.means.wallNow() ? null : known;
  }

  private async askAnew(digest: string, token: string, clientKey: string, signal: AbortLike): Promise<AuthVerdict> {
    const { era } = this;
    const sent = { ...requestFor(token, this.config), bodyBytesMax: ANSWER_BYTES_MAX };
    const asking = await this.service.ask({ clientKey, signal }, sent);
    if ('cause' in asking) return { kind: 'unavailable', cause: asking.cause };
    const read = claimsOf(asking.answer);
    const verdict = typeof read === 'string' ? { problem: read } : this.verdictOf(read);
    if ('problem' in verdict) return { kind: 'unavailable', cause: this.service.without(verdict.problem).cause };
    if (era === this.era) this.remember(digest, verdict, asking.answer.body.length);
    else if (verdict.kind === 'good') return { kind: 'unavailable', cause: 'revoked meanwhile' };
    return verdict;
  }

  /** RFC 7662 2.2. */
  private verdictOf(claims: JsonObject): AuthVerdict | { readonly problem: string } {
    const { name, required, subject } = this.config;
    const { active, exp, iat, jti } = claims;
    if (active === false) return { kind: 'bad', cause: 'inactive' };
    if (active !== true) return { problem: 'active' };
    const expiresAt = exp === undefined ? Number.POSITIVE_INFINITY : timeOf(exp);
    if (expiresAt === null) return { problem: 'exp' };
    if (expiresAt <= this.means.wallNow()) return { kind: 'bad', cause: 'exp' };
    const identity = subjectOf(claims, subject);
    if (identity === undefined) return { kind: 'bad', cause: 'subject' };
    const missing = missingClaim(claims, required);
    if (missing !== null) return { kind: 'refused', refusal: { slug: 'scope_missing', cause: `required ${missing}` } };
    const grant: Grant = {
      auth: name,
      identity,
      key: null,
      entry: ENTRY,
      jti: typeof jti === 'string' && jti !== '' && jti.length <= JTI_LENGTH_MAX ? jti : null,
      issuedAt: timeOf(iat),
      expiresAt,
      claims,
      forwarded: null,
      quota: null,
    };
    return { kind: 'good', grant };
  }

  private remember(digest: string, verdict: AuthVerdict, bytes: number): void {
    const { cache, negative_cache: negative } = this.config;
    const now = this.means.clock.now();
    this.good.delete(digest);
    if (verdict.kind === 'good') {
      const left = verdict.grant.expiresAt - this.means.wallNow();
      this.good.set(digest, verdict, now + Math.min(cache, left), bytes);
    } else this.bad.set(digest, verdict, now + negative);
  }
}

/** Any Bearer token that no other method of the route knows by its form. */
function isOther({ place, scheme, text }: Carried, rivals: readonly AuthConfig[]): boolean {
  const isBearer = place.name === 'authorization' && place.kind === 'header' ? scheme === 'bearer' : true;
  const isTheirs = rivals.some((rival) => {
    if (rival.kind === 'jwt') return isCompactForm(text);
    return rival.kind === 'api_key' && rival.prefix !== undefined && text.startsWith(rival.prefix);
  });
  return isBearer && !isTheirs;
}

/** RFC 7662 2.1; RFC 6749 2.3.1 for who asks. */
function requestFor(token: string, { client_id: id, client_secret: secret, client_auth: way }: IntrospectionAuth) {
  const form = new URLSearchParams({ token, token_type_hint: 'access_token' });
  const headers: Record<string, string> = {
    Accept: 'application/json',
    'Content-Type': 'application/x-www-form-urlencoded',
  };
  if (way === 'post') {
    form.set('client_id', id);
    form.set('client_secret', secret);
  } else headers.Authorization = `Basic ${Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString('base64')}`;
  return { method: 'POST', headers, body: form.toString() } as const;
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

/** What is wrong with it as text. */
function claimsOf({ status, body }: ServiceAnswer): JsonObject | string {
  if (status !== 200) return `status ${status}`;
  const value = parseStrictJson(body)?.value;
  return isJsonObject(value) ? value : 'no JSON object';
}

/** RFC 7519 2: NumericDate, in milliseconds; null: it is none. */
function timeOf(seconds: unknown): number | null {
  const ms = typeof seconds === 'number' ? seconds * 1000 : Number.NaN;
  return ms > 0 && ms <= TIME_MS_MAX ? ms : null;
}
