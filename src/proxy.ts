// The composition root and the library's entry: builds the parts from a config, starts, reloads, drains and stops them.
// It touches no bytes and no `process`; cli.ts does the latter.

import type { ProxyState } from './admin/backend.ts';
import { ProxyBackend } from './admin/proxy-backend.ts';
import { AdminServer } from './admin/server.ts';
import { loadObject } from './config/load.ts';
import { configPieces } from './config/render.ts';
import type { Config, ConfigInput } from './config/types.ts';
import { Drain, Spread } from './control/drain.ts';
import { addressText, BindError, Listeners } from './control/listeners.ts';
import { type ConfigSource, type ReloadAsk, type Reloaded, Reloads } from './control/reload.ts';
import { type SessionsCap, sessionsCap } from './control/sessions-cap.ts';
import { buildSnapshot } from './control/snapshot.ts';
import { Edge } from './edge/edge.ts';
import type { SessionRecord } from './edge/session-record.ts';
import type { Clock } from './limits/clock.ts';
import { Slices } from './limits/slices.ts';
import { TimerWheel } from './limits/timer-wheel.ts';
import { WheelDriver } from './limits/wheel-driver.ts';
import { Carrier } from './net/carrier.ts';
import { Dialer } from './net/dial.ts';
import type { BoundAddress } from './net/listen.ts';
import { openFileLimit } from './net/open-files.ts';
import { Resolver } from './net/resolve.ts';
import { Log, type LogDestination } from './observe/log.ts';
import { type ProcessView, RuntimeMetrics } from './observe/runtime-metrics.ts';
import { WallWatch } from './observe/wall-watch.ts';
import type { CloseNotice, EndCause } from './protocol/end-causes.ts';

export { ConfigError, type Problem } from './config/problems.ts';
export type { Config, ConfigInput } from './config/types.ts';
export type { ConfigSource, ReadConfig, ReloadAsk, Reloaded } from './control/reload.ts';

/** How often the timer wheel is driven. Deadlines are at most this much, and one tick, late. */
const WHEEL_DRIVE_MS = 50;

export interface ProxyOptions {
  /** Where log lines go, each with its line feed; stdout when absent. */
  readonly log?: LogDestination;
  /** Monotonic milliseconds; tests bring their own. */
  readonly clock?: Clock;
  /** What relative paths in the config are relative to; the working directory when absent. */
  readonly baseDir?: string;
  /** `stream` keeps to Node's public stream API; `auto` (the default) goes below it where that works: it is faster. */
  readonly transport?: 'auto' | 'stream';
  /** Further fields of the `start` event: version, pid, where the config came from. */
  readonly about?: Readonly<Record<string, string | number>>;
  /** Reads the config anew, for a reload that brings none. */
  readonly source?: ConfigSource;
  /** What the metrics of the process are read from, such as Node's `process`; without it there are none. */
  readonly process?: ProcessView;
  /** The admin listener was asked for a drain of the process. Without it the proxy drains and stops by itself. */
  readonly onDrainAsked?: () => void;
}

export interface DrainResult {
  /** Sessions that ended with a Close in time. */
  readonly closed: number;
  /** Sessions that were cut off at the end of the drain. */
  readonly cut: number;
}

/** A proxy in this process. Each method may be called in any state, but it starts only once and never after its end. */
export interface Proxy {
  /**
   * Bind every listener and begin to accept. Rejects with StartError when an address cannot be bound or
   * `limits.max_sessions` needs more open files than allowed; nothing stays bound then.
   */
  start(): Promise<void>;
  /** Where a listener is bound, by its name (default: the first): host and real port, or the path of a unix socket. */
  address(listener?: string): BoundAddress | string;
  /** Where the admin listener is bound; throws when the config has none. */
  adminAddress(): BoundAddress | string;
  /**
   * Take on `config`, or what `source` reads now, while everything runs: whole, or not at all. Never rejects for what
   * is wrong with it: the old config stays then, and the answer lists the problems. `force`: however many sessions
   * lose their route or target by it (`reload.max_ended`). `again`: what was rejected for those alone is tried again,
   * from `source`, when enough of them have ended.
   */
  reload(config?: ConfigInput, ask?: ReloadAsk): Promise<Reloaded>;
  /** Stop accepting, send every session its Close (1012), wait for the answers: the steps and times of `drain`. */
  drain(why?: string): Promise<DrainResult>;
  /** Cut everything off at once and release every resource. */
  stop(): Promise<void>;
}

