// How each proxy is started, and how its next generation takes over by its own documents, at the settings that these
// recommend where sessions last for long.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillTemplate, HOST, PROJECT } from '../load/peer-configs.ts';
import { binFlags, versionOf } from '../load/peers.ts';
import { ChildCommand, pathOf } from '../support/child-process.ts';
import { freePort, isListening } from '../support/ports.ts';
import { processesNaming, processTree } from '../support/process-figures.ts';
import { until } from './until.ts';

/** framegate as one deploys it without a restart. */
export const STOPPED = 'framegate-stop';

const LOG_KEPT = 4_000;
const TAKEN_OVER_MS = 60_000;
/** Room for newcomers, and for those whose old connection is not closed yet. */
const SPARE_SESSIONS = 1_000;
const CLI = join(PROJECT, 'dist/cli.js');
/** From here on Caddy can leave streams alone for a while when its config is loaded. */
const STREAM_CLOSE_DELAY_SINCE = [2, 7];

export interface DeployContext {
  readonly directory: string;
  readonly core: number | null;
  readonly backendPort: number;
  readonly sessionsMax: number;
  /** The time in which the old generation has to be gone, in whole seconds. */
  readonly windowSeconds: number;
  /** The part of it over which sessions are told to leave, where a proxy can. */
  readonly spreadSeconds: number;
}

/** What a proxy is made of. `restart` resolves when the new generation has taken over, as far as it is told. */
export interface Launch {
  readonly port: number;
  start(): ChildCommand;
  restart(first: ChildCommand): Promise<void>;
  /** It is still there afterwards: a master, or the one process that there is. */
  readonly firstStays: boolean;
  /** What it complained about, where that is not stderr. */
  logged(): string;
}

export async function launchOf(name: string, context: DeployContext): Promise<Launch> {
  const port = await freePort();
  const { directory, windowSeconds: window, spreadSeconds: spread, backendPort: backend, sessionsMax } = context;
  const sessions = sessionsMax + SPARE_SESSIONS;
  // nginx begins to drop idle connections when a sixteenth of these is left; each session takes two.
  const values = { directory, port, backend, window, spread, sessions, files: 3 * sessions };
  const run = (program: string, args: readonly string[]) => {
    return new ChildCommand({ program, args, core: context.core }, { ipc: false, cwd: directory });
  };
  const logged = () => '';
  switch (name) {
    case 'nginx':
      return nginxLaunch(port, directory, fillTemplate('deploy-nginx.conf', directory, values), run);
    case 'haproxy': {
      const config = fillTemplate('deploy-haproxy.cfg', directory, values);
      const start = () => run('haproxy', ['-W', '-f', config]);
      return { port, start, firstStays: true, logged, restart: (master) => reloadHaproxy(master, directory) };
    }
    case 'caddy': {
      const streams = caddyStreams(versionOf('caddy'), window);
      const config = fillTemplate('deploy.caddyfile', directory, { ...values, streams, admin: await freePort() });
      const args = ['--config', config, '--adapter', 'caddyfile'];
      const restart = () => ask(directory, 'caddy', ['reload', ...args, '--force']);
      // It writes into its user's folders otherwise.
      const folders = [`XDG_CONFIG_HOME=${directory}`, `XDG_DATA_HOME=${directory}`];
      const start = () => run('env', [...folders, 'caddy', 'run', ...args]);
      return { port, start, firstStays: true, logged, restart };
    }
    default: {
      // The old one's admin listener is there for as long as it drains.
      const admin = name === STOPPED ? {} : { admin: { address: `${HOST}:${await freePort()}` } };
      const config = framegateConfig(port, admin, context);
      const start = () => run(process.execPath, [...binFlags(CLI), CLI, 'run', '-c', config]);
      const restart = (old: ChildCommand) => {
        if (name === STOPPED) return stopAndStart(old, start, port);
        return ask(directory, process.execPath, [...binFlags(CLI), CLI, 'restart', '-c', config]);
      };
      return { port, start, firstStays: false, logged, restart };
    }
  }
}

function framegateConfig(port: number, keys: object, context: DeployContext): string {
  const { directory, backendPort, windowSeconds, spreadSeconds } = context;
  const content = {
    ...keys,
    listeners: [{ address: `${HOST}:${port}` }],
    upstreams: { echo: { targets: [{ url: `ws://${HOST}:${backendPort}` }] } },
    routes: [{ match: { path: '/*' }, upstream: 'echo' }],
    drain: { spread: `${spreadSeconds}s`, timeout: `${windowSeconds}s` },
  };
  const file = join(directory, 'framegate.yaml');
  writeFileSync(file, JSON.stringify(content, null, 2));
  return file;
}

/** Of a reverse proxy; before 2.7 all streams end at once, whatever one says. */
export function caddyStreams(version: string, windowSeconds: number): string {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [sinceMajor = 0, sinceMinor = 0] = STREAM_CLOSE_DELAY_SINCE;
  const isKnown = major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
  return isKnown ? `stream_close_delay ${windowSeconds}s` : '';
}

/** nginx.org/en/docs/control.html, and Debian's `service nginx upgrade`: USR2, and QUIT to the old master. */
function nginxLaunch(
  port: number,
  directory: string,
  config: string,
  run: (program: string, args: readonly string[]) => ChildCommand,
): Launch {
  const pidFile = join(directory, 'nginx.pid');
  const log = join(directory, 'error.log');
  const pidOf = (file: string) => Number(readOrEmpty(file)) || null;
  // nginx starts its next binary by the path that it was started with.
  const start = () => run(pathOf('nginx'), ['-p', directory, '-e', log, '-c', config]);
  const restart = async () => {
    const old = pidOf(pidFile);
    if (old === null) throw new Error('no nginx.pid');
    process.kill(old, 'SIGUSR2');
    const hasNext = async () => {
      const next = pidOf(pidFile);
      if (next === null || next === old || pidOf(`${pidFile}.oldbin`) !== old) return false;
      return processTree(next).length > 1;
    };
    await until(TAKEN_OVER_MS, hasNext, 'no new worker came');
    process.kill(old, 'SIGQUIT');
  };
  return { port, start, restart, firstStays: false, logged: () => readOrEmpty(log).slice(-LOG_KEPT) };
}

/** docs.haproxy.org, management guide, "Stopping and restarting HAProxy": USR2 to the master. */
async function reloadHaproxy(master: ChildCommand, directory: string): Promise<void> {
  const before = processesNaming(`${directory}/`);
  process.kill(master.pid, 'SIGUSR2');
  const hasNext = async () => processesNaming(`${directory}/`).some((pid) => !before.includes(pid));
  await until(TAKEN_OVER_MS, hasNext, 'no new worker came');
}

/** The new one listens as soon as the old one does not. */
async function stopAndStart(old: ChildCommand, start: () => ChildCommand, port: number): Promise<void> {
  old.process.kill('SIGTERM');
  await until(TAKEN_OVER_MS, async () => !(await isListening(port)), 'it goes on listening');
  start();
  await until(TAKEN_OVER_MS, () => isListening(port), 'the new one does not listen');
}

/** A command that ends when the deploy is done. Not on the proxy's core. */
async function ask(directory: string, program: string, args: readonly string[]): Promise<void> {
  const command = new ChildCommand({ program, args, core: null }, { ipc: false, cwd: directory });
  await until(TAKEN_OVER_MS, async () => command.hasEnded, 'it gives no answer');
  if (command.process.exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${command.stderr}`);
}

function readOrEmpty(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
}
