// What metrics and advice are made of: the counters of the running proxy, next to what its config says of them.

import type { WaitedCertificateView } from '../admin/subject.ts';
import type { ListenerCertificate, ListenerConfig } from '../config/types.ts';
import type { Edge } from '../edge/edge.ts';
import type { Route } from '../edge/snapshot.ts';
import { mapped, type Pulled } from '../limits/pulled.ts';
import { type Advice, type AdviceInput, adviseRoute, type Direction } from '../observe/advice.ts';
import { adviseCap } from '../observe/cap-advice.ts';
import { adviseExpiry } from '../observe/expiry-advice.ts';
import type {
  CertificateReading,
  DiscoveryReading,
  MetricsSource,
  RouteReading,
  TargetReading,
  UpstreamReading,
} from '../observe/exposition.ts';
import type { RouteMetrics } from '../observe/metrics.ts';
import { relaxedUses } from '../observe/relax-advice.ts';
import { capInputs } from './refusal-counts.ts';
import type { RunningProxy } from './running-proxy.ts';
import type { Seen } from './sight.ts';

/** Before the end of a certificate: time enough to renew it by hand. */
const SOON_MS = 14 * 86_400_000;

/** An edge, with the counters of it or of several processes. */
type CountedEdge = Pick<Edge, 'metrics' | 'snapshot' | 'clock' | 'sessionsMax'>;

/** Those of routes that a reload removed are still counted while a session of theirs lives. */
function* routeReadings({ metrics, snapshot }: CountedEdge): Generator<RouteReading> {
  for (const { config } of snapshot.routes.values()) {
    yield { metrics: metrics.route(config.name), sessionsLimit: config.own_max_sessions };
  }
  for (const route of [...metrics.routes()]) {
    if (!snapshot.routes.has(route.name)) yield { metrics: route, sessionsLimit: Number.POSITIVE_INFINITY };
  }
}

function* upstreamReadings({ metrics, snapshot }: CountedEdge): Generator<UpstreamReading> {
  for (const { name, queue } of snapshot.upstreams.values()) {
    yield { metrics: metrics.upstream(name), queued: queue.size };
  }
}

function* targetReadings({ metrics, snapshot, clock }: CountedEdge): Generator<TargetReading> {
  for (const { name, targets } of snapshot.upstreams.values()) {
    for (const target of targets) {
      const { state, isUp } = target.status(clock.now());
      yield {
        metrics: metrics.target(name, target.name),
        state,
        up: isUp,
        sessions: target.sessions,
        sessionsLimit: target.sessionsMax,
      };
    }
  }
}

function* discoveryReadings({ metrics, snapshot, clock }: CountedEdge): Generator<DiscoveryReading> {
  for (const { name, discovery } of snapshot.upstreams.values()) {
    if (discovery === null) continue;
    const { targets, answeredAt } = discovery;
    const wallAt = answeredAt === null ? null : snapshot.wallNow() - (clock.now() - answeredAt);
    yield { metrics: metrics.upstream(name), targets, answeredAt: wallAt };
  }
}

/** Of two with one name the one that ends first: a scrape has no name twice. */
export function certificateReadings({ snapshot }: Edge): Iterable<CertificateReading> {
  const found = new Map<string, CertificateReading>();
  for (const { name: listener, tls } of snapshot.config.listeners) {
    const note = ({ name, not_after: notAfter }: ListenerCertificate, soonMs: number): void => {
      const key = `${listener}\n${name}`;
      const known = found.get(key);
      if (known === undefined || notAfter < known.notAfter)
        found.set(key, { listener, name, notAfter, soonAt: notAfter - soonMs });
    };
    for (const one of tls?.certificates ?? []) note(one, SOON_MS);
    for (const settings of tls?.acme ?? []) {
      const one = snapshot.live.current(settings);
      // It is renewed when a third of its life is left, and some live for days.
      if (one !== null) note(one, Math.min(SOON_MS, (one.not_after - one.not_before) / 4));
    }
  }
  return found.values();
}

