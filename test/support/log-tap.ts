// Takes log output apart line by line, remembers lines that break the log's form, and waits for events.

import { defaultDeadlineMs } from './raw-peer.ts';
import { transportMode } from './transport-mode.ts';

export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

interface Waiter {
  readonly event: string;
  readonly fits: (line: LogLine) => boolean;
  readonly resolve: (line: LogLine) => void;
  readonly reject: (error: Error) => void;
}

export class LogTap {
  readonly lines: LogLine[] = [];
  /** What was written that is not one JSON object of printable ASCII a line, or not of the transport under test. */
  readonly faults: string[] = [];
  private readonly deadlineMs: number;
  private partial = '';
  private over: string | null = null;
  private readonly waiters = new Set<Waiter>();

  constructor(deadlineMs: number = defaultDeadlineMs) {
    this.deadlineMs = deadlineMs;
  }

  /** Log output, cut anywhere. */
  write(output: string): void {
    const pieces = (this.partial + output).split('\n');
    this.partial = pieces.pop() ?? '';
    for (const piece of pieces) this.accept(piece);
  }

  /** No more output comes: those who still wait are told why. */
  finish(why: string): void {
    this.over = why;
    for (const waiter of [...this.waiters]) waiter.reject(new Error(this.story(waiter.event, why)));
  }

  /** The first line of that event, past or to come, that `fits`. */
  waitFor(event: string, fits: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    const past = this.lines.find((line) => line.event === event && fits(line));
    if (past !== undefined) return Promise.resolve(past);
    if (this.over !== null) return Promise.reject(new Error(this.story(event, this.over)));
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        event,
        fits,
        resolve: (line) => {
          settle();
          resolve(line);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const late = () => waiter.reject(new Error(this.story(event, `not within ${this.deadlineMs} ms`)));
      const timer = setTimeout(late, this.deadlineMs);
      this.waiters.add(waiter);
    });
  }

  private accept(text: string): void {
    // Nothing outside 0x20-0x7E may reach a log reader: control bytes forge lines and terminal commands.
    if (!/^[\x20-\x7e]*$/.test(text)) this.faults.push(text);
    const line = parseLine(text);
    if (line === null) {
      this.faults.push(text);
      return;
    }
    this.lines.push(line);
    if (line.event === 'start' && transportMode === 'stream' && line.transport !== 'stream') this.faults.push(text);
    for (const waiter of [...this.waiters]) {
      if (waiter.event === line.event && waiter.fits(line)) waiter.resolve(line);
    }
  }

  private story(event: string, why: string): string {
    const last = this.lines.slice(-12).map((line) => `  ${JSON.stringify(line)}`);
    return `no log line ${event} that fits: ${why}; the last of ${this.lines.length} lines:\n${last.join('\n')}`;
  }
}

function parseLine(text: string): LogLine | null {
  try {
    const value: unknown = JSON.parse(text);
    return isLogLine(value) ? value : null;
  } catch {
    return null;
  }
}

function isLogLine(value: unknown): value is LogLine {
  if (typeof value !== 'object' || value === null) return false;
  const fields = ['time', 'level', 'event'] as const;
  return fields.every((name) => typeof Reflect.get(value, name) === 'string');
}
