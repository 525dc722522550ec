// The fewest sessions per weight: the policy `least_sessions`.

import type { Balancer, Candidate, Eligible } from './balancer.ts';

/**
 * Targets that are level take turns by weight, else the first would get every session: each turn puts the next one of
 * that target off by 1 / weight, and whoever was away has nothing to catch up with.
 */
export class LeastSessions<T extends Candidate> implements Balancer<T> {
  /** By the target's place: when its next turn is due, in turns per weight. */
  private dues = new Float64Array(0);
  private now = 0;

  pick(targets: readonly T[], eligible: Eligible<T>): T | null {
    if (this.dues.length !== targets.length) this.dues = new Float64Array(targets.length);
    const { dues, now } = this;
    let best: T | null = null;
    let bestAt = 0;
    let bestDue = 0;
    let leastSessions = 0;
    let leastWeight = 0;
    for (let at = 0; at < targets.length; at += 1) {
      const target = targets[at];
      if (target === undefined) continue;
      const { sessions, weightNow } = target;
      // Compared without division, so that equal shares are equal.
      const order = best === null ? -1 : sessions * leastWeight - leastSessions * weightNow;
      if (order > 0) continue;
      const due = Math.max(dues[at] ?? 0, now);
      // Asked last: most targets are out of the question before.
      if ((order === 0 && due >= bestDue) || !eligible.has(target)) continue;
      best = target;
      bestAt = at;
      bestDue = due;
      leastSessions = sessions;
      leastWeight = weightNow;
    }
    if (best === null) return null;
    this.now = bestDue;
    dues[bestAt] = bestDue + 1 / leastWeight;
    return best;
  }
}
