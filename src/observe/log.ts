// One JSON object a line: time, level, event, then fields. Every byte that leaves is printable ASCII, a flood of equal
// events is counted instead of written, and an output that fails harms nobody. Callers choose what a line may say.

import pino, { type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { LogConfig } from '../config/schema.ts';
import { FdWriter } from './fd-writer.ts';

const STDOUT = 1;
const WINDOW_MS = 1_000;
/** Lines of one event and `error` in one window; the rest is counted. */
const LINES_MAX = 100;
/** Pairs of event and `error` told apart in one window. Both are names of our own; the bound is for when one is not. */
const PAIRS_MAX = 256;
const ERROR_KEY_LENGTH_MAX = 64;

export type LogLevel = LogConfig['level'];
/** Undefined values are left out; numbers that JSON has not are null. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Takes one line with its LF at a time. May throw: the line then counts as dropped. */
export interface LogDestination {
  write(line: string): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogConfig['format'];
  /** Monotonic milliseconds, for the windows. */
  readonly clock: { now(): number };
  /** Standard output without one. */
  readonly destination?: LogDestination;
  /** Milliseconds since 1970, for `time`. */
  readonly wallClock?: () => number;
}

/** What one event and `error` wrote in the current window. */
interface Pair {
  readonly event: string;
  readonly error: unknown;
  lines: number;
}

export class Log {
  private readonly clock: { now(): number };
  private readonly logger: Logger;
  private readonly destination: LogDestination;
  private readonly writer: FdWriter | null;
  private readonly pretty: ((line: string) => string) | null;
  private linesRefused = 0;
  private windowStart: number;
  /** At most PAIRS_MAX entries and one for the rest; cleared with every window. */
  private readonly pairs = new Map<string, Pair>();

  constructor(options: LogOptions) {
    this.clock = options.clock;
    this.windowStart = options.clock.now();
    this.writer = options.destination === undefined ? new FdWriter(STDOUT) : null;
    this.destination = options.destination ?? (this.writer as LogDestination); // one of the two is there
    this.pretty = options.format === 'pretty' ? prettyFactory(PRETTY) : null;
    const wallClock = options.wallClock ?? Date.now;
    const settings = {
      level: options.level,
      base: null,
      // pino writes the level first: its own is left out and given as a field, so that `time` leads.
      formatters: { level: () => ({}) },
      timestamp: () => `"time":"${new Date(wallClock()).toISOString()}"`,
    };
    this.logger = pino(settings, { write: (line: string) => this.put(line) });
  }

  /** Lines that were to be written and are lost. */
  get linesDropped(): number {
    return this.linesRefused + (this.writer?.linesDropped ?? 0);
  }

  /** What is written from now on. */
  setLevel(level: LogLevel): void {
    this.logger.level = level;
  }

  /** Ask before building the fields of a line. */
  enabled(level: LogLevel): boolean {
    return this.logger.isLevelEnabled(level);
  }

  event(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (this.enabled(level) && this.admit(event, fields.error)) this.logger[level]({ level, event, ...fields });
  }

  /** The same for an event without `error` whose fields are dear: they are made only if the line is written. */
  eventOf(level: LogLevel, event: string, makeFields: () => LogFields): void {
    if (this.enabled(level) && this.admit(event, undefined)) this.logger[level]({ level, event, ...makeFields() });
  }

  /** Call it often: once a second it reports what was held back and tries again an output that failed. */
  tick(now: number): void {
    this.writer?.retryFull();
    if (now - this.windowStart >= WINDOW_MS) this.beginWindow(now);
  }

  /** Report what was held back and wait for standard output, a second at most. */
  async flush(): Promise<void> {
    this.beginWindow(this.clock.now());
    await this.writer?.flush();
  }

  /** For the last line of a process that ends at once. */
  flushSync(): void {
    this.beginWindow(this.clock.now());
    this.writer?.flushSync();
  }

  private admit(event: string, error: unknown): boolean {
    const now = this.clock.now();
    if (now - this.windowStart >= WINDOW_MS) this.beginWindow(now);
    const key = error === undefined ? event : `${event} ${String(error).slice(0, ERROR_KEY_LENGTH_MAX)}`;
    const pair = this.pairs.get(key) ?? this.addPair(key, event, error);
    pair.lines += 1;
    return pair.lines <= LINES_MAX;
  }

  private addPair(key: string, event: string, error: unknown): Pair {
    const isFull = this.pairs.size >= PAIRS_MAX;
    const known = isFull ? this.pairs.get('') : undefined;
    if (known !== undefined) return known;
    const pair = isFull ? { event: '*', error: undefined, lines: 0 } : { event, error, lines: 0 };
    this.pairs.set(isFull ? '' : key, pair);
    return pair;
  }

  private beginWindow(now: number): void {
    this.windowStart = now;
    this.writer?.retry();
    if (this.pairs.size === 0) return;
    const pairs = [...this.pairs.values()];
    this.pairs.clear();
    if (!this.enabled('warn')) return;
    for (const { event, error, lines } of pairs) {
      if (lines <= LINES_MAX) continue;
      this.logger.warn({ level: 'warn', event: 'log.suppressed', count: lines - LINES_MAX, of: event, error });
    }
  }

  /** Behind pino: the one place through which every line leaves. */
  private put(line: string): void {
    try {
      const text = this.pretty === null ? line : this.pretty(line);
      this.destination.write(`${escapeLine(text.endsWith('\n') ? text.slice(0, -1) : text)}\n`);
    } catch {
      this.linesRefused += 1;
    }
  }
}

/** For people: time, level and event, then the fields as JSON. No colours, since those are control characters. */
const PRETTY = {
  colorize: false,
  singleLine: true,
  messageKey: 'event',
  errorLikeObjectKeys: [],
  translateTime: 'SYS:HH:MM:ss.l',
};

/**
 * JSON.stringify leaves C1 controls, U+2028 and U+202E as they are, which forge lines and turn text round in terminals.
 * All that stands outside of strings is ASCII, so the escape means the same inside JSON.
 */
function escapeLine(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
