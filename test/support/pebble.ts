// Pebble, Let's Encrypt's test authority, where it is installed: an own one for a test, which finds every name on this
// machine, with a server for names beside it.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { askTls } from './ask-tls.ts';
import { makeAuthority } from './certs.ts';
import { atTestEnd } from './cleanup.ts';

const START_MS = 15_000;

/** Whether both programs are on PATH. What does without them says so aloud. */
export const hasPebble = ['pebble', 'pebble-challtestsrv'].every(isOnPath);

interface PebbleOptions {
  /** Where it comes to: a port of framegate for TLS, and one without. */
  readonly tlsPort: number;
  readonly httpPort: number;
  /** Accounts need a key that it knows. */
  readonly eab?: Readonly<Record<string, string>>;
  /** Where it listens; any free port otherwise. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Pebble {
  readonly directory: string;
  readonly port: number;
  /** PEM of who has signed the certificate of the directory. */
  readonly ca: string;
  /** PEM of what signs the certificates that it gives. */
  roots(): Promise<string>;
  stop(): Promise<void>;
}

/** A port that was free a moment ago: pebble has to be told before it starts. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export async function startPebble({ tlsPort, httpPort, eab, env = {}, ...given }: PebbleOptions): Promise<Pebble> {
  const folder = mkdtempSync(path.join(tmpdir(), 'pebble-'));
  const authority = await makeAuthority();
  const { cert, key } = await authority.issue({ dns: ['localhost'], ip: ['127.0.0.1'] });
  const [port = 0, management, dns, dnsManagement] = [
    given.port ?? (await freePort()),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const file = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: file('cert.pem', cert),
    privateKey: file('key.pem', key),
    httpPort,
    tlsPort,
    ocspResponderURL: '',
    externalAccountBindingRequired: eab !== undefined,
    externalAccountMACKeys: eab,
  };
  const names = [
    ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-dns01', `127.0.0.1:${dns}`],
    ...['-management', `127.0.0.1:${dnsManagement}`, '-http01', '', '-https01', '', '-tlsalpn01', ''],
  ];
  const programs = [
    spawn('pebble-challtestsrv', names, { stdio: 'ignore' }),
    spawn(
      'pebble',
      ['-config', file('pebble.json', JSON.stringify({ pebble: config })), '-dnsserver', `127.0.0.1:${dns}`],
      {
        env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20', ...env },
        stdio: 'ignore',
      },
    ),
  ];
  let ended: Promise<unknown> | null = null;
  const stop = async (): Promise<void> => {
    ended ??= Promise.all(programs.map(end));
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  atTestEnd(stop);
  await Promise.all([listens(port), listens(management), listens(dnsManagement)]);
  const ask = (where: string): Promise<string> => askTls(management ?? 0, where, authority.ca);
  return {
    directory: `https://127.0.0.1:${port}/dir`,
    port,
    ca: authority.ca,
    roots: async () => `${await ask('/roots/0')}`,
    stop,
  };
}

async function end(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const gone = new Promise((resolve) => program.once('exit', resolve));
  program.kill('SIGKILL');
  await gone;
}

async function listens(port: number): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isThere) return;
  }
  throw new Error(`nothing listens on ${port}`);
}

function isOnPath(name: string): boolean {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
