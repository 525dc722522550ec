// All upstreams of a process, from the config that names one first until one that does not. It knows no routes; what a
// lost target means for its sessions is for who listens.

import type { Config, Limits, UpstreamConfig } from '../config/types.ts';
import { balancerOf } from './balance/policies.ts';
import type { UpstreamMeans } from './means.ts';
import { partsOf } from './parts.ts';
import { sourcesOf } from './sources/kinds.ts';
import type { Target } from './target.ts';
import { Upstream, type UpstreamListener, type UpstreamOptions } from './upstream.ts';

/** The next upstreams, which are not in force yet: nothing of those in force has changed. */
interface UpstreamsPlan {
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** Targets that stay, of those in force. */
  readonly keptTargets: ReadonlySet<Target>;
  /** Put them in force, in one go, while nothing else has been. */
  commit(): void;
}

type Kinds = Pick<UpstreamOptions, 'balancerOf' | 'sourcesOf' | 'partsOf'>;

const KINDS: Kinds = { balancerOf, sourcesOf, partsOf };
const NOBODY: UpstreamListener = { onTargets() {}, onDown() {}, youngestOn: async () => [] };

export class UpstreamRegistry {
  /** What a plan changes is known to who commits it; this one is told of all else. */
  listener: UpstreamListener = NOBODY;
  private readonly options: UpstreamOptions;
  private byName: ReadonlyMap<string, Upstream> = new Map();
  private state: 'idle' | 'started' | 'stopped' = 'idle';

  /** `kinds`: others than the usual ones, in tests. */
  constructor(means: UpstreamMeans, kinds: Partial<Kinds> = {}) {
    const listener: UpstreamListener = {
      onTargets: (upstream, isAnyGone) => this.listener.onTargets(upstream, isAnyGone),
      onDown: (upstream, target) => this.listener.onDown(upstream, target),
      youngestOn: (target, asked) => this.listener.youngestOn(target, asked),
    };
    this.options = { ...KINDS, ...kinds, means, listener };
  }

  get(name: string): Upstream | undefined {
    return this.byName.get(name);
  }

  values(): Iterable<Upstream> {
    return this.byName.values();
  }

  /** In small steps. Upstreams and targets that `config` names too stay the same objects, with what they count. */
  *plan(config: Pick<Config, 'upstreams' | 'limits'>): Generator<void, UpstreamsPlan> {
    const changes: (() => void)[] = [];
    const upstreams = new Map<string, Upstream>();
    const keptTargets = new Set<Target>();
    const isAlone = Object.keys(config.upstreams).length === 1; // asked once: it walks all of them
    for (const one of Object.values(config.upstreams)) {
      const known = this.byName.get(one.name);
      const plan = known?.plan(one);
      const upstream = known ?? new Upstream(one, this.options);
      changes.push(() => {
        plan?.commit();
        upstream.handshakesMax = handshakesMaxOf(one, config.limits, isAlone);
      });
      for (const target of plan?.kept ?? []) keptTargets.add(target);
      upstreams.set(one.name, upstream);
      yield;
    }
    return { upstreams, keptTargets, commit: () => this.commit(upstreams, changes) };
  }

  /** What is in force goes to work, and what comes to be in force. */
  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'started';
    for (const upstream of this.byName.values()) upstream.start();
  }

  /** Nothing of them runs any more, now or later. Targets stay what they are: sessions on them have their own end. */
  stop(): void {
    this.state = 'stopped';
    for (const upstream of this.byName.values()) upstream.stop();
  }

  private commit(upstreams: ReadonlyMap<string, Upstream>, changes: readonly (() => void)[]): void {
    const before = this.byName;
    this.byName = upstreams;
    for (const change of changes) change();
    for (const [name, upstream] of before) if (!upstreams.has(name)) upstream.leave();
    if (this.state !== 'started') return;
    for (const upstream of upstreams.values()) upstream.start();
  }
}

/** At least one. A share leaves room for others; where there are none it is all. */
function handshakesMaxOf({ max_handshakes }: UpstreamConfig, limits: Limits, isAlone: boolean): number {
  if ('count' in max_handshakes) return max_handshakes.count;
  if (isAlone) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor((limits.max_handshakes * max_handshakes.percent) / 100));
}
