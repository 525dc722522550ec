// What is known about one session besides its bytes: where it came from, where it went. Writes its log lines and
// gives back what it holds when it ends.

import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { Log } from '../observe/log.ts';
import type { DirectionMetrics, MetricsRegistry, RouteMetrics } from '../observe/metrics.ts';
import type { EndedBy } from '../observe/session-ends.ts';
import { END_CAUSES, type EndCause, type Side } from '../protocol/end-causes.ts';
import type { End } from '../session/end.ts';
import type { RecordedFrame, Recorder } from '../session/recorder.ts';
import type { Session, SessionOwner } from '../session/session.ts';
import type { Target } from '../upstream/target.ts';
import type { Grant } from './auth/method.ts';
import type { Recheck, Rechecked } from './auth/rechecks.ts';
import type { MemoryLimit } from './buffer-watch.ts';
import type { Holdings } from './holdings.ts';
import type { SessionCredential } from './session-credential.ts';
import { policyWithin } from './session-policy.ts';
import type { Route, Snapshot } from './snapshot.ts';

/** Ends that say of the target that it does not work: what breaks the protocol has not been a session for long. */
const LOST: ReadonlySet<EndCause> = new Set(['backend_lost', 'backend_protocol_error', 'backend_pong_timeout']);

/** The fields of `session.open`, in the order they are logged. */
export interface SessionFacts {
  readonly session: string;
  readonly listener: string;
  readonly route: string;
  readonly upstream: string;
  readonly target: string;
  readonly client: string;
  /** The socket's address when `client` is another, told by a trusted proxy. */
  readonly peer: string | undefined;
  readonly path: string;
  readonly request_id: string;
  readonly subprotocol: string | undefined;
  /** Who it is, and by which method. */
  readonly auth: string | undefined;
  readonly identity: string | undefined;
  readonly connect_ms: number;
  readonly upgrade_ms: number;
}

/** Where sessions are counted and told of. */
export interface SessionHost {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly snapshot: Snapshot;
  /** Null: nobody asks about sessions that have ended. */
  readonly ends: EndKeeper | null;
  removeSession(record: SessionRecord): void;
}

/** Who remembers ends. */
export interface EndKeeper {
  /** It has a cause to end. Once, before `onEnded`. */
  onEnding(record: SessionRecord): void;
  onEnded(record: SessionRecord): void;
}

interface SessionRecordOptions {
  readonly host: SessionHost;
  readonly route: Route;
  readonly target: Target;
  readonly facts: SessionFacts;
  /** What its handshake took; the session gives it back. */
  readonly holdings: Holdings;
  readonly credential: SessionCredential | null;
  readonly grant: Grant | null;
}

export class SessionRecord implements SessionOwner, Rechecked {
  /** Set right after construction, before the session starts. */
  session!: Session;
  readonly route: Route;
  readonly target: Target;
  readonly facts: SessionFacts;
  /** Null: nothing was asked of it, or it is anonymous. */
  readonly credential: SessionCredential | null;
  readonly startedAt: number;
  readonly metrics: RouteMetrics;
  private readonly host: SessionHost;
  readonly holdings: Holdings;
  private readonly recheck: Recheck | null;
  /** Direction and config key of the limits that were hit: a line in the log for the first time only. */
  private hits: Set<string> | null = null;

  constructor(options: SessionRecordOptions) {
    this.host = options.host;
    this.route = options.route;
    this.target = options.target;
    this.facts = options.facts;
    this.holdings = options.holdings;
    this.credential = options.credential;
    this.recheck = options.grant === null ? null : this.host.snapshot.auth.rechecks.of(options.grant, this);
    this.startedAt = this.host.clock.now();
    this.metrics = this.host.metrics.route(this.facts.route);
  }

  /** Our 101 is on its way: relay. `first` comes before; what goes wrong from here on is the end of a session. */
  begin(clientBytes: Buffer | null, backendBytes: Buffer | null, first: () => void): void {
    const { host, session, facts } = this;
    try {
      this.metrics.sessionBegan();
      this.metrics.clients.add(facts.client);
      first();
      this.holdings.becomeSession();
      const level = host.snapshot.config.log.session_open;
      if (host.log.enabled(level)) host.log.event(level, 'session.open', { ...facts, expires_in: this.expiresIn });
      session.start(clientBytes, backendBytes);
      this.recheck?.retune();
    } catch (error) {
      session.fail(error);
    }
  }

  /** What a reload says of its route and of its method. */
  retune(): void {
    const { host, session, route, credential } = this;
    credential?.retune(host.snapshot.auth, host.clock.now());
    session.retune(policyWithin(route.policy, credential?.quota ?? null));
    this.recheck?.retune();
  }

  onRevoked(): void {
    this.session.end('credential_revoked');
  }

  onGood(until: number): void {
    this.credential?.renew(until, this.host.clock.now());
  }

  onFault(error: unknown): void {
    this.session.fail(error);
  }

