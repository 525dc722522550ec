// What is counted: plain numeric fields that the data path increments, one object per route, direction, target and
// listener. It reads no clock and writes no text; exposition.ts does the latter.

import { ClientCount } from './client-count.ts';
import { EARLY_SECONDS } from './expiry-advice.ts';
import { Histogram, LogLinearHistogram } from './histogram.ts';
import { HttpMetrics } from './http-metrics.ts';
import { type DirectionProfile, TrafficProfile } from './profile.ts';
import { handshakeSeconds, Tally } from './tally.ts';

/** `route` before a route is known. */
export const NO_ROUTE = '-';

const KIB = 1024;
const MIB = KIB * KIB;

const sessionSeconds = Float64Array.of(1, 10, 60, 300, 1800, 3600, 21_600, 86_400, 604_800);
const pingSeconds = Float64Array.of(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10);
const connectSeconds = Float64Array.of(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5);
const messageBytes = Float64Array.of(64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB);

/** One direction of a route. The data path writes the fields itself. */
export class DirectionMetrics {
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
  /** By config key: the largest that it refused, for limits of sizes and counts. The keys are a closed set. */
  private readonly refused = new Map<string, number>();
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
    this.refused.set(limit, Math.max(value, this.largestRefused(limit)));
  }

  /** 0 when it refused nothing. */
  largestRefused(limit: string): number {
    return this.refused.get(limit) ?? 0;
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
}

export type EndedBy = 'client' | 'backend' | 'proxy';

/** One way in which sessions ended, and how many. */
interface EndCount {
  readonly by: EndedBy;
  readonly reason: string;
  /** Class of the close code: see `codeLabel`. */
  readonly code: string;
  count: number;
}

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
  /** At most the causes of an end times the 19 classes of codes. */
  private readonly ends = new Map<string, EndCount>();

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
    const label = codeLabel(code);
    const key = `${by} ${reason} ${label}`;
    const known = this.ends.get(key);
    if (known === undefined) this.ends.set(key, { by, reason, code: label, count: 1 });
    else known.count += 1;
  }

  sessionEnds(): Iterable<EndCount> {
    return this.ends.values();
  }
}

/** A peer chooses its code, so only classes become a label: 1000 to 1014 as they are, 3xxx, 4xxx, or none. */
export function codeLabel(code: number | null): string {
  if (code === null) return 'none';
  if (code >= 1000 && code <= 1014) return String(code);
  if (code >= 3000 && code <= 3999) return '3xxx';
  return code >= 4000 && code <= 4999 ? '4xxx' : 'none';
}

/** What an upstream has one of, besides its targets. */
export class UpstreamMetrics {
  readonly name: string;
  /** Answers of discovery that were bad or did not come, or of which something was left out. */
  discoveryErrors = 0;
  /** Sessions closed so that they move to another target. */
  rebalanceCloses = 0;
  /** By result: `ok`, `failed`, or `over_budget` for one that was not made. */
  readonly retries = new Tally();
  /** For how long handshakes waited until a target had room, or in vain. */
  readonly queueDuration = new Histogram(handshakeSeconds);

  constructor(name: string) {
    this.name = name;
  }
}

export class TargetMetrics {
  readonly upstream: string;
  readonly name: string;
  /** By result: `ok` or what failed. */
  readonly dials = new Tally();
  /** Times that what its sessions met has taken it out. */
  ejections = 0;
  readonly connectDuration = new Histogram(connectSeconds);
  /** By result: `ok` or what failed. */
  readonly checks = new Tally();
  readonly checkDuration = new Histogram(connectSeconds);
  /** The same for questions about quantiles. Microseconds. */
  readonly connectMicros = new LogLinearHistogram();
  /** From a request to its 101. Microseconds. */
  readonly upgradeMicros = new LogLinearHistogram();

  constructor(upstream: string, name: string) {
    this.upstream = upstream;
    this.name = name;
  }

  /** One dial. `result`: `ok` or the code of the failure; only dials that connected have a duration. */
  dial(result: string, seconds: number): void {
    this.dials.add(result);
    if (result !== 'ok') return;
    this.connectDuration.observe(seconds);
    this.connectMicros.record(Math.round(seconds * 1e6));
  }

  upgraded(seconds: number): void {
    this.upgradeMicros.record(Math.round(seconds * 1e6));
  }

  /** One check, good or bad. */
  check(result: string, seconds: number): void {
    this.checks.add(result);
    this.checkDuration.observe(seconds);
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
export class ProcessMetrics {
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
}

/**
 * Everything that is counted, by name. A name that a reload brings back goes on counting where it stopped; what a
 * config no longer names and no session uses is dropped by `keepOnly`.
 */
export class MetricsRegistry {
  readonly process = new ProcessMetrics();
  /** Orders of certificates by their result: `ok`, or why there is none. */
  readonly acmeOrders = new Tally();
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
