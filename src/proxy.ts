// The composition root and the library's entry: builds the parts from a config, starts, reloads, drains and stops them.
// It touches no bytes and no `process`; cli.ts does the latter.

import { AcmeConfigError } from './acme/certificates.ts';
import { AdminServer } from './admin/server.ts';
import { loadObject } from './config/load.ts';
import type { Config, ConfigInput } from './config/types.ts';
import { CertificateWatch } from './control/certificate-watch.ts';
import { cutAll, Drain, type DrainResult } from './control/drain.ts';
import { FigureKeeper } from './control/figures.ts';
import { adminKey, adminSocket, HandedSockets } from './control/handed-sockets.ts';
import { KeptEnds } from './control/kept-ends.ts';
import { BindError, Listeners } from './control/listeners.ts';
import { ProxyPage } from './control/page-source.ts';
import { makeParts, type Parts, stateFolderOf } from './control/parts.ts';
import { type ConfigSource, type ReloadAsk, type Reloaded, Reloads } from './control/reload.ts';
import type { RunningProxy } from './control/running-proxy.ts';
import type { AdminViews } from './control/sight.ts';
import { ProxySubject } from './control/subject.ts';
import type { Edge } from './edge/edge.ts';
import type { Primary } from './fleet/primary.ts';
import { NO_RESTARTS, type RestartMeans, Restarts } from './fleet/restarts.ts';
import { type NotifyMeans, ServiceManager } from './fleet/service-manager.ts';
import type { Workers } from './fleet/workers.ts';
import type { Clock } from './limits/clock.ts';
import type { Slices } from './limits/slices.ts';
import { addressText, type BoundAddress } from './net/listen.ts';
import type { KeptSecret } from './net/ticket-secrets.ts';
import type { LogDestination } from './observe/log.ts';
import { type ProcessView, RuntimeMetrics } from './observe/runtime-metrics.ts';

export { ConfigError, type Problem } from './config/problems.ts';
export type { Config, ConfigInput } from './config/types.ts';
export type { DrainResult } from './control/drain.ts';
export type { ConfigSource, ReadConfig, ReloadAsk, Reloaded } from './control/reload.ts';

export interface ProxyOptions {
  /** Where log lines go, each with its line feed; stdout when absent. */
  readonly log?: LogDestination;
  /** Monotonic milliseconds; tests bring their own. */
  readonly clock?: Clock;
  /** Milliseconds since 1970, by which certificates are judged; tests bring their own. */
  readonly wallNow?: () => number;
  /** What relative paths in the config are relative to; the working directory when absent. */
  readonly baseDir?: string;
  /** `stream` keeps to Node's public stream API; `auto` (the default) goes below it where that works: it is faster. */
  readonly transport?: 'auto' | 'stream';
  /** What `${NAME}` stands for in files of targets (`discover.file`), and STATE_DIRECTORY; none when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Further fields of the `start` event: version, pid, where the config came from. */
  readonly about?: Readonly<Record<string, string | number>>;
  /** Reads the config anew, for a reload that brings none. */
  readonly source?: ConfigSource;
  /** What the metrics of the process are read from, such as Node's `process`; without it there are none. */
  readonly process?: ProcessView;
  /** Listening sockets that another process has bound: descriptors by `listenerKey`, `adminKey`; the rest is closed. */
  readonly inherited?: ReadonlyMap<string, number>;
  /** What the process that this one replaces had: a secret for session tickets, lines of what was revoked. */
  readonly kept?: { readonly tickets: KeptSecret; readonly revoked: Iterable<string> };
  /** What a service manager is told by; without it, or where there is none, nobody is told. */
  readonly notify?: NotifyMeans;
  /** How a next generation is started; without it there are no restarts. */
  readonly restarts?: RestartMeans;
  /** How an admin listener sees this proxy with others that are one framegate with it; absent: there are none. */
  readonly views?: (proxy: RunningProxy, slices: Slices) => AdminViews;
  /** Other processes carry the clients; without it this one does. */
  readonly workers?: Workers;
  /** The admin listener was asked for a drain of the process. Without it the proxy drains and stops by itself. */
  readonly onDrainAsked?: () => void;
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
   * lose their route, target or credential by it (`reload.max_ended`). `again`: what was rejected for those alone is
   * tried again, from `source`, when enough of them have ended.
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
  private readonly name: string;
  private readonly parts: Parts;
  private readonly edge: Edge;
  private readonly listeners: Listeners;
  private readonly handed: HandedSockets;
  private readonly drainer: Drain;
  private readonly restarts: Restarts;
  private readonly manager: ServiceManager | null;
  private readonly reloads: Reloads;
  private readonly certificates: CertificateWatch;
  private primary: Primary | null = null;
  private admin: AdminServer | null = null;
  private runtime: RuntimeMetrics | null = null;
  private figures: FigureKeeper | null = null;

