// Which targets of an upstream may get the next session, and in which order they are asked for: those that are up and
// have room, then backups. Which one of them it is, the policy says.

import type { UpstreamConfig } from '../config/types.ts';
import type { BalanceKey, Balancer, Eligible, SessionRequest } from './balance/balancer.ts';
import type { Target } from './target.ts';

/** `random`: from 0 to below 1. */
export type BalancerOf = (config: UpstreamConfig, random: () => number) => Balancer<Target>;

/** Targets of one rank with the balancer that knows them by their places. */
interface Rank {
  readonly targets: readonly Target[];
  readonly balancer: Balancer<Target>;
}

/** Who may have the next session; one for all picks, so that a pick allocates nothing. */
class Open implements Eligible<Target> {
  tried: ReadonlySet<Target> | null = null;
  inPanic = false;

  has(target: Target): boolean {
    return target.isOpen(this.inPanic) && (this.tried === null || !this.tried.has(target));
  }
}

export class Picker {
  private readonly balancerOf: BalancerOf;
  private readonly random: () => number;
  private readonly open = new Open();
  private ranks: readonly Rank[] = [];
  private panicBelow = 0;
  private targets: readonly Target[] = [];

  constructor(balancerOf: BalancerOf, random: () => number) {
    this.balancerOf = balancerOf;
    this.random = random;
  }

  /** Other targets, other ranks or weights among them, or another policy. */
  rebuild(config: UpstreamConfig, targets: readonly Target[]): void {
    this.targets = targets;
    const ranks = [targets.filter(({ isBackup }) => !isBackup), targets.filter(({ isBackup }) => isBackup)];
    this.ranks = ranks
      .filter((rank) => rank.length > 0)
      .map((rank) => ({ targets: rank, balancer: this.balancerOf(config, this.random) }));
    this.retune(config);
  }

  retune({ health: { panic } }: UpstreamConfig): void {
    this.panicBelow = panic === Number.POSITIVE_INFINITY ? 0 : panic;
  }

  keyOf(asked: SessionRequest): BalanceKey {
    return this.ranks[0]?.balancer.keyOf?.(asked) ?? null;
  }

  /** Null when none may have it. */
  pick(tried: ReadonlySet<Target>, key: BalanceKey): Target | null {
    const { open } = this;
    open.tried = tried.size === 0 ? null : tried;
    open.inPanic = this.isInPanic();
    let picked: Target | null = null;
    for (const { targets, balancer } of this.ranks) {
      picked = balancer.pick(targets, open, key);
      if (picked !== null) break;
    }
    open.tried = null; // it is the caller's
    return picked;
  }

  /** As `Balancer.cookieFor`. */
  cookieFor(target: Target, key: BalanceKey, isSecure: boolean): string | null {
    return this.ranks[0]?.balancer.cookieFor?.(target, key, isSecure) ?? null;
  }

  /** Whether `pick` would find a target, without taking a turn. */
  canPick(tried: ReadonlySet<Target>): boolean {
    const inPanic = this.isInPanic();
    return this.targets.some((target) => target.isOpen(inPanic) && !tried.has(target));
  }

  /** Of the next sessions, by weight; whoever gets none is not in it. */
  shares(): ReadonlyMap<Target, number> {
    const inPanic = this.isInPanic();
    for (const { targets } of this.ranks) {
      // One session of an ejected target is a trial, and no share.
      const open = targets.filter((target) => target.isOpen(inPanic) && (inPanic || !target.isBarred));
      const weights = open.reduce((sum, { weightNow }) => sum + weightNow, 0);
      if (open.length > 0) return new Map(open.map((target) => [target, target.weightNow / weights]));
    }
    return new Map();
  }

  /** Fewer are up than `health.panic` asks for: all count as up. */
  isInPanic(): boolean {
    if (this.panicBelow === 0) return false;
    let up = 0;
    for (const target of this.targets) if (!target.isBarred) up += 1;
    return up < this.targets.length * this.panicBelow;
  }
}
