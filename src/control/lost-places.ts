// What has no place any more under the config in force, or because a source of targets dropped it: it is counted no
// longer, and the sessions on it end, over `drain.spread`. What takes their places is not its affair.

import type { Edge } from '../edge/edge.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { removedFrom } from '../edge/snapshot.ts';
import type { Slices } from '../limits/slices.ts';
import type { UpstreamListener } from '../upstream/upstream.ts';
import { movableOn } from './movable-sessions.ts';
import { Spread } from './spread.ts';

export class LostPlaces {
  private readonly edge: Edge;
  private spread: Spread | null = null;

  constructor(edge: Edge, slices: Slices) {
    this.edge = edge;
    const youngestOn: UpstreamListener['youngestOn'] = (target, asked) => slices.run(movableOn(edge, target, asked));
    // What a source takes away meanwhile is lost as what a reload takes away.
    edge.snapshot.upstreams.listener = { onTargets: () => this.letGo(), onDown() {}, youngestOn };
  }

  /** By the state now. Handshakes that are on their way there are refused when they would become sessions. */
  letGo(): void {
    const { metrics, snapshot } = this.edge;
    metrics.keepOnly({
      routes: new Set(snapshot.routes.keys()),
      listeners: new Set(snapshot.config.listeners.map((listener) => listener.name)),
      hasUpstream: (name) => snapshot.upstreams.get(name) !== undefined,
      hasTarget: (upstream, name) => snapshot.upstreams.get(upstream)?.target(name) !== undefined,
    });
    this.endSessions();
  }

  /** Begins anew each time. */
  private endSessions(): void {
    const { edge } = this;
    const { snapshot } = edge;
    const causeOf = (record: SessionRecord) => removedFrom(snapshot, record);
    const lost = [...edge.sessions].filter((record) => record.session.cause === null && causeOf(record) !== null);
    this.spread?.cancel();
    this.spread = new Spread(edge, lost, snapshot.config.drain.spread, (record) => {
      const cause = causeOf(record);
      if (cause !== null) record.session.end(cause);
    });
  }
}
