// Facts about one plain request go in while it is served; its line in the log and what is counted come out, once, when
// it is over. Peer bytes are cut to a bound; the log escapes.

import type { Clock } from '../../limits/clock.ts';
import type { Log } from '../../observe/log.ts';
import type { MetricsRegistry, RouteMetrics } from '../../observe/metrics.ts';
import type { RequestHead } from '../../protocol/http-head.ts';
import { isClientsFault, REFUSALS, type Refusal, type RefusalSlug } from '../../protocol/refusals.ts';
import type { JudgedRequest } from '../../protocol/request-place.ts';
import type { ReachingProgress } from '../../upstream/open-backend.ts';
import type { Arrival } from '../arrival.ts';
import type { AskedRecord } from '../asked-record.ts';
import { cutToLog, shownPath, withoutUserinfo } from '../logged-path.ts';
import type { Route, Snapshot } from '../snapshot.ts';

interface RecordMeans {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly snapshot: Snapshot;
}

/** `status` 0: nobody was answered. */
interface Ended {
  readonly status: number;
  readonly error: string | undefined;
  readonly cause: string | undefined;
  readonly targets?: Refusal['targets'];
}

export class RequestRecord implements AskedRecord {
  /** Bytes of its body, and of the answer's. */
  bytesIn = 0;
  bytesOut = 0;
  private readonly means: RecordMeans;
  private readonly arrival: Arrival;
  private method: string | undefined;
  private host: string | undefined;
  private path: string | undefined;
  private query = '';
  private route: Route | null = null;
  private auth: string | undefined;
  private identity: string | undefined;
  private progress: ReachingProgress | null = null;

  constructor(means: RecordMeans, arrival: Arrival) {
    this.means = means;
    this.arrival = arrival;
  }

  noteHead({ method, target }: RequestHead): void {
    const queryAt = target.indexOf('?');
    this.method = method;
    this.path = queryAt < 0 ? target : target.slice(0, queryAt);
    this.query = queryAt < 0 ? '' : target.slice(queryAt);
  }

  noteRequest({ host, path, query }: JudgedRequest): void {
    this.host = host;
    this.path = path;
    this.query = query;
  }

  noteRoute(route: Route): void {
    this.route = route;
  }

  noteAuth(auth: string, identity: string | null): void {
    this.auth = auth;
    this.identity = identity ?? undefined;
  }

  noteProtocols(): void {}

  noteRelaxed(): void {}

  noteLimit(limit: string): void {
    this.metrics.fromClient.limitHits.add(limit);
  }

  noteReaching(progress: ReachingProgress): void {
    this.progress = progress;
  }

  /** So long after all of it was sent its answer begins; null: before that. */
  noteAnswer(waitedMs: number | null): void {
    if (waitedMs !== null) this.metrics.http.responseTime.record(waitedMs);
  }

  answered(status: number): void {
    this.end({ status, error: undefined, cause: undefined });
  }

  refused({ slug, cause, targets }: Refusal): void {
    this.end({ status: REFUSALS[slug].status, error: slug, cause, targets });
  }

  /** Its answer was cut off behind this status; 0: there was none yet. */
  cut(status: number, error: RefusalSlug | 'client_gone' | 'idle' | 'write_stall', cause?: string): void {
    this.end({ status, error, cause });
  }

  /** A route that serves none has none to count. */
  private get metrics(): RouteMetrics {
    const { metrics } = this.means;
    return this.route === null || this.route.http === null ? metrics.unrouted : metrics.route(this.route.config.name);
  }

  private end({ status, error, cause, targets }: Ended): void {
    const { clock, log } = this.means;
    const ms = clock.now() - this.arrival.at;
    // Below 500 its head was there before it broke off.
    const isCut = error === 'backend_answer' && status < 500;
    const { http } = this.metrics;
    http.request(status, ms / 1000, isCut);
    if (error !== undefined) {
      http.failed(error);
      const limit = limitOf(error, cause);
      if (limit !== undefined) http.limitEnds.add(limit);
    }
    if (this.bytesIn > 0 && error !== 'body_too_large') http.bodySize.record(this.bytesIn);
    const isOurs = error === undefined ? status >= 500 : status >= 500 && !isClientsFault(error);
    const level = isOurs || isCut ? 'warn' : 'debug';
    if (!log.enabled(level)) return;
    const { arrival, progress, route } = this;
    const { client, peer } = arrival;
    log.event(level, 'http.request', {
      status: status === 0 ? undefined : status,
      error,
      method: this.method,
      listener: arrival.listenerName,
      client,
      peer: peer === client ? undefined : peer,
      host: this.host === undefined ? undefined : cutToLog(withoutUserinfo(this.host)),
      path: this.shownPath(),
      route: route?.config.name,
      auth: this.auth,
      identity: this.identity,
      upstream: route?.http?.name,
      target: progress?.target?.name,
      tries: progress === null || progress.tries === 0 ? undefined : progress.tries,
      cause,
      targets,
      bytes_in: this.bytesIn,
      bytes_out: this.bytesOut,
      request_id: arrival.requestId,
      ms: Math.round(ms),
    });
  }

  private shownPath(): string | undefined {
    if (this.path === undefined) return undefined;
    const pattern = this.route?.config.match.path ?? null;
    return shownPath({ path: this.path, query: this.query, pattern, log: this.means.snapshot.config.log });
  }
}

/** Config keys of limits and timeouts, by the errors that are theirs. */
const LIMITS: Readonly<Record<string, string>> = {
  body_too_large: 'max_body_size',
  body_timeout: 'body',
  idle: 'idle',
  write_stall: 'write_stall',
};

function limitOf(error: string, cause: string | undefined): string | undefined {
  if (error === 'backend_timeout') return cause === 'ETIMEDOUT' ? 'connect' : cause;
  return LIMITS[error];
}
