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
import {
  answersOf,
  cameOf,
  judgeAnswers,
  judgeAsked,
  judgeEchoes,
  judgeLookUps,
  type Limit,
  type LookUps,
  type Part,
  RATE,
  type Round,
  roundText,
  UNAUTHORIZED,
} from './bad-rounds.ts';
import type { CredentialReply } from './credential-clients-process.ts';
import { AuthServerProcess, type CredentialClients, startCredentialClients } from './credentials.ts';
import { EchoMeter, echoText } from './echo-meter.ts';

/** Interleaved, so that a machine that changes its mind does so to both. */
const ROUNDS = 3;
const QUIET_SECONDS = 5;
const BAD_SECONDS = 10;
const LOOK_UP_EVERY_MS = 50;
const CALM_MS = 30_000;
/** While who is asked is ill. */
const ILL_SECONDS = 8;
const LATE_MS = 200;
/** Defaults of `max_in_flight`, and failures in a row until nobody is asked any more. */
const IN_FLIGHT = 64;
const CIRCUIT_FAILURES = 5;

/** With the limit each kind has addresses of its own: those of the others are counted out. */
const SOURCES = { off: 50_000, default: 50 } as const;

const LIMITS: readonly Limit[] = ['off', 'default'];

interface Scene {
  readonly task: Task;
  readonly subject: Subject;
  readonly server: AuthServerProcess;
  readonly clients: CredentialClients;
  readonly meter: EchoMeter;
  readonly rate: number;
  /** Before anybody came. */
  readonly descriptors: number;
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
    const alone = await meter.during(() => delay(task.size(QUIET_SECONDS, 0.2) * 1_000));
    task.findings.figure('with nobody beside it', echoText(alone));
    const { descriptors } = await subject.measure();
    const scene: Scene = { task, subject, server, clients, meter, rate: task.size(RATE, 100), descriptors };
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
    task.findings.equal('descriptors at the end', (await levelOf(scene)).descriptors, descriptors);
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
    if (task.isFull && round === rounds - 2) before = await levelOf(scene);
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
  judgeAsked(task, part, await server.tally(), { came: cameOf(bad), seconds });
  if (before !== null) checkLevels(findings, { before, after: await levelOf(scene), isFull: true });
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

/** Once no connection waits for the next question about a credential. */
async function levelOf({ subject, descriptors }: Scene): Promise<Level> {
  await until('no connection is left over', CALM_MS, () => subject.descriptors <= descriptors);
  return subject.measure();
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