/** Those of one listener that are to be got, and are not there yet. */
export function waitedCertificates(
  { snapshot }: Edge,
  { name: listener, tls }: Pick<ListenerConfig, 'name' | 'tls'>,
): readonly WaitedCertificateView[] {
  const missing = (tls?.acme ?? []).filter((settings) => snapshot.live.current(settings) === null);
  if (missing.length === 0) return [];
  const now = snapshot.wallNow();
  const tlsRefused = snapshot.tls.get(listener)?.hasCertificate !== true;
  const renewals = [...snapshot.live.renewals()];
  return missing.map(({ domains: [name = ''] }) => {
    const at = Math.min(...renewals.filter((one) => one.name === name).map((one) => one.at));
    const isKnown = Number.isFinite(at) && at > now;
    return { name, tls_refused: tlsRefused, next_try: isKnown ? new Date(at).toISOString() : null };
  });
}

/** What one scrape reads. */
export function metricsSource(proxy: RunningProxy, seen: Seen): MetricsSource {
  const { about, edge, life } = proxy;
  const { snapshot, clock, sessionsMax } = edge;
  const { metrics } = seen;
  const counted = { metrics, snapshot, clock, sessionsMax };
  return {
    version: about.version,
    node: about.node,
    now: clock.now(),
    ready: life.state === 'ready',
    draining: life.state === 'draining',
    sessionsLimit: sessionsMax,
    bufferedBytesLimit: snapshot.config.limits.max_buffered_total,
    memoryBytesLimit: snapshot.config.limits.max_memory,
    logLinesDropped: seen.logLinesDropped,
    // Of the config this process knows all.
    config: edge.metrics.process,
    process: metrics.process,
    unrouted: metrics.unrouted,
    routes: routeReadings(counted),
    upstreams: upstreamReadings(counted),
    targets: targetReadings(counted),
    discoveries: discoveryReadings(counted),
    listeners: [...metrics.listeners()],
    certificates: certificateReadings(edge),
    acme: { orders: metrics.acmeOrders, renewals: snapshot.live.renewals() },
    auths: [...metrics.auths()],
    revocations: snapshot.auth.revocations.size,
    runtime: seen.runtime,
    workers: seen.workers?.reading ?? null,
  };
}

/** `watchedMs`: since when traffic was counted. */
export function adviceOf({ metrics, snapshot, sessionsMax }: CountedEdge, watchedMs: number): Pulled<Advice> {
  return {
    watched_ms: Math.round(watchedMs),
    caps: capInputs(metrics, snapshot.config.limits, sessionsMax).map((cap) => adviseCap(cap, watchedMs)),
    routes: mapped([...snapshot.routes.values()], (route) =>
      adviseRoute(adviceInput(route, metrics.route(route.config.name)), watchedMs),
    ),
  };
}

function adviceInput({ config, upstream }: Route, seen: RouteMetrics): AdviceInput {
  const from = (direction: Direction) => (direction === 'from_client' ? seen.fromClient : seen.fromBackend);
  return {
    route: config.name,
    sessionsOpen: seen.sessionsOpen,
    sessionsTotal: seen.sessionsTotal,
    clients: seen.clients.count,
    profile: seen.profile,
    limits: config.limits,
    timeouts: config.timeouts,
    hits: (direction, key) => from(direction).limitHits.of(key),
    largestRefused: (direction, key) => from(direction).largestRefused(key),
    expiry: adviseExpiry(seen.sessionDuration.count, seen.expiredEarly),
    ends: (key) => seen.limitEnds.of(key),
    http: config.http === null ? null : { metrics: seen.http, limits: config.limits, timeouts: config.timeouts },
    relaxed: relaxedUses({ route: config.relax, upstream: upstream.relax, upstreamName: upstream.name }, (check) =>
      seen.relaxed.of(check),
    ),
  };
}
