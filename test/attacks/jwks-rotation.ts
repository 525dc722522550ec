// A thousand handshakes a second with good tokens while their authorization server changes its keys, also beside those
// who bring unknown ones all the time, and while it cannot be asked: nobody with a good token is refused for longer
// than `cooldown`, and the server is asked at most once per `cooldown`.

import type { Demand, Task } from '../scale/demand.ts';
import { Subject } from '../scale/subject.ts';
import { inSeconds, makeSigningKey, type SigningKey, tokenOf } from '../support/tokens.ts';
import { exampleKey, upgradeRequest } from '../support/wire.ts';
import type { CredentialHead, CredentialReply } from './credential-clients-process.ts';
import { AuthServerProcess, type CredentialClients, startCredentialClients } from './credentials.ts';

const RATE = 1_000;
const COOLDOWN_SECONDS = 5;
const COOLDOWN_SECONDS_MIN = 1;
const SECONDS = 10;
/** Who came just before the end of a cooldown, and a busy machine. */
const LATE_SECONDS = 1;
const RATE_SHARE_MIN = 0.9;
const TOKENS = 100;
const SECONDS_PER_DAY = 86_400;
const SOURCES = { from: 0, count: 50_000 };
const STRANGER = 'strangers';
/** So many good tokens for each of theirs. */
const STRANGER_EACH = 9;
const IN = '101';
const UNAUTHORIZED = '401 unauthorized';

export const jwksRotation: Demand = {
  name: 'jwks-rotation',
  title: `${RATE} handshakes a second with good tokens while the keys at the authorization server change`,
  openFiles: 3_000,
  async run(task) {
    const run = await Run.begin(task);
    const [first, second, third, fourth] = ['a', 'b', 'c', 'd'].map((kid) => new Issuer(kid));
    if (first === undefined || second === undefined || third === undefined || fourth === undefined) return;
    const { cooldown } = run;
    await run.serve(first);
    await run.start();

    run.expect('one key', await run.come(cooldown + LATE_SECONDS, first.heads), { [first.kid]: [IN] });

    await run.serve(first, second);
    const both = woven(first.heads, second.heads);
    run.expect('a second one', await run.come(SECONDS, both), { [first.kid]: [IN], [second.kid]: [IN] });
    await run.expectAsked('asked at the start and for the second key', 2);

    // From here on somebody asks for unknown keys all the time, so that a new one has to wait for its turn.
    const beside = woven(both, strangers(both.length / STRANGER_EACH));
    const kept = { [first.kid]: [IN], [second.kid]: [IN], [STRANGER]: [UNAUTHORIZED] };
    run.expect('strangers', await run.come(cooldown + LATE_SECONDS, beside), kept);

    await run.serve(third);
    const changed = woven(third.heads, strangers(third.heads.length / STRANGER_EACH));
    const soon = await run.come(cooldown + LATE_SECONDS, changed);
    run.tell('another key in place of both, beside strangers, until cooldown', soon);
    const then = await run.come(SECONDS, changed);
    run.expect('and after it', then, { [third.kid]: [IN], [STRANGER]: [UNAUTHORIZED] });

    await run.fall();
    run.expect('the server breaks off', await run.come(SECONDS, changed), { [third.kid]: [IN] });

    await run.serve(fourth);
    run.tell('it is back with another key, until cooldown', await run.come(cooldown + LATE_SECONDS, fourth.heads));
    run.expect('and after it', await run.come(SECONDS, fourth.heads), { [fourth.kid]: [IN] });
    await run.end();
  },
};

/** Signs with a key of its own. */
class Issuer {
  readonly kid: string;
  readonly heads: readonly CredentialHead[];
  private readonly key: SigningKey = makeSigningKey('RS256');

  constructor(kid: string) {
    this.kid = kid;
    this.heads = Array.from({ length: TOKENS }, (_, at) => headOf(kid, this.sign({ sub: `u${at}` })));
  }

  get jwk(): object {
    return this.key.jwk({ kid: this.kid, alg: this.key.alg });
  }

  private sign(claims: object): string {
    const payload = { ...claims, exp: inSeconds(SECONDS_PER_DAY) };
    return tokenOf({ header: { alg: this.key.alg, kid: this.kid }, payload, sign: this.key.sign });
  }
}

/** With keys that nobody has. */
function strangers(count: number): CredentialHead[] {
  return Array.from({ length: Math.ceil(count) }, (_, at) => {
    const header = { alg: 'RS256', kid: `nobody-${at}` };
    return headOf(STRANGER, tokenOf({ header, payload: { exp: inSeconds(60) }, sign: () => Buffer.alloc(256, 1) }));
  });
}

