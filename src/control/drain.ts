// Ending sessions in an orderly way: spread over a time, so that their clients do not all come back at once, and the
// timeline of a drain of the whole process. It decides no cause; its callers do.

import type { DrainConfig } from '../config/types.ts';
import type { Edge } from '../edge/edge.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import type { Clock } from '../limits/clock.ts';
import { Alarm, type TimerWheel } from '../limits/timer-wheel.ts';

export interface Timing {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** From 0 to below 1. */
  random?(): number;
}

/**
 * Calls `end` for each of `records`, evenly over `spreadMs` and each a random half step off its place; the first at
 * once. `end` is asked to see for itself whether that session still has to go.
 */
export class Spread {
  /** True when every session had its turn, or nothing more is to be done. */
  isOver = false;
  private readonly timing: Timing;
  private readonly records: readonly SessionRecord[];
  private readonly end: (record: SessionRecord) => void;
  private readonly alarm = new Alarm((now) => this.advance(now));
  private readonly startedAt: number;
  private readonly stepMs: number;
  private nextIndex = 0;
  private nextAt: number;

  constructor(timing: Timing, records: readonly SessionRecord[], spreadMs: number, end: (one: SessionRecord) => void) {
    this.timing = timing;
    this.records = records;
    this.end = end;
    this.startedAt = timing.clock.now();
    this.stepMs = records.length === 0 ? 0 : spreadMs / records.length;
    this.nextAt = this.startedAt;
    this.advance(this.startedAt);
  }

  /** Whoever had no turn yet gets none. */
  cancel(): void {
    this.isOver = true;
    this.timing.wheel.cancel(this.alarm);
  }

  private advance(now: number): void {
    const { random = Math.random } = this.timing;
    while (!this.isOver && this.nextAt <= now) {
      const record = this.records[this.nextIndex];
      if (record === undefined) {
        this.isOver = true;
        return;
      }
      this.nextIndex += 1;
      this.nextAt = this.startedAt + (this.nextIndex + random() - 0.5) * this.stepMs;
      this.end(record);
    }
    if (!this.isOver) this.timing.wheel.schedule(this.alarm, this.nextAt);
  }
}

export interface DrainOutcome {
  /** Sessions that ended with a Close in time. */
  readonly closed: number;
  /** Sessions that were cut off. */
  readonly cut: number;
}

export interface DrainSteps {
  readonly edge: Edge;
  readonly config: DrainConfig;
  readonly timing: Timing;
  /** Stop accepting; resolves when every listener is closed. */
  closeListeners(): Promise<void>;
  /** Destroy every connection that is left. */
  cutAll(): void;
}

/**
 * From the signal to the end: not ready; after `delay` no more clients; after `grace` one Close to each session over
 * `spread`; at `timeout`, counted from the signal, the rest is cut off. It is over as soon as nobody is left.
 */
export class Drain {
  private readonly steps: DrainSteps;
  private readonly startedAt: number;
  private readonly alarms = new Set<Alarm>();
  private readonly over = new AbortController();
  private spread: Spread | null = null;
  private sessions = 0;
  private cut = 0;

  constructor(steps: DrainSteps) {
    this.steps = steps;
    this.startedAt = steps.timing.clock.now();
  }

  async run(): Promise<DrainOutcome> {
    const { edge, config } = this.steps;
    edge.draining = true;
    this.at(config.timeout, () => this.cutOff());
    await this.until(config.delay);
    edge.refusing = true;
    const closing = this.steps.closeListeners();
    this.sessions = edge.sessions.size;
    // Whatever comes first: everybody has left, or it is time to tell them.
    const empty = edge.untilEmpty().then(() => this.over.abort());
    await this.until(config.delay + config.grace);
    if (!this.over.signal.aborted) this.tellAll();
    await empty;
    await closing;
    for (const alarm of this.alarms) this.steps.timing.wheel.cancel(alarm);
    this.spread?.cancel();
    return { closed: Math.max(0, this.sessions - this.cut), cut: this.cut };
  }

  /** Do not wait any more: the caller cuts everything off. */
  abort(): void {
    this.cut = this.steps.edge.sessions.size;
    this.over.abort();
  }

  private tellAll(): void {
    const { edge, config, timing } = this.steps;
    // Handshakes first: none may become a session behind the last Close.
    for (const connection of [...edge.connections]) connection.drain();
    this.sessions = Math.max(this.sessions, edge.sessions.size);
    this.spread = new Spread(timing, [...edge.sessions], config.spread, (record) => record.session.end('drain'));
  }

  private cutOff(): void {
    this.abort();
    this.steps.edge.refusing = true;
    this.steps.cutAll();
  }

  /** Resolves that long after the signal, or when it is over before. */
  private until(ms: number): Promise<void> {
    const { signal } = this.over;
    if (signal.aborted || this.startedAt + ms <= this.steps.timing.clock.now()) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      this.at(ms, resolve);
    });
  }

  private at(ms: number, fire: () => void): void {
    const alarm = new Alarm(fire);
    this.alarms.add(alarm);
    this.steps.timing.wheel.schedule(alarm, this.startedAt + ms);
  }
}
