// What is known about one session besides its bytes: where it came from, where it went. Writes its log lines and
// gives back what it holds when it ends.

import { END_CAUSES } from '../protocol/end-causes.ts';
import type { Peer } from '../session/peer.ts';
import type { Session, SessionOwner } from '../session/session.ts';
import type { Target } from '../upstream/target.ts';
import type { Edge } from './edge.ts';
import type { Route } from './snapshot.ts';

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
  readonly connect_ms: number;
  readonly upgrade_ms: number;
}

export interface SessionRecordOptions {
  readonly edge: Edge;
  readonly route: Route;
  readonly target: Target;
  readonly facts: SessionFacts;
}

export class SessionRecord implements SessionOwner {
  /** Set right after construction, before the session starts. */
  session!: Session;
  private readonly edge: Edge;
  private readonly route: Route;
  private readonly target: Target;
  private readonly facts: SessionFacts;
  private readonly startedAt: number;

  constructor(options: SessionRecordOptions) {
    this.edge = options.edge;
    this.route = options.route;
    this.target = options.target;
    this.facts = options.facts;
    this.startedAt = this.edge.clock.now();
    const level = this.edge.snapshot.config.log.session_open;
    if (this.edge.log.enabled(level)) this.edge.log.event(level, 'session.open', { ...this.facts });
  }

  onSessionEnd(session: Session): void {
    const { edge } = this;
    this.route.sessions -= 1;
    this.target.release();
    edge.log.eventOf('info', 'session.end', () => ({ ...this.facts, ...this.endOf(session) }));
    edge.removeSession(this);
  }

  onLimitHit(peer: Peer, limit: string, value: number): void {
    if (!this.edge.log.enabled('info')) return;
    const { session, route, client } = this.facts;
    const direction = peer.isClient ? 'from_client' : 'from_backend';
    this.edge.log.event('info', 'limit.hit', { session, route, client, direction, limit, value });
  }

  onSessionFault(_session: Session, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.edge.log.event('error', 'session.fault', { session: this.facts.session, error: text });
  }

  private endOf(session: Session): Record<string, unknown> {
    const { client, backend, cause } = session;
    return {
      duration_ms: Math.round(this.edge.clock.now() - this.startedAt),
      by: (cause !== null && END_CAUSES[cause].by) || 'proxy',
      reason: cause,
      ...(session.limit === null ? {} : { limit: session.limit }),
      close_code_client: client.closeSent,
      close_code_backend: backend.closeSent,
      clean: session.isClean,
      mid_frame: session.midFrame,
      from_client: trafficOf(client),
      from_backend: trafficOf(backend),
    };
  }
}

function trafficOf(peer: Peer): Record<string, number> {
  const { messages, dataBytes, largestMessage } = peer.scanner;
  return { messages, bytes: dataBytes, largest_message: largestMessage, pauses: peer.pauses };
}
