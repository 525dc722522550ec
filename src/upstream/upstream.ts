// A named set of targets and how one is chosen. It owns the targets' eligibility and the turns of the source
// addresses; dialing and retrying are the caller's.

import { isDeepStrictEqual } from 'node:util';
import type { TlsConfig, UpstreamConfig } from '../config/types.ts';
import { BALANCERS, type Balancer } from './balance.ts';
import { Target } from './target.ts';

export class Upstream {
  readonly name: string;
  /** Handshakes under way on it. */
  handshakes = 0;
  /** Above it its handshakes wait for their turn. */
  handshakesMax = Number.POSITIVE_INFINITY;
  private config: UpstreamConfig;
  private ownTargets: readonly Target[];
  private balancer: Balancer<Target>;
  private localTurn = 0;
  /** What the urls of its targets put before a request's path, each once; '' where they put nothing. */
  bases: readonly string[];

  constructor(config: UpstreamConfig) {
    this.name = config.name;
    this.config = config;
    this.ownTargets = config.targets.map((target) => new Target(target, config.host));
    this.balancer = BALANCERS[config.balance]<Target>();
    this.bases = basesOf(config);
  }

  get targets(): readonly Target[] {
    return this.ownTargets;
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

  get balance(): UpstreamConfig['balance'] {
    return this.config.balance;
  }

  /**
   * What a new config of the same name would change; nothing has changed before `commit`. A target with the same name
   * and endpoint stays what it was, with its counters; one whose endpoint changed is another target, but stays drained
   * if it was.
   */
  plan(config: UpstreamConfig): { readonly kept: readonly Target[]; readonly commit: () => void } {
    const known = new Map(this.ownTargets.map((target) => [target.name, target]));
    const kept = config.targets.flatMap(({ name, endpoint }) => {
      const old = known.get(name);
      return old !== undefined && isDeepStrictEqual(old.endpoint, endpoint) ? [old] : [];
    });
    return { kept, commit: () => this.takeOn(config, known, new Set(kept)) };
  }

  private takeOn(config: UpstreamConfig, known: ReadonlyMap<string, Target>, kept: ReadonlySet<Target>): void {
    const targets = config.targets.map((target) => {
      const old = known.get(target.name);
      if (old !== undefined && kept.has(old)) {
        old.reconfigure(target, config.host);
        return old;
      }
      const made = new Target(target, config.host);
      made.draining = old?.draining ?? false;
      return made;
    });
    const isSame = targets.length === this.ownTargets.length && targets.every((one, at) => one === this.ownTargets[at]);
    // A balancer knows its targets by their places.
    if (!isSame || config.balance !== this.config.balance) this.balancer = BALANCERS[config.balance]<Target>();
    if (!isSame) this.ownTargets = targets;
    this.config = config;
    this.bases = basesOf(config);
  }

  /** The target for the next session among those with room and not in `tried`; null when there is none. */
  pick(tried: ReadonlySet<Target>): Target | null {
    return this.balancer.pick(this.ownTargets, (target) => target.hasRoom && !tried.has(target));
  }

  /** Whether `pick` would find a target, without taking a turn. */
  canPick(tried: ReadonlySet<Target>): boolean {
    return this.ownTargets.some((target) => target.hasRoom && !tried.has(target));
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

function basesOf({ targets }: UpstreamConfig): readonly string[] {
  return [...new Set(targets.map(({ endpoint }) => (endpoint.kind === 'echo' ? '' : endpoint.base)))];
}