/** Each list spread evenly over the whole. */
function woven(...lists: readonly (readonly CredentialHead[])[]): CredentialHead[] {
  const placed = lists.flatMap((list) => list.map((head, at) => ({ head, at: (at + 0.5) / list.length })));
  return placed.sort((a, b) => a.at - b.at).map(({ head }) => head);
}

function headOf(name: string, token: string): CredentialHead {
  const headers = { Authorization: `Bearer ${token}` };
  return { name, text: upgradeRequest({ key: exampleKey, headers }).toString('latin1') };
}

class Run {
  /** Seconds. */
  readonly cooldown: number;
  private readonly task: Task;
  private readonly server: AuthServerProcess;
  private readonly clients: CredentialClients;
  private subject: Subject | null = null;
  private asked = 0;
  private startedAt = 0;

  private constructor(task: Task, server: AuthServerProcess) {
    this.task = task;
    this.server = server;
    this.clients = startCredentialClients(task);
    this.cooldown = task.isFull ? COOLDOWN_SECONDS : COOLDOWN_SECONDS_MIN;
  }

  static async begin(task: Task): Promise<Run> {
    return new Run(task, await AuthServerProcess.listen(task));
  }

  async start(): Promise<void> {
    const jwks = { url: this.server.url('/jwks'), cooldown: `${this.cooldown}s` };
    const config = {
      listeners: [{ name: 'test', address: '127.0.0.1:0' }],
      admin: { address: '127.0.0.1:0' },
      routes: [{ name: 'test', upstream: 'builtin:echo', auth: ['users'] }],
      auth: { users: { jwt: { jwks, algorithms: ['RS256'] } } },
      limits: { handshakes_per_second: 'off', handshakes_per_second_per_ip: 'off', max_sessions_per_ip: 'off' },
    };
    this.startedAt = performance.now();
    this.subject = await Subject.start(this.task, JSON.stringify(config));
  }

  serve(...issuers: readonly Issuer[]): Promise<void> {
    const jwks = JSON.stringify({ keys: issuers.map(({ jwk }) => jwk) });
    return this.server.be({ delayMs: 0, drops: false, jwks });
  }

  fall(): Promise<void> {
    return this.server.be({ delayMs: 0, drops: true, jwks: '' });
  }

  /** For so many seconds in full size; what belongs to `cooldown` is not less in small. */
  come(seconds: number, heads: readonly CredentialHead[]): Promise<CredentialReply> {
    const { task, clients, subject, cooldown } = this;
    const least = seconds > cooldown + LATE_SECONDS ? cooldown / 2 : seconds;
    return clients.ask({
      port: subject?.port ?? 0,
      heads,
      rate: task.size(RATE, 100),
      seconds: task.isFull ? seconds : least,
      sources: SOURCES,
    });
  }

  tell(what: string, { came, seconds, answers, p99 }: CredentialReply): void {
    const rate = `${came} in ${seconds.toFixed(1)} s, p99 ${p99.toFixed(1)} ms`;
    this.task.findings.figure(what, `${rate}: ${JSON.stringify(answers)}`);
  }

  /** By the names of heads. Names that are missing may be answered anything. */
  expect(what: string, reply: CredentialReply, wanted: Readonly<Record<string, readonly string[]>>): void {
    const { findings, isFull } = this.task;
    this.tell(what, reply);
    for (const [name, answers] of Object.entries(wanted))
      findings.equal(`${what}: ${name}`, Object.keys(reply.answers[name] ?? {}), answers);
    const rate = reply.came / reply.seconds;
    if (isFull) findings.check(`${what}: they come`, rate >= RATE_SHARE_MIN * RATE, `${Math.round(rate)} a second`);
  }

  async expectAsked(what: string, most: number): Promise<void> {
    this.asked += (await this.server.tally()).asked['/jwks'] ?? 0;
    this.task.findings.check(what, this.asked <= most, `${this.asked} times`);
  }

  async end(): Promise<void> {
    const { task, subject, startedAt, cooldown } = this;
    const seconds = (performance.now() - startedAt) / 1_000;
    const most = Math.ceil(seconds / cooldown) + 1;
    await this.expectAsked(`asked at most ${most} times in ${seconds.toFixed(0)} s`, most);
    const metrics = await subject?.metrics();
    const open = (metrics?.sum('handshakes_open') ?? 1) + (metrics?.sum('handshakes_waiting') ?? 1);
    task.findings.equal('handshakes under way or waiting', open, 0);
  }
}