  constructor(config: Config, options: ProxyOptions) {
    this.options = options;
    this.name = String(options.about?.config ?? 'config');
    const { workers, ...ofParts } = options;
    const ofWorkers = workers === undefined ? {} : { workers: workers.count, makeUpstreams: workers.makeUpstreams };
    this.parts = makeParts(config, { ...ofParts, ...ofWorkers });
    const { edge, slices, carrier, acme, pulse } = this.parts;
    this.edge = edge;
    this.certificates = new CertificateWatch(edge);
    this.handed = new HandedSockets(options.inherited);
    const primary = () => this.primary;
    this.listeners = new Listeners(edge, carrier, this.handed, primary);
    this.drainer = new Drain({ edge, listeners: this.listeners, pulse, fellows: primary });
    this.restarts = this.makeRestarts();
    this.manager = ServiceManager.of(options.notify, this.parts.log);
    this.reloads = new Reloads({
      edge,
      slices,
      listeners: this.listeners,
      acme,
      fellows: primary,
      source: options.source ?? null,
      baseDir: options.baseDir ?? '.',
      name: this.name,
      openFiles: this.parts.openFiles,
      isRestarting: () => this.restarts.isUnderWay,
      onApplied: (applied) => this.onApplied(applied),
      onProgress: (isUnderWay) => this.manager?.reloading(isUnderWay),
    });
  }

  private makeRestarts(): Restarts {
    const { options, drainer } = this;
    const { clock, wheel, slices, log, edge, life } = this.parts;
    const pid = Number(options.about?.pid ?? 0);
    return new Restarts({
      ...{ clock, wheel, slices, log },
      means: options.restarts ?? NO_RESTARTS,
      tickets: () => edge.snapshot.ticketSecrets.kept,
      revocations: edge.snapshot.auth.revocations,
      sockets: () => {
        const ofAdmin = adminSocket(this.config.admin, this.admin?.socket ?? null);
        return this.handed.handOn([...this.listeners.sockets, ...ofAdmin]);
      },
      isDraining: () => edge.draining || life.closing,
      view: () => ({ pid, sessions: edge.sessions.size + (this.primary?.sessions ?? 0), state: life.state }),
      handOver: () => void drainer.handOver(this.admin?.leave() ?? Promise.resolve()),
    });
  }

  async start(): Promise<void> {
    const { life, clock, cap, carrier, pulse, wheel, acme } = this.parts;
    if (life.started || life.closing || this.drainer.hasBegun) {
      throw new StartError(`this proxy was ${life.started ? 'started' : 'stopped'} already; create another one`);
    }
    life.started = true;
    life.startedAt = clock.now();
    if (cap.isRefused) throw new StartError(cap.lowered ?? '');
    const { workers } = this.config;
    if (workers !== 'auto' && workers > 1 && this.options.workers === undefined) {
      throw new StartError('workers: only the framegate command starts other processes');
    }
    await carrier.probe();
    carrier.watch(wheel, clock.now());
    pulse.start();
    this.edge.snapshot.upstreams.start();
    this.edge.snapshot.auth.start();
    this.tellStart();
    try {
      await this.openRevocations();
      (await acme.prepare(this.config)).commit();
      await this.startWorkers();
      // Who connects to a socket that was handed over is served: by the one whose it was until all is there.
      const isHanded = this.config.admin !== null && this.handed.has(adminKey(this.config.admin));
      if (!isHanded) await this.startAdmin();
      const move = await this.listeners.prepare(this.config.listeners);
      if (isHanded) await this.startAdmin();
      move.commit();
      life.ready = true;
      this.handed.closeRest();
      this.edge.metrics.process.configLoaded(life.loadedAt / 1000);
      this.certificates.look();
      acme.begin();
      await this.manager?.ready();
    } catch (error) {
      await this.stop();
      throw startError(error);
    }
  }

  address(listener?: string): BoundAddress | string {
    return this.listeners.addressOf(listener);
  }

  adminAddress(): BoundAddress | string {
    if (this.admin === null) throw new Error('no admin listener is bound');
    return this.admin.address();
  }

  async reload(config?: ConfigInput, ask: ReloadAsk = {}): Promise<Reloaded> {
    const { life } = this.parts;
    if (!life.ready || life.closing) throw new Error('this proxy is not running');
    return this.reloads.reload(config, ask);
  }

  drain(why = 'drain'): Promise<DrainResult> {
    this.restarts.abort();
    if (!this.drainer.hasBegun) this.manager?.stopping();
    return this.drainer.run(why);
  }

