// Twenty clients that send empty frames without end, beside one session that says little: how long its answers take
// through framegate, and through HAProxy beside the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ChildScript, ENVIRONMENT, hasProgram } from '../../bench/support/child-process.ts';
import type { Demand, Task } from '../scale/demand.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Subject, until } from '../scale/subject.ts';
import { binary } from '../support/wire.ts';
import type { FloodClientsReply, FloodClientsRequest } from './flood-clients-process.ts';
import type { SinkReply } from './sink-process.ts';

const FLOODS = 20;
const RATIO_MAX = 3;
const ROUNDS = 5;
const ROUND_MS = 3_000;
const EVERY_MS = 2;
/** The floods leave the core to the session that is measured, everywhere but in the proxy. */
const NICE = 10;

export const emptyFrames: Demand = {
  name: 'empty-frames',
  title: '20 floods of empty frames beside a light session, through framegate and through HAProxy',
  openFiles: 200,
  async run(task) {
    const { findings } = task;
    const echo = await sink(task, 0);
    const flooded = await sink(task, NICE);
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes:
  - { name: echo, match: { path: /echo }, upstream: "ws://127.0.0.1:${echo}" }
  - { name: sink, upstream: "ws://127.0.0.1:${flooded}" }
`,
    );
    const peers = new Map([['framegate', subject.port]]);
    if (hasProgram('haproxy')) peers.set('haproxy', await startHaproxy(task, subject.folder, { echo, flooded }));
    else findings.figure('SKIPPED', 'haproxy is not installed: nothing to compare with');
    const flood = new ChildScript<FloodClientsRequest, FloodClientsReply>(script('./flood-clients-process.ts'), {
      core: null,
      nodeArgs: ['--import', 'tsx'],
      nice: NICE,
    });
    task.atEnd(() => flood.stop());
    const found = new Map<string, number[]>([...peers.keys()].map((name) => [name, []]));
    for (let round = 0; round < task.size(ROUNDS, 1); round++) {
      for (const [name, port] of peers) {
        await flood.ask({ kind: 'flood', port, path: '/sink', count: FLOODS });
        const times = await lightSession(port, task.size(ROUND_MS, 300));
        const { frames } = await flood.ask({ kind: 'stop' });
        const p99 = times[Math.floor(times.length * 0.99)] ?? Number.POSITIVE_INFINITY;
        const p50 = times[Math.floor(times.length / 2)] ?? Number.POSITIVE_INFINITY;
        found.get(name)?.push(p99);
        const rate = `${Math.round(frames / 1000)} thousand frames`;
        findings.figure(name, `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, ${times.length} echoes, ${rate}`);
        findings.check(`${name}: the light session is answered`, times.length > 0, `${times.length} echoes`);
      }
    }
    const [own, other] = ['framegate', 'haproxy'].map((name) => median(found.get(name) ?? []));
    if (own === undefined || other === undefined || Number.isNaN(other)) return;
    const seen = `${own.toFixed(2)} ms, HAProxy's ${other.toFixed(2)} ms`;
    // A short look beside other work says nothing.
    if (task.isFull) findings.check(`p99 at most ${RATIO_MAX} x HAProxy's, medians`, own <= RATIO_MAX * other, seen);
    else findings.figure('p99', seen);
  },
};

async function sink(task: Task, nice: number): Promise<number> {
  const child = new ChildScript<'listen', SinkReply>(script('./sink-process.ts'), {
    core: null,
    nodeArgs: ['--import', 'tsx'],
    nice,
  });
  task.atEnd(() => child.stop());
  return (await child.ask('listen')).port;
}

/** Round trips in ms, in order of size. */
async function lightSession(port: number, ms: number): Promise<number[]> {
  const peer = await PeerSocket.open(port, '/echo');
  const message = binary(Buffer.alloc(64, 7), { mask: true });
  const times: number[] = [];
  const endAt = performance.now() + ms;
  try {
    while (performance.now() < endAt) {
      const sentAt = performance.now();
      const answered = new Promise<boolean>((resolve) => {
        peer.onFrame = () => resolve(true);
        peer.onEnded = () => resolve(false);
      });
      peer.write(message);
      if (!(await answered)) break;
      times.push(performance.now() - sentAt);
      await delay(EVERY_MS);
    }
  } finally {
    peer.socket.destroy();
  }
  return times.sort((a, b) => a - b);
}

async function startHaproxy(
  task: Task,
  folder: string,
  { echo, flooded }: { readonly echo: number; readonly flooded: number },
): Promise<number> {
  const port = await freePort();
  const file = path.join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
frontend all
  bind 127.0.0.1:${port}
  use_backend echo if { path_beg /echo }
  default_backend sink
backend echo
  server one 127.0.0.1:${echo}
backend sink
  server one 127.0.0.1:${flooded}
`,
  );
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore', env: ENVIRONMENT });
  const kill = () => void child.kill('SIGKILL');
  process.on('exit', kill);
  task.atEnd(async () => {
    const gone = child.exitCode === null ? once(child, 'exit') : null;
    kill();
    await gone;
    process.off('exit', kill);
  });
  await until('HAProxy listens', 10_000, () => canConnect(port));
  return port;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return address === null || typeof address === 'string' ? 0 : address.port;
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
