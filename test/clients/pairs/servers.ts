// The echo servers of the pairs: which can be run here, why the others cannot, and how each is started.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('servers', import.meta.url));
const UWS = fileURLToPath(new URL('../../../bench/node_modules/uWebSockets.js', import.meta.url));
/** Where Debian's golang-github-gorilla-websocket-dev puts it. */
const GOPATH = '/usr/share/gocode';
const GO_ENV = { GOPATH, GO111MODULE: 'off', GOFLAGS: '' };
/** A python of one's own stands before that of the system, which has Debian's packages. */
const PYTHONS = ['python3', '/usr/bin/python3'];
const STOP_MS = 5_000;

export interface EchoServer {
  readonly name: string;
  /** How it is started; a text says what is missing. */
  readonly command: readonly string[] | string;
}

export const SERVERS: readonly EchoServer[] = [
  { name: 'gorilla', command: goProgram('gorilla.go', 'github.com/gorilla/websocket') },
  { name: 'aiohttp', command: pythonScript('aiohttp_echo.py', 'aiohttp') },
  { name: 'uWebSockets.js, shared', command: uwsScript('SHARED_COMPRESSOR') },
  { name: 'uWebSockets.js, dedicated', command: uwsScript('DEDICATED_COMPRESSOR') },
  { name: 'ws', command: [process.execPath, path.join(folder, 'ws.mjs')] },
  { name: 'websockets', command: pythonScript('websockets_echo.py', 'websockets') },
];

export function missingServers(): string[] {
  return SERVERS.flatMap(({ name, command }) => (typeof command === 'string' ? [`${name}: ${command}`] : []));
}

/** Of a server that is not missing. */
export class RunningServer {
  readonly port: number;
  private readonly child: ChildProcess;
  private readonly scratch: string;

  private constructor(options: { readonly port: number; readonly child: ChildProcess; readonly scratch: string }) {
    this.port = options.port;
    this.child = options.child;
    this.scratch = options.scratch;
  }

  static async start({ name, command }: EchoServer): Promise<RunningServer> {
    if (typeof command === 'string') throw new Error(`${name}: ${command}`);
    const scratch = mkdtempSync(path.join(tmpdir(), 'framegate-pairs-'));
    const [program = '', ...args] = command[0] === 'go' ? buildGo(command, scratch) : command;
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout });
    const [line] = await once(lines, 'line');
    return new RunningServer({ port: Number(line), child, scratch });
  }

  async stop(): Promise<void> {
    const over = once(this.child, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
    this.child.kill('SIGKILL');
    await over;
    rmSync(this.scratch, { recursive: true, force: true });
  }
}

/** `go run` would leave its program behind when it is killed. */
function buildGo(command: readonly string[], scratch: string): string[] {
  const [program = '', ...source] = command;
  const built = path.join(scratch, 'server');
  const env = { ...process.env, ...GO_ENV };
  const { status, stderr } = spawnSync(program, ['build', '-o', built, ...source], { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`go build: ${stderr}`);
  return [built];
}

function goProgram(source: string, module: string): readonly string[] | string {
  if (spawnSync('go', ['version']).status !== 0) return 'no go (Debian: golang-go)';
  if (existsSync(path.join(GOPATH, 'src', module))) return ['go', path.join(folder, source)];
  return `no ${module} below ${GOPATH} (Debian: golang-github-gorilla-websocket-dev)`;
}

function pythonScript(script: string, module: string): readonly string[] | string {
  const python = PYTHONS.find((one) => spawnSync(one, ['-c', `import ${module}`]).status === 0);
  return python === undefined ? `no python3 with it (Debian: python3-${module})` : [python, path.join(folder, script)];
}

function uwsScript(compressor: string): readonly string[] | string {
  if (!existsSync(UWS)) return 'not installed: npm --prefix bench ci';
  return [process.execPath, path.join(folder, 'uws.mjs'), UWS, compressor];
}
