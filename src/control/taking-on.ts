// Puts the next config in force in this process: planned first, so that nothing has changed when it cannot be; then at
// once; then the open sessions, step by step. Whether it shall be is decided elsewhere.

import type { Config } from '../config/types.ts';
import type { Edge } from '../edge/edge.ts';
import type { Slices } from '../limits/slices.ts';
import { LostPlaces } from './lost-places.ts';
import { planSnapshot, type SnapshotPlan } from './snapshot.ts';

export class TakingOn {
  private readonly edge: Edge;
  private readonly slices: Slices;
  private readonly lostPlaces: LostPlaces;

  constructor(edge: Edge, slices: Slices) {
    this.edge = edge;
    this.slices = slices;
    this.lostPlaces = new LostPlaces(edge, slices);
  }

  plan(config: Config): Promise<SnapshotPlan> {
    return this.slices.run(planSnapshot(config, this.edge.snapshot));
  }

  /** `plan` is the last one that was made. */
  commit(plan: SnapshotPlan, sessionsMax: number): void {
    const { edge } = this;
    const snapshot = plan.commit();
    edge.apply(snapshot, sessionsMax);
    edge.log.retune(snapshot.config.log);
    this.lostPlaces.letGo();
  }

  /** Open sessions take on what their routes say now; those that begin meanwhile have it. */
  retune(): Promise<void> {
    return this.slices.run(retuneAll(this.edge));
  }
}

function* retuneAll(edge: Edge): Generator<void, void> {
  for (const record of edge.sessions) {
    try {
      record.retune();
    } catch (error) {
      record.session.fail(error); // one session's fault must not leave half of a config in force
    }
    yield;
  }
}
