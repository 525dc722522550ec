// A thousand handshakes a second with bad credentials, of each kind in turn: those who are in already do not notice,
// nothing is left over, and who is asked about credentials is asked no more than it has to be.
//
// Quiet is the same clients with the same heads on a path that leads nowhere: they are refused right in front of auth,
// so that what is compared is what auth adds, and not what a thousand clients cost a small machine.

import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds } from '../../bench/support/process-figures.ts';
import type { Demand, Task } from '../scale/demand.ts';
import { checkLevels } from '../scale/levels.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Backends } from '../scale/peers.ts';
import { type Level, Subject, until } from '../scale/subject.ts';
import { type BadKind, badKinds, headsOf, UNAVAILABLE } from './bad-credentials.ts';
import type { AddressRange, CredentialReply } from './credential-clients-process.ts';
import { AuthServerProcess, type CredentialClients, startCredentialClients } from './credentials.ts';
import { EchoMeter, echoText } from './echo-meter.ts';
import type { EchoReply } from './echo-process.ts';

const RATE = 1_000;
/** Interleaved, so that a machine that changes its mind does so to both. */
const ROUNDS = 3;
const QUIET_SECONDS = 5;
const BAD_SECONDS = 10;
const RATE_SHARE_MIN = 0.9;
/** Two p99 that differ by less are the same. */
const RESOLUTION_MS = 0.5;
const LOOK_UP_EVERY_MS = 50;
const CALM_MS = 30_000;
const UNAUTHORIZED = '401 unauthorized';
const TOO_MANY = '429 too_many_auth_failures';
/** While who is asked is ill. */
const ILL_SECONDS = 8;
const LATE_MS = 200;
/** Defaults of `max_in_flight`, and failures in a row until nobody is asked any more. */
const IN_FLIGHT = 64;
const CIRCUIT_FAILURES = 5;
/** The default of `auth_failures_per_minute_per_ip`. */
const FAILURES = 60;

/** With the limit each kind has addresses of its own: those of the others are counted out. */
const SOURCES = { off: 50_000, default: 50 } as const;

type Limit = 'off' | 'default';
const LIMITS: readonly Limit[] = ['off', 'default'];

/** One kind under one limit. */
interface Part {
  readonly kind: BadKind;
  readonly limit: Limit;
  /** Of both. */
  readonly name: string;
  readonly sources: AddressRange;
}

interface Scene {
  readonly task: Task;
  readonly subject: Subject;
  readonly server: AuthServerProcess;
  readonly clients: CredentialClients;
  readonly meter: EchoMeter;
  readonly rate: number;
}

export const badTokens: Demand = {
  name: 'bad-tokens',
  title: `${RATE} handshakes a second with bad credentials, of each kind for ${ROUNDS * BAD_SECONDS} s`,
  openFiles: 3_000,
  async run(task) {
    const server = await AuthServerProcess.listen(task);
    const { kinds, jwks } = badKinds((path) => server.url(path));
    await server.be({ delayMs: 0, drops: false, jwks });
    const backend = await new Backends(task).listen();
    const subject = await Subject.start(task, configOf(kinds, backend, 'off'));
    const clients = startCredentialClients(task);
    const meter = await EchoMeter.open(task, subject.port, '/echo/meter');
    const scene: Scene = { task, subject, server, clients, meter, rate: task.size(RATE, 100) };
    const alone = await meter.during(() => delay(task.size(QUIET_SECONDS, 0.2) * 1_000));
    task.findings.figure('with nobody beside it', echoText(alone));
    const before = await subject.measure();
    for (const limit of LIMITS) {
      subject.write('config.yaml', configOf(kinds, backend, limit));
      const { status } = await subject.ask('POST /api/v1/reload');
      task.findings.equal(`auth_failures_per_minute_per_ip: ${limit}, the reload`, status, 200);
      for (const [at, kind] of kinds.entries()) {
        const from = limit === 'off' ? 0 : SOURCES.off + at * SOURCES.default;
        const sources = { from, count: SOURCES[limit] };
        await runPart(scene, { kind, limit, name: `${kind.name}, ${limit}`, sources });
      }
    }
    await runIll(scene, kinds);
    const { descriptors } = await subject.measure();
    task.findings.equal('descriptors at the end', descriptors, before.descriptors);
  },
};

