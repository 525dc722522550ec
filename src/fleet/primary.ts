// The workers of a process that accepts for them: it starts them, tells them what is theirs to know, and puts others
// in the place of those that end. Which of them gets which client is decided elsewhere.

import { randomBytes } from 'node:crypto';
import type { Config } from '../config/types.ts';
import { type DrainResult, sumOf } from '../control/drain.ts';
import type { Ended } from '../control/ended-sessions.ts';
import type { Acceptor } from '../control/listener.ts';
import type { Parts } from '../control/parts.ts';
import type { FellowPlan } from '../control/reload.ts';
import type { LiveListener } from '../edge/arrival.ts';
import { Alarm } from '../limits/timer-wheel.ts';
import { sessionsMaxFor } from '../net/open-files.ts';
import { NoAnswer } from './asks.ts';
import { DESK_ASKS } from './desk-messages.ts';
import { DeskServer } from './desk-server.ts';
import type { WorkerDesk } from './desk-server-worker.ts';
import { Dispatch } from './dispatch.ts';
import type { Fleet } from './fleet.ts';
import { RemoteSubject } from './remote-subject.ts';
import { shareOf } from './share.ts';
import type { TargetNews } from './target-news.ts';
import { Watchdog } from './watchdog.ts';
import { type LaunchWorker, type WorkerExit, WorkerLink } from './worker-link.ts';
import type { Bound, DrainAsk, Hello } from './worker-messages.ts';

/** To load the code and take on the config. */
const READY_MS = 30_000;
/** To plan a config, or to put it in force. */
const TAKE_ON_MS = 60_000;
const LOOK_MS = 1_000;
/** One that ends sooner after its start is not put in its place at once. */
const EARLY_MS = 10_000;
const RESPAWN_MS_MAX = 30_000;
/** To end when told to. */
const STOP_MS = 500;
/** For the answers of workers that have cut off what was left at the timeout of a drain. */
const DRAIN_MARGIN_MS = 500;

interface PrimaryOptions {
  readonly count: number;
  readonly parts: Parts;
  readonly launch: LaunchWorker;
  readonly transport: 'auto' | 'stream';
  readonly hangMs: number;
  readonly news: TargetNews;
  readonly fleet: Pick<Fleet, 'leave'>;
}

/** A worker's number, and who has it. */
interface Place {
  readonly index: number;
  link: WorkerLink;
  /** What it holds of what is counted for all; null: it was told nothing yet. */
  desk: WorkerDesk | null;
  /** As the admin listener asks it; null: it cannot answer yet. */
  remote: RemoteSubject | null;
  /** How many in a row ended early. */
  early: number;
}

export class Primary {
  readonly dispatch: Dispatch;
  readonly acceptor: Acceptor;
  private readonly options: PrimaryOptions;
  private readonly places: Place[] = [];
  private readonly deskServer: DeskServer;
  private readonly watchdog: Watchdog;
  private readonly looking = new Alarm((now) => this.look(now));
  private readonly listenerIds = new WeakMap<LiveListener, number>();
  private lastListenerId = 0;
  private bound: readonly Bound[] = [];
  private ticketSecret: Uint8Array = randomBytes(0);
  private readonly failuresSecret: Uint8Array = randomBytes(32);
  /** Those that have prepared the next config. */
  private prepared = new Set<WorkerLink>();
  private isEnding = false;
  private starting: { resolve(): void; reject(error: Error): void } | null = null;
  private stopped: (() => void) | null = null;

  constructor(options: PrimaryOptions) {
    const { clock, edge, slices, openFiles, acme } = options.parts;
    this.options = options;
    this.watchdog = new Watchdog({ hangMs: options.hangMs, stepMs: LOOK_MS, now: clock.now() });
    this.dispatch = new Dispatch({
      edge,
      workers: () => this.links,
      workerMax: Math.max(1, sessionsMaxFor(openFiles / options.count)),
      idOf: (listener) => this.idOf(listener),
    });
    const { dispatch } = this;
    this.deskServer = new DeskServer({ edge, slices, targets: options.news });
    acme.onServed = () => this.tellCertificates();
    this.acceptor = { carried: 'elsewhere', accept: (client, listener) => dispatch.accept(client, listener) };
  }

