// What every process of framegate that carries or judges connections is made of, whoever gives it its config and its
// connections. It starts and stops nothing.

import { availableParallelism } from 'node:os';
import { AcmeCertificates } from '../acme/certificates.ts';
import type { Config } from '../config/types.ts';
import type { AuthFailures } from '../edge/auth/failures.ts';
import { makeAuthMeans } from '../edge/auth/means.ts';
import type { OnceDesk } from '../edge/auth/method.ts';
import { AuthMethods } from '../edge/auth/methods.ts';
import { type Desk, Edge } from '../edge/edge.ts';
import type { Clock } from '../limits/clock.ts';
import { Slices } from '../limits/slices.ts';
import { TimerWheel } from '../limits/timer-wheel.ts';
import { Carrier } from '../net/carrier.ts';
import { Dialer } from '../net/dial.ts';
import { DnsRounds } from '../net/dns.ts';
import { openFileLimit } from '../net/open-files.ts';
import { Resolver } from '../net/resolve.ts';
import { type KeptSecret, TicketSecrets } from '../net/ticket-secrets.ts';
import { collectGarbage } from '../observe/collect.ts';
import { Log, type LogDestination } from '../observe/log.ts';
import { MetricsRegistry } from '../observe/metrics.ts';
import { memoryUsageOf, type ProcessView } from '../observe/runtime-metrics.ts';
import { ServiceClient } from '../services/service-client.ts';
import { CheckTurns } from '../upstream/health/check-turns.ts';
import type { UpstreamMeans } from '../upstream/means.ts';
import { UpstreamRegistry } from '../upstream/registry.ts';
import { FolderWatches } from '../upstream/sources/folder-watches.ts';
import { Credentials } from './credentials.ts';
import { Life } from './life.ts';
import { Operations } from './operations.ts';
import { Pulse } from './pulse.ts';
import { type SessionsCap, sessionsCap } from './sessions-cap.ts';
import { buildSnapshot } from './snapshot.ts';
import { TargetLists } from './target-lists.ts';

interface PartsOptions {
  readonly log?: LogDestination;
  readonly clock?: Clock;
  readonly wallNow?: () => number;
  readonly transport?: 'auto' | 'stream';
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly process?: ProcessView;
  /** What an older process hands over. */
  readonly kept?: { readonly tickets: KeptSecret; readonly revoked: Iterable<string> };
  /** How many processes share the sessions, each with as many open files; 1 when absent. */
  readonly workers?: number;
  /** Others than the usual ones. */
  readonly makeUpstreams?: (means: UpstreamMeans) => UpstreamRegistry;
  /** Without one it is no worker. */
  readonly worker?: WorkerRole;
}

/** What a process is that carries connections for another one. */
interface WorkerRole {
  readonly index: number;
  /** How many there are. */
  readonly workers: number;
  readonly instanceId: string;
  /** A worker's share of what the config says. */
  readonly sessionsMax: number;
  readonly ticketSecret: Uint8Array;
  /** Of all of them. */
  readonly failuresSecret: Uint8Array;
  /** Where it asks what is counted for all of them. */
  readonly desk: WorkerDesk;
}

interface WorkerDesk extends Desk {
  readonly once: OnceDesk;
  shareFailures(failures: AuthFailures): void;
}

export interface Parts {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly slices: Slices;
  readonly log: Log;
  readonly pulse: Pulse;
  readonly openFiles: number;
  readonly cap: SessionsCap;
  readonly carrier: Carrier;
  readonly acme: AcmeCertificates;
  readonly edge: Edge;
  readonly life: Life;
  readonly operations: Operations;
  readonly credentials: Credentials;
}

export function makeParts(config: Config, options: PartsOptions): Parts {
  const clock = options.clock ?? { now: () => performance.now() };
  const wheel = new TimerWheel(clock);
  const slices = new Slices({ now: () => clock.now(), nextTurn: (run) => setImmediate(run) });
  const { worker, makeUpstreams = (means) => new UpstreamRegistry(means) } = options;
  const log = new Log({
    ...config.log,
    clock,
    ...(options.log ? { destination: options.log } : {}),
    ...(worker === undefined ? {} : { fields: { worker: worker.index } }),
    isShared: worker !== undefined || (options.workers ?? 1) > 1,
  });
  const openFiles = openFileLimit() * (options.workers ?? 1);
  const cap = sessionsCap(config, openFiles);
  const carrier = new Carrier(options.transport ?? 'auto');
  const metrics = new MetricsRegistry();
  const dialer = new Dialer({ resolver: new Resolver(clock), wheel, clock, carrier });
  const lists = new TargetLists(options.env ?? {});
  const upstreams = makeUpstreams({
    clock,
    wheel,
    log,
    metrics,
    dialer,
    dns: new DnsRounds({ clock, wheel }),
    folders: new FolderWatches(),
    readTargets: (bytes, path) => lists.read(bytes, path),
    checkTurns: new CheckTurns(),
    random: Math.random,
  });
  const wallNow = options.wallNow ?? Date.now;
  const means = { clock, wheel, wallNow, log, metrics, dialer, cores: coresOf(worker) };
  const failuresPerMinute = config.limits.auth_failures_per_minute_per_ip;
  const counted = worker === undefined ? {} : { once: worker.desk.once, failuresSecret: worker.failuresSecret };
  const auth = new AuthMethods(makeAuthMeans({ ...means, failuresPerMinute, ...counted }));
  worker?.desk.shareFailures(auth.means.failures);
  const service = new ServiceClient({ dialer, clock, wheel });
  const acme = new AcmeCertificates({
    ...means,
    random: Math.random,
    service,
    stateFolder: stateFolderOf(options.env),
    ...(worker === undefined ? {} : { order: () => Promise.reject(new Error('a worker orders nothing')) }),
  });
  if (options.kept !== undefined) auth.revocations.adopt(options.kept.revoked);
  const ticketSecrets = new TicketSecrets(options.kept?.tickets);
  if (worker !== undefined) ticketSecrets.take(worker.ticketSecret);
  const snapshot = buildSnapshot(config, { upstreams, auth, wallNow, live: acme, ticketSecrets });
  const { sessionsMax } = worker ?? cap;
  const role = worker === undefined ? {} : { instanceId: worker.instanceId, desk: worker.desk };
  const memory = () => memoryUsageOf(options.process ?? null);
  const collect = collectGarbage;
  const ofEdge = { clock, wheel, log, dialer, carrier, metrics, snapshot, sessionsMax, memory, collect };
  const edge = new Edge({ ...ofEdge, ...role });
  return {
    clock,
    wheel,
    slices,
    log,
    pulse: new Pulse({ clock, wheel, log, isWallTold: worker !== undefined }),
    openFiles,
    cap,
    carrier,
    acme,
    edge,
    life: new Life(edge),
    operations: new Operations(edge),
    credentials: new Credentials(edge, slices),
  };
}

/** Of the machine, those that are this process's to use. */
function coresOf(worker: WorkerRole | undefined): number {
  return Math.max(1, Math.floor(availableParallelism() / (worker?.workers ?? 1)));
}

/** systemd may name several folders; the first is ours. '' without one. */
export function stateFolderOf(env: PartsOptions['env']): string {
  return (env?.STATE_DIRECTORY ?? '').split(':')[0] ?? '';
}
