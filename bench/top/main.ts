// What it costs framegate to be looked at: `sessions --sort` and `top` with ten thousand sessions, by CPU time, by its
// longest turn and by what the traffic beside it notices. Sessions are to its own echo, all of it stays on loopback.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openFileLimit, sessionsMaxFor } from '../../src/net/open-files.ts';
import type { WindowResult } from '../load/echo-load.ts';
import { Generator } from '../load/generator-process.ts';
import { longestTurnMs, loopWatchFlags } from '../load/loop-watch.ts';
import { numberIn } from '../load/options.ts';
import { HOST, PROJECT } from '../load/peer-configs.ts';
import { binFlags } from '../load/peers.ts';
import { endChildrenOnExit } from '../support/child-process.ts';
import { describeMachine, machineLine } from '../support/machine.ts';
import { cpuSeconds } from '../support/process-figures.ts';
import { median } from '../support/statistics.ts';
import { figure, markdownTable } from '../support/table.ts';

const CLI = join(PROJECT, 'dist/cli.js');
const LOAD = 'sessions';
const READY_MS = 10_000;
const SORTS = ['messages', 'bytes', 'buffered', 'rtt', 'silent', 'age'];
/** As `top` asks by messages and bytes, and by anything else; and as `sessions` does. */
const BUSY = 1_000;
const SHOWN = 200;
const LISTED = 100;
/** Messages a second of all sessions together, while `top` is open and while it is not. */
const RATE = 2_000;
const USAGE = `npm run bench:top -- [--sessions N] [--looks N] [--seconds N]

  --sessions N      open sessions (default: 10000, or what the limit on open files allows)
  --looks N         at each list (default: 20)
  --seconds N       traffic with top and without (default: 10)
`;

