// The built command with workers: its processes, and clients of it.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { type ClientOptions, WebSocket } from 'ws';
import { atTestEnd } from './cleanup.ts';
import { type CliOptions, type CliProcess, startCli } from './cli-process.ts';
import type { LogLine } from './log-tap.ts';

export class WorkerRun {
  readonly folder: string;
  readonly cli: CliProcess;
  private readonly workers: number;

  /** `config` goes to a file in the folder. */
  constructor(config: string, options: { workers: number; env?: CliOptions['env']; files?: Record<string, string> }) {
    this.folder = mkdtempSync(path.join(tmpdir(), 'fg-workers-'));
    atTestEnd(() => rmSync(this.folder, { recursive: true, force: true }));
    this.workers = options.workers;
    const files = { ...options.files, 'config.yaml': config };
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    const { env = {} } = options;
    this.cli = startCli(['run', '-c', 'config.yaml'], { cwd: this.folder, env });
  }

  write(name: string, text: string): void {
    const whole = name === 'config.yaml' ? `workers: ${this.workers}\n${text}` : text;
    writeFileSync(path.join(this.folder, name), whole, { mode: 0o600 });
  }

  /** Of a listener, once it listens. */
  async port(listener: string): Promise<number> {
    const { address } = await this.cli.waitForLog('listening', (line) => line.listener === listener);
    return Number(/:(\d+)$/.exec(String(address))?.[1]);
  }

  /** The newest process of that number. */
  pidOf(worker: number): number {
    const starts = this.cli.logs.filter((line) => line.event === 'worker.start' && line.worker === worker);
    return Number(starts.at(-1)?.pid);
  }

  /** Which worker has which session, by the path of the session. */
  async workerOf(asked: string): Promise<number> {
    const line = await this.cli.waitForLog('session.open', (one: LogLine) => one.path === asked);
    return Number(line.worker);
  }
}

/** One that answered once. */
export async function openClient(url: string, options: ClientOptions = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  atTestEnd(() => socket.terminate());
  await once(socket, 'open');
  await echoes(socket, url);
  return socket;
}

export async function echoes(socket: WebSocket, text: string): Promise<void> {
  socket.send(text);
  const [data] = await once(socket, 'message');
  if (String(data) !== text) throw new Error(`${String(data)} is no echo of ${text}`);
}

/** The code that it ends with; 1006 without a Close. */
export async function closed(socket: WebSocket): Promise<number> {
  const [code] = await once(socket, 'close');
  return Number(code);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
