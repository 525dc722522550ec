// A thousand reloads in a row under load, every second one broken, and files that change though the config does not.

import { once } from 'node:events';
import * as net from 'node:net';
import { makeCertificates, otherCertificates } from '../support/certs.ts';
import type { Demand, Task } from './demand.ts';
import { checkLevels } from './levels.ts';
import { PeerSocket } from './peer-socket.ts';
import { Backends, startClients } from './peers.ts';
import { Subject, until } from './subject.ts';

const RELOADS = 1000;
const SESSIONS = 250;
const EVERY_MS = 100;
const WARM_UP_SHARE = 0.2;
/** Each so many a signal asks for, not the admin listener. */
const BY_SIGNAL_EACH = 10;
/**
 * Reading a config is much code that runs rarely: V8 learns about it and compiles it for thousands of reloads, which
 * hides what a reload leaves behind. Without its optimiser it has learned all there is in the warm-up.
 */
const FLAGS = ['--no-opt', '--no-lazy-feedback-allocation'];

export const reloads: Demand = {
  name: 'reloads',
  title: `${RELOADS} reloads in a row, every second one broken, with ${SESSIONS} sessions that echo`,
  openFiles: 2 * SESSIONS + 500,
  async run(task) {
    const rig = await startRig(task);
    const { subject } = rig;
    const count = task.size(RELOADS, 40);
    for (let index = 0; index < count * WARM_UP_SHARE; index += 1) await reloadOnce(rig, index);
    await rig.clients.ask({ kind: 'rest' });
    const before = await subject.measure();
    await rig.clients.ask({ kind: 'load', load: 'echo', everyMs: EVERY_MS });
    await checkReloads(task, rig, count);
    await rig.clients.ask({ kind: 'rest' });
    checkLevels(task.findings, { before, after: await subject.measure(), isFull: task.isFull });
    await rig.clients.ask({ kind: 'load', load: 'echo', everyMs: EVERY_MS });
    await checkFiles(task, rig);
    await checkSessions(task, rig);
  },
};