  async stop(): Promise<void> {
    const { edge } = this;
    const { life, acme, pulse, log } = this.parts;
    life.closing = true;
    edge.refusing = true;
    edge.snapshot.upstreams.stop();
    edge.snapshot.auth.stop();
    const closing = Promise.all([this.listeners.close(), this.admin?.stop(), this.primary?.stop()]);
    this.admin = null;
    this.drainer.abort();
    cutAll(edge);
    await Promise.all([closing, acme.stop()]);
    await edge.snapshot.auth.revocations.close();
    this.restarts.stop();
    pulse.stop();
    this.runtime?.stop();
    this.runtime = null;
    this.figures?.switch(false);
    await this.manager?.settled;
    await log.flush();
  }

  private get config(): Config {
    return this.edge.snapshot.config;
  }

  private tellStart(): void {
    const { log, cap, carrier, openFiles } = this.parts;
    log.event('info', 'start', {
      ...this.options.about,
      workers: this.options.workers?.count ?? 1,
      transport: carrier.kind,
      open_files: Number.isFinite(openFiles) ? openFiles : undefined,
      max_sessions: cap.sessionsMax,
    });
    // A default that nobody set is no reason to warn.
    if (cap.lowered === null) return;
    log.event('info', 'max_sessions.lowered', { max_sessions: cap.sessionsMax, why: cap.lowered });
  }

  /** Before anybody may come in. */
  private async openRevocations(): Promise<void> {
    const folder = this.config.revocations.dir ?? stateFolderOf(this.options.env);
    if (folder === '') return;
    try {
      await this.edge.snapshot.auth.revocations.open(folder);
    } catch (error) {
      throw new StartError(`cannot read what was revoked: ${messageOf(error)}`, { cause: error });
    }
  }

  private async startWorkers(): Promise<void> {
    const { workers, transport = 'auto' } = this.options;
    if (workers === undefined) return;
    this.primary = workers.begin(this.parts, transport);
    try {
      await this.primary.start();
    } catch (error) {
      throw new StartError(messageOf(error), { cause: error });
    }
  }

  private async startAdmin(): Promise<void> {
    const settings = this.config.admin;
    if (settings === null) return;
    if (this.options.process !== undefined) this.runtime = new RuntimeMetrics(this.options.process);
    const { log, clock, wheel, slices, edge, life } = this.parts;
    const running = this.running();
    const { processView, about } = running;
    const { pid } = about;
    const makeViews = this.options.views ?? this.options.workers?.views;
    const views = makeViews?.(running, slices) ?? null;
    const others = views === null ? {} : { others: views.others };
    const figures = new FigureKeeper({ edge, slices, processView, pid, state: () => life.state, ...others });
    const subject = views?.subject ?? new ProxySubject(running);
    const page = new ProxyPage(running, figures, views?.sight);
    const server = new AdminServer({
      ...{ settings, subject, page, log, clock, wheel, slices },
      inherited: this.handed.take(adminKey(settings)),
    });
    try {
      await server.start();
    } catch (error) {
      throw new StartError(`cannot listen on ${settings.address_text}: ${messageOf(error)}`, { cause: error });
    }
    if (life.closing) {
      await server.stop();
      throw new StartError('stopped while it was starting');
    }
    this.admin = server;
    this.figures = figures;
    figures.switch(settings.page);
    log.event('info', 'listening', { listener: 'admin', address: addressText(server.address()) });
  }

  private running(): RunningProxy {
    const { options, listeners, reloads, runtime } = this;
    const { life, edge, operations, credentials } = this.parts;
    const ends = new KeptEnds(edge);
    edge.ends = ends;
    const { version = '', node = options.process?.version ?? '', pid = 0 } = options.about ?? {};
    return {
      about: { version: String(version), node: String(node), pid: Number(pid), configName: this.name },
      life,
      edge,
      listeners,
      reloads,
      operations,
      credentials,
      ends,
      processView: options.process ?? null,
      runtime,
      drain: () => this.onDrainAsked(),
      restart: () => this.restarts.run(),
      before: () => options.restarts?.before() ?? [],
    };
  }

  private onDrainAsked(): void {
    if (this.options.onDrainAsked !== undefined) this.options.onDrainAsked();
    else void this.drain('admin').then(() => this.stop());
  }

  private onApplied(config: Config): void {
    this.parts.life.loadedAt = Date.now();
    if (config.admin !== null) {
      this.figures?.switch(config.admin.page);
      this.admin?.reconfigure(config.admin);
    }
    this.certificates.look();
  }
}

function startError(error: unknown): unknown {
  if (error instanceof AcmeConfigError) return new StartError(`${error.path}: ${error.message}`, { cause: error });
  return error instanceof BindError ? new StartError(error.message, { cause: error.cause }) : error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
