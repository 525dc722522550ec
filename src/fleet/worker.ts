// A process that carries clients which another one, the primary, has accepted. All that it knows it is told by the
// channel to it, and with that it ends: at once, since nobody would know of it.

import type { AcmePlan, ServedCertificate } from '../acme/certificates.ts';
import { Assembly, type ConfigPart, copiedCertificate } from '../config/portable.ts';
import type { Config } from '../config/types.ts';
import { cutAll, Drain } from '../control/drain.ts';
import { type Ended, endedBy } from '../control/ended-sessions.ts';
import { KeptEnds } from '../control/kept-ends.ts';
import { makeParts, type Parts } from '../control/parts.ts';
import type { SnapshotPlan } from '../control/snapshot.ts';
import { TakingOn } from '../control/taking-on.ts';
import { LiveListener } from '../edge/arrival.ts';
import { BARRED } from '../edge/quotas.ts';
import type { Clock } from '../limits/clock.ts';
import { Alarm } from '../limits/timer-wheel.ts';
import type { LogDestination } from '../observe/log.ts';
import { type ProcessView, RuntimeMetrics } from '../observe/runtime-metrics.ts';
import { Asks } from './asks.ts';
import { Channel, type IpcEnd } from './channel.ts';
import { DeskClient } from './desk-client.ts';
import { CountedClaim } from './desk-client-seats.ts';
import { DESK_ANSWERS, type DeskAsk } from './desk-messages.ts';
import { LANE_FD, type LaneNote, readNote } from './lane-notes.ts';
import { MirrorUpstreams } from './mirror-upstreams.ts';
import { moveSessions } from './move-sessions.ts';
import { answerQuestions } from './remote-subject.ts';
import { configShare } from './share.ts';
import { ToldTargets } from './told-targets.ts';
import { WorkerAnswers } from './worker-answers.ts';
import type {
  BarredName,
  Bound,
  Hello,
  Standing,
  ToldPrimary,
  ToldWorker,
  ToPrimary,
  ToWorker,
} from './worker-messages.ts';

const BEAT_MS = 1_000;
/** For what was said before a client, by the channel. */
const EARLY_MS = 1_000;

/** What a worker has of the process that it is. */
export interface WorkerMeans {
  readonly end: IpcEnd;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly process: ProcessView;
  /** As for a proxy. */
  readonly clock?: Clock;
  readonly wallNow?: () => number;
  readonly log?: LogDestination;
  /** At once. */
  exit(code: number): void;
}

/** Waits for what the primary says. */
export function serveAsWorker(means: WorkerMeans): void {
  new Introduction(means);
}

type ToIt = Channel<ToPrimary, ToWorker>;

/** Until it is told who it is. */
class Introduction {
  private readonly means: WorkerMeans;
  private readonly channel: ToIt;
  private readonly configs = new Configs();

  constructor(means: WorkerMeans) {
    this.means = means;
    this.channel = new Channel({ end: means.end, nextTurn: setImmediate, onClosed: () => means.exit(0) });
    this.channel.on('config', (part) => this.configs.add(part));
    this.channel.on('hello', (hello) => this.begin(hello));
  }

  private begin(hello: Hello): void {
    const { channel, means, configs } = this;
    try {
      const worker = new Worker({ channel, means, configs, hello });
      worker.start().catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.channel.post(['failed', error instanceof Error ? error.message : String(error)]);
    this.channel.flush();
    setImmediate(() => this.means.exit(1));
  }
}

/** Configs out of their parts, one after the other. */
class Configs {
  private assembly = new Assembly();
  private whole: Config | null = null;

  add(part: ConfigPart): void {
    const config = this.assembly.add(part);
    if (config === null) return;
    this.whole = config;
    this.assembly = new Assembly();
  }

  /** The last one that came. */
  get last(): Config {
    if (this.whole === null) throw new Error('no config came');
    return this.whole;
  }
}

interface WorkerOptions {
  readonly channel: ToIt;
  readonly means: WorkerMeans;
  readonly configs: Configs;
  readonly hello: Hello;
}

class Worker {
  private readonly options: WorkerOptions;
  private readonly parts: Parts;
  private readonly desk: DeskClient;
  private readonly drainer: Drain;
  private readonly takingOn: TakingOn;
  /** Those that the primary has, by its numbers. */
  private listeners = new Map<number, LiveListener>();
  /** The last one that was prepared. */
  private plan: { readonly snapshot: SnapshotPlan; readonly acme: AcmePlan } | null = null;
  private readonly ready: Promise<void>;
  private tellReady: () => void = () => {};
  /** Clients of listeners that it was not told of yet: at most as many as may be on their way. */
  private readonly early: { readonly handle: unknown; readonly note: LaneNote }[] = [];
  private readonly tooEarly = new Alarm(() => this.takeEarly());
  private readonly beating = new Alarm((now) => this.beat(now));

