// The process that the demands are about: framegate as its users start it, with its config in a folder of its own. It
// is asked over its admin listener, and measured from outside after its garbage was collected.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type AdminAnswer, askAdminAt } from '../e2e/operating.ts';
import { CliProcess } from '../support/cli-process.ts';
import { parseMetrics, type Sample } from '../support/metrics-text.ts';
import type { Task } from './demand.ts';

/**
 * The inspector collects garbage when it is asked to. Bytecode that several collections in a row find unused is thrown
 * away, which would make the heap a matter of how often it was looked at.
 */
const ASKED_MAX = 200;
const ASKED_AGAIN_MS = 50;
const FLAGS = ['--inspect=127.0.0.1:0', '--no-flush-bytecode'];
/** Evaluated in the process: a Level without its descriptors. */
const LEVEL = `(() => {
  const { heapUsed, external, rss } = process.memoryUsage();
  const spaces = process.getBuiltinModule('v8').getHeapSpaceStatistics();
  const codes = spaces.filter((one) => one.space_name.startsWith('code'));
  const code = codes.reduce((sum, one) => sum + one.space_used_size, 0);
  return { heap: heapUsed - code, code, external, resident: rss };
})()`;
const POLL_MS = 20;
/** A heap has settled when three collections in a row leave it within this share. */
const SETTLED_SHARE = 0.001;
const SETTLE_PAUSE_MS = 300;
const SETTLE_LOOKS_MAX = 40;

/** Bytes after garbage collection, and open descriptors. */
export interface Level {
  /** Of the heap, all but `code`. */
  readonly heap: number;
  /** What V8 has compiled. It goes on growing in a process that does nothing but be asked and collected. */
  readonly code: number;
  readonly external: number;
  readonly resident: number;
  readonly descriptors: number;
}

export class Subject {
  readonly cli: CliProcess;
  readonly folder: string;
  readonly port: number;
  readonly adminPort: number;
  private readonly looksMax: number;
  /** What the admin listener is asked with. */
  token: string | null = null;

  private constructor(options: {
    readonly cli: CliProcess;
    readonly folder: string;
    readonly port: number;
    readonly adminPort: number;
    readonly looksMax: number;
  }) {
    this.cli = options.cli;
    this.folder = options.folder;
    this.port = options.port;
    this.adminPort = options.adminPort;
    this.looksMax = options.looksMax;
  }

  /** `config` has a listener named `test` and an admin listener; `files` stand beside it; `flags` are Node's. */
  static async start(
    task: Task,
    config: string,
    { files = {}, flags = [] }: { files?: Readonly<Record<string, string>>; flags?: readonly string[] } = {},
  ): Promise<Subject> {
    const folder = mkdtempSync(path.join(tmpdir(), 'framegate-scale-'));
    task.atEnd(() => rmSync(folder, { recursive: true, force: true }));
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
    const file = path.join(folder, 'config.yaml');
    writeFileSync(file, config);
    const env = { FRAMEGATE_TRANSPORT: process.env.FRAMEGATE_TRANSPORT };
    const cli = new CliProcess(['run', '-c', file], { env, flags: [...FLAGS, ...flags], deadlineMs: 60_000 });
    // Nothing outlives this process, also when it is interrupted.
    const kill = () => {
      if (cli.isRunning) cli.signal('SIGKILL');
    };
    process.on('exit', kill);
    task.atEnd(async () => {
      kill();
      await cli.exit();
      process.off('exit', kill);
    });
    const portOf = async (listener: string) => {
      const { address } = await cli.waitForLog('listening', (line) => line.listener === listener);
      return Number(/:(\d+)$/.exec(String(address))?.[1]);
    };
    return new Subject({
      cli,
      folder,
      port: await portOf('test'),
      adminPort: await portOf('admin'),
      looksMax: task.isFull ? SETTLE_LOOKS_MAX : 1,
    });
  }