interface Framegate {
  readonly pid: number;
  readonly port: number;
  readonly admin: string;
  /** Where its event loop is told of. */
  readonly loopFile: string;
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = { sessions: text('10000'), looks: text('20'), seconds: text('10') };
  const { values } = parseArgs({ args: [...argv], options });
  const wanted = numberIn('--sessions', values.sessions, 1, 1_000_000);
  const looks = numberIn('--looks', values.looks, 1, 10_000);
  const seconds = numberIn('--seconds', values.seconds, 1, 3_600);
  const sessions = Math.min(wanted, sessionsMaxFor(openFileLimit()));
  endChildrenOnExit();
  const folder = mkdtempSync(join(tmpdir(), 'framegate-top-'));
  const generator = new Generator({ core: null });
  let proxy: ChildProcess | null = null;
  try {
    writeFileSync(join(folder, 'config.yaml'), JSON.stringify(configOf(sessions)));
    const loopFile = join(folder, 'loop');
    const flags = [...binFlags(CLI), ...loopWatchFlags(loopFile)];
    proxy = spawn(process.execPath, [...flags, CLI, 'run', '-c', 'config.yaml'], { cwd: folder });
    const framegate = { ...(await ready(proxy)), pid: proxy.pid ?? 0, loopFile };
    const plan = { host: HOST, port: framegate.port, path: '/', connections: sessions, payloadBytes: 64, inFlight: 1 };
    await generator.open(LOAD, plan, true);
    // Counters that differ.
    await trafficOf(generator, 2);
    say(`${sessions} sessions${sessions < wanted ? ` (the limit on open files allows no ${wanted})` : ''}`);
    say(`${machineLine(describeMachine())}, \`npm run bench:top -- ${argv.join(' ')}\`\n`);
    say(await lists(framegate, looks));
    say(await beside(framegate, generator, seconds));
    return 0;
  } finally {
    proxy?.kill('SIGKILL');
    await generator.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function configOf(sessions: number): unknown {
  return {
    listeners: [{ name: 'public', address: `${HOST}:0` }],
    routes: [{ match: { path: '/*' }, upstream: 'builtin:echo' }],
    limits: { max_sessions: sessions },
    admin: { address: `${HOST}:0` },
  };
}

async function lists(framegate: Framegate, looks: number): Promise<string> {
  const queries = [
    ['sessions', `limit=${LISTED}`],
    ...SORTS.map((sort) => [`sessions --sort ${sort}`, `sort=${sort}&limit=${LISTED}`]),
    ['top --sort age', `sort=age&limit=${SHOWN}`],
    ['top', `sort=messages&limit=${BUSY}`],
  ] as const;
  const rows: string[][] = [];
  for (const [name, query] of queries) {
    const path = `/api/v1/sessions?${query}`;
    // Compiled, and its first garbage is gone.
    for (let warm = 0; warm < 5; warm++) await ask(framegate, path);
    await longestTurnMs(framegate.loopFile, framegate.pid);
    const taken: number[] = [];
    const cpu: number[] = [];
    let bytes = 0;
    for (let look = 0; look < looks; look++) {
      const before = cpuSeconds(framegate.pid);
      const startedAt = performance.now();
      bytes = await ask(framegate, path);
      taken.push(performance.now() - startedAt);
      cpu.push((cpuSeconds(framegate.pid) - before) * 1000);
    }
    const turn = await longestTurnMs(framegate.loopFile, framegate.pid);
    rows.push([name, figure(bytes / 1024), ...[median(cpu), Math.max(...cpu), median(taken), turn].map(figure)]);
  }
  return markdownTable(['list', 'KiB', 'CPU ms', 'most', 'answered in ms', 'longest turn ms'], rows);
}

/** How late echoes are while somebody has `top` open, and while nobody has. */
async function beside(framegate: Framegate, generator: Generator, seconds: number): Promise<string> {
  const rows: string[][] = [];
  for (const watched of [false, true, false, true]) {
    await longestTurnMs(framegate.loopFile, framegate.pid);
    const before = cpuSeconds(framegate.pid);
    const [window] = await Promise.all([trafficOf(generator, seconds), watched ? topFor(framegate, seconds) : null]);
    const cpu = ((cpuSeconds(framegate.pid) - before) / seconds) * 100;
    const turn = await longestTurnMs(framegate.loopFile, framegate.pid);
    const { p50, p99, max } = window;
    rows.push([watched ? 'top, every second' : 'nobody looks', ...[cpu, p50, p99, max, turn].map(figure)]);
  }
  const head = [`${RATE} messages a second`, 'CPU %', 'p50 ms', 'p99 ms', 'max ms', 'longest turn ms'];
  return markdownTable(head, rows);
}

function trafficOf(generator: Generator, seconds: number): Promise<WindowResult> {
  return generator.run(LOAD, { warmupMs: 500, measureMs: seconds * 1000, pids: [], rate: RATE });
}

async function topFor(framegate: Framegate, seconds: number): Promise<void> {
  for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
    await ask(framegate, '/api/v1/status');
    await ask(framegate, `/api/v1/sessions?sort=messages&limit=${BUSY}`);
    await delay(1_000);
  }
}

/** The bytes of an answer, which has to be one. */
async function ask({ admin }: Framegate, path: string): Promise<number> {
  const response = await fetch(`http://${admin}${path}`);
  const { byteLength } = await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
  return byteLength;
}

/** The addresses of both listeners, from the log; the rest of it is read and dropped. */
function ready(proxy: ChildProcess): Promise<{ port: number; admin: string }> {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error('framegate did not start')), READY_MS);
    let said = '';
    const hear = (chunk: string) => {
      if (said.length < 10_000) said += chunk;
      const at = (name: string) => new RegExp(`"listening","listener":"${name}","address":"([^"]+)"`).exec(said)?.[1];
      const [address, admin] = [at('public'), at('admin')];
      if (address === undefined || admin === undefined) return;
      clearTimeout(deadline);
      resolve({ port: Number(address.split(':').at(-1)), admin });
    };
    proxy.stdout?.setEncoding('utf8').on('data', hear);
    proxy.stderr?.setEncoding('utf8').on('data', hear);
    proxy.once('exit', () => reject(new Error(`framegate ended: ${said.slice(-2_000)}`)));
  });
}

process.exitCode = await main(process.argv.slice(2));
