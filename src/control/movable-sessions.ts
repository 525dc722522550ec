// Which open sessions of a target are the youngest, for a rebalance. Of all that there are it walks once, in small
// steps; it ends one only when it is asked to, and decides nothing.

import type { MovableSession, YoungestAsk } from '../upstream/part.ts';
import type { Target } from '../upstream/target.ts';

/** A session, as far as it matters where it is. */
interface Placed {
  readonly startedAt: number;
  readonly target: Target | null;
  readonly session: {
    /** Null while nothing ends it. */
    readonly cause: string | null;
    end(cause: 'rebalance'): void;
  };
}

/** Where they are found: a set in the order in which they began. */
interface SessionsPlace {
  readonly sessions: ReadonlySet<Placed>;
  /** All of them end anyway. */
  readonly draining: boolean;
}

/** In small steps. The youngest first. */
export function* movableOn(
  place: SessionsPlace,
  target: Target,
  { count, startedBefore }: YoungestAsk,
): Generator<void, MovableSession[]> {
  // The last `count` of those that fit are the youngest; what comes later takes the place of what came first.
  const ring: Placed[] = [];
  let fitting = 0;
  for (const record of place.sessions) {
    if (record.startedAt >= startedBefore) break;
    if (record.target === target && record.session.cause === null) {
      ring[fitting % count] = record;
      fitting += 1;
    }
    yield;
  }
  const youngest: MovableSession[] = [];
  for (let index = fitting - 1; youngest.length < ring.length; index -= 1) {
    const record = ring[index % count];
    if (record === undefined) break; // as many are in it as fitted, from the last one down
    youngest.push(movable(place, record));
    yield;
  }
  return youngest;
}

function movable(place: SessionsPlace, record: Placed): MovableSession {
  return {
    move() {
      if (place.draining || record.session.cause !== null) return false;
      record.session.end('rebalance');
      return true;
    },
  };
}
