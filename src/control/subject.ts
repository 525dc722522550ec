// A proxy as the admin listener sees it, whose sessions are in this process: every fact is read when it is asked for.
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
import { adviceOf, metricsSource } from './readings.ts';
import type { RunningProxy } from './running-proxy.ts';
import { applicationWebsockets, findSession, sessionPage } from './session-lists.ts';
import { sessionDetail } from './session-view.ts';
import { OwnSight, type Sight } from './sight.ts';
import { upstreamViews } from './upstream-views.ts';
import { statusView } from './views.ts';
import { whyOf } from './why.ts';

export class ProxySubject implements AdminSubject {
  protected readonly proxy: RunningProxy;
  private readonly sight: Sight;

  /** `sight`: what is counted, by this process or by several. */
  constructor(proxy: RunningProxy, sight: Sight = new OwnSight(proxy)) {
    this.proxy = proxy;
    this.sight = sight;
  }

  async status(): Promise<Pulled<StatusView>> {
    return statusView(this.proxy, await this.sight.see('counts'));
  }

  async upstreams(): Promise<Pulled<readonly UpstreamView[]>> {
    const { snapshot, clock } = this.proxy.edge;
    const { metrics } = await this.sight.see('counts');
    return upstreamViews({ metrics, snapshot, clock });
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
    return whyOf(this.proxy, id);
  }

  async applicationWebsockets(): Promise<Pulled<readonly ApplicationWebsocket[]>> {
    return applicationWebsockets(this.proxy.edge.sessions);
  }

  async config(): Promise<Iterable<string>> {
    return configPieces(this.proxy.edge.snapshot.config);
  }

  async metrics(): Promise<Iterable<string>> {
    return metricsPieces(metricsSource(this.proxy, await this.sight.see('all')));
  }

  async advice(): Promise<Pulled<Advice>> {
    const { edge, life } = this.proxy;
    const { snapshot, clock, sessionsMax } = edge;
    const { metrics } = await this.sight.see('distributions');
    return adviceOf({ metrics, snapshot, clock, sessionsMax }, clock.now() - life.startedAt);
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
