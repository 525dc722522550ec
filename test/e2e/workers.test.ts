// Several processes as one: whoever comes in is carried by one of them, and what happens to one is nobody else's end.

import { once } from 'node:events';
import * as net from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { makeCertificates } from '../support/certs.ts';
import { closed, echoes, isAlive, openClient, WorkerRun } from '../support/worker-run.ts';

const ECHO = `
listeners: [{ name: tcp, address: 127.0.0.1:0 }]
routes: [{ name: main, upstream: "builtin:echo" }]
limits: { handshakes_per_second_per_ip: off }
log: { level: debug }
`;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('sessions over TCP, TLS and unix sockets are spread over the workers; a drain tells all of them', async () => {
  const { good, ca } = await makeCertificates();
  const config = `
listeners:
  - { name: tcp, address: 127.0.0.1:0 }
  - { name: tls, address: 127.0.0.1:0, tls: { certificates: [{ cert: c.pem, key: k.pem }] } }
  - { name: unix, address: unix:data.sock }
routes: [{ name: main, upstream: "builtin:echo" }]
limits: { handshakes_per_second_per_ip: off }
log: { level: debug }
drain: { spread: 100ms }
`;
  const run = new WorkerRun(config, { workers: 2, files: { 'c.pem': good.cert, 'k.pem': good.key } });
  const bases = [
    `ws://127.0.0.1:${await run.port('tcp')}/tcp`,
    `wss://127.0.0.1:${await run.port('tls')}/tls`,
    `ws+unix://${join(run.folder, 'data.sock')}:/unix`,
  ];
  await run.cli.waitForLog('listening', (line) => line.listener === 'unix');
  const clients: WebSocket[] = [];
  for (const base of bases) for (let i = 0; i < 4; i++) clients.push(await openClient(`${base}${i}`, { ca }));
  const paths = ['/tcp', '/tls', '/unix'].flatMap((kind) => [0, 1, 2, 3].map((i) => `${kind}${i}`));
  const workers = await Promise.all(paths.map((one) => run.workerOf(one)));
  expect([1, 2].map((worker) => workers.filter((one) => one === worker).length)).toEqual([6, 6]);
  const codes = clients.map(closed);
  run.cli.signal('SIGTERM');
  expect(new Set(await Promise.all(codes))).toEqual(new Set([1012]));
  expect(await run.cli.exit()).toMatchObject({ code: 0 });
  const ends = run.cli.logs.filter((line) => line.event === 'drain.end' && line.worker === undefined);
  expect(ends).toMatchObject([{ closed: 12, cut: 0 }]);
  expect([1, 2].map((one) => isAlive(run.pidOf(one)))).toEqual([false, false]);
});

test('a worker that is killed takes its own sessions with it, and another one is there within a second', async () => {
  const run = new WorkerRun(ECHO, { workers: 2 });
  const base = `ws://127.0.0.1:${await run.port('tcp')}`;
  const clients = [await openClient(`${base}/a`), await openClient(`${base}/b`)];
  const lost = clients[(await run.workerOf('/a')) === 1 ? 0 : 1] as WebSocket;
  const kept = clients[lost === clients[0] ? 1 : 0] as WebSocket;
  const pid = run.pidOf(1);
  const isLost = closed(lost);
  process.kill(pid, 'SIGKILL');
  expect(await isLost).toBe(1006);
  const exit = await run.cli.waitForLog('worker.exit');
  const how = { code: null, signal: 'SIGKILL', reason: 'killed', sessions: 1 };
  expect(exit).toMatchObject({ level: 'error', worker: 1, pid, ...how });
  const start = await run.cli.waitForLog('worker.start', (line) => line.worker === 1 && line.pid !== pid);
  expect(Date.parse(String(start.time)) - Date.parse(String(exit.time))).toBeLessThan(1_000);
  await echoes(kept, 'still here');
  // Served by whoever is there, and by the new one as soon as it is: it has the fewest.
  await openClient(`${base}/c`);
  for (let i = 0, worker = 2; worker === 2; i++) {
    await openClient(`${base}/again${i}`);
    worker = await run.workerOf(`/again${i}`);
  }
});

test('with the primary its workers end, and the port is free', async () => {
  const run = new WorkerRun(ECHO, { workers: 2 });
  const port = await run.port('tcp');
  const clients = [await openClient(`ws://127.0.0.1:${port}/a`), await openClient(`ws://127.0.0.1:${port}/b`)];
  const codes = Promise.all(clients.map(closed));
  run.cli.signal('SIGKILL');
  expect(await codes).toEqual([1006, 1006]);
  await until(() => ![1, 2].some((one) => isAlive(run.pidOf(one))));
  const server = net.createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.close();
});

test('a worker that hangs is ended, and another one takes its place', async () => {
  const run = new WorkerRun(ECHO, { workers: 2, env: { FRAMEGATE_HANG_MS: '2000' } });
  const base = `ws://127.0.0.1:${await run.port('tcp')}`;
  const clients = [await openClient(`${base}/a`), await openClient(`${base}/b`)];
  const kept = clients[(await run.workerOf('/a')) === 1 ? 1 : 0] as WebSocket;
  const pid = run.pidOf(1);
  process.kill(pid, 'SIGSTOP');
  expect(await run.cli.waitForLog('worker.exit')).toMatchObject({ worker: 1, pid, signal: 'SIGKILL', reason: 'hung' });
  await run.cli.waitForLog('worker.start', (line) => line.worker === 1 && line.pid !== pid);
  await echoes(kept, 'still here');
});

test('a reload is taken on by all workers or by none', async () => {
  const run = new WorkerRun(ECHO, { workers: 2 });
  const base = `ws://127.0.0.1:${await run.port('tcp')}`;
  const before = await openClient(`${base}/before`);
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  const only = (path: string, more = '') => `
listeners: [{ name: tcp, address: 127.0.0.1:0 }${more}]
routes: [{ name: main, match: { path: ${path} }, upstream: "builtin:echo" }]
limits: { handshakes_per_second_per_ip: off }
log: { level: debug }
`;
  run.write('config.yaml', only('/bad', `, { address: "127.0.0.1:${port}" }`));
  run.cli.signal('SIGHUP');
  await run.cli.waitForLog('config.rejected');
  for (let i = 0; i < 4; i++) await openClient(`${base}/old${i}`);
  run.write('config.yaml', only('/new'));
  run.cli.signal('SIGHUP');
  await run.cli.waitForLog('config.loaded', (line) => line.worker === undefined);
  expect(await Promise.all([1, 2, 3, 4].map(() => statusOf(`${base}/old`)))).toEqual([404, 404, 404, 404]);
  for (let i = 0; i < 4; i++) await openClient(`${base}/new`);
  expect(before.readyState).toBe(WebSocket.OPEN);
  taken.close();
});

/** Of the refusal. */
function statusOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.on('error', () => {});
    socket.on('open', () => reject(new Error('was let in')));
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
  });
}
