// What the admin listener shows and does, over a running proxy: reads its live objects, and asks for the rest through
// ProxyControl. It keeps no state of its own and ends no session by itself.

import type { SessionRecord } from '../edge/session-record.ts';
import type { Snapshot } from '../edge/snapshot.ts';
import { type Advice, adviseRoute } from '../observe/advice.ts';
import { adviseCap } from '../observe/cap-advice.ts';
import { metricsPieces, type RouteReading, type TargetReading } from '../observe/exposition.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import { relaxedUses } from '../observe/relax-advice.ts';
import type { RuntimeMetrics } from '../observe/runtime-metrics.ts';
import type {
  AdminBackend,
  ApplicationWebsocket,
  AskedClose,
  ProxyState,
  Readiness,
  ReloadResult,
  SessionFilter,
  SessionPage,
  SessionQuery,
  SessionView,
  StatusView,
  UpstreamView,
} from './backend.ts';
import { NOTHING_YET, type Pulled } from './json-pieces.ts';
import { capInputs, refusalsByCause } from './refusals.ts';
import { idOrder, routeView, sessionState, sessionView, targetView } from './views.ts';

/** What a proxy is asked for. */
export interface ProxyControl {
  readonly clock: { now(): number };
  readonly metrics: MetricsRegistry;
  /** Live, in the order in which they began. */
  readonly sessions: ReadonlySet<SessionRecord>;
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly configName: string;
  /** On the clock, and since 1970. */
  readonly startedAt: number;
  readonly loadedAt: number;
  readonly lastReload: { readonly at: number; readonly ok: boolean } | null;
  readonly state: ProxyState;
  readonly snapshot: Snapshot;
  readonly sessionsMax: number;
  readonly logLinesDropped: number;
  readonly memoryBytes: number;
  /** Null without a process to look at. */
  readonly runtime: RuntimeMetrics | null;
  /** Names and addresses as bound. */
  listeners(): Iterable<{ readonly name: string; readonly address: string }>;
  configPieces(): Iterable<string>;
  /** End these over `drain.spread`. */
  closeSpread(records: readonly SessionRecord[], notice: AskedClose): void;
  drain(): void;
  drainRoute(route: string, draining: boolean): boolean;
  drainTarget(upstream: string, target: string, draining: boolean): boolean;
  reload(force: boolean): Promise<ReloadResult>;
}

type Found = SessionRecord | typeof NOTHING_YET;

export class ProxyBackend implements AdminBackend {
  private readonly control: ProxyControl;

  constructor(control: ProxyControl) {
    this.control = control;
  }

  status(): Pulled<StatusView> {
    const { control } = this;
    const { clock, metrics, snapshot, lastReload } = control;
    return {
      version: control.version,
      node: control.node,
      pid: control.pid,
      state: control.state,
      uptime_ms: Math.round(clock.now() - control.startedAt),
      config: {
        name: control.configName,
        loaded_at: new Date(control.loadedAt).toISOString(),
        last_reload: lastReload === null ? null : { at: new Date(lastReload.at).toISOString(), ok: lastReload.ok },
      },
      sessions: {
        open: control.sessions.size,
        limit: finiteOrNull(control.sessionsMax),
        total: sum(metrics.routes(), (route) => route.sessionsTotal),
      },
      handshakes_open: metrics.process.handshakesOpen,
      refusals: refusalsByCause(metrics),
      buffered_bytes: sum(metrics.routes(), (route) => route.fromClient.buffered + route.fromBackend.buffered),
      memory_bytes: control.memoryBytes,
      listeners: [...control.listeners()].map(({ name, address }) => {
        return { name, address, connections: metrics.listener(name).connectionsOpen };
      }),
      routes: mapped([...snapshot.routes.values()], (route) => routeView(route, metrics.route(route.config.name))),
    };
  }