  /** Its credential is good until then, in milliseconds since 1970. False when nothing of that ends it. */
  extend(until: number): boolean {
    if (this.credential?.extend(until, this.host.clock.now()) !== true) return false;
    this.session.renew();
    return true;
  }

  onSessionEnding({ cause }: Session): void {
    this.recheck?.stop();
    this.holdings.beginEnd();
    this.host.ends?.onEnding(this);
    const livedMs = this.host.clock.now() - this.startedAt;
    const isLost = cause !== null && LOST.has(cause);
    this.target.watch?.sessionEnding(this.facts.client, livedMs, isLost, this.holdings.trial);
  }

  onSessionEnd(session: Session): void {
    try {
      try {
        this.tellTarget(session);
      } finally {
        this.holdings.release();
      }
      this.tellEnd(session);
    } finally {
      this.host.removeSession(this);
    }
  }

  private tellTarget({ cause, isClean }: Session): void {
    const { trial } = this.holdings;
    if (trial !== 0) this.target.watch?.sessionEnded(isClean || cause === 'backend_close', trial);
  }

  private tellEnd(session: Session): void {
    const { host } = this;
    const now = host.clock.now();
    host.ends?.onEnded(this);
    this.metrics.sessionEnded(
      byOf(session),
      session.cause ?? 'internal_error',
      session.client.closeSent,
      (now - this.startedAt) / 1000,
    );
    this.metrics.profile.recordSession(now - this.startedAt);
    if (session.limit !== null) this.metrics.limitEnds.add(session.limit);
    host.log.eventOf('info', 'session.end', session.cause, () => ({ ...this.facts, ...this.endOf(session) }));
  }

  onLimitHit(side: Side, limit: string, value: number): void {
    const direction = side === 'client' ? 'from_client' : 'from_backend';
    const metrics: DirectionMetrics = side === 'client' ? this.metrics.fromClient : this.metrics.fromBackend;
    metrics.limitHit(limit, value);
    const hit = `${direction} ${limit}`;
    this.hits ??= new Set();
    if (this.hits.has(hit)) return;
    // At most the limits there are, each twice.
    this.hits.add(hit);
    if (!this.host.log.enabled('info')) return;
    const { session, route, client } = this.facts;
    const largest = metrics.largestRefused(limit);
    this.host.log.event('info', 'limit.hit', { session, route, client, direction, limit, value, largest });
  }

  get bufferedBytes(): number {
    const { transport: client } = this.session.client;
    const { transport: backend } = this.session.backend;
    return client.held + client.kept + backend.held + backend.kept;
  }

  get isEnding(): boolean {
    return this.session.cause !== null;
  }

  /** Too much memory is taken, and this one holds the most. */
  shed(bytes: number, limit: MemoryLimit): void {
    const { client, backend } = this.session;
    const source = client.transport.held >= backend.transport.held ? 'backend' : 'client';
    this.onLimitHit(source, limit, bytes);
    this.session.shed(limit);
  }

  onSessionFault(_session: Session, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.host.log.event('error', 'session.fault', { session: this.facts.session, error: text });
  }

  /** Seconds. */
  private get expiresIn(): number | undefined {
    const { credential } = this;
    return credential === null || credential.endsAt === Number.POSITIVE_INFINITY
      ? undefined
      : Math.round(credential.leftMs / 1000);
  }

  private recordOf(recorder: Recorder): readonly string[] {
    return recorder.read().map((frame) => frameText(frame, this.startedAt));
  }

  private endOf(session: Session): Record<string, unknown> {
    const { client, backend, cause } = session;
    return {
      duration_ms: Math.round(this.host.clock.now() - this.startedAt),
      by: byOf(session),
      reason: cause,
      ...(session.limit === null ? {} : { limit: session.limit }),
      close_code_client: client.closeSent,
      close_code_backend: backend.closeSent,
      clean: session.isClean,
      mid_frame: session.midFrame,
      from_client: trafficOf(client),
      from_backend: trafficOf(backend),
      ...(session.isClean || session.recorder === null ? {} : { record: this.recordOf(session.recorder) }),
    };
  }
}

/** `1204 client text 512`: milliseconds since it opened, whose, what, payload; `more` without FIN, a Close's code. */
function frameText({ at, from, opcode, fin, bytes, code }: RecordedFrame, startedAt: number): string {
  const end = code === null ? (fin ? '' : ' more') : ` code ${code}`;
  return `${Math.max(0, Math.round(at - startedAt))} ${from} ${opcode} ${bytes}${end}`;
}

export function byOf({ cause }: Pick<Session, 'cause'>): EndedBy {
  return (cause !== null && END_CAUSES[cause].by) || 'proxy';
}

function trafficOf(end: End): Record<string, number> {
  const { messages, dataBytes, largestMessage } = end.relay.scanner;
  return { messages, bytes: dataBytes, largest_message: largestMessage, pauses: end.relay.gate.pauses };
}
