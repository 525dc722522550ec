// What becomes of the live sessions of a target that checks took down, by the `on_down` of its upstream. Whether it is
// down is not its affair.

import type { Edge } from '../edge/edge.ts';
import type { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { Spread } from './spread.ts';

export class DownTargets {
  private readonly edge: Edge;
  /** The last of each target: one that goes down again begins anew. */
  private readonly spreads = new WeakMap<Target, Spread>();

  constructor(edge: Edge) {
    this.edge = edge;
  }

  /** Once each time that it goes down. Sessions that have not had their turn when it comes up again stay. */
  onDown({ config }: Upstream, target: Target): void {
    const { edge } = this;
    const { on_down } = config.health;
    if (on_down === 'keep') return;
    const spreadMs = on_down === 'close' ? 0 : (config.drain.spread ?? edge.snapshot.config.drain.spread);
    const records = [...edge.sessions].filter((record) => record.target === target);
    this.spreads.get(target)?.cancel();
    const spread = new Spread(edge, records, spreadMs, ({ session }) => {
      if (target.has('down')) session.end('target_drain');
    });
    this.spreads.set(target, spread);
  }
}
