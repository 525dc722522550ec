// What room the targets of an upstream have, and what stands against those that have none. It picks nothing.

import type { Target } from './target.ts';

/** Targets that take no session now, by what stands against each. */
export interface NoRoom {
  /** By checks, discovery or ejection. */
  readonly down: number;
  readonly full: number;
  readonly draining: number;
}

export function noRoomOf(targets: readonly Target[]): NoRoom {
  const counts = { down: 0, full: 0, draining: 0 };
  for (const target of targets) {
    if (target.draining) counts.draining += 1;
    else if (target.isBarred) counts.down += 1;
    else if (!target.hasRoom) counts.full += 1;
  }
  return counts;
}

/** How many sessions may go to one of them now. */
export function roomIn(targets: readonly Target[], inPanic: boolean): number {
  let room = 0;
  for (const target of targets) room += target.roomNow(inPanic);
  return room;
}

/** Whether one of them would take a session when one of its own ends. */
export function isAnyFull(targets: readonly Target[], inPanic: boolean): boolean {
  return targets.some((target) => !target.hasRoom && target.takes(inPanic));
}
