// How many open sessions the next config would end because their route or target is gone, and whether those are too
// many to be meant: a file that was cut short while it was written must not send everybody away. It ends nobody.

import type { SessionRecord } from '../edge/session-record.ts';
import type { SnapshotPlan } from './snapshot.ts';

/** Up to here nobody is asked twice. */
const ENDED_MIN = 100;

export interface Ended {
  /** Open, and not ending anyway. */
  readonly open: number;
  readonly ended: number;
}

/** In small steps. `isLost`: it has no place under the config in force, so it ends in any case. */
export function* countEnded(
  sessions: ReadonlySet<SessionRecord>,
  plan: Pick<SnapshotPlan, 'keptRoutes' | 'keptTargets'>,
  isLost: (record: SessionRecord) => boolean,
): Generator<void, Ended> {
  let open = 0;
  let ended = 0;
  // Those that come meanwhile would make it endless.
  let left = sessions.size;
  for (const record of sessions) {
    if (left === 0) break;
    left -= 1;
    if (record.session.cause === null && !isLost(record)) {
      open += 1;
      if (!plan.keptRoutes.has(record.route) || !plan.keptTargets.has(record.target)) ended += 1;
    }
    yield;
  }
  return { open, ended };
}

/** `share`: from 0 to 1; Infinity for any. */
export function areTooMany({ open, ended }: Ended, share: number): boolean {
  return ended > ENDED_MIN && ended > open * share;
}
