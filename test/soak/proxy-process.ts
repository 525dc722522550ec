// framegate as its users run it, for as long as it takes: the built command line with a config file of its own. Its log
// is handed on line by line and not kept; its figures are read from /proc and from its own metrics.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../src/proxy.ts';
import { askAdminAt } from '../e2e/operating.ts';
import { cliPath } from '../support/cli-process.ts';
import { type LogLine, LogTap } from '../support/log-tap.ts';

const START_MS = 30_000;
const STDERR_MAX = 10_000;

export interface ProxyExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ProxyProcess {
  readonly child: ChildProcess;
  readonly configFile: string;
  stderr = '';
  exit: ProxyExit | null = null;
  readonly exited: Promise<ProxyExit>;
  private readonly folder: string;
  private readonly tap = new LogTap(START_MS);
  private onLine: (line: LogLine) => void;
  private onFault: (text: string) => void;

  /** `onLine` gets every line of the log, `onFault` what is none. */
  constructor(config: ConfigInput, onLine: (line: LogLine) => void, onFault: (text: string) => void) {
    this.onLine = onLine;
    this.onFault = onFault;
    this.folder = mkdtempSync(path.join(tmpdir(), 'framegate-soak-'));
    this.configFile = path.join(this.folder, 'config.yaml');
    this.writeConfig(config);
    const flags = ['--single-threaded', '--max-semi-space-size=4'];
    this.child = spawn(process.execPath, [...flags, cliPath, 'run', '-c', this.configFile], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => this.takeOutput(chunk));
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr = (this.stderr + chunk).slice(-STDERR_MAX);
    });
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.exit = { code, signal };
        this.tap.finish(`the process ended with ${code ?? signal}: ${this.stderr}`);
        rmSync(this.folder, { recursive: true, force: true });
        resolve(this.exit);
      });
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the process did not start');
    return this.child.pid;
  }

  /** The port of the listener of that name, once it listens. */
  async port(listener: string): Promise<number> {
    const line = await this.tap.waitFor('listening', (found) => found.listener === listener);
    return Number(/:(\d+)$/.exec(String(line.address))?.[1]);
  }

  writeConfig(config: ConfigInput | string): void {
    writeFileSync(this.configFile, typeof config === 'string' ? config : stringify(config));
  }

  signal(name: NodeJS.Signals): void {
    if (this.exit === null) this.child.kill(name);
  }

  /** Stop taking what it writes to its log, as a log reader that hangs. */
  stallLog(): void {
    this.child.stdout?.pause();
  }

  releaseLog(): void {
    this.child.stdout?.resume();
  }

  figures(): { readonly rssBytes: number; readonly descriptors: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, 'latin1');
    const rss = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
    return { rssBytes: Number(rss) * 1024, descriptors: readdirSync(`/proc/${this.pid}/fd`).length };
  }

  async metrics(adminPort: number): Promise<string> {
    const answer = await askAdminAt(adminPort, 'GET /metrics');
    if (answer.status !== 200) throw new Error(`GET /metrics: ${answer.status}`);
    return answer.body;
  }

  private takeOutput(chunk: string): void {
    this.tap.write(chunk);
    // The tap keeps what nobody has waited for yet; a long run must not.
    for (const line of this.tap.lines.splice(0)) {
      if (line.event === 'listening') this.tap.lines.push(line);
      this.onLine(line);
    }
    for (const fault of this.tap.faults.splice(0)) this.onFault(fault);
  }
}
