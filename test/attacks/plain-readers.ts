// Clients that read nothing of answers without end: what is held for them is about what a session may hold, however
// much the backend sends. And what a stream of events holds that is read, and stays open.

import { setTimeout as delay } from 'node:timers/promises';
import type { Demand, Task } from '../scale/demand.ts';
import { checkGauges, kib, MIB, mib, type PlainScene, plainScene, residentOf } from './plain-peers.ts';

const READERS = 300;
const STREAMS = 2_000;
const PLACES = 6_000;
/** `max_buffered`: what a session may hold for one of its peers, by count; in truth half as much more, as it may. */
const EACH_BYTES = 256 * 1024;
const IN_TRUTH = 1.5;
/** What V8 has not met yet. Node's streams allocate 64 KiB for each read. */
const BASE_BYTES = { handle: 32 * MIB, stream: 96 * MIB };
const LOOK_MS = 200;
const QUIET_MS = 1_500;
const DEADLINE_MS = 60_000;

export const plainReaders: Demand = {
  name: 'plain-readers',
  title: `${READERS} clients that read nothing of answers without end, and ${STREAMS} streams of events`,
  openFiles: 2 * PLACES,
  async run(task) {
    const scene = await plainScene(task, PLACES);
    await readNothing(task, scene);
    await stayOpen(task, scene);
    await checkGauges(task, scene.subject);
  },
};

async function readNothing({ findings, size }: Task, { subject, clients, backend }: PlainScene): Promise<void> {
  const count = size(READERS, 20);
  const before = residentOf(subject, 'VmRSS');
  await clients.ask({ kind: 'open', port: subject.port, habit: 'deaf', count });
  const endAt = performance.now() + DEADLINE_MS;
  let [bytes, movedAt] = [0, performance.now()];
  while (performance.now() < endAt && performance.now() - movedAt < QUIET_MS) {
    await delay(LOOK_MS);
    const tally = await backend.ask({ kind: 'tally' });
    if (tally.bytes !== bytes) [bytes, movedAt] = [tally.bytes, performance.now()];
  }
  const { transport } = await subject.cli.waitForLog('start');
  const limit = IN_TRUTH * count * EACH_BYTES + (transport === 'stream' ? BASE_BYTES.stream : BASE_BYTES.handle);
  const more = residentOf(subject, 'VmHWM') - before;
  findings.equal('answers under way', (await subject.metrics()).sum('http_requests_open'), count);
  findings.check(
    `at most ${IN_TRUTH} x ${kib(EACH_BYTES)} for each, and garbage: ${mib(limit)}`,
    more <= limit,
    `${mib(more)}, ${kib(more / count)} for each`,
  );
  await clients.ask({ kind: 'leave' });
}

async function stayOpen({ findings, size }: Task, { subject, clients }: PlainScene): Promise<void> {
  const count = size(STREAMS, 20);
  await subject.settled();
  const before = await subject.measure();
  const { statuses } = await clients.ask({ kind: 'open', port: subject.port, habit: 'events', count });
  findings.equal('streams of events', statuses, { 200: count });
  const held = await subject.measure();
  const each = (was: number, is: number) => kib((is - was) / count);
  findings.figure('one holds', `${each(before.heap + before.external, held.heap + held.external)} of heap`);
  findings.figure('resident', `${each(before.resident, held.resident)} more for each`);
  await clients.ask({ kind: 'leave' });
}
