// Thousands of sessions whose credentials end: each by its own within a minute, and all of one identity by a revoke.

import { createHash } from 'node:crypto';
import { countsOf, type Demand, type Task } from '../scale/demand.ts';
import { Backends, startClients } from '../scale/peers.ts';
import { Subject, until } from '../scale/subject.ts';

const SESSIONS = 5_000;
const REVOKED = 1_000;
/** Ends are spread over this time. */
const SPREAD_MS = 60_000;
/** For opening all of them before the first ends; in small there are few. */
const LEAD_MS = 30_000;
const SMALL_LEAD_MS = 10_000;
const SMALL_SPREAD_MS = 2_000;
const GRACE_MS = 1_000;
const LATE_MS = 100;
const REVOKE_MS = 1_000;
const PATIENCE_MS = 60_000;

export const credentialEnds: Demand = {
  name: 'credentials',
  title: `${SESSIONS} sessions whose keys end within a minute; ${REVOKED} of ${SESSIONS} revoked`,
  openFiles: 2 * SESSIONS + 500,
  async run(task) {
    const backends = new Backends(task);
    const urls = [await backends.listen(), await backends.listen()].map((port) => `ws://127.0.0.1:${port}`);
    const sessions = task.size(SESSIONS, 150);
    const firstAt = Date.now() + (task.isFull ? LEAD_MS : SMALL_LEAD_MS);
    const stepMs = (task.isFull ? SPREAD_MS : SMALL_SPREAD_MS) / sessions;
    const endOf = (index: number) => Math.round(firstAt + index * stepMs);
    const ending = Array.from({ length: sessions }, (_, index) => entry(`k${index}`, endOf(index)));
    const config = `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
auth:
  ending: { api_key: { from: ["query:key"], keys: { file: ending.yaml }, grace: ${GRACE_MS}ms } }
  staying: { api_key: { from: ["query:key"], keys: { file: staying.yaml } } }
routes:
  - { name: ending, match: { path: /echo/ending }, upstream: "${urls[0]}", auth: [ending] }
  - { name: staying, match: { path: /echo/staying }, upstream: "${urls[1]}", auth: [staying] }
limits: { max_sessions: ${sessions + 10} }
`;
    const files = { 'ending.yaml': ending.join(''), 'staying.yaml': `${entry('acme')}${entry('other')}` };
    const subject = await Subject.start(task, config, { files });
    await expire(task, { subject, backends, sessions, endOf });
    await revoke(task, { subject, sessions, revoked: task.size(REVOKED, 30) });
  },
};

function entry(name: string, ends: number | null = null): string {
  const sha256 = createHash('sha256').update(name).digest('hex');
  const expires = ends === null ? '' : `, expires: ${new Date(ends).toISOString()}`;
  return `- { name: ${name}, sha256: ${sha256}${expires} }\n`;
}

interface Expiry {
  readonly subject: Subject;
  readonly backends: Backends;
  readonly sessions: number;
  endOf(index: number): number;
}

async function expire(task: Task, { subject, backends, sessions, endOf }: Expiry): Promise<void> {
  const { findings, seed } = task;
  const clients = startClients(task);
  await clients.ask({ kind: 'open', port: subject.port, path: '/echo/ending?key=k', count: sessions, seed });
  findings.check('all are open before the first ends', Date.now() < endOf(0) + GRACE_MS, `${sessions} sessions`);
  const deadlineMs = endOf(sessions) + GRACE_MS - Date.now() + PATIENCE_MS;
  const { sessions: told } = await clients.ask({ kind: 'ended', deadlineMs });
  findings.equal('what clients were told', countsOf(told.map(({ closeCode }) => closeCode)), { 3000: sessions });
  const late = told.map(({ path, closeAt }) => (closeAt ?? Infinity) - endOf(indexOf(path)) - GRACE_MS);
  late.sort((one, other) => one - other);
  const at = (share: number) =>
    `${Math.round(late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? 0)} ms`;
  findings.figure('how late: first, median, 99 %, last', [0, 0.5, 0.99, 1].map(at).join(', '));
  const last = late.at(-1) ?? Infinity;
  findings.figure(`later than ${LATE_MS} ms`, String(late.filter((ms) => ms > LATE_MS).length));
  findings.check('none before its time', (late[0] ?? 0) >= -1, at(0));
  if (task.isFull) findings.check(`each within ${LATE_MS} ms of its time`, last <= LATE_MS, at(1));
  // Their paths are alike: the key is taken out of them.
  const heard = (await backends.list('/echo/ending')).map(({ closeCode }) => closeCode);
  findings.equal('what backends were told', countsOf(heard), { 1001: sessions });
  await until('all have ended', PATIENCE_MS, async () => (await subject.metrics()).sum('sessions_open') === 0);
}

async function revoke(
  task: Task,
  { subject, sessions, revoked }: { subject: Subject; sessions: number; revoked: number },
): Promise<void> {
  const { findings, seed } = task;
  const clients = startClients(task);
  const open = (key: string, count: number) =>
    clients.ask({ kind: 'open', port: subject.port, path: `/echo/staying?key=${key}&i=`, count, seed });
  await open('acme', revoked);
  await open('other', sessions - revoked);
  const askedAt = performance.timeOrigin + performance.now();
  const answer = await subject.ask('POST /api/v1/revoke?auth=staying&identity=acme');
  findings.figure(
    'the answer',
    `${answer.body.trim()}, in ${Math.round(performance.timeOrigin + performance.now() - askedAt)} ms`,
  );
  await until('those have ended', PATIENCE_MS, async () => {
    return (await subject.metrics()).sum('sessions_open') === sessions - revoked;
  });
  const { sessions: told } = await clients.ask({ kind: 'tally' });
  const codes = (key: string) =>
    countsOf(told.filter(({ path }) => path.includes(`key=${key}&`)).map((one) => one.closeCode));
  findings.equal('of the one identity', codes('acme'), { 3003: revoked });
  findings.equal('of the other', codes('other'), { null: sessions - revoked });
  const last = Math.max(...told.map(({ closeAt }) => (closeAt === null ? 0 : closeAt - askedAt)));
  findings.figure('from the request to the last Close', `${Math.round(last)} ms`);
  if (task.isFull) findings.check('all of them within a second', last <= REVOKE_MS, `${Math.round(last)} ms`);
}

function indexOf(path: string): number {
  return Number(/key=k(\d+)$/.exec(path)?.[1]);
}
