// framegate between a real client and a real server: the built command in a process of its own, with a config file, and
// what an operator does to it. Ended with its test.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { atTestEnd } from '../support/cleanup.ts';
import { type CliProcess, startCli } from '../support/cli-process.ts';
import type { LogLine } from '../support/log-tap.ts';

/** More lines of YAML, indented as they stand in their place. */
export interface GateOptions {
  /** Keys of the one route, `app`. */
  readonly route?: readonly string[];
  /** Keys of the whole config. */
  readonly config?: readonly string[];
}

export interface DoorOptions extends GateOptions {
  /** Which of several servers: a value of YAML, or the default. */
  readonly balance?: string;
}

export class Gate {
  readonly port: number;
  private cli: CliProcess;
  private adminPort: number;
  private readonly file: string;
  private readonly text: (port: number) => string;

  private constructor(options: {
    readonly cli: CliProcess;
    readonly port: number;
    readonly adminPort: number;
    readonly file: string;
    readonly text: (port: number) => string;
  }) {
    this.cli = options.cli;
    this.port = options.port;
    this.adminPort = options.adminPort;
    this.file = options.file;
    this.text = options.text;
  }

  /** WebSockets go to the server on that port of the loopback interface; all else is refused. */
  static before(backendPort: number, { route = [], config = [] }: GateOptions = {}): Promise<Gate> {
    return Gate.start({ route: [`upstream: ws://127.0.0.1:${backendPort}`, ...route], config });
  }

  /** One door for an application: its plain requests go to the same servers as its WebSockets. */
  static door(ports: readonly number[], { balance, route = [], config = [] }: DoorOptions = {}): Promise<Gate> {
    const targets = ports.map((port) => `{ url: "http://127.0.0.1:${port}" }`).join(', ');
    const servers = `servers: { ${balance === undefined ? '' : `balance: ${balance}, `}targets: [${targets}] }`;
    return Gate.start({
      route: ['upstream: servers', 'http: servers', ...route],
      config: ['upstreams:', `  ${servers}`, ...config],
    });
  }

  private static async start({ route = [], config = [] }: GateOptions): Promise<Gate> {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-clients-'));
    atTestEnd(() => rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'config.yaml');
    const text = (port: number) =>
      [
        `listeners: [{ name: test, address: "127.0.0.1:${port}" }]`,
        'admin: { address: "127.0.0.1:0" }',
        'log: { format: json, level: debug }',
        // A poll that waits is no session, and may wait until then.
        'drain: { spread: 0s, timeout: 3s }',
        ...config,
        'routes:',
        '  - name: app',
        ...route.map((line) => `    ${line}`),
        '',
      ].join('\n');
    writeFileSync(file, text(0));
    const cli = startCli(['run', '-c', file]);
    const [port, adminPort] = [await portOf(cli, 'test'), await portOf(cli, 'admin')];
    return new Gate({ cli, port, adminPort, file, text });
  }

  url(target = '/', scheme: 'ws' | 'http' = 'ws'): string {
    return `${scheme}://127.0.0.1:${this.port}${target}`;
  }

  /** As a new version is rolled out: TERM, every session is told, and another process on the same port. */
  async restart(): Promise<void> {
    this.cli.signal('SIGTERM');
    const { code, stderr } = await this.cli.exit();
    if (code !== 0) throw new Error(`framegate ended with ${code}: ${stderr}`);
    writeFileSync(this.file, this.text(this.port));
    this.cli = startCli(['run', '-c', this.file]);
    this.adminPort = await portOf(this.cli, 'admin');
  }

  /** Every session is told 1012, and whoever comes gets 503, until `undrain`. */
  async drain(): Promise<void> {
    await this.post('/routes/app/drain');
  }

  async undrain(): Promise<void> {
    await this.post('/routes/app/undrain');
  }

  async closeAll(code: number, reason: string): Promise<void> {
    await this.post(`/sessions/close?route=app&code=${code}&reason=${encodeURIComponent(reason)}`);
  }

  /** The first line of that event, past or to come, that fits. */
  waitForLog(event: string, fits?: (line: LogLine) => boolean): Promise<LogLine> {
    return this.cli.waitForLog(event, fits);
  }

  sessionEnd(fits?: (line: LogLine) => boolean): Promise<SessionEnd> {
    return this.waitForLog('session.end', fits) as Promise<SessionEnd>; // the fields that README names
  }

  /** A plain request that was served or refused. */
  request(fits: (line: LogLine) => boolean): Promise<LogLine> {
    return this.waitForLog('http.request', fits);
  }

  /** A handshake that came while the route was drained. */
  async refusal(status: number): Promise<void> {
    await this.waitForLog('handshake.refused', (line) => line.status === status);
  }

  private async post(path: string): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.adminPort}/api/v1${path}`, { method: 'POST' });
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  }
}

/** As much of `session.end` as is looked at. */
export interface SessionEnd extends LogLine {
  readonly by: string;
  readonly reason: string;
  readonly clean: boolean;
  readonly subprotocol: string | null;
  readonly close_code_client: number | null;
  readonly close_code_backend: number | null;
  readonly from_client: { readonly messages: number; readonly bytes: number; readonly largest_message: number };
  readonly from_backend: { readonly messages: number; readonly bytes: number; readonly largest_message: number };
}

async function portOf(cli: CliProcess, listener: string): Promise<number> {
  const { address } = await cli.waitForLog('listening', (line) => line.listener === listener);
  return Number(/:(\d+)$/.exec(String(address))?.[1]);
}