  upstreams(): Pulled<readonly UpstreamView[]> {
    const { metrics, snapshot, clock } = this.control;
    return mapped([...snapshot.upstreams.values()], (upstream) => ({
      name: upstream.name,
      balance: upstream.balance,
      targets: mapped(upstream.targets, (target) =>
        targetView(target, metrics.target(upstream.name, target.name), clock.now()),
      ),
    }));
  }

  sessions(query: SessionQuery): Pulled<SessionPage> {
    const { clock } = this.control;
    const after = query.after === undefined ? 0 : idOrder(query.after);
    let next: string | null = null;
    const isMeant = ({ facts, session }: SessionRecord): boolean =>
      idOrder(facts.session) > after && (query.state === undefined || sessionState(session) === query.state);
    const pick = function* (records: Iterable<Found>): Generator<SessionView | typeof NOTHING_YET> {
      let found = 0;
      let last: string | null = null;
      for (const record of records) {
        if (record === NOTHING_YET || !isMeant(record)) {
          yield NOTHING_YET;
          continue;
        }
        // One more than asked for tells whether there is a next page.
        if (found === query.limit) {
          next = last;
          return;
        }
        found += 1;
        last = record.facts.session;
        yield sessionView(record, clock.now());
      }
    };
    return {
      sessions: pick(this.chosenSlowly(query)),
      get next() {
        return next;
      },
    };
  }

  session(id: string): SessionView | null {
    const record = this.find(id);
    return record === null ? null : sessionView(record, this.control.clock.now());
  }

  closeSession(id: string, close: AskedClose): boolean {
    const record = this.find(id);
    if (record === null || record.session.cause !== null) return false;
    record.session.end('admin', { notice: close });
    return true;
  }

  closeSessions(filter: SessionFilter, close: AskedClose): number {
    const chosen = [...this.chosen(filter)].filter(({ session }) => session.cause === null);
    this.control.closeSpread(chosen, close);
    return chosen.length;
  }

  configPieces(): Iterable<string> {
    return this.control.configPieces();
  }

  advice(): Pulled<Advice> {
    const { metrics, snapshot, clock, startedAt, sessionsMax } = this.control;
    const inputs = mapped([...snapshot.routes.values()], ({ config, upstream }) => {
      const seen = metrics.route(config.name);
      return {
        route: config.name,
        sessionsOpen: seen.sessionsOpen,
        sessionsTotal: seen.sessionsTotal,
        clients: seen.clients.count,
        profile: seen.profile,
        limits: config.limits,
        timeouts: config.timeouts,
        hits: (direction: 'from_client' | 'from_backend', key: string) =>
          (direction === 'from_client' ? seen.fromClient : seen.fromBackend).limitHits.of(key),
        largestRefused: (direction: 'from_client' | 'from_backend', key: string) =>
          (direction === 'from_client' ? seen.fromClient : seen.fromBackend).largestRefused(key),
        ends: (key: string) => seen.limitEnds.of(key),
        relaxed: relaxedUses({ route: config.relax, upstream: upstream.relax, upstreamName: upstream.name }, (check) =>
          seen.relaxed.of(check),
        ),
      };
    });
    const watchedMs = clock.now() - startedAt;
    return {
      watched_ms: Math.round(watchedMs),
      caps: capInputs(metrics, snapshot.config.limits, sessionsMax).map((cap) => adviseCap(cap, watchedMs)),
      routes: mapped(inputs, (input) => adviseRoute(input, watchedMs)),
    };
  }

  async metricsPieces(): Promise<Iterable<string>> {
    const runtime = (await this.control.runtime?.read()) ?? null;
    const { control } = this;
    const { metrics, snapshot } = control;
    return metricsPieces({
      version: control.version,
      node: control.node,
      now: control.clock.now(),
      ready: control.state === 'ready',
      draining: control.state === 'draining',
      sessionsLimit: control.sessionsMax,
      bufferedBytesLimit: snapshot.config.limits.max_buffered_total,
      logLinesDropped: control.logLinesDropped,
      process: metrics.process,
      unrouted: metrics.unrouted,
      routes: this.routeReadings(),
      targets: this.targetReadings(),
      listeners: [...metrics.listeners()],
      runtime,
    });
  }

