// A group of sessions against one address: opens them, keeps their messages in flight or sends by the clock, counts.
// Whatever is wrong with one echo fails the whole load.

import { Histogram } from '../support/histogram.ts';
import { cpuSecondsOf } from '../support/process-figures.ts';
import { EchoSession, type SessionOwner } from './echo-session.ts';
import type { TlsPlan } from './tls.ts';
import type { WireMaker } from './wire.ts';

const OPENING_AT_ONCE = 64;
const OPEN_MS = 60_000;
const DRAIN_MS = 20_000;
const TICK_MS = 1;
/** 127.0.0.2 and on: each source address has ports of its own. */
const SOURCES = 8;

export interface LoadPlan {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** More fields of the request, each with its CR LF. */
  readonly fields?: string;
  readonly connections: number;
  readonly payloadBytes: number;
  readonly inFlight: number;
  /** Null or absent: no TLS. */
  readonly tls?: TlsPlan | null;
}

export interface Window {
  readonly warmupMs: number;
  readonly measureMs: number;
  /** Groups of processes whose CPU time is wanted. */
  readonly pids: readonly (readonly number[])[];
  /** Messages a second of all sessions together; null: as fast as echoes come back. */
  readonly rate: number | null;
}

/** What happened between the two ends of one window. Times in milliseconds, CPU in seconds. */
export interface WindowResult {
  readonly seconds: number;
  readonly echoes: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** One figure for each group of `pids`. */
  readonly cpu: readonly number[];
  readonly ownCpu: number;
  /** By the clock: how late this process itself sent, at most in 99 % of all cases. */
  readonly sentLateP99: number;
}

interface Sample {
  readonly at: number;
  readonly echoes: number;
  readonly cpu: readonly number[];
  readonly ownCpu: number;
}

export class EchoLoad implements SessionOwner {
  private readonly plan: LoadPlan;
  private readonly maker: WireMaker;
  private readonly sessions: EchoSession[] = [];
  private readonly latencies = new Histogram();
  private readonly lateness = new Histogram();
  private fault: string | null = null;
  private opened = 0;
  private echoes = 0;
  /** True while echoes are answered with new messages. */
  private looping = false;
  private clockwork: Clockwork | null = null;
  private readonly waiters: (() => void)[] = [];

  constructor(maker: WireMaker, plan: LoadPlan, byTheClock: boolean) {
    this.maker = maker;
    this.plan = plan;
    const { host, port, path, fields = '', payloadBytes, inFlight, tls = null } = plan;
    for (let seed = 0; seed < plan.connections; seed++) {
      const localAddress = host === '127.0.0.1' ? `127.0.0.${2 + (seed % SOURCES)}` : null;
      const target = { host, port, localAddress };
      this.sessions.push(
        new EchoSession({ target, path, fields, seed, payloadBytes, inFlight, tls }, this, byTheClock),
      );
    }
  }

  /** Open every session, a few at a time. */
  async open(): Promise<void> {
    for (let from = 0; from < this.sessions.length; from += OPENING_AT_ONCE) {
      const some = this.sessions.slice(from, from + OPENING_AT_ONCE);
      await Promise.all(some.map((session) => session.open(this.maker)));
      await this.until(() => this.opened >= from + some.length, OPEN_MS, 'sessions did not open');
    }
  }

  /** Warm up, measure, and wait until every message came back. */
  async run(window: Window): Promise<WindowResult> {
    this.begin(window.rate);
    await this.pass(window.warmupMs);
    const before = this.mark(window);
    await this.pass(window.measureMs);
    return this.finish(window, before);
  }

  /** Begin to measure; gives what ends it. */
  watch(window: Window): () => Promise<WindowResult> {
    this.begin(window.rate);
    const before = this.mark(window);
    return () => this.finish(window, before);
  }

  private mark(window: Window): Sample {
    this.latencies.reset();
    this.lateness.reset();
    return this.sample(window);
  }

  private async finish(window: Window, before: Sample): Promise<WindowResult> {
    const after = this.sample(window);
    const result = {
      seconds: (after.at - before.at) / 1000,
      echoes: after.echoes - before.echoes,
      p50: this.latencies.quantile(0.5),
      p99: this.latencies.quantile(0.99),
      p999: this.latencies.quantile(0.999),
      max: this.latencies.quantile(1),
      cpu: after.cpu.map((seconds, group) => seconds - (before.cpu[group] ?? 0)),
      ownCpu: after.ownCpu - before.ownCpu,
      sentLateP99: this.lateness.quantile(0.99),
    };
    await this.settle();
    return result;
  }

