// A backend that accepts and says nothing, and all the clients that wait for it: those of the healthy one beside it do
// not notice.

import { once } from 'node:events';
import * as net from 'node:net';
import { countsOf, type Demand, type Task } from '../scale/demand.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Backends } from '../scale/peers.ts';
import { Subject, until } from '../scale/subject.ts';
import { upgradeRequest } from '../support/wire.ts';

const WAITING = 1_500;
const HANDSHAKES_MAX = 1_000;
const SHARE = 0.75;
const TRIES = 40;
const PATIENCE_MS = 10_000;

export const silentBackend: Demand = {
  name: 'silent-backend',
  title: `${WAITING} clients of a backend that says nothing, and ${TRIES} of a healthy one beside it`,
  openFiles: 2 * WAITING + 500,
  async run(task) {
    const { findings } = task;
    const healthy = await new Backends(task).listen();
    const silent = await listenSilently(task);
    const waiting = task.size(WAITING, 60);
    const most = task.isFull ? HANDSHAKES_MAX : 40;
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes:
  - { name: silent, match: { path: /silent }, upstream: "ws://127.0.0.1:${silent}" }
  - { name: healthy, match: { path: /echo/* }, upstream: "ws://127.0.0.1:${healthy}" }
limits: { max_handshakes: ${most} }
timeouts: { upgrade: 60s, open: 60s }
`,
    );
    const clients = Array.from({ length: waiting }, () => {
      const socket = net.connect({ port: subject.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.write(upgradeRequest({ path: '/silent' }));
      return socket;
    });
    task.atEnd(() => {
      for (const socket of clients) socket.destroy();
    });
    const figures = async () => {
      const metrics = await subject.metrics();
      return [metrics.sum('handshakes_open'), metrics.sum('handshakes_waiting')];
    };
    const share = Math.floor(most * SHARE);
    const wanted = JSON.stringify([share, waiting - share]);
    await until('they wait', PATIENCE_MS, async () => JSON.stringify(await figures()) === wanted).catch(() => {});
    findings.equal('under way to it, and waiting', await figures(), [share, waiting - share]);
    const times: number[] = [];
    const answers: string[] = [];
    for (let i = 0; i < TRIES; i += 1) {
      const startedAt = performance.now();
      answers.push(await opens(subject.port, `/echo/${i}`));
      times.push(performance.now() - startedAt);
    }
    findings.equal('clients of the healthy one', countsOf(answers), { in: TRIES });
    findings.figure('each took', `at most ${Math.round(Math.max(...times))} ms`);
  },
};

async function opens(port: number, path: string): Promise<string> {
  try {
    const peer = await PeerSocket.open(port, path);
    peer.socket.destroy();
    return 'in';
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^\S+: /, '') : 'failed';
  }
}

async function listenSilently(task: Task): Promise<number> {
  const held = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    held.add(socket);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  task.atEnd(() => {
    for (const socket of held) socket.destroy();
    server.close();
  });
  const address = server.address();
  return address === null || typeof address === 'string' ? 0 : address.port;
}
