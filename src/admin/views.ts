// Live objects as the views that the admin listener answers with. Pure readings: nothing here changes what it looks at.

import type { SessionRecord } from '../edge/session-record.ts';
import type { Route } from '../edge/snapshot.ts';
import type { DirectionMetrics, RouteMetrics, TargetMetrics } from '../observe/metrics.ts';
import type { End } from '../session/end.ts';
import type { Session } from '../session/session.ts';
import type { Target } from '../upstream/target.ts';
import type { RouteView, SessionSideView, SessionState, SessionView, TargetView, TrafficView } from './backend.ts';
import { NOT_REFUSED } from './refusals.ts';

export function routeView({ config, draining }: Route, metrics: RouteMetrics): RouteView {
  let refused = 0;
  for (const [result, count] of metrics.handshakes.entries()) if (!NOT_REFUSED.has(result)) refused += count;
  return {
    name: config.name,
    upstream: config.upstream,
    state: draining ? 'draining' : 'open',
    sessions: metrics.sessionsOpen,
    sessions_limit: finiteOrNull(config.own_max_sessions),
    sessions_total: metrics.sessionsTotal,
    handshakes_refused: refused,
    paused: metrics.fromClient.paused + metrics.fromBackend.paused,
    from_client: trafficView(metrics.fromClient),
    from_backend: trafficView(metrics.fromBackend),
  };
}

function trafficView({ textMessages, binaryMessages, bytes }: DirectionMetrics): TrafficView {
  return { messages: textMessages + binaryMessages, bytes };
}

export function targetView(target: Target, metrics: TargetMetrics, now: number): TargetView {
  let failed = 0;
  for (const [result, count] of metrics.dials.entries()) if (result !== 'ok') failed += count;
  const failing = target.dials.failingSince;
  return {
    name: target.name,
    url: target.url,
    state: target.draining ? 'draining' : failing === null ? 'up' : 'failing',
    failing_ms: failing === null ? null : Math.round(now - failing),
    weight: target.weight,
    sessions: target.sessions,
    sessions_limit: finiteOrNull(target.sessionsMax),
    sessions_total: target.sessionsTotal,
    dials_failed: failed,
  };
}

export function sessionView(record: SessionRecord, now: number): SessionView {
  const { facts, session, startedAt } = record;
  return {
    id: facts.session,
    state: sessionState(session),
    route: facts.route,
    upstream: facts.upstream,
    target: facts.target,
    listener: facts.listener,
    client: facts.client,
    peer: facts.peer ?? null,
    path: facts.path,
    request_id: facts.request_id,
    subprotocol: facts.subprotocol ?? null,
    age_ms: Math.round(now - startedAt),
    ping_rtt_ms: session.client.liveness.rttMs,
    reason: session.cause,
    from_client: sideView(session.client, now),
    from_backend: sideView(session.backend, now),
  };
}

export function sessionState({ cause, client, backend }: Session): SessionState {
  if (cause !== null) return 'closing';
  return client.transport.paused || backend.transport.paused ? 'paused' : 'open';
}

function sideView(end: End, now: number): SessionSideView {
  const { messages, dataBytes, largestMessage } = end.scanner;
  return {
    messages,
    bytes: dataBytes,
    largest_message: largestMessage,
    paused: end.transport.paused,
    pauses: end.gate.pauses,
    buffered: end.other.transport.held,
    silent_ms: Math.round(now - end.lastByteAt),
  };
}

/** Ids count up behind the instance's part, in base 36. What is no id comes before all. */
export function idOrder(id: string): number {
  const order = /^[0-9a-f]+-([0-9a-z]{1,10})$/.exec(id)?.[1];
  return order === undefined ? 0 : Number.parseInt(order, 36);
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
