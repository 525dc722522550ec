// Runs framegate under mixed traffic and shows what its status, sessions and advise commands say about it, for the
// documentation. Traffic stays on loopback.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { numberIn } from '../load/options.ts';
import { PROJECT } from '../load/peer-configs.ts';
import { binFlags } from '../load/peers.ts';
import { writeSection } from '../support/document.ts';
import { type Backends, startBackends, startClients } from './traffic.ts';

const SECTION = 'bench:tour';
const CLI = join(PROJECT, 'dist/cli.js');
const READY_MS = 10_000;
const COMMANDS = [['status'], ['sessions'], ['advise', '--route', 'chat']];
const USAGE = `npm run bench:tour -- [--seconds N] [--write FILE]

  --seconds N       how long the traffic goes on (default: 60)
  --write FILE      put the outputs between the markers of a document
`;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { values } = parseArgs({
    args: [...argv],
    options: { seconds: { type: 'string', default: '60' }, write: { type: 'string' } },
  });
  const seconds = numberIn('--seconds', values.seconds, 1, 3_600);
  const folder = mkdtempSync(join(tmpdir(), 'framegate-tour-'));
  const backends = await startBackends();
  let proxy: ChildProcess | null = null;
  try {
    writeFileSync(join(folder, 'config.yaml'), JSON.stringify(configOf(backends)));
    proxy = spawn(process.execPath, [...binFlags(CLI), CLI, 'run', '-c', 'config.yaml'], { cwd: folder });
    const { port, admin } = await ready(proxy);
    const clients = await startClients(port);
    await delay(seconds * 1000);
    const shown = COMMANDS.map((command) => show(command, admin)).join('\n');
    clients.stop();
    if (values.write === undefined) process.stdout.write(shown);
    else writeSection(values.write, SECTION, shown);
    return 0;
  } finally {
    proxy?.kill('SIGTERM');
    backends.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function configOf({ chat, ticks }: Backends): unknown {
  const slow = { compression: 'off', limits: { from_client: { messages_per_second: 10, on_rate_exceeded: 'drop' } } };
  return {
    listeners: [{ name: 'public', address: '127.0.0.1:0' }],
    routes: [
      { name: 'chat', match: { path: '/chat/*' }, upstream: 'chat', ...slow },
      { name: 'ticks', match: { path: '/ticks' }, upstream: 'ticks' },
      { name: 'upload', match: { path: '/upload' }, upstream: 'builtin:echo' },
    ],
    upstreams: {
      chat: { targets: [{ name: 'a', url: `ws://127.0.0.1:${chat}` }] },
      ticks: { targets: [{ name: 'a', url: `ws://127.0.0.1:${ticks}` }] },
    },
    admin: { address: '127.0.0.1:0' },
  };
}

/** The ports of both listeners, from the log; the rest of it is read and dropped. */
function ready(proxy: ChildProcess): Promise<{ port: number; admin: string }> {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error('framegate did not start')), READY_MS);
    let said = '';
    proxy.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    proxy.once('exit', () => reject(new Error(`framegate ended: ${said.slice(-2_000)}`)));
    proxy.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (said.length > 10_000) return;
      said += chunk;
      const listening = (name: string) =>
        new RegExp(`"event":"listening","listener":"${name}","address":"([^"]+)"`).exec(said)?.[1];
      const [address, admin] = [listening('public'), listening('admin')];
      if (address === undefined || admin === undefined) return;
      clearTimeout(deadline);
      resolve({ port: Number(address.split(':').at(-1)), admin });
    });
  });
}

function show(command: readonly string[], admin: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...command, '--admin', admin], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`framegate ${command.join(' ')}: ${stderr}`);
  return `\`\`\`console\n$ framegate ${command.join(' ')}\n${stdout.trimEnd()}\n\`\`\`\n`;
}

process.exitCode = await main(process.argv.slice(2));