async function checkReloads(task: Task, rig: Rig, count: number): Promise<void> {
  const { findings } = task;
  const before = await rig.subject.metrics();
  const startedAt = performance.now();
  const wrong: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const fault = await reloadOnce(rig, index);
    if (fault !== null) wrong.push(`${index}: ${fault}`);
  }
  findings.figure('it took', `${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  const told = wrong.length === 0 ? `${count}` : `${wrong.length} did not: ${wrong.slice(0, 3).join('; ')}`;
  findings.check('each reload told what it came to', wrong.length === 0, told);
  const after = await rig.subject.metrics();
  const counted = (result: string) =>
    after.sum('config_reloads_total', { result }) - before.sum('config_reloads_total', { result });
  const results = { ok: counted('ok'), rejected: counted('rejected') };
  findings.equal('config_reloads_total', results, { ok: count / 2, rejected: count / 2 });
  findings.equal('config_last_reload_successful', after.sum('config_last_reload_successful'), 0);
}

/** None of them noticed anything of all that. */
async function checkSessions(task: Task, { subject, clients }: Rig): Promise<void> {
  const { findings } = task;
  const { sessions } = await clients.ask({ kind: 'rest' });
  const metrics = await subject.metrics();
  const lost = sessions.filter((one) => one.ended !== null || one.closeCode !== null);
  findings.equal('sessions lost', lost.length, 0);
  findings.equal('sessions_open', metrics.sum('sessions_open', { route: 'echo' }), sessions.length);
  const sent = sessions.reduce((sum, one) => sum + one.sent, 0);
  const faults = sessions.filter((one) => one.fault !== null || one.sent !== one.echoes).map((one) => one.fault);
  findings.check('every echo came back, byte for byte', faults.length === 0 && sent > 0, `${sent} ${faults.join()}`);
  findings.equal('messages_total', metrics.sum('messages_total', { direction: 'from_client' }), sent);
}

interface Rig {
  readonly subject: Subject;
  readonly backends: Backends;
  readonly clients: ReturnType<typeof startClients>;
  readonly takenPort: number;
  readonly ports: { readonly plain: number; readonly tls: number };
  readonly otherCa: string;
}

async function startRig(task: Task): Promise<Rig> {
  const [certificates, others] = await Promise.all([makeCertificates(), otherCertificates()]);
  const backends = new Backends(task);
  const ports = { plain: await backends.listen(), tls: await backends.listen(others.good) };
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  task.atEnd(() => void taken.close());
  const address = taken.address();
  const takenPort = address === null || typeof address === 'string' ? 0 : address.port;
  const files = { 'token.txt': 'first\n', 'ca.pem': certificates.ca };
  const subject = await Subject.start(task, configText(ports, {}), { files, flags: FLAGS });
  subject.token = 'first';
  const clients = startClients(task);
  const count = task.size(SESSIONS, 20);
  await clients.ask({ kind: 'open', port: subject.port, path: '/echo/', count, seed: task.seed });
  await clients.ask({ kind: 'load', load: 'echo', everyMs: EVERY_MS });
  return { subject, backends, clients, takenPort, ports, otherCa: others.ca };
}

interface Variant {
  readonly idle?: string;
  readonly listeners?: string;
  readonly routes?: string;
  readonly ca?: string;
  readonly more?: string;
}

function configText(
  ports: Rig['ports'],
  { idle = '1h', listeners = '', routes = '', ca = 'ca.pem', more = '' }: Variant,
) {
  return `
listeners: [{ name: test, address: "127.0.0.1:0" }${listeners}]
admin: { address: "127.0.0.1:0", token: { file: token.txt } }
timeouts: { idle: ${idle} }
routes:
  - { name: echo, match: { path: /echo/* }, upstream: "ws://127.0.0.1:${ports.plain}" }
  - { name: tls, match: { path: /numbers/* }, upstream: tls }
${routes}
upstreams: { tls: { targets: [{ url: "wss://127.0.0.1:${ports.tls}" }], tls: { ca: ${ca} } } }
${more}
`;
}

/** What operators write: each is another config than the one before it. */
const GOOD: readonly ((index: number) => Variant)[] = [
  (index) => ({ idle: `${1000 + index}s` }),
  () => ({
    more: 'limits: { from_client: { max_message_size: 2MiB, validate_utf8: off }, max_sessions_per_ip: 5000 }',
  }),
  () => ({ listeners: ', { name: more, address: "127.0.0.2:0" }' }),
  (index) => ({ routes: `  - { name: r${index}, match: { path: "/r${index}" }, upstream: "builtin:echo" }` }),
  () => ({ more: 'log: { level: warn }\nclose_codes: { drain: 4001 }' }),
];

/** And what they get wrong, with what the answer must say of it. */
const BROKEN: readonly (readonly [what: string, said: RegExp, text: (rig: Rig) => string])[] = [
  ['YAML', /"line":\d+/, ({ ports }) => `${configText(ports, {})}routes: [`],
  ['an unknown key', /idel/, ({ ports }) => configText(ports, { more: 'drain: { idel: 5s }' })],
  ['a ca that cannot be read', /upstreams\.tls\.tls\.ca/, ({ ports }) => configText(ports, { ca: 'gone.pem' })],
  [
    'a port in use, behind one that is free',
    /listeners\[2\]\.address/,
    ({ ports, takenPort }) =>
      configText(ports, {
        listeners: `, { name: free, address: "127.0.0.3:0" }, { name: taken, address: "127.0.0.1:${takenPort}" }`,
      }),
  ],
];

/** An even one is good, an odd one broken. Tells what is wrong with how it went; null when nothing is. */
async function reloadOnce(rig: Rig, index: number): Promise<string | null> {
  const { subject, ports } = rig;
  const turn = Math.floor(index / 2);
  const isGood = index % 2 === 0;
  const broken = BROKEN[turn % BROKEN.length];
  const good = GOOD[turn % GOOD.length];
  if (broken === undefined || good === undefined) throw new Error('no such config');
  subject.write('config.yaml', isGood ? configText(ports, good(index)) : broken[2](rig));
  // Odd, so that both kinds come by signal.
  if (index % (BY_SIGNAL_EACH + 1) === 0) {
    const before = await subject.metrics();
    subject.cli.signal(index % 4 < 2 ? 'SIGHUP' : 'SIGUSR2');
    const result = isGood ? 'ok' : 'rejected';
    const reloaded = async () =>
      (await subject.metrics()).sum('config_reloads_total', { result }) >
      before.sum('config_reloads_total', { result });
    await until(`reload ${index} by signal, ${result}`, 10_000, reloaded);
    return null;
  }
  const { status, body } = await subject.ask('POST /api/v1/reload');
  if (isGood) return status === 200 && !body.includes('"changed":[]') ? null : `${status} ${body}`;
  return status === 422 && broken[1].test(body) ? null : `${broken[0]}: ${status} ${body}`;
}

/** The config file stays as it is; a file that it names becomes another. */
async function checkFiles(task: Task, rig: Rig): Promise<void> {
  const { findings } = task;
  const { subject, ports, otherCa } = rig;
  subject.write('config.yaml', configText(ports, {}));
  const reload = async () => {
    const { status, body } = await subject.ask('POST /api/v1/reload');
    return `${status} ${/"changed":\[.*?\]/.exec(body)?.[0] ?? body}`;
  };
  findings.figure('the config from here on', await reload());
  findings.equal('read again, byte for byte the same', await reload(), '200 "changed":[]');
  findings.equal('a backend whose CA is not trusted', await openTls(subject), 'refused: /numbers/0: 502');
  subject.write('ca.pem', otherCa);
  findings.equal('its CA renewed in ca.pem', await reload(), '200 "changed":["upstreams.tls.tls.ca"]');
  findings.equal('the same backend then', await openTls(subject), 'open');
  subject.write('token.txt', 'second\n');
  findings.equal('another secret in token.txt', await reload(), '200 "changed":["admin.token"]');
  const status = async (token: string) => (await subject.ask('GET /api/v1/status', token)).status;
  findings.equal('the old token, the new one', [await status('first'), await status('second')], [401, 200]);
  subject.token = 'second';
  findings.equal('config_last_reload_successful', (await subject.metrics()).sum('config_last_reload_successful'), 1);
}

async function openTls(subject: Subject): Promise<string> {
  try {
    (await PeerSocket.open(subject.port, '/numbers/0')).socket.destroy();
    return 'open';
  } catch (error) {
    return `refused: ${error instanceof Error ? error.message : String(error)}`;
  }
}