  /** One message in every session, there and back. */
  async echoOnce(): Promise<void> {
    const now = performance.now();
    for (const session of this.sessions) session.send(1, now);
    await this.settle();
  }

  close(): void {
    this.looping = false;
    this.clockwork?.stop();
    for (const session of this.sessions) session.destroy();
  }

  onOpen(): void {
    this.opened += 1;
    this.wake();
  }

  onEchoes(session: EchoSession, count: number): void {
    const now = performance.now();
    for (let i = 0; i < count; i++) this.latencies.record(session.takeLatency(now));
    this.echoes += count;
    if (this.looping) session.send(count, now);
    else if (this.clockwork !== null) this.clockwork.turn(now);
    else this.wake();
  }

  onFault(_session: EchoSession, why: string): void {
    this.fault ??= why;
    this.looping = false;
    this.wake();
  }

  private begin(rate: number | null): void {
    const now = performance.now();
    if (rate === null) {
      this.looping = true;
      for (const session of this.sessions) session.send(this.plan.inFlight, now);
      return;
    }
    this.clockwork = new Clockwork(this.sessions, rate, this.lateness, (why) => {
      this.fault ??= why;
    });
  }

  /** Send nothing more and wait for what is on the way: frames out must be frames in. */
  private async settle(): Promise<void> {
    this.looping = false;
    this.clockwork?.stop();
    this.clockwork = null;
    await this.until(() => this.sessions.every((session) => session.waiting === 0), DRAIN_MS, 'echoes are missing');
    const extra = this.sessions.find((session) => !session.checker.isAtBoundary);
    if (extra !== undefined) throw new Error('more bytes came back than were sent');
  }

  private sample(window: Window): Sample {
    const own = process.cpuUsage();
    return {
      at: performance.now(),
      echoes: this.echoes,
      cpu: window.pids.map(cpuSecondsOf),
      ownCpu: (own.user + own.system) / 1e6,
    };
  }

  private pass(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      setTimeout(() => (this.fault === null ? resolve() : reject(new Error(this.fault))), ms);
    });
  }

  private wake(): void {
    for (const waiter of [...this.waiters]) waiter();
  }

  private until(isDone: () => boolean, ms: number, otherwise: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => finish(new Error(otherwise)), ms);
      const finish = (error: Error | null) => {
        clearTimeout(late);
        this.waiters.splice(this.waiters.indexOf(look), 1);
        if (error === null) resolve();
        else reject(error);
      };
      const look = () => {
        if (this.fault !== null) finish(new Error(this.fault));
        else if (isDone()) finish(null);
      };
      this.waiters.push(look);
      look();
    });
  }
}

/**
 * Sends at a fixed rate, whatever comes back: message k is due at its own time, and its latency counts from there, so
 * that a stall is felt by every message that was due meanwhile.
 */
class Clockwork {
  private readonly sessions: readonly EchoSession[];
  private readonly lateness: Histogram;
  private readonly onFault: (why: string) => void;
  private readonly periodMs: number;
  private readonly startedAt = performance.now();
  private readonly timer: NodeJS.Timeout;
  private next = 0;
  private turning = false;

  constructor(sessions: readonly EchoSession[], rate: number, lateness: Histogram, onFault: (why: string) => void) {
    this.sessions = sessions;
    this.lateness = lateness;
    this.onFault = onFault;
    this.periodMs = 1000 / rate;
    this.timer = setInterval(() => this.turn(performance.now()), TICK_MS);
  }

  /** Send all that is due at `now`. */
  turn(now: number): void {
    if (this.turning) return;
    this.turning = true;
    for (;;) {
      const due = this.startedAt + this.next * this.periodMs;
      const session = this.sessions[this.next % this.sessions.length];
      if (due > now || session === undefined) break;
      if (session.isFull) {
        this.onFault('the rate is not sustained: messages pile up');
        this.stop();
        break;
      }
      this.lateness.record(now - due);
      session.send(1, due);
      this.next += 1;
    }
    this.turning = false;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
