// A client process that is stopped: its kernel still takes what we send, and only silence tells that nobody is there.

import type { BackendSession } from './backend-process.ts';
import { countsOf, type Demand } from './demand.ts';
import { Backends, type Clients, startClients } from './peers.ts';
import { Subject, until } from './subject.ts';

/** Idle sessions, and sessions whose backend sends without end, in the process that is stopped. */
const STOPPED = 20;
/** The wheel, and a loaded machine. */
const LATE_MS = 1_500;

export const sigstop: Demand = {
  name: 'sigstop',
  title: 'a client process that is stopped, with the default client_ping_interval and pong',
  openFiles: 500,
  async run(task) {
    const [intervalMs, pongMs] = [task.size(30_000, 500), task.size(20_000, 700)];
    const { findings } = task;
    const backends = new Backends(task);
    const port = await backends.listen();
    // In full size nothing is set: the defaults are what is measured.
    const timeouts = task.isFull
      ? ''
      : `timeouts: { client_ping_interval: ${intervalMs}ms, pong: ${pongMs}ms, message_stall: 60s }`;
    const subject = await Subject.start(
      task,
      `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: all, upstream: "ws://127.0.0.1:${port}" }]
${timeouts}
`,
    );
    const stopped = startClients(task);
    const living = startClients(task);
    const count = task.size(STOPPED, 2);
    await open(subject, stopped, 'stopped', count);
    await open(subject, living, 'living', count);
    const stoppedAt = Date.now();
    process.kill(stopped.pid, 'SIGSTOP');
    task.atEnd(() => void process.kill(stopped.pid, 'SIGCONT'));
    const deadlineMs = intervalMs + pongMs + LATE_MS;
    const ended = () => backendSessions(backends, 'stopped').then((all) => all.every((one) => one.ended !== null));
    await until('every session of the stopped process ended', 2 * deadlineMs, ended);
    for (const mode of ['numbers', 'ticks']) {
      const sessions = [...(await backends.sessions(`/${mode}/stopped/`)).values()];
      const times = sessions.map((one) => (one.endedAt ?? Number.POSITIVE_INFINITY) - stoppedAt);
      const kind = mode === 'ticks' ? 'sent to all the time' : 'idle';
      findings.check(
        `${kind}: ended within ${intervalMs} + ${pongMs} ms`,
        Math.max(...times) <= deadlineMs,
        `${sessions.length} sessions, after ${Math.min(...times)} to ${Math.max(...times)} ms`,
      );
      const codes = sessions.map((one) => one.closeCode);
      findings.check(
        `${kind}: the backend was told 1001`,
        codes.every((code) => code === 1001),
        [...new Set(codes)].join(),
      );
    }
    // The backend's end of a connection may be over before the proxy's.
    await until('every session is told of', LATE_MS, () => subject.linesOf('session.end') >= 2 * count).catch(() => {});
    const reasons = subject.cli.logs.filter(({ event }) => event === 'session.end').map(({ reason }) => reason);
    findings.equal('reasons', countsOf(reasons), { client_pong_timeout: 2 * count });
    // They were opened before the others were stopped, so that an unanswered ping would have ended the idle ones too.
    const others = await backendSessions(backends, 'living');
    const left = others.filter((one) => one.ended === null).length;
    findings.equal('sessions of the process that lives, still open', left, 2 * count);
  },
};

async function open(subject: Subject, clients: Clients, name: string, count: number): Promise<void> {
  for (const mode of ['numbers', 'ticks']) {
    await clients.ask({ kind: 'open', port: subject.port, path: `/${mode}/${name}/`, count, seed: 1 });
  }
}

async function backendSessions(backends: Backends, name: string): Promise<readonly BackendSession[]> {
  const found = await Promise.all(['numbers', 'ticks'].map((mode) => backends.sessions(`/${mode}/${name}/`)));
  return found.flatMap((sessions) => [...sessions.values()]);
}