  constructor(options: WorkerOptions) {
    const { channel, means, configs, hello } = options;
    const { workers, transport } = hello;
    this.options = options;
    const clock = means.clock ?? { now: () => performance.now() };
    const post = (message: DeskAsk): void => channel.post(message);
    const targets = new ToldTargets(post);
    this.desk = new DeskClient({
      ...{ clock, targets, post },
      gone: (cid) => channel.post(['gone', cid]),
      move: (seats) => moveSessions(this.parts.edge, seats),
    });
    this.parts = makeParts(configShare(configs.last, workers), {
      ...means,
      ...{ transport, clock },
      makeUpstreams: (all) => new MirrorUpstreams(all, targets),
      worker: { ...hello, desk: this.desk },
    });
    const { edge, slices, pulse } = this.parts;
    const nobody = async (): Promise<void> => {};
    this.drainer = new Drain({ edge, listeners: { close: nobody, leave: nobody }, pulse, isSilent: true });
    this.takingOn = new TakingOn(edge, slices);
    this.ready = new Promise((resolve) => {
      this.tellReady = resolve;
    });
    this.listen();
    this.answer();
  }

  async start(): Promise<void> {
    const { carrier, wheel, clock, pulse, edge, acme, life } = this.parts;
    life.started = true;
    life.startedAt = clock.now();
    await carrier.probe();
    carrier.watch(wheel, clock.now());
    pulse.start();
    edge.snapshot.upstreams.start();
    edge.snapshot.auth.start();
    (await acme.prepare(edge.snapshot.config)).commit();
    life.ready = true;
    this.beat(clock.now());
    this.options.channel.post(['ready']);
    this.tellReady();
  }

  private listen(): void {
    const { channel } = this.options;
    channel.on('listeners', (bound) => this.setListeners(bound));
    channel.onHandle('client', (handle, cid, listener, barred) => this.take(handle, cid, listener, barred));
    channel.on('cut_idle', () => this.cutIdle());
    channel.on('certificates', (served) => this.takeCertificates(served));
    channel.on('ticket_secret', (secret) => this.parts.edge.snapshot.ticketSecrets.take(secret));
    channel.onAll(DESK_ANSWERS, (message) => this.desk.take(message));
    channel.on('standing', (standing) => this.takeStanding(standing));
    channel.on('stop', () => void this.stop());
  }

  private answer(): void {
    const { channel } = this.options;
    const { wheel, clock } = this.parts;
    const post = channel.post.bind(channel);
    const asks = new Asks<ToldPrimary, ToldWorker>({ wheel, now: () => clock.now(), post });
    channel.on('ask', (id, name, ask) => void asks.onAsk(id, name, ask));
    asks.answer('prepare', () => this.prepare());
    asks.answer('count_ended', () => this.countEnded());
    asks.answer('commit', (sessionsMax) => this.commit(sessionsMax));
    asks.answer('drain', ({ why, isHandedOver }) => {
      return isHandedOver ? this.drainer.handOver(Promise.resolve()) : this.drainer.run(why);
    });
    answerQuestions(asks, this.answers());
  }

  /** To what the admin listener of the primary asks. */
  private answers(): WorkerAnswers {
    const { edge, life, operations, credentials, slices } = this.parts;
    const processView = this.options.means.process;
    // Without an admin listener nobody asks.
    const isSeen = edge.snapshot.config.admin !== null;
    const ends = new KeptEnds(edge);
    if (isSeen) edge.ends = ends;
    const runtime = isSeen ? new RuntimeMetrics(processView) : null;
    const parts = { edge, life, operations, credentials, ends, processView, runtime };
    return new WorkerAnswers({ parts, slices, origin: performance.timeOrigin });
  }

  private takeCertificates(served: readonly ServedCertificate[]): void {
    this.parts.acme.follow(
      served.map(({ key, certificate }) => ({ key, certificate: copiedCertificate(certificate) })),
    );
  }

