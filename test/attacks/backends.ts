// New sessions all the time on pools of which one target is ill, each in its way: who comes is kept from it as far as
// that can be, it is not dialed more than it has to be, and it has its share again when it works.

import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { countsOf, type Demand, type Task } from '../scale/demand.ts';
import { Subject, until } from '../scale/subject.ts';
import { type Health, SickBackend } from '../support/sick-backend.ts';
import { closeFrame, exampleKey, upgradeRequest } from '../support/wire.ts';

const RATE = 1_000;
const SECONDS = 10;
const STEP_MS = 10;
const FAILURES = 5;
/** Of two processes that have a core each: what is healthy may be late, too. */
const UPGRADE_MS = 3_000;
const EARLY_DEATH_MS = 1_000;
const EJECT_MS = 1_000;
const EJECT_MAX_MS = 4_000;
/** Handshakes that are under way to the ill one when it is ejected, and what a busy machine adds. */
const UNDER_WAY = 40;
/** So long a session is watched for whether its backend breaks off. */
const HOLD_MS = 50;
const PATIENCE_MS = 10_000;

interface Course {
  readonly name: string;
  /** What the ill one does, from `seconds` on the second word. */
  readonly health: (second: number) => Health;
  /** So many may see that it is ill. */
  readonly seenMax: (rate: number, ejections: number) => number;
  /** It is ejected at least once. */
  readonly isEjected: boolean;
}

/** Each ejection has its failures, and each trial that fails is one of them. */
const perEjection = (_rate: number, ejections: number) => ejections * (FAILURES + UNDER_WAY);
const NOBODY = () => 0;

const COURSES: readonly Course[] = [
  { name: 'lies', health: () => 'lies', seenMax: perEjection, isEjected: true },
  { name: 'drops', health: () => 'drops', seenMax: perEjection, isEjected: true },
  { name: 'gateway', health: () => 502, seenMax: perEjection, isEjected: true },
  {
    name: 'hangs',
    health: () => 'hangs',
    // Those that came until the first of them was waited for in vain.
    seenMax: (rate, ejections) => (rate / 3) * (UPGRADE_MS / 1_000) * 1.5 + perEjection(rate, ejections),
    isEjected: true,
  },
  { name: 'slow', health: () => 'slow', seenMax: NOBODY, isEjected: false },
  {
    name: 'flaps',
    health: (second) => (Math.floor(second) % 2 === 0 ? 'lies' : 'works'),
    seenMax: perEjection,
    isEjected: true,
  },
];

export const backends: Demand = {
  name: 'backends',
  title: `${RATE} new sessions a second for ${SECONDS} s, one target of three ill, in ${COURSES.length + 3} ways`,
  openFiles: 6_000,
  async run(task) {
    const rate = task.size(RATE, 150);
    const seconds = task.size(SECONDS, 1);
    const pools = await Promise.all(
      [...COURSES.map(({ name }) => name), 'killed', 'full'].map((name) => poolOf(task, name)),
    );
    const subject = await Subject.start(task, configOf(pools));
    for (const [at, course] of COURSES.entries()) {
      const pool = pools[at];
      if (pool !== undefined) await runCourse(task, { subject, pool, course, rate, seconds });
    }
    for (const pool of pools) {
      if (pool.name === 'killed') await runKilled(task, { subject, pool, rate, seconds });
      if (pool.name === 'full') await runFull(task, { subject, pool, rate, seconds });
    }
    await runDead(task, { subject, rate, seconds });
    const metrics = await subject.metrics();
    task.findings.equal(
      'handshakes under way or waiting',
      metrics.sum('handshakes_open') + metrics.sum('handshakes_waiting'),
      0,
    );
  },
};

interface Pool {
  readonly name: string;
  readonly ill: SickBackend;
  readonly urls: readonly string[];
}

interface Run {
  readonly subject: Subject;
  readonly pool: Pool;
  readonly rate: number;
  readonly seconds: number;
}

async function poolOf(task: Task, name: string): Promise<Pool> {
  const all = await Promise.all([1, 2, 3].map(() => SickBackend.listen()));
  task.atEnd(() => {
    for (const one of all) one.close();
  });
  const [ill] = all;
  if (ill === undefined) throw new Error('there are three');
  return { name, ill, urls: all.map(({ url }) => url) };
}

function configOf(pools: readonly Pool[]): string {
  const names = [...pools.map(({ name }) => name), 'dead'];
  const dead = [1, 2, 3].map((at) => `ws://127.0.0.${at}:1`);
  const upstream = (name: string, urls: readonly string[]) => {
    const targets = urls.map((url, at) => {
      const cap = name === 'full' && at === 0 ? ', max_sessions: 1' : '';
      return `{ name: ${at === 0 ? 'ill' : `well${at}`}, url: "${url}"${cap} }`;
    });
    return `  ${name}: { <<: *passive, targets: [${targets.join(', ')}] }`;
  };
  const times = `early_death: ${EARLY_DEATH_MS}ms, eject: ${EJECT_MS}ms, eject_max: ${EJECT_MAX_MS}ms`;
  const passive = `{ failures: ${FAILURES}, ${times} }`;
  return `
listeners: [{ name: test, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
routes:
${names.map((name) => `  - { name: ${name}, match: { path: /${name} }, upstream: ${name} }`).join('\n')}
upstreams:
${[...pools.map(({ name, urls }) => upstream(name, urls)), upstream('dead', dead)]
  .join('\n')
  .replaceAll('<<: *passive', `balance: round_robin, health: { passive: ${passive} }`)}
timeouts: { upgrade: ${UPGRADE_MS}ms, close: 1s }
limits: { handshakes_per_second: off, handshakes_per_second_per_ip: off, max_sessions_per_ip: off }
`;
}

