// Live objects as the views that the admin listener answers with. Pure readings: nothing here changes what it looks at.

import type { CertificateView, RouteView, StatusView, TrafficView } from '../admin/subject.ts';
import type { Route } from '../edge/snapshot.ts';
import { mapped, type Pulled } from '../limits/pulled.ts';
import { addressText } from '../net/listen.ts';
import type { DirectionMetrics, RouteMetrics } from '../observe/metrics.ts';
import { certificateReadings, waitedCertificates } from './readings.ts';
import { NOT_REFUSED, refusalsByCause, total } from './refusal-counts.ts';
import type { RunningProxy } from './running-proxy.ts';
import type { Seen } from './sight.ts';

export function statusView(proxy: RunningProxy, { metrics, ...seen }: Seen): Pulled<StatusView> {
  const { about, edge, life, listeners, reloads } = proxy;
  const { clock, snapshot } = edge;
  const { last } = reloads;
  const certificates = certificateViews(edge);
  return {
    version: about.version,
    node: about.node,
    pid: about.pid,
    state: life.state,
    before: proxy.before(),
    uptime_ms: Math.round(clock.now() - life.startedAt),
    config: {
      name: about.configName,
      loaded_at: new Date(life.loadedAt).toISOString(),
      last_reload: last === null ? null : { at: new Date(last.at).toISOString(), ok: last.ok },
    },
    sessions: {
      open: seen.sessions,
      limit: finiteOrNull(edge.sessionsMax),
      total: total(metrics.routes(), (route) => route.sessionsTotal),
    },
    handshakes_open: metrics.process.handshakesOpen,
    http_requests_open: metrics.process.httpRequestsOpen,
    refusals: refusalsByCause(metrics),
    buffered_bytes: total(metrics.routes(), (route) => route.fromClient.buffered + route.fromBackend.buffered),
    memory_bytes: seen.memoryBytes,
    ...(seen.workers === null ? {} : { workers: seen.workers.views }),
    listeners: listeners.all.map(({ config, address }) => ({
      name: config.name,
      address: addressText(address),
      connections: metrics.listener(config.name).connectionsOpen,
      certificates: certificates.get(config.name) ?? [],
      waiting: waitedCertificates(edge, config),
    })),
    routes: mapped([...snapshot.routes.values()], (route) => routeView(route, metrics.route(route.config.name))),
  };
}

function certificateViews(edge: RunningProxy['edge']): ReadonlyMap<string, readonly CertificateView[]> {
  const now = edge.snapshot.wallNow();
  const found = new Map<string, CertificateView[]>();
  for (const { listener, name, notAfter } of [...certificateReadings(edge)].sort((a, b) => a.notAfter - b.notAfter)) {
    const own = found.get(listener) ?? [];
    found.set(listener, own);
    own.push({ name, not_after: new Date(notAfter).toISOString(), expires_in_ms: notAfter - now });
  }
  return found;
}

function routeView({ config, draining }: Route, metrics: RouteMetrics): RouteView {
  let refused = 0;
  for (const [result, count] of metrics.handshakes.entries()) if (!NOT_REFUSED.has(result)) refused += count;
  let requests = 0;
  for (const [, count] of metrics.http.requests.entries()) requests += count;
  return {
    name: config.name,
    upstream: config.sockets ? config.upstream : null,
    http: config.http,
    state: draining ? 'draining' : 'open',
    sessions: metrics.sessionsOpen,
    sessions_limit: finiteOrNull(config.own_max_sessions),
    sessions_total: metrics.sessionsTotal,
    handshakes_refused: refused,
    http_requests: requests,
    paused: metrics.fromClient.paused + metrics.fromBackend.paused,
    from_client: trafficView(metrics.fromClient),
    from_backend: trafficView(metrics.fromBackend),
  };
}

function trafficView({ textMessages, binaryMessages, bytes }: DirectionMetrics): TrafficView {
  return { messages: textMessages + binaryMessages, bytes };
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
