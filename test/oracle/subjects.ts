// The servers that are asked: framegate and a proxy of a few lines on node:http in this process; nginx and HAProxy as
// child processes, where they are installed. Each stands in front of a recording backend of its own.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ChildCommand, ENVIRONMENT } from '../../bench/support/child-process.ts';
import { createProxy } from '../../src/proxy.ts';
import { unreachable } from '../../src/unreachable.ts';
import { RecordingBackend } from './recording-backend.ts';

export const SUBJECTS = ['framegate', 'node:http', 'nginx', 'HAProxy'] as const;
export type SubjectName = (typeof SUBJECTS)[number];

export interface Subject {
  readonly name: SubjectName;
  readonly port: number;
  readonly backend: RecordingBackend;
  stop(): Promise<void>;
}

const READY_MS = 10_000;
const LOOK_MS = 20;

/** The version to quote, or null where it is not installed. */
export function versionOf(name: SubjectName): string | null {
  if (name === 'framegate') return 'this revision';
  if (name === 'node:http') return `llhttp ${process.versions.llhttp}`;
  const { stdout, stderr, error } = spawnSync(name.toLowerCase(), ['-v'], { encoding: 'utf8', env: ENVIRONMENT });
  if (error !== undefined) return null;
  return /\d+\.\d+\.\d+/.exec(`${stdout}${stderr}`)?.[0] ?? 'of unknown version';
}

export async function startSubject(name: SubjectName): Promise<Subject> {
  const backend = await RecordingBackend.listen();
  try {
    const { port, stop } = await STARTS[name](backend.port);
    return {
      name,
      port,
      backend,
      stop: async () => {
        await stop();
        await backend.close();
      },
    };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

interface Started {
  readonly port: number;
  stop(): Promise<void>;
}

/** The same for requests that ask for no upgrade. */
export function startPlain(name: SubjectName, backendPort: number): Promise<Started> {
  switch (name) {
    case 'framegate':
      return startFramegate(backendPort, 'http');
    case 'node:http':
      return startPlainNode(backendPort);
    case 'nginx':
      return startProgram('nginx', (options) => nginxConfig(options, PLAIN_NGINX), backendPort);
    case 'HAProxy':
      return startProgram('haproxy', (options) => `${haproxyConfig(options)}  http-reuse never\n`, backendPort);
    default:
      return unreachable(name);
  }
}

const STARTS: Readonly<Record<SubjectName, (backendPort: number) => Promise<Started>>> = {
  framegate: (backendPort) => startFramegate(backendPort, 'upstream'),
  'node:http': startNodeHttp,
  nginx: (backendPort) => startProgram('nginx', (options) => nginxConfig(options, UPGRADE_NGINX), backendPort),
  HAProxy: (backendPort) => startProgram('haproxy', haproxyConfig, backendPort),
};

async function startFramegate(backendPort: number, key: 'upstream' | 'http'): Promise<Started> {
  const listeners = [{ name: 'oracle', address: '127.0.0.1:0' }];
  const routes = [{ name: 'oracle', match: { path: '/*' }, [key]: `http://127.0.0.1:${backendPort}` }];
  const proxy = createProxy({ listeners, routes }, { log: { write() {} } });
  await proxy.start();
  const address = proxy.address();
  return { port: typeof address === 'string' ? 0 : address.port, stop: () => proxy.stop() };
}

/** The proxy that every tutorial writes: fields go on as they came, then both sockets are joined. */
async function startNodeHttp(backendPort: number): Promise<Started> {
  const server = http.createServer((_, response) => response.writeHead(426).end());
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket, head) => {
    const backend = net.connect(backendPort, '127.0.0.1', () => {
      const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
      }
      backend.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
      backend.write(head);
      backend.pipe(socket).pipe(backend);
    });
    backend.on('error', () => socket.destroy());
    socket.on('error', () => backend.destroy());
    socket.on('close', () => backend.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A program that cannot tell which port it was given, so it is given one that was free a moment ago. */
async function startProgram(
  program: string,
  configOf: (ports: { port: number; backendPort: number; folder: string }) => string,
  backendPort: number,
): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), `framegate-oracle-${program}-`));
  const port = await freePort();
  const file = join(folder, `${program}.cfg`);
  writeFileSync(file, configOf({ port, backendPort, folder }));
  const args = program === 'nginx' ? ['-p', folder, '-e', 'stderr', '-c', file] : ['-db', '-q', '-f', file];
  const child = new ChildCommand({ program, args, core: null }, { ipc: false, cwd: folder });
  const stop = async () => {
    await child.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const deadline = performance.now() + READY_MS;
  while (!(await isListening(port))) {
    if (child.hasEnded || performance.now() > deadline) {
      await stop();
      throw new Error(`${program} did not start: ${child.stderr}`);
    }
    await delay(LOOK_MS);
  }
  return { port, stop };
}

/** Fields go on as they came, with the body as it comes. */
async function startPlainNode(backendPort: number): Promise<Started> {
  const server = http.createServer((request, response) => {
    const { method, url: path, rawHeaders: headers } = request;
    const sent = http.request({
      host: '127.0.0.1',
      port: backendPort,
      method,
      path,
      headers,
      setHost: false,
      agent: false,
    });
    sent.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.rawHeaders);
      answer.pipe(response);
    });
    sent.on('error', () => response.destroy());
    response.on('close', () => sent.destroy());
    request.pipe(sent);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const UPGRADE_NGINX = `proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection "upgrade";`;
/** Bodies go on as they come. */
const PLAIN_NGINX = 'proxy_request_buffering off;';

function nginxConfig(options: { port: number; backendPort: number; folder: string }, how: string): string {
  const { port, backendPort, folder } = options;
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const folders = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ');
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 256; }
http {
  access_log off;
  ${folders}
  proxy_http_version 1.1;
  ${how}
  proxy_set_header Host $http_host;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://127.0.0.1:${backendPort}; }
  }
}
`;
}

function haproxyConfig({ port, backendPort }: { port: number; backendPort: number }): string {
  return `global
  nbthread 1
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 30s
  timeout http-request 30s
frontend oracle
  bind 127.0.0.1:${port}
  default_backend recorder
backend recorder
  server recorder 127.0.0.1:${backendPort}
`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => finish(true));
    socket.on('error', () => finish(false));
  });
}
