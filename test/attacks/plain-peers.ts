// What the attacks by plain requests have in common: backend and clients in processes of their own, and the subject
// that serves sessions and plain requests on one listener.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ChildScript } from '../../bench/support/child-process.ts';
import type { Task } from '../scale/demand.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Backends } from '../scale/peers.ts';
import { Subject, until } from '../scale/subject.ts';
import type { PlainBackendReply, PlainBackendRequest } from './plain-backend-process.ts';
import type { PlainBareReply, PlainBareRequest } from './plain-bare-process.ts';
import type { PlainClientsReply, PlainClientsRequest } from './plain-clients-process.ts';

const GONE_MS = 20_000;
const GAUGES = [
  'connections_open',
  'sessions_open',
  'http_requests_open',
  'handshakes_open',
  'buffered_bytes',
] as const;

export const MIB = 2 ** 20;

export type PlainClients = ChildScript<PlainClientsRequest, PlainClientsReply>;
export type PlainBackend = ChildScript<PlainBackendRequest, PlainBackendReply>;

export interface PlainScene {
  readonly subject: Subject;
  readonly clients: PlainClients;
  readonly backend: PlainBackend;
}

/** `more`: lines of the config. Nobody is put off by a limit for one address. */
export async function plainScene(task: Task, sessionsMax: number, more = ''): Promise<PlainScene> {
  const backend: PlainBackend = script(task, './plain-backend-process.ts');
  const clients: PlainClients = script(task, './plain-clients-process.ts');
  const sessions = await new Backends(task).listen();
  const { port } = await backend.ask({ kind: 'listen' });
  const subject = await Subject.start(
    task,
    `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes:
  - { name: sessions, match: { path: /echo/* }, upstream: "ws://127.0.0.1:${sessions}" }
  - { name: plain, match: { path: /* }, http: "http://127.0.0.1:${port}" }
limits:
  max_sessions: ${sessionsMax}
  max_sessions_per_ip: off
  handshakes_per_second: off
  handshakes_per_second_per_ip: off
${more}`,
  );
  return { subject, clients, backend };
}

/** What a connection costs that does nothing, with nothing but Node's own server: bytes of heap, and resident. */
export async function bareCost(
  task: Task,
  count: number,
): Promise<{ readonly heap: number; readonly resident: number }> {
  const bare = script<PlainBareRequest, PlainBareReply>(task, './plain-bare-process.ts', ['--expose-gc']);
  const clients: PlainClients = script(task, './plain-clients-process.ts');
  const before = await bare.ask('listen');
  await clients.ask({ kind: 'open', port: before.port, habit: 'idle', count });
  const held = await bare.ask('measure');
  await Promise.all([clients.stop(), bare.stop()]);
  return { heap: (held.heap - before.heap) / count, resident: (held.resident - before.resident) / count };
}

function script<Request, Reply>(task: Task, name: string, flags: readonly string[] = []): ChildScript<Request, Reply> {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const child = new ChildScript<Request, Reply>(file, { core: null, nodeArgs: [...flags, '--import', 'tsx'] });
  task.atEnd(() => child.stop());
  return child;
}

/** `in`, or why not. */
export async function comesIn(task: Task, port: number, path: string): Promise<string> {
  try {
    const { socket } = await PeerSocket.open(port, path);
    task.atEnd(() => {
      socket.destroy();
    });
    return 'in';
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^\S+: /, '') : 'failed';
  }
}

/** Everybody has left: whether all gauges are back to nothing. */
export async function checkGauges({ findings }: Task, subject: Subject): Promise<void> {
  const seen = async () => {
    const metrics = await subject.metrics();
    return GAUGES.map((name) => metrics.sum(name));
  };
  const isZero = async () => (await seen()).every((value) => value === 0);
  await until('all gauges are 0', GONE_MS, isZero).catch(() => {});
  findings.equal(GAUGES.join(', '), await seen(), [0, 0, 0, 0, 0]);
}

/** Resident bytes; VmHWM is the most that they ever were. */
export function residentOf({ pid }: Subject, line: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return 1024 * Number(new RegExp(`^${line}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
}

export function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

export function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}
