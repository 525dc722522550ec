// The metrics that framegate shows: every name, type and label, read from the counters at scrape time. It counts
// nothing itself, and no value of a label comes from a peer.

import { type AcmeReading, writeAcme } from './exposition-acme.ts';
import { writeAuth } from './exposition-auth.ts';
import { type ConfigReading, writeConfig } from './exposition-config.ts';
import { Exposition, type Family } from './exposition-families.ts';
import { writeHttp } from './exposition-http.ts';
import { type WorkersReading, writeWorkers } from './exposition-workers.ts';
import {
  type AuthMetrics,
  type DirectionMetrics,
  type ListenerMetrics,
  NO_ROUTE,
  type ProcessMetrics,
  type RouteMetrics,
} from './metrics.ts';
import { type RuntimeFigures, writeFigures } from './runtime-figures.ts';
import type { Labels } from './text-format.ts';
import type { TargetMetrics, UpstreamMetrics } from './upstream-metrics.ts';

export interface RouteReading {
  readonly metrics: RouteMetrics;
  /** The route's own cap; Infinity for none. */
  readonly sessionsLimit: number;
}

export interface UpstreamReading {
  readonly metrics: UpstreamMetrics;
  /** Handshakes that wait until a target has room. */
  readonly queued: number;
}

/** Those that a target which is there can be in. */
const TARGET_STATES = ['up', 'failing', 'down', 'ejected', 'draining'] as const;

export interface TargetReading {
  readonly metrics: TargetMetrics;
  readonly state: (typeof TARGET_STATES)[number] | 'gone';
  readonly up: boolean;
  readonly sessions: number;
  /** Infinity for none. */
  readonly sessionsLimit: number;
}

/** An upstream whose targets are found while framegate runs. */
export interface DiscoveryReading {
  readonly metrics: UpstreamMetrics;
  readonly targets: number;
  /** The last good answer, in milliseconds since 1970; null before the first. */
  readonly answeredAt: number | null;
}

/** One certificate of a listener. Several may have the same name. */
export interface CertificateReading {
  readonly listener: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** From when on its end is near: nothing has renewed it in time. */
  readonly soonAt: number;
}

/** What one scrape reads. The data path hands out its live objects; nothing here writes to them. */
export interface MetricsSource {
  readonly version: string;
  /** Node's version, such as v24.1.0. */
  readonly node: string;
  /** Monotonic milliseconds: the clock that `DirectionMetrics.pause` was told. */
  readonly now: number;
  readonly ready: boolean;
  readonly draining: boolean;
  /** The process-wide cap on sessions; Infinity for none. */
  readonly sessionsLimit: number;
  /** `limits.max_buffered_total`; Infinity for none. */
  readonly bufferedBytesLimit: number;
  /** `limits.max_memory`; Infinity for none. */
  readonly memoryBytesLimit: number;
  readonly logLinesDropped: number;
  readonly process: ProcessMetrics;
  readonly config: ConfigReading;
  /** Handshakes without a route. */
  readonly unrouted: RouteMetrics;
  readonly routes: Iterable<RouteReading>;
  readonly upstreams: Iterable<UpstreamReading>;
  readonly targets: Iterable<TargetReading>;
  readonly discoveries: Iterable<DiscoveryReading>;
  readonly listeners: Iterable<ListenerMetrics>;
  readonly certificates: Iterable<CertificateReading>;
  readonly acme: AcmeReading;
  readonly auths: Iterable<AuthMetrics>;
  readonly revocations: number;
  /** Null leaves `process_*` and `nodejs_*` out. */
  readonly runtime: RuntimeFigures | null;
  /** Null: there is one process. */
  readonly workers: WorkersReading | null;
}

/** The whole text at once. */
export function renderMetrics(source: MetricsSource): string {
  return [...metricsPieces(source)].join('');
}

/**
 * The text in pieces of a few lines each, which together are one exposition. Each histogram is of one moment, however
 * many turns of the event loop lie between the first piece and the last.
 */
export function* metricsPieces(source: MetricsSource): Generator<string> {
  const out = new Exposition();
  for (const _ of writeAll(out, source)) yield out.format.take();
  yield out.format.take();
}

