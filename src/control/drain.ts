// The timeline of a drain of the whole process: who is told when that it ends, and when it ends for those who stay.
// It stops nothing but listeners and sessions.

import type { DrainConfig } from '../config/types.ts';
import type { Edge } from '../edge/edge.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { Alarm } from '../limits/timer-wheel.ts';
import type { Log } from '../observe/log.ts';
import type { Listeners } from './listeners.ts';
import type { Pulse } from './pulse.ts';
import { Spread } from './spread.ts';

export interface DrainResult {
  /** Sessions that ended with a Close in time. */
  readonly closed: number;
  /** Sessions that were cut off at the end of the drain. */
  readonly cut: number;
}

interface Ask {
  /** For the log. */
  readonly why: string;
  /** Another generation goes on with the listening sockets. */
  readonly isHandedOver: boolean;
}

interface DrainFellows {
  readonly sessions: number;
  drain(ask: Ask): Promise<DrainResult>;
}

interface DrainOptions {
  readonly edge: Edge;
  readonly listeners: Pick<Listeners, 'close' | 'leave'>;
  /** Other processes, whose sessions end as those here; null: there are none. */
  readonly fellows?: () => DrainFellows | null;
  readonly pulse: Pulse;
  /** Whoever had it drain tells of it. */
  readonly isSilent?: boolean;
}

const NO_LOG: Pick<Log, 'event'> = { event() {} };
/** Where no time passes whoever waited would wait for ever. */
const AT_ONCE: DrainConfig = { delay: 0, grace: 0, spread: 0, timeout: 0 };

/** How often those are looked for that came in before and have become sessions behind the Closes of all others. */
const LATE_LOOK_MS = 250;

/**
 * From the signal to the end: not ready; after `delay` no more clients; after `grace` one Close to each session over
 * `spread`; at `timeout`, counted from the signal, the rest is cut off. It is over as soon as nobody is left.
 * Where another process goes on with the sockets there is no delay, and nobody is refused: who had come in by then is
 * served, and gets a Close.
 */
export class Drain {
  private readonly options: DrainOptions;
  private readonly alarms = new Set<Alarm>();
  private readonly over = new AbortController();
  private result: Promise<DrainResult> | null = null;
  private startedAt = 0;
  private spread: Spread | null = null;
  private sessions = 0;
  private cut = 0;

  constructor(options: DrainOptions) {
    this.options = options;
  }

  get hasBegun(): boolean {
    return this.result !== null;
  }

  /** Once: whoever asks again gets the same. `why`: for the log. */
  run(why: string): Promise<DrainResult> {
    this.result ??= this.tell({ why, isHandedOver: false }, (config) => this.endAll(config));
    return this.result;
  }

  /** The same where another process goes on with the listening sockets. `leaving`: what else has to be over. */
  handOver(leaving: Promise<void>): Promise<DrainResult> {
    this.result ??= this.tell({ why: 'restart', isHandedOver: true }, (config) => this.leaveAll(config, leaving));
    return this.result;
  }

  /** One that has begun waits no more: the caller cuts everything off. */
  abort(): void {
    if (this.result === null) return;
    this.cut = this.options.edge.sessions.size;
    this.over.abort();
  }

  private async tell(ask: Ask, end: (config: DrainConfig) => Promise<DrainResult>): Promise<DrainResult> {
    const { edge, pulse } = this.options;
    const fellows = this.options.fellows?.() ?? null;
    const { why } = ask;
    this.startedAt = edge.clock.now();
    const log = this.options.isSilent === true ? NO_LOG : edge.log;
    log.event('info', 'drain.begin', { why, sessions: edge.sessions.size + (fellows?.sessions ?? 0) });
    const ends = [end(pulse.isBeating ? edge.snapshot.config.drain : AT_ONCE)];
    if (fellows !== null) ends.push(fellows.drain(ask));
    const result = sumOf(await Promise.all(ends));
    const ms = Math.round(edge.clock.now() - this.startedAt);
    log.event(result.cut > 0 ? 'warn' : 'info', 'drain.end', { ...result, ms });
    return result;
  }