/** Why a proxy did not start. */
export class StartError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}

/**
 * A proxy from an object in the form of the config file (same keys, same defaults, `${NAME}` excluded).
 * Throws ConfigError, which lists every problem.
 */
export function createProxy(config: ConfigInput, options: ProxyOptions = {}): Proxy {
  return createProxyFromConfig(loadObject(config, { baseDir: options.baseDir ?? '.' }).config, options);
}

/** A proxy from a config that is loaded already. */
export function createProxyFromConfig(config: Config, options: ProxyOptions = {}): Proxy {
  return new ProxyProcess(config, options);
}

class ProxyProcess implements Proxy {
  private readonly options: ProxyOptions;
  private readonly clock: Clock;
  private readonly wheel: TimerWheel;
  private readonly slices: Slices;
  private readonly log: Log;
  private readonly openFiles: number;
  private readonly cap: SessionsCap;
  private readonly carrier: Carrier;
  private readonly edge: Edge;
  private readonly listeners: Listeners;
  private readonly reloads: Reloads;
  private readonly name: string;
  private admin: AdminServer | null = null;
  private runtime: RuntimeMetrics | null = null;
  private driver: NodeJS.Timeout | null = null;
  private readonly wall = new WallWatch(performance.now(), Date.now());
  private drainer: Drain | null = null;
  private draining: Promise<DrainResult> | null = null;
  private started = false;
  /** All is bound. */
  private ready = false;
  /** True when it stops: what is bound after that is released again. */
  private closing = false;
  private startedAt = 0;
  private loadedAt = Date.now();

  constructor(config: Config, options: ProxyOptions) {
    this.options = options;
    this.name = String(options.about?.config ?? 'config');
    this.clock = options.clock ?? { now: () => performance.now() };
    this.wheel = new TimerWheel(this.clock);
    this.slices = new Slices({ now: () => this.clock.now(), nextTurn: (run) => setImmediate(run) });
    this.log = new Log({ ...config.log, clock: this.clock, ...(options.log ? { destination: options.log } : {}) });
    this.openFiles = openFileLimit();
    this.cap = sessionsCap(config, this.openFiles);
    this.carrier = new Carrier(options.transport ?? 'auto');
    const { clock, wheel, log, carrier } = this;
    this.edge = new Edge({
      clock,
      wheel,
      log,
      dialer: new Dialer({ resolver: new Resolver(clock), wheel, clock, carrier }),
      snapshot: buildSnapshot(config),
      sessionsMax: this.cap.sessionsMax,
    });
    this.listeners = new Listeners(this.edge, carrier);
    this.reloads = new Reloads({
      edge: this.edge,
      slices: this.slices,
      listeners: this.listeners,
      source: options.source ?? null,
      baseDir: options.baseDir ?? '.',
      name: this.name,
      openFiles: this.openFiles,
      onApplied: (applied) => this.onApplied(applied),
    });
  }

