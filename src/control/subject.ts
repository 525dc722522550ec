// A proxy in this process as the admin listener sees it: every fact is read from the live objects when it is asked for.
// It keeps no state of its own, and what changes something is done elsewhere.

import type { RestartResult } from '../admin/generations.ts';
import type {
  AdminSubject,
  ApplicationWebsocket,
  AskedClose,
  Extended,
  Readiness,
  ReloadResult,
  RevokeAsk,
  RevokeResult,
  SessionDetail,
  SessionFilter,
  SessionPage,
  SessionQuery,
  StatusView,
  UpstreamView,
  WhyView,
} from '../admin/subject.ts';
import { configPieces } from '../config/render.ts';
import type { Pulled } from '../limits/pulled.ts';
import type { Advice } from '../observe/advice.ts';
import { metricsPieces } from '../observe/exposition.ts';
import {
  adviceOf,
  certificateReadings,
  discoveryReadings,
  routeReadings,
  targetReadings,
  upstreamReadings,
} from './readings.ts';
import type { RunningProxy } from './running-proxy.ts';
import { applicationWebsockets, findByRequest, findSession, sessionPage } from './session-lists.ts';
import { sessionDetail } from './session-view.ts';
import { upstreamViews } from './upstream-views.ts';
import { statusView } from './views.ts';
import { whyView } from './why.ts';

export class ProxySubject implements AdminSubject {
  private readonly proxy: RunningProxy;

  constructor(proxy: RunningProxy) {
    this.proxy = proxy;
  }

  async status(): Promise<Pulled<StatusView>> {
    return statusView(this.proxy);
  }

  async upstreams(): Promise<Pulled<readonly UpstreamView[]>> {
    return upstreamViews(this.proxy.edge);
  }

  async sessions(query: SessionQuery): Promise<Pulled<SessionPage>> {
    const { sessions, clock } = this.proxy.edge;
    return sessionPage(sessions, query, () => clock.now());
  }

  async session(id: string): Promise<SessionDetail | null> {
    const { sessions, clock } = this.proxy.edge;
    const record = findSession(sessions, id);
    return record === null ? null : sessionDetail(record, clock.now());
  }

  async why(id: string): Promise<WhyView | null> {
    const { edge, ends } = this.proxy;
    const { sessions } = edge;
    // Ids of requests may come from a proxy in front: one that looks like a session's is none.
    const open = findSession(sessions, id);
    const ended = open === null ? ends.find(id) : null;
    const record = open ?? (ended === null ? findByRequest(sessions, id) : null);
    const story = record === null ? (ended ?? ends.findByRequest(id)) : ends.storyOf(record);
    return story === null ? null : whyView(story, { now: edge.clock.now(), wallNow: edge.snapshot.wallNow() });
  }

  async applicationWebsockets(): Promise<Pulled<readonly ApplicationWebsocket[]>> {
    return applicationWebsockets(this.proxy.edge.sessions);
  }

  async config(): Promise<Iterable<string>> {
    return configPieces(this.proxy.edge.snapshot.config);
  }

  async metrics(): Promise<Iterable<string>> {
    const { about, edge, life, runtime } = this.proxy;
    const reading = (await runtime?.read()) ?? null;
    const { metrics, snapshot } = edge;
    return metricsPieces({
      version: about.version,
      node: about.node,
      now: edge.clock.now(),
      ready: life.state === 'ready',
      draining: life.state === 'draining',
      sessionsLimit: edge.sessionsMax,
      bufferedBytesLimit: snapshot.config.limits.max_buffered_total,
      logLinesDropped: edge.log.linesDropped,
      process: metrics.process,
      unrouted: metrics.unrouted,
      routes: routeReadings(edge),
      upstreams: upstreamReadings(edge),
      targets: targetReadings(edge),
      discoveries: discoveryReadings(edge),
      listeners: [...metrics.listeners()],
      certificates: certificateReadings(edge),
      acme: { orders: edge.metrics.acmeOrders, renewals: edge.snapshot.live.renewals() },
      auths: [...metrics.auths()],
      revocations: snapshot.auth.revocations.size,
      runtime: reading,
    });
  }

  async advice(): Promise<Pulled<Advice>> {
    const { edge, life } = this.proxy;
    return adviceOf(edge, edge.clock.now() - life.startedAt);
  }

  async readiness(name?: string): Promise<Readiness | null> {
    const { edge, life } = this.proxy;
    const { state } = life;
    if (name === undefined) return state;
    const route = edge.snapshot.routes.get(name);
    if (route === undefined) return null;
    if (state !== 'ready') return state;
    const targets = route.upstream.targets.map((target) => target.status(edge.clock.now()));
    const open = targets.filter((target) => target.state !== 'draining');
    if (open.length === 0) return 'no_target';
    return open.some((target) => target.isUp) ? 'ready' : 'failing';
  }

  async closeSession(id: string, close: AskedClose): Promise<boolean> {
    return this.proxy.operations.closeSession(id, close);
  }

  async closeSessions(filter: SessionFilter, close: AskedClose): Promise<number> {
    return this.proxy.operations.closeSessions(filter, close);
  }

  revoke(ask: RevokeAsk): Promise<RevokeResult> {
    return this.proxy.credentials.revoke(ask);
  }

  async extendSession(id: string, until: number): Promise<Extended> {
    return this.proxy.credentials.extend(id, until);
  }

  async drainRoute(route: string, draining: boolean): Promise<boolean> {
    return this.proxy.operations.drainRoute(route, draining);
  }

  async drainTarget(upstream: string, target: string, draining: boolean): Promise<boolean> {
    return this.proxy.operations.drainTarget(upstream, target, draining);
  }

  async drain(): Promise<void> {
    this.proxy.drain();
  }

  reload(force: boolean): Promise<ReloadResult> {
    return this.proxy.reloads.reload(undefined, { force });
  }

  restart(): Promise<RestartResult> {
    return this.proxy.restart();
  }
}
