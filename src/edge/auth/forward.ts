// A service of the operator's own that decides: it is asked about every request by a GET, and what it says of the
// client is taken as it is. Nothing is remembered.

import type { ForwardAuth } from '../../config/types.ts';
import type { AbortLike } from '../../net/abort.ts';
import { isSaidSecure } from '../../protocol/backend-request.ts';
import type { CredentialPlace } from '../../protocol/credential-places.ts';
import { isHopByHop } from '../../protocol/field-names.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { ServiceAnswer } from '../../services/service-client.ts';
import { ownText } from '../own-text.ts';
import { AuthService, rechecksOf } from './auth-service.ts';
import { expirySeconds, identityIn, relayedFields, retrySeconds, takenFields } from './forward-answer.ts';
import type { AuthAsk, AuthMeans, AuthMethod, AuthVerdict, Grant, Kept, RecheckRules } from './method.ts';

/** The status counts; a page that comes with it is read, so that its sender sees it taken. */
const ANSWER_BYTES_MAX = 65_536;

/** What says who the client is in words, or how it asks: it opens nothing, so backends may have it. */
const NO_CREDENTIALS: ReadonlySet<string> = new Set([
  'accept',
  'accept-language',
  'cache-control',
  'dnt',
  'forwarded',
  'origin',
  'pragma',
  'referer',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'sec-gpc',
  'traceparent',
  'tracestate',
  'user-agent',
  'via',
]);

/** Ours, whatever the client sends. */
const OWN: ReadonlySet<string> = new Set(['accept-encoding', 'content-length', 'expect', 'host', 'x-request-id']);

/** What all grants of this kind stand on: the method itself. */
const ENTRY = 'forward';

type Fields = Readonly<Record<string, readonly string[]>>;

export class ForwardMethod implements AuthMethod {
  readonly config: ForwardAuth;
  readonly challenge = null;
  readonly isGuessable = true;
  readonly rechecks: RecheckRules | null;
  readonly places: readonly CredentialPlace[];
  private readonly means: AuthMeans;
  private readonly service: AuthService;
  private readonly sent: readonly string[];

  constructor(config: ForwardAuth, means: AuthMeans) {
    this.config = config;
    this.means = means;
    this.service = new AuthService(config, means);
    this.rechecks = rechecksOf(config);
    this.sent = config.send.filter((name) => !isOwn(name));
    this.places = this.sent.filter((name) => !NO_CREDENTIALS.has(name)).map((name) => ({ kind: 'header', name }));
  }

  /** Always: who brings nothing is the service's to judge, too. What is found tells one bad credential from others. */
  find({ request }: AuthAsk): string {
    const fields = clientFields(
      request,
      this.places.map(({ name }) => name),
    );
    return Object.values(fields).flat().join('\n');
  }

  async judge(_credential: string, ask: AuthAsk): Promise<AuthVerdict> {
    const { request, arrival } = ask;
    const headers = {
      ...clientFields(request, this.sent),
      'X-Forwarded-Method': [request.head.method],
      'X-Forwarded-Proto': [isSaidSecure({ proto: arrival.proto, request }) ? 'https' : 'http'],
      'X-Forwarded-Host': [request.host],
      'X-Forwarded-Uri': [`${request.path}${request.query}`],
      ...(arrival.client === '' ? {} : { 'X-Forwarded-For': [arrival.client] }),
      'X-Request-ID': [arrival.requestId],
    };
    const verdict = await this.askService(ask, headers);
    if (verdict.kind !== 'good' || this.rechecks === null) return verdict;
    return { ...verdict, grant: { ...verdict.grant, kept: { kind: 'forward', headers: ownFields(headers) } } };
  }

  async recheck(kept: Kept, signal: AbortLike): Promise<AuthVerdict> {
    if (kept.kind !== 'forward') return { kind: 'unavailable', cause: 'another kind' };
    return this.askService({ clientKey: '', signal }, kept.headers);
  }

  holds({ entry }: Grant): boolean {
    return entry === ENTRY;
  }

  private async askService(asker: Pick<AuthAsk, 'clientKey' | 'signal'>, headers: Fields): Promise<AuthVerdict> {
    const sent = { method: 'GET', headers, body: null, bodyBytesMax: ANSWER_BYTES_MAX } as const;
    const asking = await this.service.ask(asker, sent);
    if ('cause' in asking) return { kind: 'unavailable', cause: asking.cause };
    const verdict = this.verdictOf(asking.answer);
    return 'problem' in verdict ? { kind: 'unavailable', cause: this.service.without(verdict.problem).cause } : verdict;
  }

  private verdictOf({ status, headers }: ServiceAnswer): AuthVerdict | { readonly problem: string } {
    if (status >= 200 && status < 300) return this.goodBy(headers);
    const cause = `forward ${status}`;
    const refused = (refusal: Refusal): AuthVerdict => ({ kind: 'refused', refusal });
    if (status >= 300 && status < 400)
      return refused({ slug: 'unauthorized', cause, fields: relayedFields(headers, ['Location', 'Set-Cookie']) });
    if (status === 401 || status === 403) {
      const fields = relayedFields(headers, ['WWW-Authenticate', 'Location', 'Set-Cookie']);
      return refused({ slug: status === 401 ? 'unauthorized' : 'scope_missing', cause, fields });
    }
    if (status === 429) {
      const retryAfter = retrySeconds(headers, this.means.wallNow());
      const slug = 'too_many_handshakes_per_identity';
      return refused(retryAfter === null ? { slug, cause } : { slug, cause, retryAfter });
    }
    if (status >= 400 && status < 500) return refused({ slug: 'scope_missing', cause });
    return { problem: `status ${status}` };
  }

  private goodBy(headers: Fields): AuthVerdict | { readonly problem: string } {
    const { name, take } = this.config;
    const identity = identityIn(headers);
    if (identity === undefined) return { problem: 'X-Framegate-Identity' };
    const seconds = expirySeconds(headers);
    if (seconds === undefined) return { problem: 'X-Framegate-Expires' };
    const grant: Grant = {
      auth: name,
      identity,
      key: null,
      entry: ENTRY,
      jti: null,
      issuedAt: null,
      expiresAt: seconds === null ? Number.POSITIVE_INFINITY : this.means.wallNow() + seconds * 1000,
      claims: null,
      forwarded: takenFields(headers, take),
      quota: null,
    };
    return { kind: 'good', grant };
  }
}

function isOwn(name: string): boolean {
  return OWN.has(name) || name.startsWith('x-forwarded-') || name.startsWith('sec-websocket-') || isHopByHop(name);
}

/** They outlive the head that they come from. */
function ownFields(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, values]) => [name, values.map(ownText)]));
}

/** As they came, each line by itself. RFC 9110 7.6.1: what Connection names was for us alone. */
function clientFields({ head, nominated }: AuthAsk['request'], names: readonly string[]): Fields {
  const found: Record<string, string[]> = Object.create(null);
  for (const { lower, value } of head.fields) {
    if (!names.includes(lower) || nominated.has(lower)) continue;
    const known = found[lower];
    if (known === undefined) found[lower] = [value];
    else known.push(value);
  }
  return found;
}
