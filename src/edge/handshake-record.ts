// Facts about one handshake go in while it is checked and opened; its line in the log and what is counted come out,
// when it fails or becomes a session. Nothing is read back from here. Peer bytes are cut to a bound; the log escapes.

import type { Clock } from '../limits/clock.ts';
import type { Log } from '../observe/log.ts';
import type { MetricsRegistry, RouteMetrics } from '../observe/metrics.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import { firstValueOf } from '../protocol/lists.ts';
import { isClientsFault, REFUSALS, type Refusal } from '../protocol/refusals.ts';
import type { RelaxedCheck } from '../protocol/relax.ts';
import type { JudgedRequest } from '../protocol/request-place.ts';
import { entryFor } from '../protocol/subprotocols.ts';
import type { Opened, OpeningProgress } from '../upstream/open-backend.ts';
import type { Arrival } from './arrival.ts';
import type { AskedRecord } from './asked-record.ts';
import { cutToLog, shownPath, withoutUserinfo } from './logged-path.ts';
import type { Route, Snapshot } from './snapshot.ts';

interface HandshakeRecordMeans {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly snapshot: Snapshot;
}

interface RefusedLine {
  readonly error: string;
  readonly status: number;
  readonly cause: string | undefined;
  readonly discarded: number;
  readonly closeCode: number | undefined;
  readonly targets?: Refusal['targets'];
}

export class HandshakeRecord implements AskedRecord {
  private readonly means: HandshakeRecordMeans;
  private readonly arrival: Arrival;
  /** When its head was complete; null before. */
  private headAt: number | null = null;
  private host: string | undefined;
  private path: string | undefined;
  private query = '';
  private origin: string | undefined;
  private userAgent: string | undefined;
  private route: Route | null = null;
  private auth: string | undefined;
  private identity: string | undefined;
  private progress: OpeningProgress | null = null;

  constructor(means: HandshakeRecordMeans, arrival: Arrival) {
    this.means = means;
    this.arrival = arrival;
  }

  /** A head, or as much of it as was read before it broke a rule or came too late. */
  noteHead(head: Pick<RequestHead, 'target' | 'fields'>): void {
    this.userAgent = firstValueOf(head.fields, 'user-agent');
    this.origin = firstValueOf(head.fields, 'origin');
    this.host = firstValueOf(head.fields, 'host');
    const queryAt = head.target.indexOf('?');
    this.path = queryAt < 0 ? head.target : head.target.slice(0, queryAt);
    this.query = queryAt < 0 ? '' : head.target.slice(queryAt);
  }

  noteComplete(headAt: number): void {
    this.headAt = headAt;
  }

  noteRequest(request: JudgedRequest): void {
    this.host = request.host;
    this.path = request.path;
    this.query = request.query;
  }

  /** A method has found something, and knows whose it is or does not. */
  noteAuth(auth: string, identity: string | null): void {
    this.auth = auth;
    this.identity = identity ?? undefined;
  }

  noteRoute(route: Route): void {
    this.route = route;
  }

  /** What a route takes out of an offer: told by the entries of its list and by numbers, since clients offer tokens. */
  noteProtocols(offered: readonly string[], kept: readonly string[]): void {
    const { log } = this.means;
    const list = this.route?.config.subprotocols ?? 'any';
    if (kept.length === offered.length || !log.enabled('debug')) return;
    log.event('debug', 'subprotocols.removed', {
      route: this.route?.config.name,
      client: this.arrival.client,
      removed: offered.length - kept.length,
      kept: kept.map((name) => entryFor(name, list)),
      request_id: this.arrival.requestId,
    });
  }

  /** What passed only because its check is switched off. */
  noteRelaxed(checks: readonly RelaxedCheck[]): void {
    for (const check of checks) this.metrics.relaxed.add(check);
  }

  /** A limit stands against it: its config key. */
  noteLimit(limit: string): void {
    this.metrics.fromClient.limitHits.add(limit);
  }

  /** `progress` is written on while its backend is opened. */
  noteOpening(progress: OpeningProgress): void {
    this.progress = progress;
  }

