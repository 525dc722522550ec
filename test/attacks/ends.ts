// Every session ends in the same second: their backend dies. Each of them still has its line in the log.

import type { Demand } from '../scale/demand.ts';
import { Backends, startClients } from '../scale/peers.ts';
import { Subject, until } from '../scale/subject.ts';

const SESSIONS = 5000;
const ENDED_MS = 60_000;

export const ends: Demand = {
  name: 'ends',
  title: `a backend dies under ${SESSIONS} sessions: a line session.end for each`,
  openFiles: 2 * SESSIONS + 500,
  async run(task) {
    const { findings } = task;
    const backends = new Backends(task);
    const clients = startClients(task);
    const sessions = task.size(SESSIONS, 150);
    const config = `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: echo, upstream: "ws://127.0.0.1:${await backends.listen()}" }]
limits: { max_sessions: ${sessions + 10} }
`;
    const subject = await Subject.start(task, config);
    await clients.ask({ kind: 'open', port: subject.port, path: '/echo/', count: sessions, seed: task.seed });
    await until('all are open', ENDED_MS, async () => (await subject.metrics()).sum('sessions_open') === sessions);
    await backends.stop();
    await until('all have ended', ENDED_MS, async () => (await subject.metrics()).sum('sessions_open') === 0);
    const dropped = (await subject.metrics()).sum('log_lines_dropped_total');
    subject.cli.signal('SIGTERM');
    await subject.cli.exit();
    const lines = subject.cli.logs.filter(({ event }) => event === 'session.end');
    findings.equal('lines session.end', lines.length, sessions);
    findings.equal('sessions that they are about', new Set(lines.map(({ session }) => session)).size, sessions);
    findings.equal('their reasons', [...new Set(lines.map(({ reason }) => reason))], ['backend_lost']);
    findings.equal('lines that were lost', dropped, 0);
    const times = lines.map(({ time }) => Date.parse(String(time)));
    const tookMs = Math.max(...times) - Math.min(...times);
    findings.figure('from the first of them to the last', `${tookMs} ms`);
    if (task.isFull) findings.check('all of them end within two seconds', tookMs <= 2_000, `${tookMs} ms`);
  },
};
