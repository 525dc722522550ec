// Requests whose bodies come a byte a second: they hold no more than half of all places, each of them little memory,
// and sessions come in beside them.

import { countsOf, type Demand } from '../scale/demand.ts';
import { until } from '../scale/subject.ts';
import { comesIn, kib, plainScene, residentOf } from './plain-peers.ts';

const BODIES = 10_000;
const PLACES = 6_000;
const SESSIONS = 50;
const HELD_MS = 30_000;
/** Resident, of a request that is under way with both of its connections. */
const EACH_BYTES = 64 * 1024;

export const plainBodies: Demand = {
  name: 'plain-bodies',
  title: `${BODIES} bodies, a byte of each a second, ${PLACES} places: half of those, and sessions beside them`,
  openFiles: 2 * PLACES + 1_000,
  async run(task) {
    const { findings } = task;
    const count = task.size(BODIES, 100);
    const places = task.size(PLACES, 120);
    const { subject, clients } = await plainScene(task, places);
    const before = residentOf(subject, 'VmRSS');
    await clients.ask({ kind: 'open', port: subject.port, habit: 'slow_body', count });
    const most = Math.min(count, Math.floor(places / 2));
    const isHeld = async () => (await subject.metrics()).sum('http_requests_open') === most;
    await until('they hold what they may', HELD_MS, isHeld).catch(() => {});
    findings.equal('requests under way', (await subject.metrics()).sum('http_requests_open'), most);
    const areAlone = async () => (await clients.ask({ kind: 'tally' })).open.length === most;
    await until('the others are gone', HELD_MS, areAlone).catch(() => {});
    const { open, statuses } = await clients.ask({ kind: 'tally' });
    findings.equal('clients whose connections stay', open.length, most);
    findings.equal('connections by its own count', (await subject.metrics()).sum('connections_open'), most);
    // Who sends on while it is refused may lose the answer to a reset.
    findings.equal('answers to the others', Object.keys(statuses), count > most ? ['503'] : []);
    findings.figure('of them that were answered', `${statuses['503'] ?? 0} of ${count - most}`);
    const each = (residentOf(subject, 'VmRSS') - before) / most;
    if (task.isFull) findings.check(`each holds at most ${kib(EACH_BYTES)}`, each <= EACH_BYTES, kib(each));
    const came: string[] = [];
    for (let i = 0; i < task.size(SESSIONS, 10); i += 1) came.push(await comesIn(task, subject.port, `/echo/${i}`));
    findings.equal('sessions beside them', countsOf(came), { in: came.length });
    findings.equal('still under way', (await subject.metrics()).sum('http_requests_open'), most);
    await clients.ask({ kind: 'leave' });
    const isOver = async () => (await subject.metrics()).sum('http_requests_open') === 0;
    await until('they are gone', HELD_MS, isOver).catch(() => {});
    findings.equal('connections of sessions alone', (await subject.metrics()).sum('connections_open'), came.length);
  },
};