  async start(): Promise<void> {
    if (this.started || this.closing || this.draining !== null) {
      throw new StartError(`this proxy was ${this.started ? 'started' : 'stopped'} already; create another one`);
    }
    this.started = true;
    this.startedAt = this.clock.now();
    if (this.cap.isRefused) throw new StartError(this.cap.lowered ?? '');
    await this.carrier.probe();
    const driver = new WheelDriver(this.wheel, this.clock.now());
    this.driver = setInterval(() => setImmediate(() => this.drive(driver)), WHEEL_DRIVE_MS);
    this.log.event('info', 'start', {
      ...this.options.about,
      workers: 1,
      transport: this.carrier.kind,
      open_files: Number.isFinite(this.openFiles) ? this.openFiles : undefined,
      max_sessions: this.cap.sessionsMax,
    });
    // A default that nobody set is no reason to warn.
    if (this.cap.lowered !== null) {
      this.log.event('info', 'max_sessions.lowered', { max_sessions: this.cap.sessionsMax, why: this.cap.lowered });
    }
    try {
      await this.startAdmin();
      const move = await this.listeners.prepare(this.config.listeners);
      move.commit();
      this.ready = true;
      this.edge.metrics.process.configLoaded(this.loadedAt / 1000);
    } catch (error) {
      await this.stop();
      throw error instanceof BindError ? new StartError(error.message, { cause: error.cause }) : error;
    }
  }

  address(listener?: string): BoundAddress | string {
    for (const { config, address } of this.listeners.entries()) {
      if (listener === undefined || listener === config.name) return address;
    }
    throw new Error(`no listener ${listener ?? ''} is bound`);
  }

  adminAddress(): BoundAddress | string {
    if (this.admin === null) throw new Error('no admin listener is bound');
    return this.admin.address();
  }

  async reload(config?: ConfigInput, ask: ReloadAsk = {}): Promise<Reloaded> {
    if (!this.ready || this.closing) throw new Error('this proxy is not running');
    return this.reloads.reload(config, ask);
  }

  drain(why = 'drain'): Promise<DrainResult> {
    this.draining ??= this.runDrain(why);
    return this.draining;
  }

  async stop(): Promise<void> {
    this.closing = true;
    this.edge.refusing = true;
    const closing = Promise.all([this.listeners.close(), this.admin?.stop()]);
    this.admin = null;
    this.drainer?.abort();
    this.cutAll();
    await closing;
    if (this.driver !== null) clearInterval(this.driver);
    this.driver = null;
    this.runtime?.stop();
    this.runtime = null;
    await this.log.flush();
  }

  private get config(): Config {
    return this.edge.snapshot.config;
  }

  private get state(): ProxyState {
    if (this.edge.draining || this.closing) return 'draining';
    return this.ready ? 'ready' : 'starting';
  }

  private async startAdmin(): Promise<void> {
    const settings = this.config.admin;
    if (settings === null) return;
    const { log, clock, slices } = this;
    if (this.options.process !== undefined) this.runtime = new RuntimeMetrics(this.options.process);
    const server = new AdminServer({ settings, backend: new ProxyBackend(this.control()), log, clock, slices });
    try {
      await server.start();
    } catch (error) {
      throw new StartError(`cannot listen on ${settings.address_text}: ${messageOf(error)}`, { cause: error });
    }
    if (this.closing) {
      await server.stop();
      throw new StartError('stopped while it was starting');
    }
    this.admin = server;
    const address = server.address();
    log.event('info', 'listening', { listener: 'admin', address: addressText(address) });
  }

  private onApplied(config: Config): void {
    this.loadedAt = Date.now();
    if (config.admin !== null) this.admin?.reconfigure(config.admin);
  }