  /** From here on clients may come. */
  private takeStanding({ revoked, drainedRoutes }: Standing): void {
    const { auth, routes } = this.parts.edge.snapshot;
    auth.revocations.adopt(revoked);
    for (const name of drainedRoutes) {
      const route = routes.get(name);
      if (route !== undefined) route.draining = true;
    }
    if (!this.options.hello.hasLane) return;
    const take = (text: string, handle: unknown): void => this.takeNoted(handle, readNote(text));
    if (!this.parts.carrier.receiveFrom(LANE_FD, take)) throw new Error('the lane of clients cannot be read');
  }

  /** Those that are known take on what the config in force says of them. */
  private setListeners(bound: readonly Bound[]): void {
    const { edge } = this.parts;
    const next = new Map<number, LiveListener>();
    for (const { id, name, port } of bound) {
      const config = edge.snapshot.config.listeners.find((one) => one.name === name);
      if (config === undefined) continue;
      const live = this.listeners.get(id) ?? new LiveListener(config, port);
      live.config = config;
      next.set(id, live);
    }
    const gone = [...this.listeners].filter(([id]) => !next.has(id));
    for (const [, live] of gone) live.isGone = true;
    this.listeners = next;
    this.takeEarly();
    edge.ports = new Map(bound.map(({ name, port }) => [name, port]));
    // Clients that wait with their next request would bring it by a listener that is gone.
    if (gone.length > 0) for (const one of edge.plain.idleOnes) one.retune();
  }

  /** What was said of its listener by the channel may be behind it. */
  private takeNoted(handle: unknown, note: LaneNote): void {
    const { cid, listener, barred } = note;
    if (this.listeners.has(listener)) this.take(handle, cid, listener, barred);
    else {
      const { wheel, clock } = this.parts;
      if (this.early.length === 0) wheel.schedule(this.tooEarly, clock.now() + EARLY_MS);
      this.early.push({ handle, note });
    }
  }

  /** A listener that is not known by now is none any more. */
  private takeEarly(): void {
    this.parts.wheel.cancel(this.tooEarly);
    for (const { handle, note } of this.early.splice(0)) this.take(handle, note.cid, note.listener, note.barred);
  }

  private take(handle: unknown, cid: number, listenerId: number, barred: BarredName | null): void {
    const { channel } = this.options;
    channel.post(['took', cid]);
    const transport = this.parts.carrier.carryRaw(handle);
    const listener = this.listeners.get(listenerId);
    if (transport === null || listener === undefined) {
      transport?.destroy();
      channel.post(['gone', cid]);
      return;
    }
    this.parts.edge.take(transport, listener, new CountedClaim(cid), barred === null ? null : BARRED[barred]);
  }

  /** One of them, if there is one still. */
  private cutIdle(): void {
    let isAsked = false;
    const wasIdle = this.parts.edge.plain.cutIdleWhile(() => {
      isAsked = !isAsked;
      return isAsked;
    });
    this.options.channel.post(['cut', wasIdle]);
  }

  private async prepare(): Promise<string | null> {
    const { configs, hello } = this.options;
    // A config may come while it begins.
    const config = configShare(configs.last, hello.workers);
    await this.ready;
    try {
      const snapshot = await this.takingOn.plan(config);
      this.plan = { snapshot, acme: await this.parts.acme.prepare(config) };
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  private async countEnded(): Promise<Ended> {
    const { edge, slices } = this.parts;
    return this.plan === null ? { open: 0, ended: 0 } : endedBy(this.plan.snapshot, edge, slices);
  }

  private async commit(sessionsMax: number): Promise<null> {
    const { plan } = this;
    if (plan === null) throw new Error('nothing was prepared');
    this.plan = null;
    plan.acme.commit();
    this.takingOn.commit(plan.snapshot, sessionsMax);
    await this.takingOn.retune();
    return null;
  }

  private beat(now: number): void {
    const { wheel, edge } = this.parts;
    wheel.schedule(this.beating, now + BEAT_MS);
    const beat = {
      sessions: edge.sessions.size,
      memory: this.options.means.process.memoryUsage().rss,
      isShort: edge.memory.isOver,
      idle: edge.plain.idleCount,
    };
    this.options.channel.post(['beat', beat]);
  }

  private async stop(): Promise<void> {
    const { edge, life, log, acme, pulse } = this.parts;
    life.closing = true;
    edge.refusing = true;
    this.drainer.abort();
    edge.snapshot.upstreams.stop();
    edge.snapshot.auth.stop();
    cutAll(edge);
    // Whoever waits for a drain is told what became of it.
    if (this.drainer.hasBegun) await this.drainer.run('stop');
    await acme.stop();
    pulse.stop();
    await log.flush();
    this.options.channel.flush();
    this.options.means.exit(0);
  }
}
