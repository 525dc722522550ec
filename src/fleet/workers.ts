// What a proxy is given so that other processes carry its clients: the parts that have to be there before its own, and
// the primary, once those are.

import type { Parts } from '../control/parts.ts';
import type { RunningProxy } from '../control/running-proxy.ts';
import type { AdminViews } from '../control/sight.ts';
import type { Slices } from '../limits/slices.ts';
import type { UpstreamMeans } from '../upstream/means.ts';
import { partsOf } from '../upstream/parts.ts';
import { UpstreamRegistry } from '../upstream/registry.ts';
import { Fleet } from './fleet.ts';
import { fleetViews } from './fleet-views.ts';
import { Primary } from './primary.ts';
import { TargetNews } from './target-news.ts';
import type { LaunchWorker } from './worker-link.ts';

/** Silent for so long, a worker hangs. */
const HANG_MS = 10_000;

interface WorkersOptions {
  /** At least 2. */
  readonly count: number;
  readonly launch: LaunchWorker;
  readonly hangMs?: number;
}

export class Workers {
  readonly count: number;
  /** How the admin listener sees them. */
  readonly views: (proxy: RunningProxy, slices: Slices) => AdminViews;
  private readonly options: WorkersOptions;
  private readonly news = new TargetNews();
  private readonly fleet: Fleet;
  private primary: Primary | null = null;
  private parts: Parts | null = null;

  constructor(options: WorkersOptions) {
    this.options = options;
    this.count = options.count;
    this.fleet = new Fleet({
      workers: () => this.primary?.remotes ?? [],
      starting: () => this.primary?.links.filter(({ state }) => state === 'starting') ?? [],
      log: { event: (level, event, fields) => this.parts?.log.event(level, event, fields) },
    });
    this.views = fleetViews(this.fleet);
  }

  /** Those of the primary, which tell workers what they have to know. */
  readonly makeUpstreams = (means: UpstreamMeans): UpstreamRegistry => {
    return new UpstreamRegistry(means, { partsOf: (host) => [...partsOf(host), this.news.partOf(host)] });
  };

  /** With the parts of the proxy, all of which are made. Nothing is started yet. */
  begin(parts: Parts, transport: 'auto' | 'stream'): Primary {
    const { count, launch, hangMs = HANG_MS } = this.options;
    this.parts = parts;
    this.primary = new Primary({ count, launch, hangMs, transport, parts, news: this.news, fleet: this.fleet });
    return this.primary;
  }
}
