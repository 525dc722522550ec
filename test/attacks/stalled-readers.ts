// Clients that never read while their backends send without end: what the process holds for them stays within the
// limits that say so, in truth and not only by the count, whatever the size of the frames.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ChildScript } from '../../bench/support/child-process.ts';
import type { Demand, Task } from '../scale/demand.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Subject } from '../scale/subject.ts';
import type { FramesReply, FramesRequest } from './frames-process.ts';

const CLIENTS = 150;
const MIB = 2 ** 20;
/**
 * On top of 1.5 x the limit and of the process with its sessions idle: garbage that V8 has not met yet. Node's streams
 * allocate 64 KiB for each read.
 */
const BASE_BYTES = { handle: 32 * MIB, stream: 96 * MIB };
const LOOK_MS = 200;
/** The backend has sent nothing more for so long: everybody is held back. */
const QUIET_MS = 1_500;
const DEADLINE_MS = 60_000;
/** Payloads of 1 byte make frames of 3. */
const PAYLOADS = [1, 1_024, 65_536];

export const stalledReaders: Demand = {
  name: 'stalled',
  title: '150 clients that never read, with frames of 3 bytes, 1 KiB and 64 KiB: memory against the limits',
  openFiles: 1_000,
  async run(task) {
    const count = task.size(CLIENTS, 10);
    for (const payload of task.isFull ? PAYLOADS : [1]) {
      await measure(task, { payload, count, perSession: 256 * 1024, total: null });
      await measure(task, { payload, count, perSession: MIB, total: Math.ceil((count / CLIENTS) * 48) * MIB });
    }
  },
};

interface Case {
  readonly payload: number;
  readonly count: number;
  readonly perSession: number;
  /** `max_buffered_total`; null: off. */
  readonly total: number | null;
}

async function measure(task: Task, { payload, count, perSession, total }: Case): Promise<void> {
  const { findings } = task;
  const file = fileURLToPath(new URL('./frames-process.ts', import.meta.url));
  const backend = new ChildScript<FramesRequest, FramesReply>(file, { core: null, nodeArgs: ['--import', 'tsx'] });
  task.atEnd(() => backend.stop());
  const listening = await backend.ask({ kind: 'listen' });
  const subject = await Subject.start(
    task,
    `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: all, upstream: "ws://127.0.0.1:${'port' in listening ? listening.port : 0}" }]
limits: { max_buffered: ${perSession}B, max_buffered_total: ${total === null ? 'off' : `${total}B`} }
`,
  );
  const clients: PeerSocket[] = [];
  task.atEnd(() => {
    for (const { socket } of clients) socket.destroy();
  });
  // Their backends say nothing.
  const idle: PeerSocket[] = [];
  for (let i = 0; i < count; i++) idle.push(await PeerSocket.open(subject.port, '/idle'));
  const before = memoryOf(subject.pid, 'VmRSS');
  for (const { socket } of idle) socket.destroy();
  for (let i = 0; i < count; i++) {
    const client = await PeerSocket.open(subject.port, `/${payload}`).catch(() => null);
    if (client === null) continue; // refused: all may hold no more already
    client.socket.pause();
    clients.push(client);
  }
  const { peak, counted } = await watch(subject, backend);
  const limit = Math.min(total ?? Number.POSITIVE_INFINITY, count * perSession);
  const name = `frames of ${payload + (payload < 126 ? 2 : payload < 65_536 ? 4 : 10)} bytes, ${
    total === null ? 'max_buffered' : 'max_buffered_total'
  } ${mib(limit)}`;
  const base = await baseOf(subject);
  findings.figure(name, `${mib(counted)} by count at most, ${mib(before)} resident before, ${mib(peak)} at most`);
  findings.check(
    `${name}: at most 1.5 x that and ${mib(base)} more resident memory than idle`,
    peak - before <= 1.5 * limit + base,
    mib(peak - before),
  );
  for (const { socket } of clients) socket.destroy();
  subject.cli.signal('SIGKILL');
  await subject.cli.exit();
  await backend.stop();
}

async function baseOf(subject: Subject): Promise<number> {
  const { transport } = await subject.cli.waitForLog('start');
  return transport === 'stream' ? BASE_BYTES.stream : BASE_BYTES.handle;
}

/** Until nothing moves any more: the most that the process held, in truth and by its own count. */
async function watch(subject: Subject, backend: ChildScript<FramesRequest, FramesReply>) {
  const endAt = performance.now() + DEADLINE_MS;
  let [counted, bytes, movedAt] = [0, 0, performance.now()];
  while (performance.now() < endAt && performance.now() - movedAt < QUIET_MS) {
    await delay(LOOK_MS);
    counted = Math.max(counted, (await subject.metrics()).sum('buffered_bytes'));
    const tally = await backend.ask({ kind: 'tally' });
    if ('bytes' in tally && tally.bytes !== bytes) {
      bytes = tally.bytes;
      movedAt = performance.now();
    }
  }
  return { peak: memoryOf(subject.pid, 'VmHWM'), counted };
}

/** VmHWM is the most that it ever was. */
function memoryOf(pid: number, line: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return 1024 * Number(new RegExp(`^${line}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
