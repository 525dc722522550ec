// A thousand reloads in a row, each with another certificate, under sessions over TLS that echo and clients that come
// all the time: each is answered with the certificate before the reload or the one behind it, and nothing is left over.

import { setTimeout as delay } from 'node:timers/promises';
import { countsOf, type Demand, type Task } from '../scale/demand.ts';
import { checkLevels } from '../scale/levels.ts';
import { PeerSocket } from '../scale/peer-socket.ts';
import { Subject, until } from '../scale/subject.ts';
import { daysFromNow, type Identity, makeAuthority } from '../support/certs.ts';
import { visit } from '../support/tls-clients.ts';
import { Opcode, pong, text } from '../support/wire.ts';

const RELOADS = 1000;
const WARM_UP_SHARE = 0.2;
const SESSIONS = 50;
const ECHO_EVERY_MS = 100;
const COMERS = 3;
const COME_EVERY_MS = 10;
/** Each so many a signal asks for, not the admin listener. */
const BY_SIGNAL_EACH = 10;
/** As for the reloads of `npm run scale`: what V8 learns about code that runs rarely would hide what is left behind. */
const FLAGS = ['--no-opt', '--no-lazy-feedback-allocation'];
const CONFIG = `
listeners: [{ name: test, address: "127.0.0.1:0", tls: { certificates: [{ cert: c.pem, key: k.pem }] } }]
admin: { address: "127.0.0.1:0" }
routes: [{ name: echo, upstream: "builtin:echo" }]
`;