  readiness(name?: string): Readiness | null {
    const { snapshot, state, clock } = this.control;
    if (name === undefined) return state;
    const route = snapshot.routes.get(name);
    if (route === undefined) return null;
    if (state !== 'ready') return state;
    const open = route.upstream.targets.filter((target) => !target.draining);
    if (open.length === 0) return 'no_target';
    return open.some((target) => target.isUp(clock.now())) ? 'ready' : 'failing';
  }

  applicationWebsockets(): Pulled<readonly ApplicationWebsocket[]> {
    return mapped(this.chosenSlowly({}), (record) => {
      if (record === NOTHING_YET || record.session.cause !== null) return NOTHING_YET;
      const { facts, target } = record;
      return {
        sessionId: facts.session,
        clientAddress: facts.client,
        gatewayPath: facts.path,
        serviceUrl: target.url,
        serviceSessionId: facts.request_id,
      };
    });
  }

  drain(): void {
    this.control.drain();
  }

  drainRoute(route: string): boolean {
    return this.control.drainRoute(route, true);
  }

  undrainRoute(route: string): boolean {
    return this.control.drainRoute(route, false);
  }

  drainTarget(upstream: string, target: string): boolean {
    return this.control.drainTarget(upstream, target, true);
  }

  undrainTarget(upstream: string, target: string): boolean {
    return this.control.drainTarget(upstream, target, false);
  }

  reload(force: boolean): Promise<ReloadResult> {
    return this.control.reload(force);
  }

  /** Those of routes that a reload removed are still counted while a session of theirs lives. */
  private *routeReadings(): Generator<RouteReading> {
    const { metrics, snapshot } = this.control;
    for (const { config } of snapshot.routes.values()) {
      yield { metrics: metrics.route(config.name), sessionsLimit: config.own_max_sessions };
    }
    for (const route of [...metrics.routes()]) {
      if (!snapshot.routes.has(route.name)) yield { metrics: route, sessionsLimit: Number.POSITIVE_INFINITY };
    }
  }

  private *targetReadings(): Generator<TargetReading> {
    const { metrics, snapshot, clock } = this.control;
    for (const { name, targets } of snapshot.upstreams.values()) {
      for (const target of targets) {
        yield {
          metrics: metrics.target(name, target.name),
          up: target.isUp(clock.now()),
          sessions: target.sessions,
          sessionsLimit: target.sessionsMax,
        };
      }
    }
  }

  private find(id: string): SessionRecord | null {
    for (const record of this.control.sessions) if (record.facts.session === id) return record;
    return null;
  }

  /**
   * To be read over many turns: a set goes on behind what it has given, whoever leaves or comes meanwhile. As many as
   * there are at first hold all that stay, since newer ones come behind them; without an end it could go on for ever.
   */
  private *chosenSlowly(filter: SessionFilter): Generator<Found> {
    let left = this.control.sessions.size;
    for (const record of this.control.sessions) {
      yield fits(record, filter) ? record : NOTHING_YET;
      left -= 1;
      if (left <= 0) return;
    }
  }

  private *chosen(filter: SessionFilter): Generator<SessionRecord> {
    for (const record of this.control.sessions) if (fits(record, filter)) yield record;
  }
}

function fits({ facts }: SessionRecord, { route, client, target }: SessionFilter): boolean {
  if (route !== undefined && facts.route !== route) return false;
  if (client !== undefined && facts.client !== client) return false;
  return target === undefined || facts.target === target;
}

/** Each made when it is asked for. */
function* mapped<T, U>(items: Iterable<T>, make: (item: T) => U): Generator<U> {
  for (const item of items) yield make(item);
}

function sum<T>(items: Iterable<T>, value: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += value(item);
  return total;
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