function* writeAll(out: Exposition, source: MetricsSource): Generator<void> {
  const routes: RouteReading[] = [];
  for (const route of source.routes) {
    routes.push(route);
    yield;
  }
  writeProcess(out, source);
  yield* writeListeners(out, [...source.listeners]);
  yield* writeCertificates(out, source.certificates);
  writeAcme(out, source.acme);
  yield* writeHandshakes(out, source, routes);
  yield* writeHttp(out, source.process, [source.unrouted, ...routes.map(({ metrics }) => metrics)]);
  yield* writeAuth(out, [...source.auths], source.revocations);
  yield* writeRelaxed(out, routes);
  yield* writeSessions(out, source, routes);
  yield* writeDirections(out, source, routes);
  const upstreams: UpstreamReading[] = [];
  for (const upstream of source.upstreams) {
    upstreams.push(upstream);
    yield;
  }
  yield* writeUpstreams(out, upstreams);
  const targets: TargetReading[] = [];
  for (const target of source.targets) {
    targets.push(target);
    yield;
  }
  yield* writeTargets(out, targets);
  yield* writeDiscoveries(out, [...source.discoveries]);
  writeConfig(out, source.config, source.logLinesDropped);
  yield;
  if (source.workers !== null) writeWorkers(out, source.workers);
  if (source.runtime !== null) writeFigures(out.format, source.runtime);
}

function writeProcess(out: Exposition, source: MetricsSource): void {
  out.family('build_info', 'gauge', 'Always 1; the labels tell what runs.');
  out.sample({ version: source.version, node: source.node }, 1);
  out.single('ready', 'gauge', 'Whether every listener is bound and no drain has begun.', Number(source.ready));
  out.single('draining', 'gauge', 'Whether a drain of the process has begun.', Number(source.draining));
}

function* writeListeners(out: Exposition, listeners: readonly ListenerMetrics[]): Generator<void> {
  const labels = ({ name }: ListenerMetrics) => ({ listener: name });
  yield* out.each(
    ['connections_open', 'gauge', 'Client connections, from accept to destroy.'],
    listeners,
    labels,
    (listener) => listener.connectionsOpen,
  );
  yield* out.each(
    ['connections_accepted_total', 'counter', 'Client connections accepted.'],
    listeners,
    labels,
    (listener) => listener.connectionsAccepted,
  );
  out.family('connections_rejected_total', 'counter', 'Client connections closed before a handshake was judged.');
  for (const { name, rejected } of listeners) {
    for (const [reason, count] of rejected.entries()) out.sample({ listener: name, reason }, count);
    yield;
  }
  yield* writeTls(out, listeners);
}

function* writeTls(out: Exposition, listeners: readonly ListenerMetrics[]): Generator<void> {
  out.family(
    'tls_handshakes_total',
    'counter',
    'TLS handshakes with clients: ok, resumed, challenge, or why there is no TLS.',
  );
  for (const { name, tlsHandshakes } of listeners) {
    for (const [result, count] of tlsHandshakes.entries()) out.sample({ listener: name, result }, count);
    yield;
  }
  out.family('tls_handshake_duration_seconds', 'histogram', 'From accept to TLS, of those that succeeded.');
  for (const { name, tlsHandshakeDuration } of listeners) {
    if (tlsHandshakeDuration.count > 0) out.histogram({ listener: name }, tlsHandshakeDuration);
    yield;
  }
}

function* writeCertificates(out: Exposition, certificates: Iterable<CertificateReading>): Generator<void> {
  out.family('certificate_not_after_timestamp_seconds', 'gauge', 'When a certificate of a listener expires.');
  for (const { listener, name, notAfter } of certificates) {
    out.sample({ listener, name }, notAfter / 1000);
    yield;
  }
}

function* writeHandshakes(out: Exposition, source: MetricsSource, routes: readonly RouteReading[]): Generator<void> {
  const all = [source.unrouted, ...routes.map(({ metrics }) => metrics)];
  const open = 'Complete request heads that wait for a target, its 101 or ours.';
  out.single('handshakes_open', 'gauge', open, source.process.handshakesOpen);
  const waiting = 'Complete heads that wait until they may be one of these.';
  out.single('handshakes_waiting', 'gauge', waiting, source.process.handshakesWaiting);
  const tls = 'TLS handshakes with clients under way.';
  out.single('tls_handshakes_open', 'gauge', tls, source.process.tlsHandshakesOpen);
  out.family('handshakes_total', 'counter', 'Handshakes by their result: ok, client_gone or why they were refused.');
  for (const { name, handshakes } of all) {
    for (const [result, count] of handshakes.entries()) out.sample({ route: name, result }, count);
    yield;
  }
  out.family('handshake_duration_seconds', 'histogram', 'From the complete request head to the answer.');
  for (const { name, handshakeDuration } of all) {
    out.histogram({ route: name }, handshakeDuration);
    yield;
  }
}

