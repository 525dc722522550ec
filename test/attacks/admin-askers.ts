// Many who ask the admin listener for all sessions again and again, beside one session that is measured.

import { setTimeout as delay } from 'node:timers/promises';
import { countsOf, type Demand, type Task } from '../scale/demand.ts';
import { startClients } from '../scale/peers.ts';
import { Subject, until } from '../scale/subject.ts';
import { EchoMeter, echoText } from './echo-meter.ts';

const SESSIONS = 6000;
const ASKERS = 60;
const ASK_MS = 10_000;
/** Between an answer and the next question. All together stay below what the admin listener answers with 429. */
const PAUSE_MS = 1_000;
/** What the p99 of the echoes may be above that of a quiet time. */
const P99_ABOVE_MS = 20;

export const adminAskers: Demand = {
  name: 'admin-askers',
  title: `${ASKERS} who ask for all of ${SESSIONS} sessions, again and again`,
  openFiles: 2 * SESSIONS + 500,
  async run(task) {
    const sessions = task.size(SESSIONS, 100);
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: echo, upstream: "builtin:echo" }]
limits: { max_sessions: ${sessions + 10} }
`,
    );
    const clients = startClients(task);
    await clients.ask({ kind: 'open', port: subject.port, path: '/crowd/', count: sessions, seed: task.seed });
    const meter = await EchoMeter.open(task, subject.port, '/measured');
    await until('all are there', 60_000, async () => (await subject.metrics()).sum('sessions_open') === sessions + 1);
    const askMs = task.size(ASK_MS, 1_000);
    const quiet = await meter.during(() => delay(askMs));
    const statuses: number[] = [];
    const loud = await meter.during(() => askAll(task, subject, { askMs, sessions, statuses }));
    const { findings } = task;
    findings.figure('quiet', echoText(quiet));
    findings.figure('beside the askers', echoText(loud));
    findings.equal('answers', Object.keys(countsOf(statuses)), ['200']);
    findings.figure('how many', String(statuses.length));
    if (!task.isFull) return;
    const above = loud.p99 - quiet.p99;
    findings.check(`p99 is at most ${P99_ABOVE_MS} ms above quiet`, above <= P99_ABOVE_MS, `${above.toFixed(1)} ms`);
  },
};

interface Asking {
  readonly askMs: number;
  readonly sessions: number;
  readonly statuses: number[];
}

async function askAll(task: Task, subject: Subject, { askMs, sessions, statuses }: Asking): Promise<void> {
  const endAt = performance.now() + askMs;
  const asker = async () => {
    while (performance.now() < endAt) {
      const { status, json } = await subject.ask('GET /application/websockets');
      statuses.push(status);
      const listed = Array.isArray(json) ? json.length : 0;
      if (listed !== sessions + 1) task.findings.equal('sessions in one answer', listed, sessions + 1);
      await delay(PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: task.size(ASKERS, 10) }, asker));
}
