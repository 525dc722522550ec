// What systemd is told of this process: that it is ready, reloads, stops, or has taken the place of another one. Node
// has no datagrams over unix sockets, so systemd's own command says it, found in PATH and given a list of arguments.

import { execFile } from 'node:child_process';
import type { Log } from '../observe/log.ts';

const COMMAND = 'systemd-notify';
const TELL_MS = 2_000;

/** Of the process. */
export interface NotifyMeans {
  /** NOTIFY_SOCKET says whether anybody listens. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** CLOCK_MONOTONIC in microseconds. */
  monotonicUs(): bigint;
}

export class ServiceManager {
  private readonly means: NotifyMeans;
  private readonly log: Pick<Log, 'event'>;
  private tail = Promise.resolve();
  private hasWarned = false;
  private isStopping = false;

  private constructor(means: NotifyMeans, log: Pick<Log, 'event'>) {
    this.means = means;
    this.log = log;
  }

  /** Null: nobody is to be told. */
  static of(means: NotifyMeans | undefined, log: Pick<Log, 'event'>): ServiceManager | null {
    return means === undefined || (means.env.NOTIFY_SOCKET ?? '') === '' ? null : new ServiceManager(means, log);
  }

  /** It is the main process from now on. Resolves when that is known, or cannot be told. */
  ready(): Promise<void> {
    return this.tell('READY=1', `MAINPID=${this.means.pid}`);
  }

  reloading(isUnderWay: boolean): void {
    if (isUnderWay) void this.tell('RELOADING=1', `MONOTONIC_USEC=${this.means.monotonicUs()}`);
    else void this.tell('READY=1');
  }

  /** Resolves when all was told. */
  get settled(): Promise<void> {
    return this.tail;
  }

  /** The last word. */
  stopping(): void {
    void this.tell('STOPPING=1');
    this.isStopping = true;
  }

  /** One after the other, in their order. Never rejects. */
  private tell(...words: string[]): Promise<void> {
    if (this.isStopping) return this.tail;
    this.tail = this.tail.then(() => this.run(words));
    return this.tail;
  }

  private run(words: readonly string[]): Promise<void> {
    const { env } = this.means;
    return new Promise((resolve) => {
      execFile(COMMAND, words, { env, timeout: TELL_MS, killSignal: 'SIGKILL' }, (error) => {
        if (error !== null && !this.hasWarned) {
          this.hasWarned = true;
          this.log.event('warn', 'notify.failed', { command: COMMAND, error: codeOf(error) });
        }
        resolve();
      });
    });
  }
}

function codeOf(error: Error & { readonly code?: unknown; readonly killed?: unknown }): string {
  if (error.killed === true) return `no answer within ${TELL_MS / 1000} s`;
  return typeof error.code === 'number' ? `exit code ${error.code}` : String(error.code ?? error.message);
}
