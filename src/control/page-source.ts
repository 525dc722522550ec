// A proxy as the page sees it: figures that are kept, and its parts as far as a page shows them.

import type { PageSource } from '../admin/page-source.ts';
import type { CountsView, HistoryView, PartsView, SecondView } from '../admin/page-types.ts';
import { first, type Pulled } from '../limits/pulled.ts';
import type { FigureKeeper } from './figures.ts';
import type { RunningProxy } from './running-proxy.ts';
import { OwnSight, type Sight } from './sight.ts';
import { upstreamViews } from './upstream-views.ts';
import { statusView } from './views.ts';

const ROUTES_TOLD = 100;
/** Of all upstreams together. */
const TARGETS_TOLD = 200;

export class ProxyPage implements PageSource {
  private readonly proxy: RunningProxy;
  private readonly figures: FigureKeeper;
  private readonly sight: Sight;

  constructor(proxy: RunningProxy, figures: FigureKeeper, sight: Sight = new OwnSight(proxy)) {
    this.proxy = proxy;
    this.figures = figures;
    this.sight = sight;
  }

  async history(): Promise<Pulled<HistoryView> | null> {
    return this.figures.history();
  }

  second(): Promise<SecondView | null> {
    return this.figures.next();
  }

  counts(): Promise<CountsView> {
    return this.figures.counts();
  }

  async parts(): Promise<Pulled<PartsView>> {
    const { snapshot, clock } = this.proxy.edge;
    const { routes, upstreams } = snapshot;
    const seen = await this.sight.see('counts');
    const status = statusView(this.proxy, seen);
    let targets = 0;
    for (const upstream of upstreams.values()) targets += upstream.targets.length;
    return {
      status: { ...status, routes: first(status.routes, ROUTES_TOLD) },
      upstreams: upstreamViews({ metrics: seen.metrics, snapshot, clock }, TARGETS_TOLD),
      routes_total: routes.size,
      targets_total: targets,
    };
  }
}
