// Whether what a handshake or a session stands on is still there: its route and its target, under the config in force
// and as operators want it now. It ends nothing.

import type { EndCause } from '../protocol/end-causes.ts';
import type { Target } from '../upstream/target.ts';
import type { Route, Snapshot } from './snapshot.ts';

interface Footing {
  readonly route: Route;
  /** Null before one is chosen. */
  readonly target: Target | null;
}

/** What the config of `snapshot` has no longer, or, under the same name, has as another one; null when nothing is. */
export function removedFrom(snapshot: Snapshot, { route, target }: Footing): EndCause | null {
  // The route object keeps its name when its config is replaced.
  if (snapshot.routes.get(route.config.name) !== route) return 'route_removed';
  // A session keeps its target when its route goes to another upstream.
  return target?.gone === true ? 'target_removed' : null;
}

/** Why nothing new may begin there: the cause for the log, or null. */
export function closedToNew(snapshot: Snapshot, footing: Footing): string | null {
  const removed = removedFrom(snapshot, footing);
  if (removed !== null) return removed;
  if (footing.route.draining) return 'route_drain';
  return footing.target?.draining === true ? 'target_drain' : null;
}
