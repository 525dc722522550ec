// Limits of several processes that are one: real workers, which ask a real primary.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { atTestEnd } from '../support/cleanup.ts';
import { WorkerRun } from '../support/worker-run.ts';

interface Rush {
  readonly open: WebSocket[];
  /** What the others were told. */
  readonly refused: string[];
}

/** So many at once. */
async function rush(url: string, count: number): Promise<Rush> {
  const found: Rush = { open: [], refused: [] };
  const tries = Array.from({ length: count }, async () => {
    const socket = new WebSocket(url);
    atTestEnd(() => socket.terminate());
    const isOpen = new Promise<string>((resolve) => {
      socket.once('open', () => resolve(''));
      socket.once('error', ({ message }) => resolve(/\d{3}$/.exec(message)?.[0] ?? message));
    });
    const answer = await isOpen;
    socket.on('error', () => {});
    if (answer === '') found.open.push(socket);
    else found.refused.push(answer);
  });
  await Promise.all(tries);
  return found;
}

async function backend(): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  atTestEnd(() => server.close());
  await once(server, 'listening');
  return server;
}

const portOf = (server: WebSocketServer): number => (server.address() as AddressInfo).port;
const living = (sockets: readonly WebSocket[]): number =>
  sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;

test('caps hold to the last seat, and a worker that is killed gives its seats back', async () => {
  const [a, b] = [await backend(), await backend()];
  const targets = [a, b].map((server) => `{ url: "ws://127.0.0.1:${portOf(server)}", max_sessions: 6 }`);
  const run = new WorkerRun(
    `
listeners: [{ name: tcp, address: 127.0.0.1:0 }]
routes:
  - { name: ip, match: { path: /ip }, upstream: "builtin:echo", limits: { max_sessions_per_ip: 10 } }
  - { name: target, match: { path: /target }, upstream: u }
upstreams: { u: { targets: [${targets.join(', ')}], balance: least_sessions } }
limits: { handshakes_per_second_per_ip: off, max_sessions_per_ip: off }
log: { level: debug }
`,
    { workers: 2 },
  );
  const base = `ws://127.0.0.1:${await run.port('tcp')}`;
  const ip = await rush(`${base}/ip`, 30);
  expect([ip.open.length, new Set(ip.refused)]).toEqual([10, new Set(['429'])]);
  const target = await rush(`${base}/target`, 30);
  expect([target.open.length, new Set(target.refused)]).toEqual([12, new Set(['503'])]);
  expect([a.clients.size, b.clients.size]).toEqual([6, 6]);
  process.kill(run.pidOf(1), 'SIGKILL');
  await run.cli.waitForLog('worker.exit');
  // What the dead one had is free again, and not one seat more.
  const [again, more] = [await rush(`${base}/ip`, 20), await rush(`${base}/target`, 20)];
  expect([living(ip.open) + again.open.length, living(target.open) + more.open.length]).toEqual([10, 12]);
});
