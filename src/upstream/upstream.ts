// A named set of targets and how one is chosen. It owns the turns of the targets and of the source addresses, and
// counts its handshakes; dialing and retrying are the caller's.

import { isDeepStrictEqual } from 'node:util';
import type { BalanceConfig, TlsConfig, UpstreamConfig } from '../config/types.ts';
import type { BalanceKey, SessionRequest } from './balance/balancer.ts';
import type { UpstreamMeans } from './means.ts';
import type { MovableSession, PartHost, UpstreamPart, YoungestAsk } from './part.ts';
import { type BalancerOf, Picker } from './picker.ts';
import { RetryBudget } from './retry-budget.ts';
import { isAnyFull, type NoRoom, noRoomOf, roomIn } from './room.ts';
import { RoomQueue } from './room-queue.ts';
import type { DiscoveryStatus, TargetSource } from './sources/target-source.ts';
import type { Target } from './target.ts';
import { TargetSet, type TargetSetPlan } from './target-set.ts';
import type { BarWhy } from './target-words.ts';

/** Who knows the sessions. */
export interface UpstreamListener {
  /** Targets have come or gone by themselves, without a reload. */
  onTargets(upstream: Upstream, isAnyGone: boolean): void;
  /** Checks took `target` down. */
  onDown(upstream: Upstream, target: Target): void;
  /** See `PartHost.youngestOn`. */
  youngestOn(target: Target, asked: YoungestAsk): Promise<readonly MovableSession[]>;
}

/** What upstreams are made with. */
export interface UpstreamOptions {
  readonly means: UpstreamMeans;
  readonly balancerOf: BalancerOf;
  readonly sourcesOf: (config: UpstreamConfig, means: UpstreamMeans) => readonly TargetSource[];
  readonly partsOf: (host: PartHost) => readonly UpstreamPart[];
  readonly listener: UpstreamListener;
}

interface UpstreamPlan {
  readonly kept: readonly Target[];
  commit(): void;
}

export class Upstream implements PartHost {
  readonly name: string;
  /** Handshakes under way on it. */
  handshakes = 0;
  /** Above it its handshakes wait for their turn. */
  handshakesMax = Number.POSITIVE_INFINITY;
  /** In force. */
  config: UpstreamConfig;
  readonly means: UpstreamMeans;
  /** Handshakes that wait until a target has room. */
  readonly queue: RoomQueue;
  private readonly retryBudget = new RetryBudget();
  private readonly options: UpstreamOptions;
  private readonly parts: readonly UpstreamPart[];
  private isRunning = false;
  private readonly set: TargetSet;
  private readonly picker: Picker;
  private localTurn = 0;
  /** What room there is, as whoever counts for several processes has said last; null: it is counted here. */
  toldRoom: NoRoom | null = null;

  /** Nothing of it runs before `start`. */
  constructor(config: UpstreamConfig, options: UpstreamOptions) {
    const { means, balancerOf } = options;
    this.name = config.name;
    this.config = config;
    this.options = options;
    this.means = means;
    this.queue = new RoomQueue({
      clock: means.clock,
      room: () => roomIn(this.targets, this.picker.isInPanic()),
      waited: (ms) => means.metrics.upstream(this.name).queueDuration.observe(ms / 1000),
    });
    this.set = new TargetSet(config, {
      clock: means.clock,
      onChange: (isAnyGone) => this.onTargets(isAnyGone),
      told: (target, isUp, why) => this.onTarget(target, isUp, why),
      found: (target, isHere) => this.logState(target, isHere, 'discovery'),
      onRoom: () => this.queue.wake(),
    });
    this.set.take(this.set.plan(options.sourcesOf(config, means), config), config);
    this.picker = new Picker(balancerOf, means.random);
    this.picker.rebuild(config, this.targets);
    this.parts = options.partsOf(this);
  }

  get targets(): readonly Target[] {
    return this.set.list;
  }

  /** By its name. */
  target(name: string): Target | undefined {
    return this.set.get(name);
  }

  /** What the urls of its targets put before a request's path, each once; '' where they put nothing. */
  get bases(): readonly string[] {
    return this.set.bases;
  }

  /** How it goes with finding targets; null when its config lists all of them. */
  get discovery(): DiscoveryStatus | null {
    return this.set.discovery;
  }

  get hasHandshakeRoom(): boolean {
    return this.handshakes < this.handshakesMax;
  }

  /** More targets tried after a failed dial. */
  get retries(): number {
    return this.config.retries;
  }

  /** A handshake asks for its first target. */
  noteHandshake(): void {
    this.retryBudget.began(this.means.clock.now());
  }

  /** Whether its budget has one more retry, which then is taken. */
  takeRetry(): boolean {
    return this.retryBudget.take(this.means.clock.now(), this.config.retry_budget);
  }

  /** Bytes of the head of a backend's answer. */
  get headBytesMax(): number {
    return this.config.max_head_size;
  }

  /** Checks of a 101 that are switched off. */
  get relax(): UpstreamConfig['relax'] {
    return this.config.relax;
  }