function* writeRelaxed(out: Exposition, routes: readonly RouteReading[]): Generator<void> {
  out.family('relaxed_checks_total', 'counter', 'Handshakes that broke a check which relax switches off.');
  for (const { metrics } of routes) {
    for (const [check, count] of metrics.relaxed.entries()) out.sample({ route: metrics.name, check }, count);
    yield;
  }
}

function* writeSessions(out: Exposition, source: MetricsSource, routes: readonly RouteReading[]): Generator<void> {
  const labels = ({ metrics }: RouteReading) => ({ route: metrics.name });
  yield* out.each(['sessions_open', 'gauge', 'Open sessions.'], routes, labels, ({ metrics }) => metrics.sessionsOpen);
  out.family('sessions_limit', 'gauge', `Largest number of open sessions; route="${NO_ROUTE}" is that of all.`);
  out.sample({ route: NO_ROUTE }, source.sessionsLimit);
  for (const { metrics, sessionsLimit } of routes) {
    out.sample({ route: metrics.name }, sessionsLimit);
    yield;
  }
  yield* out.each(
    ['sessions_total', 'counter', 'Sessions ever opened.'],
    routes,
    labels,
    ({ metrics }) => metrics.sessionsTotal,
  );
  out.family('session_ends_total', 'counter', 'Sessions that ended: who caused it, why, and what the client was told.');
  for (const { metrics } of routes) {
    for (const { by, reason, code, count } of metrics.ends.all()) {
      out.sample({ route: metrics.name, by, reason, code }, count);
    }
    yield;
  }
  out.family('session_duration_seconds', 'histogram', 'From the 101 to the end of a session.');
  for (const { metrics } of routes) {
    out.histogram({ route: metrics.name }, metrics.sessionDuration);
    yield;
  }
  out.family('ping_rtt_seconds', 'histogram', 'From a ping of our own to its pong.');
  for (const { metrics } of routes) {
    out.histogram({ route: metrics.name }, metrics.pingRtt);
    yield;
  }
}

/** One direction of one route. */
interface DirectionReading {
  readonly labels: Labels;
  readonly metrics: DirectionMetrics;
}

function* writeDirections(out: Exposition, source: MetricsSource, routes: readonly RouteReading[]): Generator<void> {
  const directions = routes.flatMap(({ metrics: { name, fromClient, fromBackend } }): DirectionReading[] => [
    { labels: { route: name, direction: 'from_client' }, metrics: fromClient },
    { labels: { route: name, direction: 'from_backend' }, metrics: fromBackend },
  ]);
  const own = ({ labels }: DirectionReading) => labels;
  out.family(
    'messages_total',
    'counter',
    'Messages, by the opcode of their first frame; counted when the header of their last one has passed.',
  );
  for (const { labels, metrics } of directions) {
    out.sample({ ...labels, opcode: 'text' }, metrics.textMessages);
    out.sample({ ...labels, opcode: 'binary' }, metrics.binaryMessages);
    yield;
  }
  const bytes: Family = ['bytes_total', 'counter', 'Payload bytes of data frames, as they are on the wire.'];
  yield* out.each(bytes, directions, own, ({ metrics }) => metrics.bytes);
  out.family('message_size_bytes', 'histogram', 'Payload bytes of one message, all its fragments together.');
  for (const { labels, metrics } of directions) {
    out.histogram(labels, metrics.messageSize);
    yield;
  }
  out.family('limit_hits_total', 'counter', 'Times a limit was exceeded, by its config key.');
  for (const { labels, metrics } of directions) {
    for (const [limit, count] of metrics.limitHits.entries()) out.sample({ ...labels, limit }, count);
    yield;
  }
  const paused: Family = ['sessions_paused', 'gauge', 'Sessions in which this side is not read right now.'];
  yield* out.each(paused, directions, own, ({ metrics }) => metrics.paused);
  const waited: Family = ['backpressure_seconds_total', 'counter', 'Time in which this side was not read.'];
  yield* out.each(waited, directions, own, ({ metrics }) => metrics.backpressureSeconds(source.now));
  const buffered: Family = ['buffered_bytes', 'gauge', 'Memory for what the other side has not taken of this one.'];
  yield* out.each(buffered, directions, own, ({ metrics }) => metrics.buffered);
  const limit = 'limits.max_buffered_total: memory that all sessions together may hold so.';
  out.single('buffered_bytes_limit', 'gauge', limit, source.bufferedBytesLimit);
  const memory = 'limits.max_memory: resident memory of a process, near which it refuses and ends sessions.';
  out.single('memory_bytes_limit', 'gauge', memory, source.memoryBytesLimit);
}

