// What the demands share that send handshakes without end: the sources, the warm-up, and that nothing of it stays.

import type { Task } from './demand.ts';
import type { FloodRequest } from './flood-process.ts';
import { checkLevels } from './levels.ts';
import { PeerSocket } from './peer-socket.ts';
import { type Flood, startFlood } from './peers.ts';
import { type Metrics, type Subject, until } from './subject.ts';

/** Each address has its own ports, of which one waits a minute behind each connection that the server ended. */
const SOURCES = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 2}`);
const AT_ONCE = 64;
/** Lines that were held back are told of once a second. */
const LINES_MS = 5_000;
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
  /**
   * Checks that `each` lines of that event were logged for each round of the heads, those of the warm-up too; what was
   * held back is told as a count, within a second.
   */
  checkLines(event: string, each: number): Promise<void>;
}

/** Heap and descriptors are as before, and the process serves on. */
export async function flood(task: Task, { subject, heads, count, goodPath }: Flooding): Promise<Flooded> {
  const { findings } = task;
  const process = startFlood(task);
  const send = (handshakes: number): ReturnType<Flood['ask']> =>
    process.ask({ port: subject.port, count: handshakes, atOnce: AT_ONCE, sources: SOURCES, heads });
  await serves(subject, goodPath);
  const warmUp = Math.ceil((count * WARM_UP_SHARE) / heads.length) * heads.length;
  await send(warmUp);
  const levelBefore = await subject.settled();
  const before = await subject.metrics();
  const startedAt = performance.now();
  const { answers } = await send(count);
  const seconds = (performance.now() - startedAt) / 1000;
  findings.figure('it took', `${seconds.toFixed(1)} s, ${Math.round(count / seconds)} handshakes a second`);
  const levelAfter = await subject.settled();
  const after = await subject.metrics();
  checkLevels(findings, { before: levelBefore, after: levelAfter, isFull: task.isFull });
  findings.check('it serves on', await serves(subject, goodPath), 'a session opened');
  findings.equal('lines of the log that are none', subject.cli.faults.length, 0);
  const checkLines = async (event: string, each: number) => {
    const wanted = ((warmUp + count) / heads.length) * each;
    await until('all lines', LINES_MS, () => subject.linesOf(event) >= wanted).catch(() => {});
    findings.equal(`lines ${event}, held back or not`, subject.linesOf(event), wanted);
  };
  return { answers, before, after, checkLines };
}

async function serves(subject: Subject, path: string): Promise<boolean> {
  const peer = await PeerSocket.open(subject.port, path);
  peer.socket.destroy();
  return true;
}