  /** Another certificate is served from now on. */
  private tellCertificates(): void {
    const { served } = this.options.parts.acme;
    for (const { link, desk } of this.places) if (desk !== null) link.channel.post(['certificates', served]);
  }

  /** Resolves when all of them are ready. Rejects when one is not, or ends; those that are there stay until `stop`. */
  async start(): Promise<void> {
    const { clock, wheel, edge } = this.options.parts;
    this.ticketSecret = edge.snapshot.ticketSecrets.current(edge.snapshot.wallNow());
    wheel.schedule(this.looking, clock.now() + LOOK_MS);
    const late = new Alarm(() => this.starting?.reject(new Error(`not ready within ${READY_MS / 1000} s`)));
    wheel.schedule(late, clock.now() + READY_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        this.starting = { resolve, reject };
        for (let index = 1; index <= this.options.count; index++) {
          this.places.push({ index, link: this.launch(index), desk: null, remote: null, early: 0 });
        }
      });
    } finally {
      this.starting = null;
      wheel.cancel(late);
    }
  }

  get links(): readonly WorkerLink[] {
    return this.places.map(({ link }) => link);
  }

  get sessions(): number {
    return this.deskServer.sessionCount;
  }

  /** Those that can be asked. */
  get remotes(): readonly RemoteSubject[] {
    return this.places.flatMap(({ remote }) => (remote === null ? [] : [remote]));
  }

  /** These are bound from now on, and no others. */
  setListeners(listeners: readonly LiveListener[]): void {
    for (const one of listeners) {
      if (this.listenerIds.has(one)) continue;
      this.lastListenerId += 1;
      this.listenerIds.set(one, this.lastListenerId);
    }
    this.bound = listeners.map((one) => ({ id: this.idOf(one) ?? 0, name: one.config.name, port: one.port }));
    for (const { link, desk } of this.places) if (desk !== null) link.channel.post(['listeners', this.bound]);
    this.dispatch.pump();
  }

  /** Why a worker cannot take it on, or how all of them will. */
  async prepare(config: Config, sessionsMax: number): Promise<FellowPlan | string> {
    const links = this.links.filter(({ state }) => state !== 'over');
    this.prepared = new Set(links);
    const answers = await Promise.all(links.map((link) => this.prepareOne(link, config)));
    const obstacle = answers.find((answer) => answer !== null);
    if (obstacle !== undefined) return obstacle;
    return {
      countEnded: () => this.countEnded(links),
      commit: () => this.commit(sessionsMax),
      abort: () => this.prepared.clear(),
    };
  }

  /** Every worker ends its sessions; what became of them in all. Over when no client is left, or it is too late. */
  async drain(ask: DrainAsk): Promise<DrainResult> {
    this.isEnding = true;
    for (const link of this.links) if (link.state === 'starting') link.kill('stopped');
    const { edge, clock } = this.options.parts;
    const endAt = clock.now() + edge.snapshot.config.drain.timeout + DRAIN_MARGIN_MS;
    const left = () => Math.max(0, endAt - clock.now());
    // Whoever comes behind the end of a drain is told nothing by it.
    if (ask.isHandedOver) await this.within(left(), this.dispatch.untilSettled());
    const there = this.links.filter(({ state }) => state === 'ready');
    const results = await Promise.all(
      there.map((link) => link.asks.ask('drain', ask, left()).catch(() => ({ closed: 0, cut: this.sessionsOf(link) }))),
    );
    await this.within(Math.min(left(), DRAIN_MARGIN_MS), this.dispatch.untilEmpty());
    return sumOf(results);
  }

  /** By what it has taken for them. */
  private sessionsOf(link: WorkerLink): number {
    return this.placeOf(link)?.desk?.sessionCount ?? 0;
  }

  /** Or when the wait is over. */
  private within(ms: number, wait: Promise<void>): Promise<void> {
    const { clock, wheel } = this.options.parts;
    return new Promise((resolve) => {
      const late = new Alarm(() => resolve());
      wheel.schedule(late, clock.now() + ms);
      void wait.then(() => {
        wheel.cancel(late);
        resolve();
      });
    });
  }

  /** Everything is cut off at once. Resolves when no worker is left. */
  async stop(): Promise<void> {
    const { clock, wheel } = this.options.parts;
    this.isEnding = true;
    wheel.cancel(this.looking);
    this.dispatch.close();
    this.starting?.reject(new Error('stopped while it was starting'));
    if (this.areAllOver) return;
    for (const link of this.links) if (link.state !== 'over') link.stop();
    const late = new Alarm(() => {
      for (const link of this.links) link.kill('stopped');
    });
    wheel.schedule(late, clock.now() + STOP_MS);
    await new Promise<void>((resolve) => {
      this.stopped = resolve;
    });
    wheel.cancel(late);
  }

  private get areAllOver(): boolean {
    return this.links.every(({ state }) => state === 'over');
  }

  private launch(index: number): WorkerLink {
    const { parts, launch, count, transport } = this.options;
    const { clock, wheel, slices, edge, log, carrier } = parts;
    const { child, lane } = launch(index);
    const sender = lane === null ? null : carrier.laneOver(lane);
    const link = new WorkerLink({
      ...{ index, clock, wheel, slices },
      child,
      lane: sender,
      onReady: (one) => this.onReady(one),
      onTook: (one, cid) => this.dispatch.onTook(one, cid),
      onCut: (one, wasIdle) => this.dispatch.onCut(one, wasIdle),
      onGone: (one, cid) => this.dispatch.onGone(one, cid),
      onOver: (one, exit) => this.onOver(one, exit),
    });
    const { ticketSecret, failuresSecret } = this;
    const hello = {
      ...{ index, workers: count, transport, ticketSecret, failuresSecret },
      hasLane: link.hasLane,
      instanceId: edge.instanceId,
      sessionsMax: shareOf(edge.sessionsMax, count),
    };
    log.event('info', 'worker.start', { worker: index, pid: link.pid });
    link.channel.onAll(DESK_ASKS, (message) => this.placeOf(link)?.desk?.take(message));
    void this.introduce(link, hello);
    return link;
  }

  private async introduce(link: WorkerLink, hello: Hello): Promise<void> {
    const { edge } = this.options.parts;
    const { channel } = link;
    await link.introduce(edge.snapshot.config, hello);
    const place = this.placeOf(link);
    if (place === undefined || link.state === 'over') return;
    channel.post(['certificates', this.options.parts.acme.served]);
    channel.post(['listeners', this.bound]);
    place.desk = this.deskServer.attach({
      post: (message) => channel.post(message),
      claimOf: (cid) => this.dispatch.claimOf(cid) ?? undefined,
    });
  }

  private placeOf(link: WorkerLink): Place | undefined {
    return this.places.find((place) => place.link === link);
  }

  private onReady(link: WorkerLink): void {
    const { auth, routes } = this.options.parts.edge.snapshot;
    const { index, pid, asks } = link;
    link.silentMs = 0;
    const drainedRoutes = [...routes].flatMap(([name, { draining }]) => (draining ? [name] : []));
    link.channel.post(['standing', { revoked: [...auth.revocations.lines()], drainedRoutes }]);
    const place = this.placeOf(link);
    if (place !== undefined) place.remote = new RemoteSubject({ worker: index, pid, asks });
    if (this.links.every(({ state }) => state === 'ready')) this.starting?.resolve();
    this.dispatch.pump();
  }

  private onOver(link: WorkerLink, exit: WorkerExit): void {
    const { log, edge } = this.options.parts;
    const { code, signal, reason, why } = exit;
    const isMeant = reason === 'stopped';
    log.event(isMeant ? 'info' : 'error', 'worker.exit', {
      ...{ worker: link.index, pid: link.pid, code, signal, reason, why },
      sessions: this.sessionsOf(link),
    });
    edge.metrics.workerExits.add(reason);
    this.prepared.delete(link);
    this.letGo(link);
    this.starting?.reject(new Error(`worker ${link.index} has ended: ${why ?? signal ?? `code ${code}`}`));
    if (!this.isEnding) this.respawn(link, reason === 'outdated');
    else if (this.areAllOver) this.stopped?.();
  }

  /** All that it held goes back. */
  private letGo(link: WorkerLink): void {
    const place = this.placeOf(link);
    const { desk = null, remote = null } = place ?? {};
    if (place !== undefined) {
      place.desk = null;
      place.remote = null;
    }
    if (remote !== null) this.options.fleet.leave(remote);
    void desk?.leave();
    this.dispatch.onOver(link);
  }

  /** `isOurs`: it was no fault of its own that it ended. */
  private respawn(link: WorkerLink, isOurs: boolean): void {
    const { clock, wheel } = this.options.parts;
    const place = this.placeOf(link);
    // While it starts, it is not there yet: whoever waits for the start gives up.
    if (place === undefined || this.starting !== null) return;
    const now = clock.now();
    const isEarly = now - link.startedAt < EARLY_MS && !isOurs;
    const waitMs = isEarly && place.early > 0 ? Math.min(RESPAWN_MS_MAX, LOOK_MS * 2 ** (place.early - 1)) : 0;
    place.early = isEarly ? place.early + 1 : 0;
    const again = new Alarm(() => {
      if (!this.isEnding) place.link = this.launch(place.index);
    });
    wheel.schedule(again, now + waitMs);
  }

  private async prepareOne(link: WorkerLink, config: Config): Promise<string | null> {
    try {
      await link.sendConfig(config);
      return await link.asks.ask('prepare', null, TAKE_ON_MS);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      // The next one in its place gets the config that is in force then.
      return link.state === 'over' ? null : `worker ${link.index}: ${error.message}`;
    }
  }

  private async countEnded(links: readonly WorkerLink[]): Promise<Ended> {
    const none = { open: 0, ended: 0 };
    const counts = await Promise.all(
      links.map(({ asks }) => asks.ask('count_ended', null, TAKE_ON_MS).catch(() => none)),
    );
    const sum = { open: 0, ended: 0 };
    for (const { open, ended } of counts) {
      sum.open += open;
      sum.ended += ended;
    }
    return sum;
  }

  /** Who has not prepared it, or cannot do it after all, has to begin anew. */
  private async commit(sessionsMax: number): Promise<void> {
    const { prepared } = this;
    const share = shareOf(sessionsMax, this.options.count);
    await Promise.all(
      this.links.map(async (link) => {
        if (!prepared.has(link)) link.kill('outdated');
        else await link.asks.ask('commit', share, TAKE_ON_MS).catch(() => link.kill('outdated'));
      }),
    );
  }

  private look(now: number): void {
    const { wheel, edge } = this.options.parts;
    wheel.schedule(this.looking, now + LOOK_MS);
    const { links } = this;
    this.watchdog.look(
      links.filter(({ state }) => state === 'ready'),
      now,
    );
    for (const link of links) if (link.state === 'starting' && now - link.startedAt >= READY_MS) link.kill('hung');
    this.dispatch.tick(now);
    const { ticketSecrets, wallNow } = edge.snapshot;
    const secret = ticketSecrets.current(wallNow());
    if (secret === this.ticketSecret) return;
    this.ticketSecret = secret;
    for (const { channel } of links) channel.post(['ticket_secret', secret]);
  }

  private idOf(listener: LiveListener): number | null {
    return this.listenerIds.get(listener) ?? null;
  }
}
