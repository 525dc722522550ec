// One JSON object a line: time, level, event, then fields; or text for people. Every byte that leaves is printable
// ASCII, and an output that fails harms nobody. Callers choose what a line may say, the gate which lines are too many.

import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import type { LogConfig } from '../config/types.ts';
import { FdWriter, SHARED_BYTES_MAX } from './fd-writer.ts';
import { LogGate } from './log-gate.ts';
import { prettyLine } from './pretty-line.ts';

const STDOUT = 1;
const WINDOW_MS = 1_000;

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
  /** Lines of all events together; no cap without it, nor with Infinity. */
  readonly lines_per_second?: number;
  /** Other processes write their lines to the same place. */
  readonly isShared?: boolean;
  /** Monotonic milliseconds, for the windows. */
  readonly clock: { now(): number };
  /** Standard output without one. */
  readonly destination?: LogDestination;
  /** Milliseconds since 1970, for `time`. */
  readonly wallClock?: () => number;
  /** In every line, behind its own fields. */
  readonly fields?: LogFields;
  /** Whether a person sees the lines at once; asked of standard output without it. */
  readonly isTerminal?: boolean;
}

export class Log {
  private readonly clock: { now(): number };
  private readonly wallClock: () => number;
  private readonly logger: Logger;
  private readonly destination: LogDestination;
  private readonly writer: FdWriter | null;
  private readonly isPretty: boolean;
  private readonly gate: LogGate;
  private readonly fields: LogFields | null;
  private linesRefused = 0;
  /** Of the lines that are lost, those that a line has told. */
  private lossTold = 0;
  private windowStart: number;

  constructor(options: LogOptions) {
    this.clock = options.clock;
    this.wallClock = options.wallClock ?? Date.now;
    this.windowStart = options.clock.now();
    this.fields = options.fields ?? null;
    this.gate = new LogGate(options.lines_per_second ?? Number.POSITIVE_INFINITY);
    const chunkMax = options.isShared === true ? SHARED_BYTES_MAX : undefined;
    this.writer = options.destination === undefined ? new FdWriter(STDOUT, undefined, chunkMax) : null;
    this.destination = options.destination ?? (this.writer as LogDestination); // one of the two is there
    this.isPretty = options.format === 'pretty' || (options.format === 'auto' && isSeen(options));
    const settings = {
      level: options.level,
      base: null,
      // pino writes the level first: its own is left out and given as a field, so that `time` leads.
      formatters: { level: () => ({}) },
      timestamp: () => `"time":"${new Date(this.wallClock()).toISOString()}"`,
    };
    this.logger = pino(settings, { write: (line: string) => this.put(line) });
  }

  /** Lines that were to be written and are lost. */
  get linesDropped(): number {
    return this.linesRefused + (this.writer?.linesDropped ?? 0);
  }

  /** What is written from now on. */
  retune({ level, lines_per_second }: Pick<LogConfig, 'level' | 'lines_per_second'>): void {
    this.logger.level = level;
    this.gate.linesMax = lines_per_second;
  }

  /** Ask before building the fields of a line. */
  enabled(level: LogLevel): boolean {
    return this.logger.isLevelEnabled(level);
  }

  event(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (this.enabled(level) && this.admit(event, fields.error, fields.reason)) this.write(level, { event, ...fields });
  }

  /** The same for an event without `error` whose fields are dear: they are made only if the line is written. */
  eventOf(level: LogLevel, event: string, reason: string | null, makeFields: () => LogFields): void {
    if (this.enabled(level) && this.admit(event, undefined, reason)) this.write(level, { event, ...makeFields() });
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

  private admit(event: string, error: unknown, reason: unknown): boolean {
    const now = this.clock.now();
    if (now - this.windowStart >= WINDOW_MS) this.beginWindow(now);
    return this.gate.admit(event, error, reason);
  }

  private beginWindow(now: number): void {
    this.windowStart = now;
    this.writer?.retry();
    const leftOut = this.gate.takeLeftOut();
    if (!this.enabled('warn')) return;
    for (const one of leftOut) this.write('warn', { event: 'log.suppressed', ...one });
    this.tellLoss();
  }

  /** Once there is room for a line again. */
  private tellLoss(): void {
    const lost = this.linesDropped;
    const count = lost - this.lossTold;
    if (count === 0 || this.writer?.isFull === true) return;
    this.write('warn', { event: 'log.dropped', count });
    if (this.linesDropped === lost) this.lossTold = lost;
  }

  private write(level: LogLevel, own: LogFields & { readonly event: string }): void {
    const line = this.fields === null ? own : { ...own, ...this.fields };
    if (!this.isPretty) {
      this.logger[level]({ level, ...line });
      return;
    }
    try {
      const { event, ...fields } = line;
      this.put(prettyLine({ time: new Date(this.wallClock()), level, event, fields }));
    } catch {
      this.linesRefused += 1;
    }
  }

  /** The one place through which every line leaves. */
  private put(line: string): void {
    try {
      this.destination.write(`${escapeLine(line.endsWith('\n') ? line.slice(0, -1) : line)}\n`);
    } catch {
      this.linesRefused += 1;
    }
  }
}

/** What goes elsewhere is for programs. */
function isSeen({ destination, isTerminal }: LogOptions): boolean {
  return isTerminal ?? (destination === undefined && isatty(STDOUT));
}

/**
 * JSON.stringify leaves C1 controls, U+2028 and U+202E as they are, which forge lines and turn text round in terminals.
 * All that stands outside of strings is ASCII, so the escape means the same inside JSON.
 */
function escapeLine(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