  get pid(): number {
    return this.cli.child.pid ?? 0;
  }

  write(name: string, text: string): void {
    writeFileSync(path.join(this.folder, name), text);
  }

  /** Again, when it is told that it asks too often: a fast machine goes through reloads faster than the admin likes. */
  async ask(line: string, token = this.token): Promise<AdminAnswer> {
    for (let tries = 1; ; tries += 1) {
      const fields = token === null ? [] : [`Authorization: Bearer ${token}`];
      const answer = await askAdminAt(this.adminPort, line, ...fields);
      if (answer.status !== 429 || tries === ASKED_MAX) return answer;
      await delay(ASKED_AGAIN_MS);
    }
  }

  async metrics(): Promise<Metrics> {
    return new Metrics((await this.ask('GET /metrics')).body);
  }

  /** Lines of that event so far, those that were held back and only counted among them. */
  linesOf(event: string): number {
    let count = 0;
    for (const line of this.cli.logs) {
      if (line.event === event) count += 1;
      if (line.event === 'log.suppressed' && line.of === event) count += Number(line.count);
    }
    return count;
  }

  /** Once nothing is open any more: what the process holds. */
  async settled(): Promise<Level> {
    await until('no connection is open', 30_000, async () => (await this.metrics()).sum('connections_open') === 0);
    return this.measure();
  }

  /** That it has now. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** What it holds with its sessions open. */
  async measure(): Promise<Level> {
    let last: Level | null = null;
    let alike = 0;
    for (let look = 0; look < this.looksMax && alike < 2; look += 1) {
      await delay(SETTLE_PAUSE_MS);
      const memory = await collected(await this.inspectorUrl());
      const level = { ...memory, descriptors: this.descriptors };
      const isAlike = last !== null && Math.abs(level.heap - last.heap) <= last.heap * SETTLED_SHARE;
      alike = isAlike && level.descriptors === last?.descriptors ? alike + 1 : 0;
      last = level;
    }
    if (last === null) throw new Error('nothing was measured');
    return last;
  }

  private async inspectorUrl(): Promise<string> {
    await this.cli.waitForStderr('For help');
    return /ws:\/\/\S+/.exec(this.cli.stderr)?.[0] ?? '';
  }
}

/** One scrape. */
export class Metrics {
  private readonly samples: readonly Sample[];

  constructor(text: string) {
    this.samples = [...parseMetrics(text).values()].flatMap((family) => family.samples);
  }

  /** All series of that name, without its prefix, that have these labels. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels);
    return this.samples
      .filter((one) => one.name === `framegate_${name}` && wanted.every(([key, text]) => one.labels.get(key) === text))
      .reduce((sum, { value }) => sum + value, 0);
  }
}

/** Asks again and again until it is so. */
export async function until(what: string, deadlineMs: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endAt = performance.now() + deadlineMs;
  while (!(await isSo())) {
    if (performance.now() > endAt) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}

/** Two collections, since what the first one finalises only the second one frees, and what is left then. */
async function collected(inspectorUrl: string): Promise<Omit<Level, 'descriptors'>> {
  const socket = new WebSocket(inspectorUrl, { perMessageDeflate: false });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    let id = 0;
    const call = (method: string, params: object = {}): Promise<unknown> => {
      id += 1;
      socket.send(JSON.stringify({ id, method, params }));
      return new Promise((resolve, reject) => {
        socket.once('message', (data) => resolve(JSON.parse(String(data)).result));
        socket.once('close', () => reject(new Error(`the inspector left during ${method}`)));
      });
    };
    await call('HeapProfiler.collectGarbage');
    await call('HeapProfiler.collectGarbage');
    const answer = await call('Runtime.evaluate', { expression: LEVEL, returnByValue: true });
    return (answer as { result: { value: Omit<Level, 'descriptors'> } }).result.value; // what LEVEL gives
  } finally {
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.close();
    await gone;
  }
}
