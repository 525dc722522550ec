// The proxies that are measured: how each is started in front of the echo backends, and what its processes are.
// A peer that cannot run here is a reason, not an error.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ChildCommand, firstLineOf, hasProgram } from '../support/child-process.ts';
import { freePort, isListening } from '../support/ports.ts';
import { processTree } from '../support/process-figures.ts';
import { framegateConfig, haproxyConfig, nginxConfig, type PeerConfig, PROJECT } from './peer-configs.ts';

const READY_MS = 8_000;
const LOOK_MS = 20;

export const DEFAULT_PEERS = [
  'framegate',
  'nginx',
  'nginx-64k',
  'haproxy',
  'haproxy-64k',
  'http-proxy-3',
  'net-pipe',
  'ws-pair',
  'http-pipe',
  'direct',
];

/** Besides framegate: who can end TLS. */
const TLS_PEERS: readonly string[] = ['nginx', 'haproxy', 'nginx-64k', 'haproxy-64k', 'net-pipe', 'direct'];

/** Written here; the backends themselves. */
const OWN_PEERS: readonly string[] = ['net-pipe', 'ws-pair', 'http-pipe', 'bare', 'direct'];
const PLAIN_PEERS: readonly string[] = ['nginx', 'haproxy', 'http-pipe', 'direct'];

export interface PeerContext extends PeerConfig {
  readonly core: number | null;
  /** V8 flags of the peers that run on Node; framegate has those of its bin, as it is shipped. */
  readonly nodeFlags: readonly string[];
  /** Besides those of its bin. */
  readonly framegateFlags: readonly string[];
}

export interface RunningPeer {
  readonly name: string;
  readonly port: number;
  /** Where `/flood` leads to the second backend; the same port for those that look at paths. */
  readonly floodPort: number;
  /** Where `/plain` leads to what answers plain requests, likewise. */
  readonly plainPort: number;
  /** Every process of the proxy; none for `direct`. */
  readonly pids: readonly number[];
  /** The end of what it complained about. */
  complaints(): string;
  stop(): Promise<void>;
}

interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly floodPort: number;
  /** How many there are once all have started: nginx listens before its worker is there. */
  readonly processes: number;
}

/** An error of a measurement, with the last thing that the proxy said. */
export function withComplaints(cause: unknown, peer: Pick<RunningPeer, 'complaints'>): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  const said = peer.complaints().split('\n').at(-1) ?? '';
  return new Error(said === '' ? why : `${why}; it said: ${said}`, { cause });
}

/** Why `name` cannot be measured here, or null. Throws for a name that is no peer. */
export function absence(name: string): string | null {
  if (OWN_PEERS.includes(name)) return null;
  if (name === 'nginx' || name === 'nginx-64k') return needsProgram('nginx');
  if (name === 'haproxy' || name === 'haproxy-64k') return needsProgram('haproxy');
  if (name === 'http-proxy-3') {
    return packageVersion(name) === null ? `${name} is not installed: npm --prefix bench ci` : null;
  }
  const cli = framegateCli(name);
  if (cli === null)
    throw new Error(`"${name}" is no peer; there are ${DEFAULT_PEERS.join(', ')}, framegate:FOLDER, framegate@WORKERS`);
  return existsSync(cli) ? null : `${cli} is not there: npm run build`;
}

/** Whether there is such a measurement of it: the peers written here for plain WebSocket have no TLS. */
export function speaksTls(name: string): boolean {
  return TLS_PEERS.includes(name) || name.startsWith('framegate');
}

/** Whether it relays WebSockets. */
export function relaysSessions(name: string): boolean {
  return name !== 'http-pipe';
}

/** Whether plain requests of it are measured: not where they cost as much as with a namesake. */
export function servesPlain(name: string): boolean {
  return PLAIN_PEERS.includes(name) || name.startsWith('framegate');
}