function* writeUpstreams(out: Exposition, upstreams: readonly UpstreamReading[]): Generator<void> {
  const labels = ({ metrics }: UpstreamReading) => ({ upstream: metrics.name });
  const moved: Family = ['rebalance_closes_total', 'counter', 'Sessions closed so that they move to another target.'];
  yield* out.each(moved, upstreams, labels, ({ metrics }) => metrics.rebalanceCloses);
  out.family('upstream_retries_total', 'counter', 'Retries by their result: ok, failed or over_budget.');
  for (const upstream of upstreams) {
    for (const [result, count] of upstream.metrics.retries.entries())
      out.sample({ ...labels(upstream), result }, count);
    yield;
  }
  const queued: Family = ['upstream_queue', 'gauge', 'Handshakes that wait until a target has room.'];
  yield* out.each(queued, upstreams, labels, (upstream) => upstream.queued);
  out.family('upstream_queue_seconds', 'histogram', 'For how long they waited, or in vain.');
  for (const upstream of upstreams) {
    if (upstream.metrics.queueDuration.count > 0) out.histogram(labels(upstream), upstream.metrics.queueDuration);
    yield;
  }
}

function* writeTargets(out: Exposition, targets: readonly TargetReading[]): Generator<void> {
  const labels = ({ metrics }: TargetReading) => ({ upstream: metrics.upstream, target: metrics.name });
  const up: Family = [
    'target_up',
    'gauge',
    '0 while it drains, is down or ejected, or all dials of the last 10 s failed, of which there was one.',
  ];
  yield* out.each(up, targets, labels, (target) => Number(target.up));
  out.family('target_state', 'gauge', 'Of its states the one that it is in is 1, the others are 0.');
  for (const target of targets) {
    for (const state of TARGET_STATES) out.sample({ ...labels(target), state }, Number(target.state === state));
    yield;
  }
  const sessions: Family = ['target_sessions', 'gauge', 'Sessions and requests on this target, dials included.'];
  yield* out.each(sessions, targets, labels, (target) => target.sessions);
  const limit: Family = ['target_sessions_limit', 'gauge', 'Largest number of sessions on this target.'];
  yield* out.each(limit, targets, labels, (target) => target.sessionsLimit);
  out.family('target_dials_total', 'counter', 'Dials by their result: ok or what failed.');
  for (const target of targets) {
    for (const [result, count] of target.metrics.dials.entries()) out.sample({ ...labels(target), result }, count);
    yield;
  }
  const ejections: Family = ['target_ejections_total', 'counter', 'Times that failures took this target out.'];
  yield* out.each(ejections, targets, labels, ({ metrics }) => metrics.ejections);
  out.family('target_connect_duration_seconds', 'histogram', 'Dials that connected: look-up, TCP and TLS.');
  for (const target of targets) {
    out.histogram(labels(target), target.metrics.connectDuration);
    yield;
  }
  out.family('target_checks_total', 'counter', 'Checks of this target by their result: ok or what failed.');
  for (const target of targets) {
    for (const [result, count] of target.metrics.checks.entries()) out.sample({ ...labels(target), result }, count);
    yield;
  }
  out.family('target_check_duration_seconds', 'histogram', 'Checks, good and bad, from their dial on.');
  for (const target of targets) {
    out.histogram(labels(target), target.metrics.checkDuration);
    yield;
  }
}

function* writeDiscoveries(out: Exposition, discoveries: readonly DiscoveryReading[]): Generator<void> {
  const labels = ({ metrics }: DiscoveryReading) => ({ upstream: metrics.name });
  const targets: Family = ['discovery_targets', 'gauge', 'Targets that were found, those on hold among them.'];
  yield* out.each(targets, discoveries, labels, (discovery) => discovery.targets);
  out.family(
    'discovery_last_success_timestamp_seconds',
    'gauge',
    'When targets were last found, in seconds since 1970.',
  );
  for (const discovery of discoveries) {
    if (discovery.answeredAt !== null) out.sample(labels(discovery), discovery.answeredAt / 1000);
    yield;
  }
  const errors: Family = [
    'discovery_errors_total',
    'counter',
    'Answers that were bad or did not come, and those of which something was left out.',
  ];
  yield* out.each(errors, discoveries, labels, ({ metrics }) => metrics.discoveryErrors);
}