  get tls(): TlsConfig | null {
    return this.config.tls;
  }

  get balance(): BalanceConfig {
    return this.config.balance;
  }

  /**
   * What a new config of the same name would change; nothing has changed before `commit`. A target with the same name
   * and endpoint stays what it was, with its counters; one whose endpoint changed is another target, but stays drained
   * if it was.
   */
  plan(config: UpstreamConfig): UpstreamPlan {
    const plan = this.set.plan(this.options.sourcesOf(config, this.options.means), config);
    return { kept: plan.kept, commit: () => this.takeOn(config, plan) };
  }

  private takeOn(config: UpstreamConfig, plan: TargetSetPlan): void {
    const before = this.config;
    const isOther = this.set.take(plan, config);
    this.config = config;
    // A balancer knows its targets by their places.
    if (isOther || !isDeepStrictEqual(balanceOf(config), balanceOf(before))) this.picker.rebuild(config, this.targets);
    else this.picker.retune(config);
    this.updateParts();
    this.queue.wake();
  }

  private onTargets(isAnyGone: boolean): void {
    this.picker.rebuild(this.config, this.targets);
    this.updateParts();
    this.queue.wake();
    this.options.listener.onTargets(this, isAnyGone);
  }

  private onTarget(target: Target, isUp: boolean, why: BarWhy): void {
    this.logState(target, isUp, why);
    // With one more that is down there may be panic, and room in it.
    this.queue.wake();
    if (this.isRunning) for (const part of this.parts) part.changed?.(target, isUp);
  }

  private logState(target: Target, isUp: boolean, why: BarWhy): void {
    const { log } = this.means;
    const fields = { upstream: this.name, target: target.name, why };
    if (isUp) log.event('info', 'target.up', fields);
    else log.event('warn', 'target.down', { ...fields, cause: causeOf(target, why) });
  }

  onDown(target: Target): void {
    this.options.listener.onDown(this, target);
  }

  /** It is in force: its sources and parts go to work. Idempotent. */
  start(): void {
    this.set.start();
    if (this.isRunning) return;
    this.isRunning = true;
    this.updateParts();
  }

  stop(): void {
    this.set.stop();
    this.isRunning = false;
    for (const part of this.parts) part.stop();
  }

  private updateParts(): void {
    if (this.isRunning) for (const part of this.parts) part.update();
  }

  youngestOn(target: Target, asked: YoungestAsk): Promise<readonly MovableSession[]> {
    return this.options.listener.youngestOn(target, asked);
  }

  /** It is in no config any more. */
  leave(): void {
    this.stop();
    this.set.leave();
  }

  /** By what `pick` chooses for a request, for all tries alike. */
  keyOf(asked: SessionRequest): BalanceKey {
    return this.picker.keyOf(asked);
  }

  /** The target for the next session among those that may have it and are not in `tried`; null when there is none. */
  pick(tried: ReadonlySet<Target>, key: BalanceKey): Target | null {
    return this.picker.pick(tried, key);
  }

  /** Whether `pick` would find a target, without taking a turn. */
  canPick(tried: ReadonlySet<Target>): boolean {
    return this.picker.canPick(tried);
  }

  /** The cookie by which clients name their target; null without one. Backends do not see it. */
  get stickyCookie(): string | null {
    const { balance } = this.config;
    return balance.kind === 'sticky' ? balance.cookie : null;
  }

  /** What Set-Cookie says to a client that came with `key` and got `target`; null when there is nothing to say. */
  cookieFor(target: Target, key: BalanceKey, isSecure: boolean): string | null {
    return this.picker.cookieFor(target, key, isSecure);
  }

  /** Of the next sessions, by weight; whoever gets none is not in it. */
  shares(): ReadonlyMap<Target, number> {
    return this.picker.shares();
  }

  /** Targets are up and full, and there is a queue for that. */
  get isWorthWaiting(): boolean {
    return this.config.queue.size > 0 && isAnyFull(this.targets, this.picker.isInPanic());
  }

  get isQueueFull(): boolean {
    return this.queue.size >= this.config.queue.size;
  }

  /** Why its targets take no session. */
  get noRoom(): NoRoom {
    return this.toldRoom ?? noRoomOf(this.targets);
  }

  /** The source address of the next dial, each in turn; null leaves the choice to the system. */
  nextLocalAddress(): string | null {
    const addresses = this.config.local_addresses;
    if (addresses.length === 0) return null;
    const address = addresses[this.localTurn % addresses.length] ?? null;
    this.localTurn = (this.localTurn + 1) % addresses.length;
    return address;
  }
}

/** What the check has met that took it down. */
function causeOf({ lastCheck }: Target, why: BarWhy): string | undefined {
  if (why !== 'check' || lastCheck === null) return undefined;
  return lastCheck.cause === '' ? lastCheck.result : `${lastCheck.result}: ${lastCheck.cause}`;
}

function balanceOf({ balance, fallback }: UpstreamConfig): unknown {
  return { balance, fallback };
}
