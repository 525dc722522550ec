// Two targets with 2000 sessions become four: sessions move until all hold their share, and stand still in between
// while a target drains.

import { setTimeout as delay } from 'node:timers/promises';
import { countsOf, type Demand, type Task } from './demand.ts';
import { Backends, startClients } from './peers.ts';
import { Subject, until } from './subject.ts';

const SESSIONS = 2000;
const SHARE = 0.1;
const EVERY_MS = 1_000;
const TOLERANCE = 0.1;
const NAMES = ['a', 'b', 'c', 'd'];
/** Each of the two steps down from a half to a quarter and the tolerance, a tenth at a time; and as many again. */
const STEPS_MAX = 2 * 2 * Math.ceil(Math.log(0.5 * (1 + TOLERANCE)) / Math.log(1 - SHARE));
const STANDSTILL_MS = 3_000;
/** What was on its way when the target began to drain. */
const ON_ITS_WAY_MS = 300;

export const rebalance: Demand = {
  name: 'rebalance',
  title: `2 targets with ${SESSIONS} sessions become 4: at most ${100 * SHARE} % of the fullest move in ${EVERY_MS} ms`,
  openFiles: 2 * SESSIONS + 500,
  async run(task) {
    const rig = await startRig(task);
    await scaleOut(task, rig);
    await checkMoves(task, rig);
  },
};

interface Rig {
  readonly subject: Subject;
  readonly clients: ReturnType<typeof startClients>;
  readonly sessions: number;
  config(count: number): string;
}

async function startRig(task: Task): Promise<Rig> {
  const backends = new Backends(task);
  const ports: number[] = [];
  for (const _ of NAMES) ports.push(await backends.listen());
  const sessions = task.size(SESSIONS, 80);
  const config = (count: number): string => `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: numbers, upstream: pool }]
upstreams:
  pool:
    targets:
${ports
  .slice(0, count)
  .map((port, index) => `      - { name: ${NAMES[index]}, url: "ws://127.0.0.1:${port}" }`)
  .join('\n')}
    rebalance: { share: ${100 * SHARE}%, every: ${EVERY_MS}ms, tolerance: ${100 * TOLERANCE}%, min_age: 100ms }
limits: { max_sessions: ${2 * sessions} }
log: { session_open: info }
`;
  const subject = await Subject.start(task, config(2));
  const clients = startClients(task);
  const open = { kind: 'open', port: subject.port, path: '/numbers/', count: sessions, seed: task.seed } as const;
  await clients.ask({ ...open, returns: true });
  return { subject, clients, sessions, config };
}

async function heldBy({ subject }: Rig): Promise<number[]> {
  const metrics = await subject.metrics();
  return NAMES.map((target) => metrics.sum('target_sessions', { target }));
}

async function closes({ subject }: Rig): Promise<number> {
  return (await subject.metrics()).sum('rebalance_closes_total');
}

async function scaleOut(task: Task, rig: Rig): Promise<void> {
  const { findings } = task;
  const { subject, sessions } = rig;
  await delay(2 * EVERY_MS);
  findings.equal('moved between two targets that are even', await closes(rig), 0);
  subject.write('config.yaml', rig.config(4));
  findings.equal('the reload', (await subject.ask('POST /api/v1/reload')).status, 200);
  const startedAt = performance.now();
  const limit = Math.floor((sessions / NAMES.length) * (1 + TOLERANCE));
  await until('some have moved', 10_000, async () => (await closes(rig)) > sessions / 20);
  await subject.ask('POST /api/v1/upstreams/pool/targets/d/drain');
  await delay(ON_ITS_WAY_MS);
  const before = await closes(rig);
  await delay(STANDSTILL_MS);
  findings.equal('moved while a target drained', (await closes(rig)) - before, 0);
  await subject.ask('POST /api/v1/upstreams/pool/targets/d/undrain');
  const isEven = async () => {
    const held = await heldBy(rig);
    return Math.max(...held) <= limit && held.reduce((sum, one) => sum + one) === sessions;
  };
  await until(`no target holds more than ${limit}`, STEPS_MAX * EVERY_MS + STANDSTILL_MS, isEven).catch(() => {});
  const ms = Math.round(performance.now() - startedAt - STANDSTILL_MS - ON_ITS_WAY_MS);
  findings.check(`even within ${100 * TOLERANCE} %`, await isEven(), `${await heldBy(rig)}`);
  findings.figure('it took, without the standstill', `${ms} ms of at most ${STEPS_MAX * EVERY_MS}`);
  const moved = await closes(rig);
  await delay(2 * EVERY_MS);
  findings.equal('moved once they are even', (await closes(rig)) - moved, 0);
}

async function checkMoves(task: Task, rig: Rig): Promise<void> {
  const { findings } = task;
  const { subject, clients, sessions } = rig;
  const reply = await clients.ask({ kind: 'tally' });
  const closedAt = reply.sessions.flatMap(({ closeAt }) => (closeAt === null ? [] : [closeAt])).sort((a, b) => a - b);
  findings.equal('of them other than 1012', reply.sessions.filter(isClosedOtherwise).length, 0);
  const busiest = Math.max(...closedAt.map((at) => closedAt.filter((one) => one >= at && one < at + EVERY_MS).length));
  // A Close is late by a turn of the wheel at most, so that a little more may fall into a window.
  const most = Math.ceil((sessions / 2) * SHARE * 1.15) + 2;
  findings.check(`at most ${most} Closes in any ${EVERY_MS} ms`, busiest <= most, `${busiest}`);
  const ends = subject.cli.logs.filter(({ event }) => event === 'session.end');
  findings.equal('Closes at the clients, and ends in the log', closedAt.length, ends.length);
  const reasons = countsOf(ends.map(({ reason }) => reason));
  findings.equal('ends that were moves, and those that were counted', reasons.rebalance, await closes(rig));
  const others = Object.keys(reasons).filter((reason) => reason !== 'rebalance' && reason !== 'target_drain');
  findings.equal('ends for other reasons than that and the drain', others, []);
  findings.equal('ended twice', ends.length - new Set(ends.map(({ session }) => session)).size, 0);
  for (const name of NAMES.slice(0, 2)) checkYoungest(task, rig, name, new Set(ends.map(({ session }) => session)));
}

function isClosedOtherwise({ closeCode }: { readonly closeCode: number | null }): boolean {
  return closeCode !== null && closeCode !== 1012;
}

/** Those that were moved are the youngest of those that were there before the others came. */
function checkYoungest({ findings }: Task, { subject, sessions }: Rig, name: string, ended: Set<unknown>): void {
  const first = subject.cli.logs.filter(({ event }) => event === 'session.open').slice(0, sessions);
  const ids = first.flatMap(({ target, session }) => (target === name ? [session] : []));
  const moved = ids.filter((id) => ended.has(id));
  const youngest = ids.slice(ids.length - moved.length);
  findings.check(
    `target ${name}: the youngest ${moved.length} of ${ids.length} have moved`,
    moved.length > 0 && moved.every((id, index) => id === youngest[index]),
    `from ${String(moved[0])} on`,
  );
}