  private async endAll(config: DrainConfig): Promise<DrainResult> {
    const { edge, listeners } = this.options;
    edge.draining = true;
    this.at(config.timeout, () => this.cutOff());
    await this.until(config.delay);
    edge.refusing = true;
    const closing = listeners.close();
    // Nothing is asked on them, and a request that came now would be refused.
    for (const one of edge.plain.idleOnes) one.drain(config.spread);
    return this.untilOver(closing, config.delay + config.grace, () => {
      // Handshakes first: none may become a session behind the last Close.
      for (const connection of [...edge.connections]) connection.drain(config.spread);
      this.tellAll(config.spread);
    });
  }

  private leaveAll(config: DrainConfig, alsoLeaving: Promise<void>): Promise<DrainResult> {
    const { edge, listeners } = this.options;
    edge.draining = true;
    this.at(config.timeout, () => this.cutOff());
    const leaving = Promise.all([listeners.leave(), alsoLeaving]);
    for (const one of edge.plain.idleOnes) one.drain(config.spread);
    return this.untilOver(leaving, config.grace, () => {
      for (const one of [...edge.plain]) one.drain(config.spread);
      const told = new Set(edge.sessions);
      this.tellAll(config.spread);
      this.tellLate(told, edge.clock.now());
    });
  }

  /** Whatever comes first: everybody has left, or it is time to tell them. */
  private async untilOver(closing: Promise<unknown>, tellAfter: number, tell: () => void): Promise<DrainResult> {
    const { edge } = this.options;
    this.sessions = edge.sessions.size;
    const empty = edge.untilEmpty().then(() => this.over.abort());
    await this.until(tellAfter);
    if (!this.over.signal.aborted) tell();
    await empty;
    await closing;
    for (const alarm of this.alarms) edge.wheel.cancel(alarm);
    this.spread?.cancel();
    return { closed: Math.max(0, this.sessions - this.cut), cut: this.cut };
  }

  private tellAll(spreadMs: number): void {
    const { edge } = this.options;
    this.sessions = Math.max(this.sessions, edge.sessions.size);
    this.spread = new Spread(edge, [...edge.sessions], spreadMs, (record) => record.session.end('drain'));
  }

  private tellLate(told: Set<SessionRecord>, now: number): void {
    const { edge } = this.options;
    for (const record of edge.sessions) {
      if (told.has(record)) continue;
      told.add(record);
      this.sessions += 1;
      record.session.end('drain');
    }
    this.atTime(now + LATE_LOOK_MS, (at) => this.tellLate(told, at));
  }

  private cutOff(): void {
    const { edge } = this.options;
    this.abort();
    edge.refusing = true;
    cutAll(edge);
  }

  /** Resolves that long after the signal, or when it is over before. */
  private until(ms: number): Promise<void> {
    const { signal } = this.over;
    if (signal.aborted || this.startedAt + ms <= this.options.edge.clock.now()) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      this.at(ms, resolve);
    });
  }

  private at(ms: number, fire: () => void): void {
    this.atTime(this.startedAt + ms, fire);
  }

  private atTime(time: number, fire: (now: number) => void): void {
    const alarm = new Alarm((now) => {
      this.alarms.delete(alarm);
      fire(now);
    });
    this.alarms.add(alarm);
    this.options.edge.wheel.schedule(alarm, time);
  }
}

/** Destroys every connection that is left. */
export function cutAll(edge: Edge): void {
  for (const connection of [...edge.connections]) connection.close();
  for (const record of [...edge.sessions]) record.session.cut();
}

/** Of several processes. */
export function sumOf(results: readonly DrainResult[]): DrainResult {
  const sum = { closed: 0, cut: 0 };
  for (const { closed, cut } of results) {
    sum.closed += closed;
    sum.cut += cut;
  }
  return sum;
}