/** What became of those who came, at `rate` a second. */
async function come(
  run: Omit<Run, 'pool'>,
  path: string,
  onSecond: (second: number) => void = () => {},
): Promise<string[]> {
  const { subject, rate, seconds } = run;
  const came: Promise<string>[] = [];
  const startedAt = performance.now();
  for (;;) {
    const passed = (performance.now() - startedAt) / 1_000;
    if (passed >= seconds) break;
    onSecond(passed);
    while (came.length < passed * rate) came.push(comer(subject.port, path, came.length));
    await delay(STEP_MS);
  }
  return Promise.all(came);
}

/** `in`, `lost` early, a status, or how it ended. */
function comer(port: number, path: string, index: number): Promise<string> {
  return new Promise((resolve) => {
    // As many clients as there are addresses: failures of each count once.
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: `127.0.${index % 200}.${2 + (index % 250)}` });
    const end = (how: string) => {
      resolve(how);
      socket.destroy();
    };
    socket.write(upgradeRequest({ path, key: exampleKey }));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('close', () => end('closed'));
    socket.once('data', (bytes) => {
      const status = bytes.toString('latin1', 9, 12);
      if (status !== '101') return end(status);
      const timer = setTimeout(() => {
        socket.off('data', lost);
        resolve('in');
        socket.end(closeFrame(1000, '', { mask: true }));
      }, HOLD_MS);
      const lost = () => {
        clearTimeout(timer);
        end('lost');
      };
      socket.on('data', lost);
      if (bytes.indexOf('\r\n\r\n') + 4 < bytes.length) lost();
    });
  });
}

const seenBy = (answers: readonly string[]) => answers.filter((how) => how !== 'in').length;

async function ejectionsOf(subject: Subject, upstream: string): Promise<number> {
  return (await subject.metrics()).sum('target_ejections_total', { upstream, target: 'ill' });
}

async function runCourse(task: Task, run: Run & { readonly course: Course }): Promise<void> {
  const { findings } = task;
  const { subject, pool, course, rate } = run;
  pool.ill.health = course.health(0);
  const startedAt = performance.now();
  const answers = await come(run, `/${pool.name}`, (second) => {
    pool.ill.health = course.health(second);
  });
  const ejections = await ejectionsOf(subject, pool.name);
  const took = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const most = Math.ceil(course.seenMax(rate, ejections));
  const seen = seenBy(answers);
  findings.check(`${pool.name}: at most ${most} see it`, seen <= most, `${seen}: ${JSON.stringify(countsOf(answers))}`);
  findings.check(`${pool.name}: it is ejected`, ejections > 0 === course.isEjected, `${ejections} times in ${took} s`);
  if (course.isEjected) await heal(task, run);
}

/** It works again: it is tried when its time is over, and has its share when the trial has lived for long enough. */
async function heal(task: Task, { subject, pool, rate }: Run): Promise<void> {
  pool.ill.health = 'works';
  const startedAt = performance.now();
  const isUp = async () => (await subject.metrics()).sum('target_up', { upstream: pool.name, target: 'ill' }) === 1;
  const most = EJECT_MAX_MS + EARLY_DEATH_MS + 2_000;
  await until('it is up again', PATIENCE_MS, async () => {
    await come({ subject, rate: Math.min(rate, 50), seconds: 0.1 }, `/${pool.name}`);
    return isUp();
  });
  const ms = Math.round(performance.now() - startedAt);
  task.findings.check(`${pool.name}: up again in ${most} ms`, ms <= most, `${ms} ms`);
  const { asked } = pool.ill;
  const answers = await come({ subject, rate: 100, seconds: 0.5 }, `/${pool.name}`);
  task.findings.check(
    `${pool.name}: it has its share again`,
    pool.ill.asked > asked,
    `${pool.ill.asked - asked} of ${answers.length}`,
  );
  task.findings.equal(`${pool.name}: and nobody sees anything`, seenBy(answers), 0);
}

async function runKilled(task: Task, run: Run): Promise<void> {
  let isKilled = false;
  const answers = await come(run, '/killed', (second) => {
    if (isKilled || second < run.seconds / 4) return;
    isKilled = true;
    run.pool.ill.close();
  });
  const seen = seenBy(answers);
  // Its own sessions are lost with it; who comes behind them goes to the others.
  const most = FAILURES + UNDER_WAY + Math.ceil((run.rate / 3) * (HOLD_MS / 1_000));
  task.findings.check(`killed: at most ${most} see it`, seen <= most, `${seen}: ${JSON.stringify(countsOf(answers))}`);
  const metrics = await run.subject.metrics();
  const dials = metrics.sum('target_dials_total', { upstream: 'killed', target: 'ill', result: 'backend_unreachable' });
  const dialsMax = FAILURES + UNDER_WAY + run.seconds;
  task.findings.check(`killed: dialed in vain at most ${dialsMax} times`, dials <= dialsMax, `${dials}`);
}

async function runFull(task: Task, run: Run): Promise<void> {
  const answers = await come(run, '/full');
  task.findings.equal('full: nobody sees it', countsOf(answers), { in: answers.length });
}

/** Nobody works: each is dialed for once, and a fifth more. */
async function runDead(task: Task, run: Omit<Run, 'pool'>): Promise<void> {
  const answers = await come(run, '/dead');
  task.findings.equal('dead: the answers', countsOf(answers), { 502: answers.length });
  const metrics = await run.subject.metrics();
  const dials = metrics.sum('target_dials_total', { upstream: 'dead' });
  const most = Math.ceil(answers.length * 1.2) + 3;
  task.findings.check(`dead: at most ${most} dials`, dials <= most, `${dials} for ${answers.length}`);
}
