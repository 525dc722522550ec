// The built command through its restarts: a folder with its config, one process after the other, each of them ended by
// its own id when the test is over.

import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atTestEnd } from './cleanup.ts';
import { type CliOptions, type CliProcess, startCli } from './cli-process.ts';

interface Reply {
  readonly status: number;
  // Whatever the test expects of it.
  readonly body: Record<string, unknown>;
  readonly headers: IncomingHttpHeaders;
}

/** One that was about to start another one may have done so. */
const LOOKS_MAX = 50;

export class Generations {
  readonly folder: string;
  /** The first one; what all of them write comes here. */
  readonly cli: CliProcess;
  /** The exit code of the first one. */
  readonly firstExit: Promise<number | null>;

  /** `admin.sock` in the folder is where the config has to have its admin listener. */
  constructor(config: string, options: CliOptions = {}, files: Readonly<Record<string, string>> = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'fg-'));
    for (const [name, text] of Object.entries({ ...files, 'config.yaml': config })) this.write(name, text);
    this.cli = startCli(['run', '-c', 'config.yaml'], { cwd: this.folder, ...options });
    this.firstExit = new Promise((resolve) => this.cli.child.once('exit', resolve));
    atTestEnd(() => this.end());
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 });
  }

  async ready(): Promise<void> {
    await this.cli.waitForLog('listening', (line) => line.listener === 'admin');
  }

  /** Of a listener, as the first one bound it. */
  async port(listener: string): Promise<number> {
    const { address } = await this.cli.waitForLog('listening', (line) => line.listener === listener);
    return Number(/:(\d+)$/.exec(String(address))?.[1]);
  }

  /** Asks whoever has the admin listener now. */
  ask(method: 'GET' | 'POST', path: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const socketPath = join(this.folder, 'admin.sock');
      const asked = request({ socketPath, method, path, agent: false, headers: { Host: 'localhost' } });
      asked.on('error', reject);
      asked.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text), headers: response.headers }),
        );
      });
      asked.end();
    });
  }

  /** The pid of the next one. */
  async restart(): Promise<number> {
    const { status, body } = await this.ask('POST', '/api/v1/restart');
    if (status !== 200) throw new Error(`no restart: ${JSON.stringify(body)}`);
    return Number(body.pid);
  }

  /** So many processes have ended all their sessions. */
  async left(count: number): Promise<void> {
    let seen = 0;
    await this.cli.waitForLog('drain.end', () => ++seen === count);
  }

  /** Whoever runs in the folder: also one that nobody was told of, because the test was over before. */
  end(): void {
    for (let look = 0; look < LOOKS_MAX; look++) {
      const left = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && this.runsHere(pid));
      if (left.length === 0) break;
      for (const pid of left) kill(Number(pid));
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** proc(5): of one that has ended there is no such link. */
  private runsHere(pid: string): boolean {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === this.folder;
    } catch {
      return false;
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
