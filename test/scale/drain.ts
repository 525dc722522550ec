// A signal to end with 5000 sessions that never stop sending.

import type { BackendSession } from './backend-process.ts';
import type { ClientSession } from './client-process.ts';
import { countsOf, type Demand, type Findings, type Task } from './demand.ts';
import { Backends, type Clients, startClients } from './peers.ts';
import { Subject, until } from './subject.ts';

const SESSIONS = 5000;
/** How often each session sends: all of them together 10 000 messages a second. */
const EVERY_MS = 500;
const SPREAD_SHARE = 0.1;
/** In small the spread is a second, and a busy machine late by a good part of it. */
const SPREAD_SHARE_IN_SMALL = 0.5;
const TIMEOUT_MS = 25_000;

export const drain: Demand = {
  name: 'drain',
  title: `TERM with ${SESSIONS} sessions, each of which sends until its Close; and a second TERM`,
  openFiles: 2 * SESSIONS + 500,
  async run(task) {
    await once(task);
    await twice(task);
  },
};

interface Crowd {
  readonly subject: Subject;
  readonly backends: Backends;
  readonly clients: Clients;
  readonly sessions: number;
  readonly spreadMs: number;
}

async function crowd(task: Task): Promise<Crowd> {
  const backends = new Backends(task);
  const clients = startClients(task);
  const sessions = task.size(SESSIONS, 100);
  const spreadMs = task.size(5_000, 1_000);
  const config = `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: numbers, upstream: "ws://127.0.0.1:${await backends.listen()}" }]
limits: { max_sessions: ${sessions + 10} }
drain: { delay: 0s, grace: 0s, spread: ${spreadMs}ms, timeout: ${TIMEOUT_MS}ms }
`;
  const subject = await Subject.start(task, config);
  await clients.ask({ kind: 'open', port: subject.port, path: '/numbers/', count: sessions, seed: task.seed });
  await clients.ask({ kind: 'load', load: 'numbers', everyMs: task.isFull ? EVERY_MS : EVERY_MS / 5 });
  const isSending = async () => (await subject.metrics()).sum('messages_total') >= 2 * sessions;
  await until('every session sends', 60_000, isSending);
  return { subject, backends, clients, sessions, spreadMs };
}

async function once(task: Task): Promise<void> {
  const { findings } = task;
  const { subject, backends, clients, sessions, spreadMs } = await crowd(task);
  const askedAt = Date.now();
  subject.cli.signal('SIGTERM');
  const { code } = await subject.cli.exit();
  const reply = await clients.ask({ kind: 'ended', deadlineMs: 5_000 });
  const atBackend = await backends.sessions('/numbers/');
  findings.equal(
    'sessions at the client, at the backend',
    [reply.sessions.length, atBackend.size],
    [sessions, sessions],
  );
  findings.equal('Close to each client', countsOf(reply.sessions.map((one) => one.closeCode)), { 1012: sessions });
  findings.equal('Close to each backend', countsOf([...atBackend.values()].map((one) => one.closeCode)), {
    1001: sessions,
  });
  findings.equal('end of each connection of a client', countsOf(reply.sessions.map((one) => one.ended)), {
    FIN: sessions,
  });
  checkSpread(findings, reply.sessions, { askedAt, spreadMs, isFull: task.isFull });
  checkMessages(findings, reply.sessions, atBackend);
  const { closed, cut, ms } = await subject.cli.waitForLog('drain.end');
  findings.equal('drain.end', { closed, cut }, { closed: sessions, cut: 0 });
  findings.figure('it took', `${ms} ms`);
  const isDrain = subject.cli.logs
    .filter(({ event }) => event === 'session.end')
    .every((one) => one.reason === 'drain');
  findings.equal('lines session.end, their reason', [subject.linesOf('session.end'), isDrain], [sessions, true]);
  findings.equal('lines of the log that are none', subject.cli.faults.length, 0);
  findings.equal('exit code', code, 0);
}

async function twice(task: Task): Promise<void> {
  const { findings } = task;
  const { subject, clients, sessions } = await crowd(task);
  subject.cli.signal('SIGTERM');
  // In the midst of it: some have their Close, most have not.
  await until('some sessions ended', TIMEOUT_MS, () => subject.linesOf('session.end') > sessions / 10);
  const askedAt = performance.now();
  subject.cli.signal('SIGTERM');
  const { code } = await subject.cli.exit();
  const ms = Math.round(performance.now() - askedAt);
  const reply = await clients.ask({ kind: 'ended', deadlineMs: 5_000 });
  const closed = reply.sessions.filter((one) => one.closeCode !== null).length;
  findings.equal('second TERM: exit code', code, 3);
  findings.check('second TERM: it cuts at once', ms < 2_000, `${ms} ms, ${closed} of ${sessions} had their Close`);
  findings.check('second TERM: most were cut off', closed < sessions / 2, `${sessions - closed} without a Close`);
  findings.equal('second TERM: sessions left open', reply.sessions.filter((one) => one.ended === null).length, 0);
  findings.equal('second TERM: lines session.end', subject.linesOf('session.end'), sessions);
}

/** Arrivals against an even spread that begins with the first of them. */
function checkSpread(
  findings: Findings,
  sessions: readonly ClientSession[],
  { askedAt, spreadMs, isFull }: { readonly askedAt: number; readonly spreadMs: number; readonly isFull: boolean },
): void {
  const share = isFull ? SPREAD_SHARE : SPREAD_SHARE_IN_SMALL;
  const times = sessions.map((one) => one.closeAt ?? Number.NaN).sort((a, b) => a - b);
  const at = (part: number) => times[Math.ceil(part * times.length) - 1] ?? Number.NaN;
  const first = times[0] ?? Number.NaN;
  findings.figure('the first Close arrived', `${Math.round(first - askedAt)} ms after the signal`);
  const whole = at(1) - first;
  const isWhole = Math.abs(whole - spreadMs) <= share * spreadMs;
  findings.check(
    `from the first Close to the last ${spreadMs} ms, within ${100 * share} %`,
    isWhole,
    `${Math.round(whole)} ms`,
  );
  const deciles = Array.from({ length: 10 }, (_, index) => (index + 1) / 10);
  const off = deciles.map((part) => at(part) - first - part * spreadMs);
  const largest = Math.max(...off.map(Math.abs));
  findings.check(
    `each tenth of the Closes on time, within ${100 * share} % of the spread`,
    largest <= share * spreadMs,
    `at most ${Math.round(largest)} ms off (${off.map((ms) => Math.round(ms)).join(' ')})`,
  );
}

/** Whatever was sent before the client's own Close is at the backend, in order. */
function checkMessages(
  findings: Findings,
  sessions: readonly ClientSession[],
  atBackend: ReadonlyMap<string, BackendSession>,
): void {
  const faults: string[] = [];
  let sent = 0;
  for (const { path, sent: ofOne } of sessions) {
    sent += ofOne;
    const other = atBackend.get(path);
    if (other?.messages === ofOne && other.fault === null) continue;
    faults.push(
      `${path}: ${ofOne} sent, ${other?.messages} in order at the backend${other?.fault ? `, ${other.fault}` : ''}`,
    );
  }
  findings.check(
    'every message sent before the Close of its client arrived, in order',
    faults.length === 0 && sent > 0,
    faults.length === 0 ? `${sent} messages` : `${faults.length} sessions: ${faults.slice(0, 5).join('; ')}`,
  );
}