  /** It has become a session. */
  opened({ connectMs, upgradeMs, answer }: Opened): void {
    this.count('ok');
    this.noteRelaxed(answer.relaxed);
    this.metrics.profile.recordHandshake(connectMs, upgradeMs, this.openMs);
  }

  /**
   * It is refused with an answer of our own. `discarded`: bytes the client sent behind its head, thrown away;
   * `closeCode`: of the Close that tells it, where none is told by HTTP.
   */
  refused({ slug, cause, targets }: Refusal, discarded: number, closeCode?: number): void {
    this.count(slug);
    if (slug === 'backend_timeout') this.metrics.limitEnds.add(cause === 'ETIMEDOUT' ? 'connect' : (cause ?? ''));
    this.write({ error: slug, status: REFUSALS[slug].status, cause, discarded, closeCode, targets });
  }

  /** Its backend has refused it, with this status. */
  backendRefused(status: number, discarded: number, closeCode?: number): void {
    this.count('backend_refused');
    this.write({ error: 'backend_refused', status, cause: `status ${status}`, discarded, closeCode });
  }

  /** Not one byte came in time: there is no handshake to count. */
  silent(): void {
    const { status } = REFUSALS.handshake_timeout;
    this.write({ error: 'handshake_timeout', status, cause: 'no byte', discarded: 0, closeCode: undefined });
  }

  /** The client left before its 101: nothing was refused, and nobody is left to tell. Without a byte it was nobody. */
  clientGone(hasSent: boolean): void {
    if (hasSent) this.count('client_gone');
    const { log, clock } = this.means;
    if (!log.enabled('debug')) return;
    const ms = Math.round(clock.now() - this.arrival.at);
    log.event('debug', 'handshake.refused', { error: 'client_gone', ...this.facts(), ms });
  }

  /** The line of a refused handshake: what is the client's doing is for information, the rest wants a look. */
  private write({ error, status, cause, discarded, closeCode, targets }: RefusedLine): void {
    const { log, clock } = this.means;
    const level = status >= 500 && !isClientsFault(error) ? 'warn' : 'info';
    if (!log.enabled(level)) return;
    log.event(level, 'handshake.refused', {
      status,
      error,
      ...this.facts(),
      cause,
      targets,
      close_code: closeCode,
      discarded_early_bytes: discarded > 0 ? discarded : undefined,
      ms: Math.round(clock.now() - this.arrival.at),
    });
  }

  /** `result`: `ok`, `client_gone` or the slug of its refusal. */
  private count(result: string): void {
    if (this.headAt === null) this.metrics.handshakes.add(result);
    else this.metrics.handshake(result, this.openMs / 1000);
  }

  /** Where this handshake is counted. */
  private get metrics(): RouteMetrics {
    const { metrics } = this.means;
    return this.route === null ? metrics.unrouted : metrics.route(this.route.config.name);
  }

  /** Since its head was complete. */
  private get openMs(): number {
    return this.headAt === null ? 0 : this.means.clock.now() - this.headAt;
  }

  private facts(): Record<string, unknown> {
    const { arrival, progress, route } = this;
    const { client, peer } = arrival;
    return {
      listener: arrival.listenerName,
      client,
      peer: peer === client ? undefined : peer,
      host: shown(this.host),
      path: this.shownPath(),
      origin: shown(this.origin),
      user_agent: this.userAgent === undefined ? undefined : cutToLog(this.userAgent),
      route: route?.config.name,
      auth: this.auth,
      identity: this.identity,
      upstream: route?.upstream.name,
      target: progress?.target?.name,
      tries: progress === null || progress.tries === 0 ? undefined : progress.tries,
      request_id: arrival.requestId,
    };
  }

  private shownPath(): string | undefined {
    if (this.path === undefined) return undefined;
    const pattern = this.route?.config.match.path ?? null;
    return shownPath({ path: this.path, query: this.query, pattern, log: this.means.snapshot.config.log });
  }
}

function shown(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cutToLog(withoutUserinfo(text));
}