  /** This proxy as the admin listener sees it: what changes is read when it is asked for. */
  private control(): ConstructorParameters<typeof ProxyBackend>[0] {
    const { edge, options, log, listeners, reloads } = this;
    const about = options.about ?? {};
    const self = this;
    return {
      clock: this.clock,
      metrics: edge.metrics,
      sessions: edge.sessions,
      version: String(about.version ?? ''),
      node: String(about.node ?? options.process?.version ?? ''),
      pid: Number(about.pid ?? 0),
      configName: this.name,
      startedAt: this.startedAt,
      get loadedAt() {
        return self.loadedAt;
      },
      get lastReload() {
        return reloads.last;
      },
      get state() {
        return self.state;
      },
      get snapshot() {
        return edge.snapshot;
      },
      get sessionsMax() {
        return edge.sessionsMax;
      },
      get logLinesDropped() {
        return log.linesDropped;
      },
      get memoryBytes() {
        return options.process?.memoryUsage().rss ?? 0;
      },
      get runtime() {
        return self.runtime;
      },
      *listeners() {
        for (const { config, address } of listeners.entries()) {
          yield { name: config.name, address: addressText(address) };
        }
      },
      configPieces: () => configPieces(edge.snapshot.config),
      closeSpread: (records, notice) => this.spreadEnd(records, 'admin', notice),
      drain: () => this.askDrain(),
      drainRoute: (route, draining) => this.drainRoute(route, draining),
      drainTarget: (upstream, target, draining) => this.drainTarget(upstream, target, draining),
      reload: (force) => reloads.reload(undefined, { force }),
    };
  }

  private askDrain(): void {
    if (this.options.onDrainAsked !== undefined) this.options.onDrainAsked();
    else void this.drain('admin').then(() => this.stop());
  }

  private drainRoute(name: string, draining: boolean): boolean {
    const route = this.edge.snapshot.routes.get(name);
    if (route === undefined) return false;
    const isNew = draining && !route.draining;
    route.draining = draining;
    if (isNew) {
      const records = [...this.edge.sessions].filter((record) => record.route === route);
      this.spreadEnd(records, 'drain', null, () => route.draining);
      for (const connection of [...this.edge.connections]) connection.lookAgain();
    }
    return true;
  }

  private drainTarget(upstream: string, name: string, draining: boolean): boolean {
    const target = this.edge.snapshot.upstreams.get(upstream)?.targets.find((one) => one.name === name);
    if (target === undefined) return false;
    const isNew = draining && !target.draining;
    target.draining = draining;
    if (isNew) {
      const records = [...this.edge.sessions].filter((record) => record.target === target);
      this.spreadEnd(records, 'target_drain', null, () => target.draining);
    }
    return true;
  }

  /** One Close for each, over `drain.spread`, as long as it is still wanted. */
  private spreadEnd(
    records: readonly SessionRecord[],
    cause: EndCause,
    notice: Partial<CloseNotice> | null,
    isWanted: () => boolean = () => true,
  ): void {
    const { spread } = this.config.drain;
    new Spread(this.edge, records, spread, ({ session }) => {
      if (isWanted()) session.end(cause, notice === null ? {} : { notice });
    });
  }

  private async runDrain(why: string): Promise<DrainResult> {
    const { edge, config } = this;
    const startedAt = this.clock.now();
    this.log.event('info', 'drain.begin', { why, sessions: edge.sessions.size });
    this.drainer = new Drain({
      edge,
      // Nobody is here, and nothing drives the wheel.
      config: this.driver === null ? { delay: 0, grace: 0, spread: 0, timeout: 0 } : config.drain,
      timing: edge,
      closeListeners: () => this.listeners.close(),
      cutAll: () => this.cutAll(),
    });
    const result = await this.drainer.run();
    const ms = Math.round(this.clock.now() - startedAt);
    this.log.event(result.cut > 0 ? 'warn' : 'info', 'drain.end', { ...result, ms });
    return result;
  }

  private cutAll(): void {
    for (const connection of [...this.edge.connections]) connection.close();
    for (const record of [...this.edge.sessions]) record.session.cut();
  }

  /**
   * Comes as an immediate: libuv runs timers before it reads, immediates after, so what peers sent while the event loop
   * was busy has been read. Nobody is cut off for a silence of our own.
   */
  private drive(driver: WheelDriver): void {
    if (this.driver === null) return;
    const now = this.clock.now();
    driver.drive(now);
    const ms = this.wall.look(performance.now(), Date.now());
    if (ms !== 0) this.log.event('warn', 'clock.jumped', { ms });
    this.log.tick(now);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
