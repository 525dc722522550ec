// What the demands share that send handshakes without end: the sources, the warm-up, and that nothing of it stays.

import type { Task } from './demand.ts';
import type { FloodRequest } from './flood-process.ts';
import { checkLevels } from './levels.ts';
import { PeerSocket } from './peer-socket.ts';
import { type Flood, startFlood } from './peers.ts';
import type { Metrics, Subject } from './subject.ts';

/** Each address has its own ports, of which one waits a minute behind each connection that the server ended. */
const SOURCES = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 2}`);
const AT_ONCE = 64;
const WARM_UP_SHARE = 0.25;

export interface Flooding {
  readonly subject: Subject;
  readonly heads: FloodRequest['heads'];
  readonly count: number;
  /** A path that leads to a backend which is there. */
  readonly goodPath: string;
}

export interface Flooded {
  /** Per index of `heads`, without the warm-up. */
  readonly answers: readonly Readonly<Record<string, number>>[];
  /** Counters before and after, the warm-up before both. */
  readonly before: Metrics;
  readonly after: Metrics;
  /** Lines of the log of that event meanwhile. */
  linesOf(event: string): number;
}

/** Heap and descriptors are as before, and the process serves on. */
export async function flood(task: Task, { subject, heads, count, goodPath }: Flooding): Promise<Flooded> {
  const { findings } = task;
  const process = startFlood(task);
  const send = (handshakes: number): ReturnType<Flood['ask']> =>
    process.ask({ port: subject.port, count: handshakes, atOnce: AT_ONCE, sources: SOURCES, heads });
  await serves(subject, goodPath);
  await send(Math.round(count * WARM_UP_SHARE));
  const levelBefore = await subject.settled();
  const before = await subject.metrics();
  const logged = subject.cli.logs.length;
  const startedAt = performance.now();
  const { answers } = await send(count);
  const seconds = (performance.now() - startedAt) / 1000;
  findings.figure('it took', `${seconds.toFixed(1)} s, ${Math.round(count / seconds)} handshakes a second`);
  const levelAfter = await subject.settled();
  const after = await subject.metrics();
  checkLevels(findings, { before: levelBefore, after: levelAfter, isFull: task.isFull });
  findings.check('it serves on', await serves(subject, goodPath), 'a session opened');
  findings.equal('lines of the log that are none', subject.cli.faults.length, 0);
  return { answers, before, after, linesOf: (event) => subject.linesOf(event, { from: logged }) };
}

async function serves(subject: Subject, path: string): Promise<boolean> {
  const peer = await PeerSocket.open(subject.port, path);
  peer.socket.destroy();
  return true;
}
