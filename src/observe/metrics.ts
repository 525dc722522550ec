// What is counted: plain numeric fields that the data path increments, one object per route, direction, target and
// listener. It reads no clock and writes no text; exposition.ts does the latter.

import { unreachable } from '../unreachable.ts';
import { ClientCount } from './client-count.ts';
import { type AddAsk, addFields, type Counted, type DumpAsk, dumpFields, isCounted } from './counted.ts';
import { EARLY_SECONDS } from './expiry-advice.ts';
import { Histogram } from './histogram.ts';
import { HttpMetrics } from './http-metrics.ts';
import { type DirectionProfile, TrafficProfile } from './profile.ts';
import { type EndedBy, SessionEnds } from './session-ends.ts';
import { handshakeSeconds, Largest, Tally } from './tally.ts';
import { TargetMetrics, UpstreamMetrics } from './upstream-metrics.ts';

/** `route` before a route is known. */
export const NO_ROUTE = '-';

const KIB = 1024;
const MIB = KIB * KIB;

const sessionSeconds = Float64Array.of(1, 10, 60, 300, 1800, 3600, 21_600, 86_400, 604_800);
const pingSeconds = Float64Array.of(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10);
const messageBytes = Float64Array.of(64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB);

/** One direction of a route. The data path writes the fields itself. */
export class DirectionMetrics implements Counted {
  /** Messages of which the last frame's header has passed, by the opcode of their first one. */
  textMessages = 0;
  binaryMessages = 0;
  /** Payload bytes on the wire of data frames. */
  bytes = 0;
  /** Bytes read from this side that the other has not taken yet, over all sessions. */
  buffered = 0;
  /** Sessions whose source is not read right now. */
  paused = 0;
  /** By config key. */
  readonly limitHits = new Tally();
  /** By config key: the largest that it refused, for limits of sizes and counts. */
  private readonly refused = new Largest();
  private readonly profile: DirectionProfile;
  /** Milliseconds of ended pauses, less the time at which each open pause began: a scrape adds `paused * now`. */
  private pauseMs = 0;

  /** `profile` counts the same traffic. */
  constructor(profile: DirectionProfile) {
    this.profile = profile;
  }

  /** Payload of them on the wire, all fragments together. */
  get messageSize(): Histogram {
    return this.profile.messageSize.inBounds(messageBytes);
  }

  /** `value`: what it came to. */
  limitHit(limit: string, value: number): void {
    this.limitHits.add(limit);
    this.refused.note(limit, value);
  }

  /** 0 when it refused nothing. */
  largestRefused(limit: string): number {
    return this.refused.of(limit);
  }

  /** Its source is no longer read. Once per pause; `now` is the clock of the exposition. */
  pause(now: number): void {
    this.paused += 1;
    this.pauseMs -= now;
  }

  /** The pause is over, or its session has ended in it. */
  resume(now: number): void {
    this.paused -= 1;
    this.pauseMs += now;
  }

  /** Ended and open pauses together. */
  backpressureSeconds(now: number): number {
    return Math.max(0, this.pauseMs + this.paused * now) / 1000;
  }

  /** Pauses as long as they are by now: another process has another clock. */
  dump(ask: DumpAsk): unknown {
    const told = dumpFields(this, ask, TOLD_APART);
    const pauseMs = this.pauseMs + this.paused * ask.now;
    return told === undefined && pauseMs === 0 ? undefined : { ...told, pauseMs };
  }

  addDump(dump: unknown, ask: AddAsk): void {
    const before = this.paused;
    addFields(this, dump, ask);
    this.pauseMs -= (this.paused - before) * ask.now;
  }
}

/** The profile is that of the route. */
const TOLD_APART: ReadonlySet<string> = new Set(['pauseMs', 'profile']);

export class RouteMetrics {
  readonly name: string;
  readonly http = new HttpMetrics();
  sessionsOpen = 0;
  sessionsTotal = 0;
  /** Ended by their credential soon after they began: see `expiry-advice`. */
  expiredEarly = 0;
  readonly handshakes = new Tally();
  readonly handshakeDuration = new Histogram(handshakeSeconds);
  readonly sessionDuration = new Histogram(sessionSeconds);
  readonly pingRtt = new Histogram(pingSeconds);
  /** Handshakes and sessions that a limit or a timeout ended, by its config key. */
  readonly limitEnds = new Tally();
  /** Messages that broke a check which is switched off, by its name. */
  readonly relaxed = new Tally();
  /** What the advice is made of. */
  readonly profile = new TrafficProfile();
  /** Addresses that sessions came from. */
  readonly clients = new ClientCount();
  readonly fromClient = new DirectionMetrics(this.profile.fromClient);
  readonly fromBackend = new DirectionMetrics(this.profile.fromBackend);
  readonly ends = new SessionEnds();

