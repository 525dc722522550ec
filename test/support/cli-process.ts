// The built command line as its users run it: a process of its own, its output collected, ended by its own id only.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { atTestEnd } from './cleanup.ts';
import { type LogLine, LogTap } from './log-tap.ts';

/** `npm test` builds it first. */
export const cliPath = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface CliOptions {
  /** What stdin holds; none: stdin is empty. */
  input?: string;
  /** Leave stdin open behind the input. */
  inputStaysOpen?: boolean;
  cwd?: string;
  /** Added to the environment; undefined removes. */
  env?: Readonly<Record<string, string | undefined>>;
  deadlineMs?: number;
  /** Another file than that of the build. */
  script?: string;
  /** Flags of Node, besides those that the command's first line sets. */
  flags?: readonly string[];
  /** The limit on open files that it runs under. */
  openFiles?: number;
  /** Descriptors that it is started with and has no use for. */
  idleDescriptors?: number;
  /** Listening sockets that it is started with, as a service manager hands them over. */
  activation?: { readonly fds: readonly number[]; readonly names: string };
  /** A descriptor to write to instead of a pipe that is read here: then there are no `logs`. */
  stdout?: number;
}

export interface CliExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  private readonly tap: LogTap;
  private readonly deadlineMs: number;
  private readonly over: Promise<CliExit>;
  private running = true;

  constructor(args: readonly string[], options: CliOptions = {}) {
    this.deadlineMs = options.deadlineMs ?? 15_000;
    this.tap = new LogTap(this.deadlineMs);
    const flags = ['--single-threaded', '--max-semi-space-size=4', ...(options.flags ?? [])];
    const node = [process.execPath, ...flags, options.script ?? cliPath, ...args];
    // The shell becomes the program: the process id stays the same.
    const limited = ['sh', '-c', `ulimit -n ${options.openFiles}; exec "$0" "$@"`, ...node];
    const activation = options.activation;
    const listen = `LISTEN_FDS=${activation?.fds.length} LISTEN_FDNAMES=${activation?.names}`;
    const activated = ['sh', '-c', `LISTEN_PID=$$ ${listen} exec "$0" "$@"`, ...node];
    const started = activation !== undefined ? activated : options.openFiles === undefined ? node : limited;
    const [program = '', ...rest] = started;
    const nowhere = openSync('/dev/null', 'r');
    const idle = Array<number>(options.idleDescriptors ?? 0).fill(nowhere);
    this.child = spawn(program, rest, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', options.stdout ?? 'pipe', 'pipe', ...(activation?.fds ?? []), ...idle],
    });
    closeSync(nowhere);
    this.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stdout += chunk;
      this.tap.write(chunk);
    });
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
      this.child.emit('told');
    });
    // A command that does not read its input may be gone before it is written.
    this.child.stdin?.on('error', () => {});
    this.child.stdin?.write(options.input ?? '');
    if (options.inputStaysOpen !== true) this.child.stdin?.end();
    this.over = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.running = false;
        this.tap.finish(`the process ended with ${code ?? signal}; stderr: ${this.stderr}`);
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    atTestEnd(async () => {
      if (this.running) this.child.kill('SIGKILL');
      await this.over;
    });
  }

  get logs(): readonly LogLine[] {
    return this.tap.lines;
  }

  /** What stdout held that is not a log line. */
  get faults(): readonly string[] {
    return this.tap.faults;
  }

  get isRunning(): boolean {
    return this.running;
  }

  waitForLog(event: string, fits?: (line: LogLine) => boolean): Promise<LogLine> {
    return this.tap.waitFor(event, fits);
  }

  /** The port of the first listener, once it listens. */
  async port(): Promise<number> {
    const line = await this.waitForLog('listening');
    return Number(/:(\d+)$/.exec(String(line.address))?.[1]);
  }

  /** Resolves once stderr holds that text. */
  async waitForStderr(text: string): Promise<void> {
    const signal = AbortSignal.timeout(this.deadlineMs);
    while (!this.stderr.includes(text)) await once(this.child, 'told', { signal });
  }

  /** How many descriptors it has open (Linux). */
  openDescriptors(): number {
    return readdirSync(`/proc/${this.child.pid}/fd`).length;
  }

  /** Milliseconds of processor time that it has used (Linux). */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, 'latin1');
    // proc(5): the name in parentheses may hold blanks; utime and stime are fields 14 and 15, in ticks of 10 ms.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return 10 * (Number(fields[11]) + Number(fields[12]));
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** How it ended, once it has. */
  async exit(): Promise<CliExit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const story = () => `no exit within ${this.deadlineMs} ms; stdout: ${this.stdout}\nstderr: ${this.stderr}`;
      timer = setTimeout(() => reject(new Error(story())), this.deadlineMs);
    });
    try {
      return await Promise.race([this.over, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Starts a command that keeps running; killed when the test ends. */
export function startCli(args: readonly string[], options: CliOptions = {}): CliProcess {
  return new CliProcess(args, options);
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliExit> {
  return new CliProcess(args, options).exit();
}
