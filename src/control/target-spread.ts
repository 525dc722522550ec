// Over which time the sessions of one target get their Close, when it drains or is gone.

import type { Edge } from '../edge/edge.ts';

/** That of its upstream, or of all; an upstream that is gone has none of its own. */
export function targetSpreadMs({ snapshot }: Pick<Edge, 'snapshot'>, upstream: string): number {
  return snapshot.upstreams.get(upstream)?.config.drain.spread ?? snapshot.config.drain.spread;
}