  constructor(name: string) {
    this.name = name;
  }

  /** `result`: `ok`, `client_gone` or the slug of a refusal. `seconds` from the complete head to the answer. */
  handshake(result: string, seconds: number): void {
    this.handshakes.add(result);
    this.handshakeDuration.observe(seconds);
  }

  sessionBegan(): void {
    this.sessionsOpen += 1;
    this.sessionsTotal += 1;
  }

  /** `code`: what the client's Close said, null when it got none. */
  sessionEnded(by: EndedBy, reason: string, code: number | null, seconds: number): void {
    this.sessionsOpen -= 1;
    this.sessionDuration.observe(seconds);
    if (reason === 'credential_expired' && seconds <= EARLY_SECONDS) this.expiredEarly += 1;
    this.ends.add(by, reason, code);
  }
}

/** One method of `auth`. */
export class AuthMetrics {
  readonly name: string;
  /** By result: `good`, `bad`, `absent` or `unavailable`. */
  readonly results = new Tally();
  /** Of those that found a credential. */
  readonly duration = new Histogram(handshakeSeconds);
  /** By result: `hit` or `miss`. */
  readonly cache = new Tally();

  constructor(name: string) {
    this.name = name;
  }
}

export class ListenerMetrics {
  readonly name: string;
  connectionsOpen = 0;
  connectionsAccepted = 0;
  /** Connections closed before a handshake was judged, by reason. */
  readonly rejected = new Tally();
  /** By result: `ok`, `resumed` or why there is no TLS. */
  readonly tlsHandshakes = new Tally();
  /** From accept, of those that succeeded. */
  readonly tlsHandshakeDuration = new Histogram(handshakeSeconds);

  constructor(name: string) {
    this.name = name;
  }
}

/** What the process has one of. */
export class ProcessMetrics implements Counted {
  /** The most that there were at a time. */
  readonly peaks = { connections: 0, handshakes: 0, waiting: 0, buffered: 0 };
  /** Requests without upgrade that are not answered yet. */
  httpRequestsOpen = 0;
  /** TLS handshakes with clients under way. */
  tlsHandshakesOpen = 0;
  private open = 0;
  private waiting = 0;
  /** Of the config in use: seconds since 1970. */
  configLoadedAt = 0;
  lastReloadSuccessful = true;
  /** By result: `ok` or `rejected`. */
  readonly reloads = new Tally();

  /** Complete heads that wait for their target, its 101 or ours. */
  get handshakesOpen(): number {
    return this.open;
  }

  set handshakesOpen(count: number) {
    this.open = count;
    if (count > this.peaks.handshakes) this.peaks.handshakes = count;
  }

  /** Complete heads that wait until they may be one of these. */
  get handshakesWaiting(): number {
    return this.waiting;
  }

  set handshakesWaiting(count: number) {
    this.waiting = count;
    if (count > this.peaks.waiting) this.peaks.waiting = count;
  }

  /** The config of the start, or of a reload that worked. */
  configLoaded(unixSeconds: number): void {
    this.configLoadedAt = unixSeconds;
    this.lastReloadSuccessful = true;
  }

  reloaded(unixSeconds: number): void {
    this.reloads.add('ok');
    this.configLoaded(unixSeconds);
  }

  reloadRejected(): void {
    this.reloads.add('rejected');
    this.lastReloadSuccessful = false;
  }

  /** Without what each process knows alike of the config. */
  dump(ask: DumpAsk): unknown {
    return dumpFields(this, ask, OF_CONFIG);
  }

  /** The peaks of several need not have been at one time: the highest is what there was for sure. */
  addDump(dump: unknown, ask: AddAsk): void {
    const { peaks } = this;
    const before = { ...peaks };
    addFields(this, dump, ask);
    for (const key of PEAKS) peaks[key] = Math.max(before[key], peaks[key] - before[key]);
  }
}

const OF_CONFIG: ReadonlySet<string> = new Set(['configLoadedAt', 'lastReloadSuccessful', 'reloads']);
const PEAKS = ['connections', 'handshakes', 'waiting', 'buffered'] as const;

/** What was counted of one thing, as plain data: of which upstream it is, '' for all but targets, and its name. */
export type MetricsPart = readonly [
  kind: 'process' | 'orders' | 'exits' | 'unrouted' | 'route' | 'listener' | 'auth' | 'upstream' | 'target',
  of: string,
  name: string,
  counts: unknown,
];

/**
 * Everything that is counted, by name. A name that a reload brings back goes on counting where it stopped; what a
 * config no longer names and no session uses is dropped by `keepOnly`.
 */