/** The versions to quote, of all peers that are here. */
export function versionOf(name: string): string {
  if (name.startsWith('nginx')) return firstLineOf('nginx', ['-v']).replace(/^.*\//, '');
  if (name === 'caddy') return firstLineOf('caddy', ['version']).split(' ')[0]?.replace(/^v/, '') ?? '';
  if (name.startsWith('haproxy')) return firstLineOf('haproxy', ['-v']).split(' ')[2] ?? '';
  if (name === 'http-proxy-3') return packageVersion(name) ?? '';
  if (name === 'ws-pair') return `ws ${packageVersion('ws') ?? ''}`;
  const own = framegateOf(name);
  if (own === null) return '';
  const folder = own.folder ?? PROJECT;
  const revision = firstLineOf('git', ['-C', folder, 'describe', '--always', '--dirty']);
  return revision.startsWith('fatal') ? '' : revision;
}

export async function startPeer(name: string, context: PeerContext): Promise<RunningPeer> {
  const { backendPort, floodBackendPort, plainBackendPort } = context;
  if (name === 'direct') {
    return {
      name,
      port: backendPort,
      floodPort: floodBackendPort,
      plainPort: plainBackendPort,
      pids: [],
      complaints: () => '',
      stop: async () => {},
    };
  }
  mkdirSync(context.directory, { recursive: true });
  const launch = await launchOf(name, context);
  const { program, args, port, floodPort } = launch;
  const child = new ChildCommand({ program, args, core: context.core }, { ipc: false, cwd: context.directory });
  let pids: readonly number[];
  try {
    await until(child, () => isListening(port));
    await until(child, () => isListening(floodPort));
    await until(child, async () => processTree(child.pid).length >= launch.processes);
    pids = processTree(child.pid);
  } catch (error) {
    await child.stop();
    throw new Error(`${name} did not start: ${child.stderr}`, { cause: error });
  }
  return { name, port, floodPort, plainPort: port, pids, complaints: () => child.stderr, stop: () => child.stop() };
}

async function launchOf(name: string, context: PeerContext): Promise<Launch> {
  const { directory, backendPort, floodBackendPort, plainBackendPort, nodeFlags } = context;
  const port = await freePort();
  const node = (script: string, args: readonly string[], floodPort = port): Launch => {
    return { program: process.execPath, args: [...nodeFlags, script, ...args], port, floodPort, processes: 1 };
  };
  switch (name) {
    case 'nginx':
    case 'nginx-64k': {
      const buffers = name === 'nginx' ? '' : 'proxy_buffer_size 64k; proxy_buffers 4 64k;';
      const config = nginxConfig(port, buffers, context);
      // The same place for errors before the config is read.
      const args = ['-p', directory, '-e', 'stderr', '-c', config];
      return { program: 'nginx', args, port, floodPort: port, processes: 2 };
    }
    case 'haproxy':
    case 'haproxy-64k': {
      const config = haproxyConfig(port, name === 'haproxy' ? '' : 'tune.bufsize 65536', context);
      return { program: 'haproxy', args: ['-db', '-f', config], port, floodPort: port, processes: 1 };
    }
    case 'net-pipe': {
      const floodPort = await freePort();
      const ports = [port, backendPort, floodPort, floodBackendPort].map(String);
      return node(
        peerScript(name),
        [...ports, ...certificateOf(context), ...(context.tls?.toBackend ? ['--backend-tls'] : [])],
        floodPort,
      );
    }
    case 'bare':
      return node(peerScript(name), [String(port), ...certificateOf(context)]);
    case 'http-pipe':
      return node(peerScript(name), [port, plainBackendPort].map(String));
    case 'ws-pair':
    case 'http-proxy-3':
      return node(peerScript(name), [port, backendPort, floodBackendPort].map(String));
    default: {
      const workers = framegateOf(name)?.workers ?? 1;
      const keys = workers === 1 ? context.framegateKeys : { ...context.framegateKeys, workers };
      const config = framegateConfig(port, { ...context, framegateKeys: keys });
      const cli = framegateCli(name) ?? '';
      const args = [...binFlags(cli), ...context.framegateFlags, cli, 'run', '-c', config];
      // Beside the workers the one that accepts for them.
      return { program: process.execPath, args, port, floodPort: port, processes: workers === 1 ? 1 : workers + 1 };
    }
  }
}

function certificateOf({ tls }: PeerContext): string[] {
  return tls === null ? [] : ['--cert', tls.cert, '--key', tls.key];
}

/** The V8 flags in the first line of a bin, which its users run it with. */
export function binFlags(cli: string = join(PROJECT, 'dist/cli.js')): string[] {
  const [firstLine = ''] = readFileSync(cli, 'utf8').split('\n', 1);
  return firstLine.split(' ').filter((word) => word.startsWith('--'));
}

function framegateCli(name: string): string | null {
  const own = framegateOf(name);
  return own === null ? null : resolve(own.folder ?? PROJECT, 'dist/cli.js');
}

/** `framegate`, `framegate@WORKERS`, and either of them with `:FOLDER`. */
function framegateOf(name: string): { readonly workers: number; readonly folder: string | null } | null {
  const found = /^framegate(?:@([1-9]\d?))?(?::(.+))?$/.exec(name);
  return found === null ? null : { workers: Number(found[1] ?? 1), folder: found[2] ?? null };
}

function peerScript(name: string): string {
  return fileURLToPath(new URL(`../peers/${name}.js`, import.meta.url));
}

/** Why `name` cannot run here, or null. */
export function needsProgram(name: string): string | null {
  return hasProgram(name) ? null : `${name} is not installed: apt-get install ${name}`;
}

function packageVersion(name: string): string | null {
  const from = createRequire(import.meta.url);
  for (const folder of from.resolve.paths(name) ?? []) {
    const file = join(folder, name, 'package.json');
    if (existsSync(file)) return String(JSON.parse(readFileSync(file, 'utf8')).version);
  }
  return null;
}

async function until(child: ChildCommand, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline && !child.hasEnded) {
    if (await isReady()) return;
    await delay(LOOK_MS);
  }
  throw new Error(child.hasEnded ? 'it ended' : 'it does not listen, or lacks a process');
}