export const reloads: Demand = {
  name: 'reloads',
  title: `${RELOADS} reloads with a new certificate each, ${SESSIONS} sessions over TLS, handshakes all the time`,
  openFiles: SESSIONS + 300,
  async run(task) {
    const { findings } = task;
    const count = task.size(RELOADS, 15);
    const warmUp = Math.ceil(count * WARM_UP_SHARE);
    const door = await Door.open(task, 1 + warmUp + count);
    const sessions = await Promise.all(
      Array.from({ length: task.size(SESSIONS, 5) }, (_, at) => EchoSession.open(task, door.subject.port, at)),
    );
    const reloadAll = async (times: number) => {
      const coming = door.letCome();
      for (const session of sessions) session.begin();
      for (let at = 0; at < times; at += 1) await door.reload();
      for (const session of sessions) session.rest();
      await coming.end();
      await until('only the sessions are open', 30_000, async () => (await door.open()) === sessions.length);
    };
    await reloadAll(warmUp);
    const before = await door.subject.measure();
    const startedAt = performance.now();
    await reloadAll(count);
    findings.figure('it took', `${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    checkLevels(findings, { before, after: await door.subject.measure(), isFull: task.isFull });
    const metrics = await door.subject.metrics();
    const reloaded = { ok: metrics.sum('config_reloads_total', { result: 'ok' }) };
    findings.equal('config_reloads_total', reloaded, { ok: warmUp + count });
    findings.equal('answers to reloads', Object.keys(countsOf(door.answers)), ['200']);
    findings.check('each who came got the old or the new certificate', door.faults.length === 0, door.told());
    findings.check(
      'they came all the time',
      door.met.size > (warmUp + count) / 4,
      `${door.met.size} certificates seen`,
    );
    const lost = sessions.filter(({ peer }) => peer.ended !== null).map(({ peer }) => peer.ended);
    findings.equal('sessions lost', lost, []);
    const sent = sessions.reduce((sum, one) => sum + one.sent, 0);
    findings.check(
      'every echo came back',
      sessions.every((one) => one.isWhole),
      `${sent} sent`,
    );
  },
};

/** framegate, its certificates, and who comes to it. */
class Door {
  /** The certificates that those got who came. */
  readonly met = new Set<number>();
  readonly faults: string[] = [];
  readonly answers: number[] = [];
  readonly subject: Subject;
  private came = 0;
  private readonly identities: readonly Identity[];
  /** The certificate on the disk, and that of the last reload that is over. */
  private written = 0;
  private served = 0;

  private constructor(subject: Subject, identities: readonly Identity[]) {
    this.subject = subject;
    this.identities = identities;
  }

  static async open(task: Task, count: number): Promise<Door> {
    const long = { notAfter: daysFromNow(90) };
    const authority = await makeAuthority('Test CA', long);
    const identities: Identity[] = [];
    for (let at = 0; at < count; at += 1) identities.push(await authority.issue({ dns: [`n${at}.test`], ...long }));
    const [{ cert, key } = { cert: '', key: '' }] = identities;
    const subject = await Subject.start(task, CONFIG, { files: { 'c.pem': cert, 'k.pem': key }, flags: FLAGS });
    return new Door(subject, identities);
  }

  async open(): Promise<number> {
    return (await this.subject.metrics()).sum('connections_open');
  }

  async reload(): Promise<void> {
    const { subject } = this;
    this.written += 1;
    const identity = this.identities[this.written];
    if (identity === undefined) throw new Error('more reloads than certificates');
    subject.write('c.pem', identity.cert);
    subject.write('k.pem', identity.key);
    if (this.written % BY_SIGNAL_EACH === 0) {
      subject.cli.signal('SIGHUP');
      const isDone = async () =>
        (await subject.metrics()).sum('config_reloads_total', { result: 'ok' }) >= this.written;
      await until(`reload ${this.written} by signal`, 10_000, isDone);
    } else this.answers.push((await subject.ask('POST /api/v1/reload')).status);
    this.served = this.written;
  }

  /** Clients come, one behind the other in a few rows, until `end`. */
  letCome(): { end(): Promise<unknown> } {
    let isOver = false;
    const row = async () => {
      while (!isOver) {
        await this.comeOnce();
        await delay(COME_EVERY_MS);
      }
    };
    const rows = Array.from({ length: COMERS }, row);
    return {
      end: () => {
        isOver = true;
        return Promise.all(rows);
      },
    };
  }

  told(): string {
    return `${this.came} came, ${this.faults.length} did not: ${this.faults.slice(0, 3).join('; ')}`;
  }

  private async comeOnce(): Promise<void> {
    const oldest = this.served;
    const { isIn, end, name } = await visit(this.subject.port);
    const got = Number(/^DNS:n(\d+)\.test$/.exec(name ?? '')?.[1]);
    this.came += 1;
    this.met.add(got);
    if (isIn && got >= oldest && got <= this.written) return;
    this.faults.push(`${isIn ? 'in' : end} with ${name}, between ${oldest} and ${this.written}`);
  }
}

/** Sends a message of its own every now and then, and looks for it in what comes back. */
class EchoSession {
  sent = 0;
  readonly peer: PeerSocket;
  private echoes = 0;
  private isRight = true;
  private timer: NodeJS.Timeout | null = null;
  private readonly index: number;

  private constructor(peer: PeerSocket, index: number) {
    this.peer = peer;
    this.index = index;
    peer.onFrame = ({ opcode, payload }) => {
      if (opcode === Opcode.Ping) return peer.write(pong(payload, { mask: true }));
      this.isRight &&= opcode === Opcode.Text && payload.toString() === this.textOf(this.echoes);
      this.echoes += 1;
    };
  }

  static async open(task: Task, port: number, index: number): Promise<EchoSession> {
    const session = new EchoSession(await PeerSocket.open(port, `/${index}`, true), index);
    task.atEnd(() => {
      session.rest();
      session.peer.socket.destroy();
    });
    return session;
  }

  get isWhole(): boolean {
    return this.isRight && this.sent > 0 && this.echoes === this.sent;
  }

  begin(): void {
    this.timer = setInterval(() => {
      this.peer.write(text(this.textOf(this.sent), { mask: true }));
      this.sent += 1;
    }, ECHO_EVERY_MS);
  }

  rest(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private textOf(count: number): string {
    return `${this.index}: ${count}`;
  }
}
