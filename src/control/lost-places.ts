// What has no place any more under the config in force, or because a source of targets dropped it: it is counted no
// longer, and the sessions on it end, each change over its own time. What takes their places is not its affair.

import type { Edge } from '../edge/edge.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { removedFrom } from '../edge/snapshot.ts';
import type { Slices } from '../limits/slices.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import type { UpstreamListener } from '../upstream/upstream.ts';
import { DownTargets } from './down-targets.ts';
import { movableOn } from './movable-sessions.ts';
import { Spread } from './spread.ts';
import { targetSpreadMs } from './target-spread.ts';

export class LostPlaces {
  private readonly edge: Edge;
  /** Those whose turn is to come. */
  private readonly waiting = new WeakSet<SessionRecord>();

  constructor(edge: Edge, slices: Slices) {
    this.edge = edge;
    const youngestOn: UpstreamListener['youngestOn'] = (target, asked) => slices.run(movableOn(edge, target, asked));
    // What a source takes away meanwhile is lost as what a reload takes away.
    const down = new DownTargets(edge);
    edge.snapshot.upstreams.listener = {
      // It looks at all that there is: not for those that have come.
      onTargets: (_, isAnyGone) => {
        if (isAnyGone) this.letGo();
      },
      onDown: (upstream, target) => down.onDown(upstream, target),
      youngestOn,
    };
  }

  /** By the state now. Handshakes that are on their way there are refused when they would become sessions. */
  letGo(): void {
    const { metrics, snapshot } = this.edge;
    metrics.keepOnly(keptNames(snapshot));
    this.endSessions();
  }

  /** Who waits for its turn already keeps it, whatever else is lost meanwhile. */
  private endSessions(): void {
    const { edge, waiting } = this;
    const bySpread = new Map<number, SessionRecord[]>();
    for (const record of edge.sessions) {
      if (record.session.cause !== null || waiting.has(record)) continue;
      const cause = removedFrom(edge.snapshot, record);
      if (cause === null) continue;
      waiting.add(record);
      const isTarget = cause === 'target_removed';
      const spreadMs = isTarget ? targetSpreadMs(edge, record.facts.upstream) : edge.snapshot.config.drain.spread;
      const together = bySpread.get(spreadMs);
      if (together === undefined) bySpread.set(spreadMs, [record]);
      else together.push(record);
    }
    for (const [spreadMs, records] of bySpread) new Spread(edge, records, spreadMs, (record) => this.end(record));
  }

  /** Unless it has a place again. */
  private end(record: SessionRecord): void {
    this.waiting.delete(record);
    const cause = removedFrom(this.edge.snapshot, record);
    if (cause !== null) record.session.end(cause);
  }
}

/** What the config in force has, whose counters are kept. */
export function keptNames({ routes, config, upstreams }: Edge['snapshot']): Parameters<MetricsRegistry['keepOnly']>[0] {
  return {
    routes: new Set(routes.keys()),
    listeners: new Set(config.listeners.map((listener) => listener.name)),
    hasAuth: (name) => config.auth[name] !== undefined,
    hasUpstream: (name) => upstreams.get(name) !== undefined,
    hasTarget: (upstream, name) => upstreams.get(upstream)?.target(name) !== undefined,
  };
}
