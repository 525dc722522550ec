// A named set of targets and how one is chosen. It owns the turns of the targets and of the source addresses, and
// counts its handshakes; dialing and retrying are the caller's.

import { isDeepStrictEqual } from 'node:util';
import type { BalancePolicy, TlsConfig, UpstreamConfig } from '../config/types.ts';
import type { BalanceKey, Balancer, SessionRequest } from './balance/balancer.ts';
import type { TargetSource } from './sources/target-source.ts';
import type { Target } from './target.ts';
import { TargetSet, type TargetSetPlan } from './target-set.ts';

/** What upstreams are made with. */
export interface UpstreamParts {
  balancerOf(config: UpstreamConfig): Balancer<Target>;
  sourcesOf(config: UpstreamConfig): readonly TargetSource[];
  /** Targets have come or gone by themselves, without a reload. */
  onTargets(): void;
}

interface UpstreamPlan {
  readonly kept: readonly Target[];
  commit(): void;
}

export class Upstream {
  readonly name: string;
  /** Handshakes under way on it. */
  handshakes = 0;
  /** Above it its handshakes wait for their turn. */
  handshakesMax = Number.POSITIVE_INFINITY;
  private config: UpstreamConfig;
  private readonly parts: UpstreamParts;
  private readonly set = new TargetSet(() => this.onTargets());
  private balancer: Balancer<Target>;
  private localTurn = 0;

  /** Nothing of it runs before `start`. */
  constructor(config: UpstreamConfig, parts: UpstreamParts) {
    this.name = config.name;
    this.config = config;
    this.parts = parts;
    this.set.take(this.set.plan(parts.sourcesOf(config)), config.host);
    this.balancer = parts.balancerOf(config);
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

  get hasHandshakeRoom(): boolean {
    return this.handshakes < this.handshakesMax;
  }

  /** More targets tried after a failed dial. */
  get retries(): number {
    return this.config.retries;
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

  get balance(): BalancePolicy {
    return this.config.balance;
  }

  /**
   * What a new config of the same name would change; nothing has changed before `commit`. A target with the same name
   * and endpoint stays what it was, with its counters; one whose endpoint changed is another target, but stays drained
   * if it was.
   */
  plan(config: UpstreamConfig): UpstreamPlan {
    const plan = this.set.plan(this.parts.sourcesOf(config));
    return { kept: plan.kept, commit: () => this.takeOn(config, plan) };
  }

  private takeOn(config: UpstreamConfig, plan: TargetSetPlan): void {
    const before = this.set.list;
    this.set.take(plan, config.host);
    const isSame = this.set.list === before && isDeepStrictEqual(config.balance, this.config.balance);
    this.config = config;
    // A balancer knows its targets by their places.
    if (!isSame) this.balancer = this.parts.balancerOf(config);
  }

  private onTargets(): void {
    this.balancer = this.parts.balancerOf(this.config);
    this.parts.onTargets();
  }

  /** It is in force: its sources go to work. */
  start(): void {
    this.set.start();
  }

  stop(): void {
    this.set.stop();
  }

  /** It is in no config any more. */
  leave(): void {
    this.stop();
    for (const target of this.targets) target.leave();
  }

  /** By what `pick` chooses for a request, for all tries alike. */
  keyOf(asked: SessionRequest): BalanceKey {
    return this.balancer.keyOf?.(asked) ?? null;
  }

  /** The target for the next session among those available and not in `tried`; null when there is none. */
  pick(tried: ReadonlySet<Target>, key: BalanceKey): Target | null {
    return this.balancer.pick(this.targets, (target) => target.available && !tried.has(target), key);
  }

  /** Whether `pick` would find a target, without taking a turn. */
  canPick(tried: ReadonlySet<Target>): boolean {
    return this.targets.some((target) => target.available && !tried.has(target));
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
