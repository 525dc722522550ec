// The upstreams of a worker: named, dialed and ended as everywhere, while who gets the next session is decided by the
// primary. So no target has a cap here, and no source or check runs.

import type { Config, UpstreamConfig } from '../config/types.ts';
import { Log } from '../observe/log.ts';
import type { UpstreamMeans } from '../upstream/means.ts';
import { UpstreamRegistry } from '../upstream/registry.ts';
import type { ToldTargets } from './told-targets.ts';

export class MirrorUpstreams extends UpstreamRegistry {
  constructor(means: UpstreamMeans, targets: ToldTargets) {
    super(
      // Whether a target is up the primary tells.
      { ...means, log: new Log({ level: 'error', format: 'json', clock: means.clock, destination: NOWHERE }) },
      { sourcesOf: (config) => targets.sourcesOf(config), partsOf: (host) => targets.partsOf(host) },
    );
  }

  override *plan(config: Pick<Config, 'upstreams' | 'limits'>): ReturnType<UpstreamRegistry['plan']> {
    const upstreams: [name: string, UpstreamConfig][] = [];
    for (const [name, one] of Object.entries(config.upstreams)) {
      upstreams.push([name, withoutCaps(one)]);
      yield;
    }
    return yield* super.plan({ ...config, upstreams: Object.fromEntries(upstreams) });
  }
}

function withoutCaps(config: UpstreamConfig): UpstreamConfig {
  const targets = config.targets.map((target) => ({ ...target, max_sessions: Number.POSITIVE_INFINITY }));
  return { ...config, targets, max_handshakes_per_target: Number.POSITIVE_INFINITY };
}

const NOWHERE = { write(): void {} };
