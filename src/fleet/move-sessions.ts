// Sessions of a worker that are to end so that their clients get another target.

import type { Edge } from '../edge/edge.ts';
import type { Seat } from '../edge/seat.ts';

/** Those of `seats` that are sessions and do not end anyway. One walk over all that there are. */
export function moveSessions(edge: Pick<Edge, 'sessions' | 'draining'>, seats: ReadonlySet<Seat>): void {
  if (edge.draining) return;
  for (const { holdings, session } of edge.sessions) {
    if (session.cause === null && seats.has(holdings.seat)) session.end('rebalance');
  }
}