function configOf(kinds: readonly BadKind[], backend: number, limit: Limit): string {
  const open = (path: string, host: string) => ({
    name: host,
    match: { path },
    upstream: `ws://${host}:${backend}`,
    auth: [],
  });
  // These clients are no browsers.
  const origins = { origins: ['same'], missing_origin: 'allow' };
  const closed = (name: string) => ({
    name,
    match: { path: `/${name}` },
    upstream: 'builtin:echo',
    auth: [name],
    ...origins,
  });
  return JSON.stringify({
    listeners: [{ name: 'test', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0' },
    routes: [
      open('/echo/named', 'localhost'),
      open('/echo/meter', '127.0.0.1'),
      ...kinds.map(({ name }) => closed(name)),
    ],
    auth: Object.fromEntries(kinds.map(({ name, method }) => [name, method])),
    limits: {
      handshakes_per_second: 'off',
      handshakes_per_second_per_ip: 'off',
      max_sessions_per_ip: 'off',
      ...(limit === 'off' ? { auth_failures_per_minute_per_ip: 'off' } : {}),
    },
  });
}

interface Round {
  readonly came: CredentialReply;
  readonly echoes: EchoReply;
  /** Of the proxy, milliseconds. */
  readonly cpuMs: number;
}

async function runPart(scene: Scene, part: Part): Promise<void> {
  const { task, subject, server } = scene;
  const { findings } = task;
  const { kind, name } = part;
  const rounds = task.size(ROUNDS, 1);
  const [quiet, bad]: [Round[], Round[]] = [[], []];
  const lookUps: LookUps = { quiet: [], bad: [] };
  let before: Level | null = null;
  await server.tally();
  const startedAt = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    const quietly = () => come(scene, part, { path: '/nowhere', seconds: QUIET_SECONDS });
    quiet.push(await besideLookUps(part, subject, lookUps.quiet, quietly));
    const badly = () => come(scene, part, { seconds: BAD_SECONDS });
    bad.push(await besideLookUps(part, subject, lookUps.bad, badly));
    await calm(subject);
    // Caches are full now.
    if (task.isFull && round === rounds - 2) before = await subject.measure();
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const [what, all] of [
    ['quiet', quiet],
    ['bad', bad],
  ] as const)
    for (const one of all) findings.figure(`${name}, ${what}`, roundText(one));
  findings.equal(`${name}: quiet is refused by no route`, Object.keys(answersOf(quiet)), ['404 no_route']);
  judgeAnswers(task, part, { bad, seconds });
  judgeEchoes(task, part, { quiet, bad });
  if (kind.lookUpMs !== null) judgeLookUps(task, name, kind.lookUpMs, lookUps);
  if (kind.asks !== null) await judgeAsked(scene, name, kind.asks, { came: cameOf(bad), seconds });
  if (before !== null) checkLevels(findings, { before, after: await subject.measure(), isFull: true });
}

async function come(
  { task, subject, clients, meter, rate }: Scene,
  { kind, sources }: Pick<Part, 'kind' | 'sources'>,
  { path, seconds }: { readonly path?: string; readonly seconds: number },
): Promise<Round> {
  const plan = { port: subject.port, heads: headsOf(kind, path), rate, sources, seconds: task.size(seconds, 0.2) };
  const cpuBefore = cpuSeconds(subject.pid);
  let came: CredentialReply | null = null;
  const echoes = await meter.during(async () => {
    came = await clients.ask(plan);
  });
  if (came === null) throw new Error('nobody came');
  return { came, echoes, cpuMs: (cpuSeconds(subject.pid) - cpuBefore) * 1_000 };
}

/** Who is asked does not answer, then answers late: nobody comes in, and it is asked no more than it can bear. */
async function runIll(scene: Scene, kinds: readonly BadKind[]): Promise<void> {
  const { task, server } = scene;
  const { findings } = task;
  for (const kind of kinds.filter(({ asks }) => asks?.keptMs === 0)) {
    const path = kind.asks?.path ?? '';
    const part = { kind, sources: { from: 0, count: SOURCES.off } };
    await server.be({ delayMs: 0, drops: true, jwks: '' });
    await server.tally();
    const seconds = task.size(ILL_SECONDS, 0.5);
    const broken = await come(scene, part, { seconds });
    const { asked } = await server.tally();
    // Trials come after 1, 2, 4 ... seconds.
    const most = CIRCUIT_FAILURES + IN_FLIGHT + Math.ceil(Math.log2(1 + broken.came.seconds)) + 1;
    findings.equal(`${kind.name}, broken off: the answers`, Object.keys(answersOf([broken])), [UNAVAILABLE]);
    findings.check(
      `${kind.name}, broken off: asked at most ${most} times`,
      (asked[path] ?? 0) <= most,
      `${asked[path]}`,
    );
    await server.be({ delayMs: LATE_MS, drops: false, jwks: '' });
    await until(`${kind.name} is asked again`, CALM_MS, async () => {
      const { came } = await come(scene, part, { seconds: 0.2 });
      return UNAUTHORIZED in (came.answers[kind.name] ?? {});
    });
    await server.tally();
    const late = await come(scene, part, { seconds: ILL_SECONDS });
    const { atOnce } = await server.tally();
    const strange = Object.keys(answersOf([late])).filter((one) => one !== UNAUTHORIZED && one !== UNAVAILABLE);
    const told = JSON.stringify(answersOf([late]));
    findings.check(`${kind.name}, ${LATE_MS} ms late: the answers`, strange.length === 0, told);
    findings.check(`${kind.name}, late: at most ${IN_FLIGHT} at once`, atOnce <= IN_FLIGHT, `${atOnce}`);
    await server.be({ delayMs: 0, drops: false, jwks: '' });
    await calm(scene.subject);
  }
}

/** Nobody but the session that is measured. */
async function calm(subject: Subject): Promise<void> {
  await until('the gauges are back', CALM_MS, async () => {
    const metrics = await subject.metrics();
    const handshakes = metrics.sum('handshakes_open') + metrics.sum('handshakes_waiting');
    return handshakes === 0 && metrics.sum('connections_open') === 1 && metrics.sum('sessions_open') === 1;
  });
}

function judgeAnswers(
  { findings, isFull }: Task,
  { kind, limit, name, sources }: Part,
  { bad, seconds }: { readonly bad: readonly Round[]; readonly seconds: number },
): void {
  const answers = answersOf(bad);
  const isLimited = limit === 'default' && kind.isCounted;
  const known = new Set([UNAUTHORIZED, ...kind.answers, ...(isLimited ? [TOO_MANY] : [])]);
  const strange = Object.keys(answers).filter((answer) => !known.has(answer));
  findings.check(`${name}: the answers`, strange.length === 0, JSON.stringify(answers));
  const rate = cameOf(bad) / bad.reduce((sum, { came }) => sum + came.seconds, 0);
  if (isFull) findings.check(`${name}: they come`, rate >= RATE_SHARE_MIN * RATE, `${Math.round(rate)} a second`);
  if (!isLimited) return;
  const most = Math.round(sources.count * FAILURES * (1 + seconds / 60));
  const heard = answers[UNAUTHORIZED] ?? 0;
  const refused = answers[TOO_MANY] ?? 0;
  findings.check(`${name}: at most ${most} are heard`, heard <= most, `${heard}`);
  if (isFull) findings.check(`${name}: and then none`, refused > heard, `${refused} are not`);
}

function judgeEchoes(
  task: Task,
  { kind: { factor }, name }: Part,
  { quiet, bad }: { readonly quiet: readonly Round[]; readonly bad: readonly Round[] },
): void {
  const [before, during] = [quiet, bad].map((rounds) => median(rounds.map(({ echoes }) => echoes.p99)));
  if (before === undefined || during === undefined) return;
  const most = factor * before + RESOLUTION_MS;
  const seen = `${during.toFixed(2)} ms, quiet ${before.toFixed(2)} ms`;
  // A short look beside other work says nothing.
  if (task.isFull) task.findings.check(`${name}: p99 at most ${most.toFixed(2)} ms`, during <= most, seen);
  else task.findings.figure(`${name}: p99`, seen);
}

function judgeLookUps(task: Task, name: string, most: number, { quiet, bad }: LookUps): void {
  const longest = Math.max(...bad);
  const seen = `${longest.toFixed(1)} ms of ${bad.length} handshakes, quiet ${Math.max(...quiet).toFixed(1)} ms`;
  if (task.isFull) task.findings.check(`${name}: look-ups within ${most} ms`, longest <= most, seen);
  else task.findings.figure(`${name}: look-ups`, seen);
}

async function judgeAsked(
  { task, server }: Scene,
  name: string,
  { path, keptMs }: NonNullable<BadKind['asks']>,
  { came, seconds }: { readonly came: number; readonly seconds: number },
): Promise<void> {
  const { asked, mostAlike, atOnce } = await server.tally();
  const count = asked[path] ?? 0;
  const most = keptMs === 0 ? came : Math.ceil((seconds * 1_000) / keptMs) + 1;
  const seen = `${count}, ${atOnce} at once, ${mostAlike} alike`;
  task.findings.check(`${name}: the authorization server is asked at most ${most} times`, count <= most, seen);
  if (keptMs === 0) task.findings.check(`${name}: and the same once`, mostAlike <= 1, String(mostAlike));
}

/** Milliseconds, of handshakes. */
interface LookUps {
  readonly quiet: number[];
  readonly bad: number[];
}

async function besideLookUps<T>({ kind }: Part, subject: Subject, times: number[], work: () => Promise<T>): Promise<T> {
  const looking = kind.lookUpMs === null ? null : watchLookUps(subject.port, times);
  const result = await work();
  await looking?.end();
  return result;
}

/** Sessions with a target whose name is looked up again whenever its last answer is too old. */
function watchLookUps(port: number, times: number[]): { end(): Promise<void> } {
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const startedAt = performance.now();
      const peer = await PeerSocket.open(port, '/echo/named');
      times.push(performance.now() - startedAt);
      peer.socket.destroy();
      await delay(LOOK_UP_EVERY_MS);
    }
  })();
  return {
    end: () => {
      isOver = true;
      return watching;
    },
  };
}

function answersOf(rounds: readonly Round[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { came } of rounds)
    for (const counts of Object.values(came.answers))
      for (const [answer, count] of Object.entries(counts)) sums[answer] = (sums[answer] ?? 0) + count;
  return sums;
}

function cameOf(rounds: readonly Round[]): number {
  return rounds.reduce((sum, { came }) => sum + came.came, 0);
}

function roundText({ came, echoes, cpuMs }: Round): string {
  const each = `${(cpuMs / came.came).toFixed(3)} ms of CPU each`;
  return `${echoText(echoes)}; ${each}, answered in p50 ${came.p50.toFixed(1)} ms, p99 ${came.p99.toFixed(1)} ms`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
