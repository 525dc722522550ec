// Each in turn, by weight, without a look at what is open: the policy `round_robin`.

import type { Balancer, Candidate, Eligible } from './balancer.ts';

/** Smooth weighted round robin as in nginx: 5:1:1 gives a a b a c a a, never five in a row. */
export class RoundRobin<T extends Candidate> implements Balancer<T> {
  /** By the target's place; what each is ahead of (positive) or behind of its share. */
  private credits = new Float64Array(0);

  pick(targets: readonly T[], eligible: Eligible<T>): T | null {
    if (this.credits.length !== targets.length) this.credits = new Float64Array(targets.length);
    const { credits } = this;
    let best: T | null = null;
    let bestAt = 0;
    let bestCredit = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (let at = 0; at < targets.length; at += 1) {
      const target = targets[at];
      if (target === undefined || !eligible.has(target)) continue;
      const { weightNow } = target;
      const credit = (credits[at] ?? 0) + weightNow;
      credits[at] = credit;
      total += weightNow;
      if (credit <= bestCredit) continue;
      best = target;
      bestAt = at;
      bestCredit = credit;
    }
    if (best !== null) credits[bestAt] = bestCredit - total;
    return best;
  }
}
