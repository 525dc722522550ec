// Processes of a bench: started on a given core, asked over IPC, ended by their id and never by their name.

import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const STDERR_KEPT = 4_000;
const TERM_MS = 3_000;

/** Debian keeps nginx and HAProxy where only root looks. */
export const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin` };

/** Every process that was started and has not ended; each takes itself out. */
const living = new Set<ChildProcess>();

/** For who leads a bench: nothing it started outlives it, also when it is interrupted. */
export function endChildrenOnExit(): void {
  process.on('exit', () => {
    for (const child of living) child.kill('SIGTERM');
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.on(signal, () => process.exit(code));
}

/** A command, and the core it is to stay on; null for no matter. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly core: number | null;
  /** How much politer than the others: 0 to 19. */
  readonly nice?: number;
}

export class ChildCommand {
  readonly process: ChildProcess;
  /** The end of what it wrote to stderr. */
  private complaints = '';

  constructor(command: Command, options: { readonly ipc: boolean; readonly cwd?: string }) {
    const [program = '', ...args] = pinned(command);
    const stdio: SpawnOptions['stdio'] = ['ignore', 'ignore', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])];
    // JSON has no NaN and no Infinity.
    const shared: SpawnOptions = { stdio, serialization: 'advanced', env: ENVIRONMENT };
    this.process = spawn(program, args, { ...shared, ...(options.cwd === undefined ? {} : { cwd: options.cwd }) });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.complaints = (this.complaints + chunk.toString('latin1')).slice(-STDERR_KEPT);
    });
    living.add(this.process);
    this.process.once('exit', () => living.delete(this.process));
    this.process.on('error', (error) => {
      living.delete(this.process);
      this.complaints += `${error.message}\n`;
    });
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error(`not started: ${this.complaints}`);
    return pid;
  }

  get hasEnded(): boolean {
    return this.process.pid === undefined || this.process.exitCode !== null || this.process.signalCode !== null;
  }

  get stderr(): string {
    return this.complaints.trim();
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    const gone = new Promise<void>((resolve) => this.process.once('exit', () => resolve()));
    this.process.kill('SIGTERM');
    const late = new AbortController();
    await Promise.race([gone, delay(TERM_MS, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    if (this.hasEnded) return;
    this.process.kill('SIGKILL');
    await gone;
  }
}

/** A Node script that answers messages one at a time, in order. */
export class ChildScript<Request, Reply> {
  readonly command: ChildCommand;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(script: string, options: { core: number | null; nodeArgs?: readonly string[]; nice?: number }) {
    const args = [...(options.nodeArgs ?? []), script];
    const command = { program: process.execPath, args, core: options.core, nice: options.nice ?? 0 };
    this.command = new ChildCommand(command, { ipc: true });
  }

  get pid(): number {
    return this.command.pid;
  }

  ask(request: Request): Promise<Reply> {
    const answer = this.queue.then(() => this.exchange(request));
    this.queue = answer.catch(() => {});
    return answer;
  }

  stop(): Promise<void> {
    return this.command.stop();
  }

  private exchange(request: Request): Promise<Reply> {
    const child = this.command.process;
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error(`a bench process ended: ${this.command.stderr}`));
      if (this.command.hasEnded) return onExit();
      child.once('exit', onExit);
      child.once('message', (message: unknown) => {
        child.off('exit', onExit);
        const { error, value } = message as { error?: string; value?: Reply }; // answerMessages sends nothing else
        if (error === undefined) resolve(value as Reply);
        else reject(new Error(error));
      });
      child.send(request as object);
    });
  }
}

/** The other end of a ChildScript. Ends with its parent. */
export function answerMessages<Request, Reply>(answer: (request: Request) => Promise<Reply>): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', (request) => {
    answer(request as Request).then(
      (value) => process.send?.({ value }),
      (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
}

export function hasProgram(name: string): boolean {
  return spawnSync(name, ['-v'], { stdio: 'ignore', env: ENVIRONMENT }).error === undefined;
}

/** Where a program is, for who cannot look for himself. Throws when it is nowhere. */
export function pathOf(program: string): string {
  const found = ENVIRONMENT.PATH.split(':')
    .map((folder) => join(folder, program))
    .find(existsSync);
  if (found === undefined) throw new Error(`${program} is not installed`);
  return found;
}

/** Of what a program that ends by itself prints; empty when it is not there. */
export function firstLineOf(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: ENVIRONMENT });
  return `${stdout ?? ''}${stderr ?? ''}`.split('\n')[0]?.trim() ?? '';
}

/** Move this process itself out of the way of what is measured. */
export function pinSelf(core: number | null): void {
  if (core !== null) spawnSync('taskset', ['-p', '-c', String(core), String(process.pid)], { stdio: 'ignore' });
}

function pinned(command: Command): string[] {
  const onCore = command.core === null ? [] : ['taskset', '-c', String(command.core)];
  const polite = command.nice === undefined || command.nice === 0 ? [] : ['nice', '-n', String(command.nice)];
  return [...onCore, ...polite, command.program, ...command.args];
}