export class MetricsRegistry {
  readonly process = new ProcessMetrics();
  /** Orders of certificates by their result: `ok`, or why there is none. */
  readonly acmeOrders = new Tally();
  /** Ends of workers by their reason. */
  readonly workerExits = new Tally();
  /** Handshakes that ended before a route was known. */
  readonly unrouted = new RouteMetrics(NO_ROUTE);
  private readonly routesByName = new Map<string, RouteMetrics>();
  private readonly listenersByName = new Map<string, ListenerMetrics>();
  private readonly authByName = new Map<string, AuthMetrics>();
  private readonly upstreamsByName = new Map<string, UpstreamMetrics>();
  private readonly targetsByName = new Map<string, TargetMetrics>();

  route(name: string): RouteMetrics {
    return obtain(this.routesByName, name, () => new RouteMetrics(name));
  }

  listener(name: string): ListenerMetrics {
    return obtain(this.listenersByName, name, () => new ListenerMetrics(name));
  }

  upstream(name: string): UpstreamMetrics {
    return obtain(this.upstreamsByName, name, () => new UpstreamMetrics(name));
  }

  auth(name: string): AuthMetrics {
    return obtain(this.authByName, name, () => new AuthMetrics(name));
  }

  auths(): Iterable<AuthMetrics> {
    return this.authByName.values();
  }

  target(upstream: string, name: string): TargetMetrics {
    return obtain(this.targetsByName, targetKey(upstream, name), () => new TargetMetrics(upstream, name));
  }

  routes(): Iterable<RouteMetrics> {
    return this.routesByName.values();
  }

  listeners(): Iterable<ListenerMetrics> {
    return this.listenersByName.values();
  }

  targets(): Iterable<TargetMetrics> {
    return this.targetsByName.values();
  }

  /** All that was counted, one named thing after the other, in steps; null where nothing was. */
  *dump(ask: DumpAsk): Generator<MetricsPart | null> {
    const part = (kind: MetricsPart[0], one: object & { name?: string; upstream?: string }): MetricsPart | null => {
      const counts = isCounted(one) ? one.dump(ask) : dumpFields(one, ask);
      return counts === undefined ? null : [kind, one.upstream ?? '', one.name ?? '', counts];
    };
    yield part('process', this.process);
    yield part('orders', this.acmeOrders);
    yield part('exits', this.workerExits);
    yield part('unrouted', this.unrouted);
    for (const one of this.routesByName.values()) yield part('route', one);
    for (const one of this.listenersByName.values()) yield part('listener', one);
    for (const one of this.authByName.values()) yield part('auth', one);
    for (const one of this.upstreamsByName.values()) yield part('upstream', one);
    for (const one of this.targetsByName.values()) yield part('target', one);
  }

  /** What another process has told. */
  addPart([kind, of, name, counts]: MetricsPart, ask: AddAsk): void {
    const own = this.counterOf(kind, of, name);
    if (isCounted(own)) own.addDump(counts, ask);
    else addFields(own, counts, ask);
  }

  private counterOf(kind: MetricsPart[0], of: string, name: string): object {
    switch (kind) {
      case 'process':
        return this.process;
      case 'orders':
        return this.acmeOrders;
      case 'exits':
        return this.workerExits;
      case 'unrouted':
        return this.unrouted;
      case 'route':
        return this.route(name);
      case 'listener':
        return this.listener(name);
      case 'auth':
        return this.auth(name);
      case 'upstream':
        return this.upstream(name);
      case 'target':
        return this.target(of, name);
      default:
        return unreachable(kind);
    }
  }

  /** After a reload: forget what is no longer there, so that names which come and go do not pile up. */
  keepOnly(kept: {
    readonly routes: ReadonlySet<string>;
    readonly listeners: ReadonlySet<string>;
    readonly hasAuth: (name: string) => boolean;
    readonly hasUpstream: (name: string) => boolean;
    readonly hasTarget: (upstream: string, name: string) => boolean;
  }): void {
    for (const [name, route] of this.routesByName) {
      if (!kept.routes.has(name) && route.sessionsOpen === 0) this.routesByName.delete(name);
    }
    for (const [name, listener] of this.listenersByName) {
      if (!kept.listeners.has(name) && listener.connectionsOpen === 0) this.listenersByName.delete(name);
    }
    for (const name of this.authByName.keys()) if (!kept.hasAuth(name)) this.authByName.delete(name);
    for (const name of this.upstreamsByName.keys()) if (!kept.hasUpstream(name)) this.upstreamsByName.delete(name);
    for (const [key, target] of this.targetsByName) {
      if (!kept.hasTarget(target.upstream, target.name)) this.targetsByName.delete(key);
    }
  }
}

function targetKey(upstream: string, name: string): string {
  // No name holds a line feed.
  return `${upstream}\n${name}`;
}

function obtain<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
