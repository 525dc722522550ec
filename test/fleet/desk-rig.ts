// A primary with its workers in one process: the edges that they have, and between them only copies of messages, each
// way in order and as late as a test says. Clients and backends are in memory; backends answer by themselves.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { loadObject } from '../../src/config/load.ts';
import type { Config } from '../../src/config/types.ts';
import { LostPlaces } from '../../src/control/lost-places.ts';
import { buildSnapshot } from '../../src/control/snapshot.ts';
import { AuthMethods } from '../../src/edge/auth/methods.ts';
import { Edge } from '../../src/edge/edge.ts';
import { PeerClaim } from '../../src/edge/seat.ts';
import type { SessionRecord } from '../../src/edge/session-record.ts';
import { DeskClient } from '../../src/fleet/desk-client.ts';
import { CountedClaim } from '../../src/fleet/desk-client-seats.ts';
import type { DeskAnswer, DeskAsk } from '../../src/fleet/desk-messages.ts';
import { DeskServer } from '../../src/fleet/desk-server.ts';
import type { WorkerDesk } from '../../src/fleet/desk-server-worker.ts';
import { MirrorUpstreams } from '../../src/fleet/mirror-upstreams.ts';
import { moveSessions } from '../../src/fleet/move-sessions.ts';
import { TargetNews } from '../../src/fleet/target-news.ts';
import { ToldTargets } from '../../src/fleet/told-targets.ts';
import { Slices } from '../../src/limits/slices.ts';
import { TimerWheel } from '../../src/limits/timer-wheel.ts';
import { Carrier } from '../../src/net/carrier.ts';
import { Dialer } from '../../src/net/dial.ts';
import type { DialError } from '../../src/net/dial-error.ts';
import { Resolver } from '../../src/net/resolve.ts';
import { Log } from '../../src/observe/log.ts';
import { MetricsRegistry } from '../../src/observe/metrics.ts';
import type { ConfigInput } from '../../src/proxy.ts';
import { partsOf } from '../../src/upstream/parts.ts';
import { UpstreamRegistry } from '../../src/upstream/registry.ts';
import { sourcesOf } from '../../src/upstream/sources/kinds.ts';
import type { TargetSource } from '../../src/upstream/sources/target-source.ts';
import type { Target } from '../../src/upstream/target.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { arrivalOf } from '../support/arrival.ts';
import { authMeans, fromNothing } from '../support/auth.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeSource } from '../support/fake-source.ts';
import { LogTap } from '../support/log-tap.ts';
import { MemoryTransport } from '../support/memory-transport.ts';
import { upstreamMeans } from '../support/upstreams.ts';
import { acceptFor, exampleKey, upgradeRequest } from '../support/wire.ts';

