// A named set of targets and how one is chosen. It owns the targets' eligibility and the turns of the source
// addresses; dialing and retrying are the caller's.

import type { TlsConfig, UpstreamConfig } from '../config/schema.ts';
import { BALANCERS, type Balancer } from './balance.ts';
import { Target } from './target.ts';

export class Upstream {
  readonly name: string;
  readonly targets: readonly Target[];
  /** More targets tried after a failed dial. */
  readonly retries: number;
  readonly tls: TlsConfig | null;
  private readonly balancer: Balancer<Target>;
  private readonly localAddresses: readonly string[];
  private localTurn = 0;

  constructor(config: UpstreamConfig) {
    this.name = config.name;
    this.targets = config.targets.map((target) => new Target(target, config.host));
    this.retries = config.retries;
    this.tls = config.tls;
    this.balancer = BALANCERS[config.balance]<Target>();
    this.localAddresses = config.local_addresses;
  }

  /** The target for the next session among those with room and not in `tried`; null when there is none. */
  pick(tried: ReadonlySet<Target>): Target | null {
    return this.balancer.pick(this.targets, (target) => target.hasRoom && !tried.has(target));
  }

  /** Whether `pick` would find a target, without taking a turn. */
  canPick(tried: ReadonlySet<Target>): boolean {
    return this.targets.some((target) => target.hasRoom && !tried.has(target));
  }

  /** The source address of the next dial, each in turn; null leaves the choice to the system. */
  nextLocalAddress(): string | null {
    if (this.localAddresses.length === 0) return null;
    const address = this.localAddresses[this.localTurn % this.localAddresses.length] ?? null;
    this.localTurn = (this.localTurn + 1) % this.localAddresses.length;
    return address;
  }
}
