// The composition root and the library's entry: builds the parts from a config, starts, drains and stops them.
// It touches no bytes and no `process`; cli.ts does the latter.

import { wasGiven } from './config/build.ts';
import { loadObject } from './config/load.ts';
import type { Config, ConfigInput } from './config/schema.ts';
import { Edge } from './edge/edge.ts';
import { buildSnapshot } from './edge/snapshot.ts';
import type { Clock } from './limits/clock.ts';
import { Alarm, TimerWheel } from './limits/timer-wheel.ts';
import { Carrier } from './net/carrier.ts';
import { Dialer } from './net/dial.ts';
import { type BoundAddress, type Listening, listen } from './net/listen.ts';
import { openFileLimit, openFilesNeededFor, sessionsMaxFor } from './net/open-files.ts';
import { Resolver } from './net/resolve.ts';
import { Log, type LogDestination } from './observe/log.ts';

export { ConfigError, type Problem } from './config/problems.ts';
export type { Config, ConfigInput } from './config/schema.ts';

/** How often the timer wheel is driven. Deadlines are at most this much, and one tick, late. */
const WHEEL_DRIVE_MS = 50;
/** From the begin of a drain to the last cut. */
const DRAIN_TIMEOUT_MS = 5_000;

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
  /** Stop accepting, send every session its Close (1012), wait for the answers; cut what is left after 5 s. */
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
  private readonly config: Config;
  private readonly about: Readonly<Record<string, string | number>>;
  private readonly clock: Clock;
  private readonly wheel: TimerWheel;
  private readonly log: Log;
  private readonly openFiles: number;
  private readonly sessionsMax: number;
  private readonly carrier: Carrier;
  private readonly edge: Edge;
  /** One per listener of the config, by its name. */
  private readonly listening = new Map<string, Listening>();
  private driver: NodeJS.Timeout | null = null;
  private draining: Promise<DrainResult> | null = null;
  private started = false;
  /** True from when it stops to accept: what is bound after that is released again. */
  private closing = false;

  constructor(config: Config, options: ProxyOptions) {
    this.config = config;
    this.about = options.about ?? {};
    this.clock = options.clock ?? { now: () => performance.now() };
    this.wheel = new TimerWheel(this.clock);
    this.log = new Log({ ...config.log, clock: this.clock, ...(options.log ? { destination: options.log } : {}) });
    this.openFiles = openFileLimit();
    this.sessionsMax = Math.min(config.limits.max_sessions, sessionsMaxFor(this.openFiles));
    this.carrier = new Carrier(options.transport ?? 'auto');
    const { clock, wheel, log, carrier } = this;
    this.edge = new Edge({
      clock,
      wheel,
      log,
      dialer: new Dialer({ resolver: new Resolver(clock), wheel, clock, carrier }),
      snapshot: buildSnapshot(config),
      sessionsMax: this.sessionsMax,
    });
  }

  async start(): Promise<void> {
    if (this.started || this.closing) {
      throw new StartError(`this proxy was ${this.closing ? 'stopped' : 'started'} already; create another one`);
    }
    this.started = true;
    this.checkOpenFiles();
    await this.carrier.probe();
    this.driver = setInterval(() => this.drive(), WHEEL_DRIVE_MS);
    this.log.event('info', 'start', {
      ...this.about,
      workers: 1,
      transport: this.carrier.kind,
      open_files: Number.isFinite(this.openFiles) ? this.openFiles : undefined,
      max_sessions: this.sessionsMax,
    });
    try {
      for (const listener of this.config.listeners) await this.bind(listener);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  address(listener?: string): BoundAddress | string {
    const name = listener ?? this.config.listeners[0]?.name;
    const listening = name === undefined ? undefined : this.listening.get(name);
    if (listening === undefined) throw new Error(`no listener ${name ?? ''} is bound`);
    return listening.address;
  }

  drain(why = 'drain'): Promise<DrainResult> {
    this.draining ??= this.runDrain(why);
    return this.draining;
  }

  async stop(): Promise<void> {
    const closing = this.closeListeners();
    this.cutAll();
    await closing;
    if (this.driver !== null) clearInterval(this.driver);
    this.driver = null;
    await this.log.flush();
  }

  private async bind(listener: Config['listeners'][number]): Promise<void> {
    const { name, address, address_text, backlog } = listener;
    try {
      const edgeListener = { name, port: 0 };
      const onConnection: Parameters<typeof listen>[0]['onConnection'] = (client) =>
        this.edge.accept(client, edgeListener);
      const listening = await listen({ address, backlog, carrier: this.carrier, onConnection });
      if (this.closing) {
        await listening.close();
        throw new Error('stopped while it was starting');
      }
      if (typeof listening.address !== 'string') edgeListener.port = listening.address.port;
      this.listening.set(name, listening);
      this.log.event('info', 'listening', { listener: name, address: textOf(listening.address) });
    } catch (error) {
      throw new StartError(`cannot listen on ${address_text}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** With more sessions than descriptors libuv would drop clients that the kernel accepted, without a word. */
  private checkOpenFiles(): void {
    const wanted = this.config.limits.max_sessions;
    if (wanted <= this.sessionsMax) return;
    const limit = this.openFiles;
    const text = Number.isFinite(wanted)
      ? `limits.max_sessions ${wanted} needs an open-file limit of ${openFilesNeededFor(wanted)}, it is ${limit}`
      : `limits.max_sessions off: as many as the open-file limit of ${limit} allows`;
    // `off` asks for no number, so it gets what there is.
    if (Number.isFinite(wanted) && wasGiven(this.config, 'limits.max_sessions')) throw new StartError(text);
    this.log.event('warn', 'max_sessions.lowered', { max_sessions: this.sessionsMax, why: text });
  }

  private async runDrain(why: string): Promise<DrainResult> {
    const { edge } = this;
    const startedAt = this.clock.now();
    const sessions = edge.sessions.size;
    this.log.event('info', 'drain.begin', { why, sessions });
    edge.draining = true;
    const closing = this.closeListeners();
    for (const connection of [...edge.connections]) connection.drain();
    for (const record of [...edge.sessions]) record.session.end('drain');
    const cut = await this.untilEmptyOrCut();
    await closing;
    const result = { closed: sessions - cut, cut };
    const ms = Math.round(this.clock.now() - startedAt);
    this.log.event(cut > 0 ? 'warn' : 'info', 'drain.end', { ...result, ms });
    return result;
  }

  /** Wait for the last connection; after the drain's time cut what is left. Gives how many sessions that were. */
  private async untilEmptyOrCut(): Promise<number> {
    let cut = 0;
    const alarm = new Alarm(() => {
      cut = this.edge.sessions.size;
      this.cutAll();
    });
    this.wheel.schedule(alarm, this.clock.now() + DRAIN_TIMEOUT_MS);
    await this.edge.untilEmpty();
    this.wheel.cancel(alarm);
    return cut;
  }

  private cutAll(): void {
    for (const connection of [...this.edge.connections]) connection.close();
    for (const record of [...this.edge.sessions]) record.session.cut();
  }

  private async closeListeners(): Promise<void> {
    this.closing = true;
    const listening = [...this.listening.values()];
    this.listening.clear();
    await Promise.all(listening.map((one) => one.close()));
  }

  private drive(): void {
    this.wheel.advance();
    this.log.tick(this.clock.now());
  }
}

function textOf(address: BoundAddress | string): string {
  if (typeof address === 'string') return `unix:${address}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