const SWITCHED = 'HTTP/1.1 101 Switching Protocols';
const FIELDS = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(exampleKey)}`;
/** That all workers number bad credentials with. */
const SECRET = new Uint8Array(32);
/** When the fake clock says 0. */
const WALL_AT_START = Date.UTC(2026, 0, 1);
/** First byte of a frame. */
const CLOSE = 0x88;
const ACCEPTED = Buffer.from(`${SWITCHED}\r\n${FIELDS}\r\n\r\n`);

/** What the next dials of a target meet. */
class Backends extends Dialer {
  readonly all: MemoryTransport[] = [];
  /** By host: what dials of it fail with. */
  readonly failing = new Map<string, DialError>();
  /** What a request is answered with; null: with nothing. */
  answer: Buffer | null = ACCEPTED;

  override async dial(options: Parameters<Dialer['dial']>[0]): Promise<MemoryTransport> {
    const host = 'host' in options.endpoint ? options.endpoint.host : options.endpoint.path;
    const failure = this.failing.get(host);
    if (failure !== undefined) throw failure;
    const backend: MemoryTransport = new MemoryTransport({
      name: host,
      stable: true,
      journal: (_, what, bytes) => what === 'write' && setImmediate(() => this.reply(backend, bytes)),
    });
    this.all.push(backend);
    return backend;
  }

  private readonly answered = new WeakSet<MemoryTransport>();

  private reply(backend: MemoryTransport, bytes: Buffer): void {
    if (backend.destroyed || this.answer === null) return;
    if (!this.answered.has(backend)) {
      this.answered.add(backend);
      backend.send(this.answer);
    } else if (bytes[0] === CLOSE) {
      backend.fin();
    }
    backend.pump();
  }
}

type FromWorker = DeskAsk | readonly ['gone', number];
type FromPrimary = DeskAnswer | readonly ['commit', ConfigInput] | readonly ['client', RigClient, cid: number];

export class RigClient extends MemoryTransport {
  readonly from: string;
  /** Over max_sessions, or per address: before it had a worker. */
  isTurnedAway = false;

  constructor(from: string) {
    super({ name: 'client', stable: true, address: from });
    this.from = from;
  }

  /** '' when there is none yet. */
  get status(): string {
    return this.received.toString('latin1').split(' ')[1] ?? '';
  }

  get isSession(): boolean {
    return this.status === '101' && !this.destroyed;
  }
}

class RigWorker {
  readonly index: number;
  readonly edge: Edge;
  readonly tap = new LogTap();
  readonly backends: Backends;
  readonly toPrimary: FromWorker[] = [];
  readonly toWorker: FromPrimary[] = [];
  /** Ever, each way. */
  asked = 0;
  answered = 0;
  /** Of the clients that it was given. */
  readonly claims = new Map<number, PeerClaim>();
  readonly clients = new Set<RigClient>();
  isDead = false;
  private readonly client: DeskClient;
  private readonly rig: DeskRig;
  private readonly lostPlaces: LostPlaces;
  desk!: WorkerDesk;

  constructor(rig: DeskRig, index: number, config: ConfigInput) {
    this.rig = rig;
    this.index = index;
    const { clock, wheel } = rig;
    const wallNow = () => rig.wallNow();
    const log = new Log({ level: 'debug', format: 'json', lines_per_second: 1e9, clock, destination: this.tap });
    const carrier = new Carrier('stream');
    this.backends = new Backends({ resolver: new Resolver(clock), wheel, clock, carrier });
    const means = upstreamMeans({ clock, wheel, log, dialer: this.backends, metrics: new MetricsRegistry() });
    const post = (message: DeskAsk): void => this.post(message);
    const targets = new ToldTargets(post);
    this.client = new DeskClient({
      clock,
      targets,
      post,
      gone: (cid) => this.post(['gone', cid]),
      move: (seats) => moveSessions(this.edge, seats),
    });
    const { once } = this.client;
    const auth = new AuthMethods(authMeans({ wallNow, once, failuresSecret: SECRET }, means));
    this.client.shareFailures(auth.means.failures);
    const base = { ...fromNothing(means, wallNow), auth, upstreams: new MirrorUpstreams(means, targets) };
    const snapshot = buildSnapshot(loaded(config), base);
    this.edge = new Edge({ ...means, carrier, snapshot, sessionsMax: 1e6, desk: this.client });
    this.lostPlaces = new LostPlaces(this.edge, rig.slices);
    snapshot.upstreams.start();
  }

  upstream(name: string): Upstream {
    return upstreamOf(this.edge, name);
  }

  private post(message: FromWorker): void {
    if (this.isDead) return;
    this.asked += 1;
    this.rig.onAsk?.(message);
    this.toPrimary.push(structuredClone(message));
  }

  /** The oldest of what is on its way to the primary. */
  stepUp(): boolean {
    const message = this.toPrimary.shift();
    if (message === undefined) return false;
    if (message[0] !== 'gone') this.desk.take(message);
    else this.rig.depart(this, message[1]);
    return true;
  }

  /** The oldest of what is on its way to the worker. */
  stepDown(): boolean {
    const message = this.toWorker.shift();
    if (message === undefined) return false;
    if (message[0] === 'client') this.take(message[1], message[2]);
    else if (message[0] === 'commit') this.apply(message[1]);
    else this.client.take(message);
    return true;
  }

  private take(client: RigClient, cid: number): void {
    this.clients.add(client);
    this.edge.take(client, arrivalOf(this.edge.snapshot.config, 1), new CountedClaim(cid), null);
    client.pump();
  }

  private apply(config: ConfigInput): void {
    this.edge.apply(buildSnapshot(loaded(config), this.edge.snapshot), 1e6);
    this.lostPlaces.letGo();
  }
}

export class DeskRig {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock, 1);
  readonly slices = new Slices({ now: () => performance.now(), nextTurn: (run) => setImmediate(run) });
  readonly tap = new LogTap();
  readonly edge: Edge;
  readonly server: DeskServer;
  readonly workers: RigWorker[] = [];
  /** Told of what workers ask. */
  onAsk: ((message: FromWorker) => void) | null = null;
  /** Of upstreams with `discover`. */
  readonly sources = new Map<string, FakeSource>();
  private readonly lostPlaces: LostPlaces;
  private config: ConfigInput;
  private readonly sessionsMax: number;
  private lastCid = 0;
  private turn = -1;

  constructor(config: Partial<ConfigInput>, workers: number, sessionsMax = 1e6) {
    const { clock, wheel } = this;
    this.sessionsMax = sessionsMax;
    const log = new Log({ level: 'debug', format: 'json', lines_per_second: 1e9, clock, destination: this.tap });
    const carrier = new Carrier('stream');
    const dialer = new Dialer({ resolver: new Resolver(clock), wheel, clock, carrier });
    const means = upstreamMeans({ clock, wheel, log, dialer });
    const news = new TargetNews();
    const upstreams = new UpstreamRegistry(means, {
      sourcesOf: (one, all) => sourcesOf({ ...one, discover: null }, all).concat(this.found(one.name, one.discover)),
      partsOf: (host) => [...partsOf(host), news.partOf(host)],
    });
    this.config = inputOf(config);
    const snapshot = buildSnapshot(loaded(this.config), { ...fromNothing(means, () => this.wallNow()), upstreams });
    this.edge = new Edge({ ...means, carrier, snapshot, sessionsMax });
    this.lostPlaces = new LostPlaces(this.edge, this.slices);
    this.server = new DeskServer({ edge: this.edge, slices: this.slices, targets: news });
    upstreams.start();
    for (let at = 0; at < workers; at += 1) this.addWorker();
  }

  private found(name: string, discover: unknown): TargetSource[] {
    if (discover === null) return [];
    const source = this.sources.get(name) ?? new FakeSource(name, [], null);
    this.sources.set(name, source);
    return [source];
  }

  addWorker(): RigWorker {
    const worker = new RigWorker(this, this.workers.length, this.config);
    worker.desk = this.server.attach({
      post: (message) => this.tell(worker, message),
      claimOf: (cid) => worker.claims.get(cid),
    });
    this.workers.push(worker);
    return worker;
  }

  private tell(worker: RigWorker, message: DeskAnswer | readonly ['commit', ConfigInput]): void {
    if (worker.isDead) return;
    worker.answered += 1;
    worker.toWorker.push(structuredClone(message));
  }

  get living(): RigWorker[] {
    return this.workers.filter(({ isDead }) => !isDead);
  }

  upstream(name: string): Upstream {
    return upstreamOf(this.edge, name);
  }

  target(upstream: string, name: string): Target {
    const target = this.upstream(upstream).target(name);
    if (target === undefined) throw new Error(`no target ${name}`);
    return target;
  }

  /** Clients that are there, as the primary counts them. */
  get connected(): number {
    return this.living.reduce((sum, { claims }) => sum + claims.size, 0);
  }

  get sessions(): SessionRecord[] {
    return this.living.flatMap(({ edge }) => [...edge.sessions]);
  }

  /** What dispatch does: judged by the primary, handed to the worker. */
  connect(worker: RigWorker, from: string, request: Buffer = upgradeRequest({ path: '/echo' })): RigClient {
    const client = new RigClient(from);
    client.send(request);
    const claim =
      this.connected < this.sessionsMax
        ? this.edge.quotas.arrive(this.trusts(from) ? '' : from, this.clock.now(), null)
        : { slug: 'over' as const };
    if (!(claim instanceof PeerClaim)) {
      client.isTurnedAway = true;
      client.destroy();
      return client;
    }
    this.lastCid += 1;
    worker.claims.set(this.lastCid, claim);
    worker.toWorker.push(['client', client, this.lastCid]);
    return client;
  }

  /** Whoever comes from there is known by what it says. */
  private trusts(from: string): boolean {
    const { snapshot } = this.edge;
    return arrivalOf(snapshot.config, 1).rulesIn(snapshot).trusts(from);
  }

  depart(worker: RigWorker, cid: number): void {
    const claim = worker.claims.get(cid);
    if (claim === undefined) throw new Error('a connection is gone once');
    worker.claims.delete(cid);
    this.edge.quotas.depart(claim, this.clock.now());
  }

  /** With all that it had, and all that was on its way. */
  async kill(worker: RigWorker): Promise<void> {
    worker.isDead = true;
    worker.toPrimary.length = 0;
    worker.toWorker.length = 0;
    for (const cid of [...worker.claims.keys()]) this.depart(worker, cid);
    for (const client of worker.clients) client.destroy();
    for (const backend of worker.backends.all) backend.destroy();
    await worker.desk.leave();
  }

  /** Workers are told first. */
  reload(config: Partial<ConfigInput>): void {
    this.config = inputOf(config);
    for (const worker of this.living) this.tell(worker, ['commit', this.config]);
    this.edge.apply(buildSnapshot(loaded(this.config), this.edge.snapshot), this.sessionsMax);
    this.lostPlaces.letGo();
  }

  /** Another client of the next worker in turn, and all that comes of it. */
  async open(from = '', request?: Buffer): Promise<RigClient> {
    const { living } = this;
    this.turn += 1;
    const client = this.connect(living[this.turn % living.length] as RigWorker, from, request);
    await this.settle();
    return client;
  }

  /** The client breaks off, and its session ends. */
  async end(client: RigClient): Promise<void> {
    client.rst();
    client.pump();
    await this.settle();
  }

  /** Error and cause of each refusal, by whichever worker. */
  get refusals(): string[] {
    const lines = this.workers.flatMap(({ tap }) => tap.lines).filter(({ event }) => event === 'handshake.refused');
    return lines.map(({ error, cause, limit }) => [error, cause ?? limit].filter((one) => one !== undefined).join(' '));
  }

  /** Targets of the open sessions, by how many there are. */
  get placed(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { facts } of this.sessions) counts[facts.target] = (counts[facts.target] ?? 0) + 1;
    return counts;
  }

  /** Until nothing moves any more: all messages are there, and all that follows from them. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 6; quiet += 1) {
      let moved = false;
      for (const worker of this.living) {
        while (worker.stepUp()) moved = true;
        while (worker.stepDown()) moved = true;
      }
      if (moved) quiet = 0;
      await nextTurn();
    }
  }

  /** Milliseconds since 1970. */
  wallNow(): number {
    return WALL_AT_START + this.clock.now();
  }

  pass(ms: number): void {
    this.clock.advance(ms);
    this.wheel.advance();
  }
}

function upstreamOf(edge: Edge, name: string): Upstream {
  const upstream = edge.snapshot.upstreams.get(name);
  if (upstream === undefined) throw new Error(`no upstream ${name}`);
  return upstream;
}

function inputOf(config: Partial<ConfigInput>): ConfigInput {
  const routes = [{ name: 'echo', match: { path: '/echo' }, upstream: 'u' }];
  return { listeners: [{ name: 'in' }], routes, ...config };
}

function loaded(config: ConfigInput): Config {
  return loadObject(config, { baseDir: '.' }).config;
}
