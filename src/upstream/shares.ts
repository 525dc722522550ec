// How many sessions each target of an upstream should hold, by weight, and who holds the most beyond that. Pure; what
// is done about it is for others.

import type { Target } from './target.ts';

/** What a product of doubles may be off. */
const ROUNDING = 1e-9;

/** Of the targets at one moment. */
export class Shares {
  /** How many more sessions those may take that have less than their share. */
  readonly room: number;
  private readonly targets: readonly Target[];
  private readonly perWeight: number;

  constructor(targets: readonly Target[]) {
    let sessions = 0;
    let weights = 0;
    for (const target of targets) {
      sessions += target.sessionsOpen;
      if (!target.isBackup) weights += target.weight;
    }
    this.targets = targets;
    this.perWeight = weights === 0 ? 0 : sessions / weights;
    let room = 0;
    for (const target of targets) {
      room += Math.max(0, Math.min(this.wholeOf(target), target.sessionsMax) - target.sessionsOpen);
    }
    this.room = room;
  }

  /** Of all open sessions; none for a backup, which is not meant to hold any. */
  fairOf({ isBackup, weight }: Target): number {
    return isBackup ? 0 : this.perWeight * weight;
  }

  /** What it holds beyond its share and `tolerance` of that; 0 when it is not too much. */
  aboveOf(target: Target, tolerance: number): number {
    // A session is not divided: without the whole the one that is left over would be sent round.
    const most = Math.max(this.wholeOf(target), this.fairOf(target) * (1 + tolerance));
    // Not a number for a backup under an unlimited tolerance.
    return target.sessionsOpen > most ? target.sessionsOpen - most : 0;
  }

  /** The fullest for its weight of those that hold too much; null when none does. */
  fullestAbove(tolerance: number): Target | null {
    let found: Target | null = null;
    let fullest = 0;
    for (const target of this.targets) {
      const fullness = target.sessionsOpen / this.fairOf(target);
      if (fullness <= fullest || this.aboveOf(target, tolerance) === 0) continue;
      found = target;
      fullest = fullness;
    }
    return found;
  }

  private wholeOf(target: Target): number {
    return Math.ceil(this.fairOf(target) - ROUNDING);
  }
}
