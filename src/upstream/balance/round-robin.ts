// Each in turn, by weight, without a look at what is open: the policy `round_robin`.

import type { Balancer, Candidate } from './balancer.ts';

/** Smooth weighted round robin as in nginx: 5:1:1 gives a a b a c a a, never five in a row. */
export class RoundRobin<T extends Candidate> implements Balancer<T> {
  /** By the target's place; what each is ahead of (positive) or behind of its share. */
  private readonly credits: number[] = [];

  pick(targets: readonly T[], eligible: (target: T) => boolean): T | null {
    let best: T | null = null;
    let bestAt = 0;
    let total = 0;
    for (const [at, target] of targets.entries()) {
      if (!eligible(target)) continue;
      const credit = (this.credits[at] ?? 0) + target.weightNow;
      this.credits[at] = credit;
      total += target.weightNow;
      if (best === null || credit > (this.credits[bestAt] ?? 0)) {
        best = target;
        bestAt = at;
      }
    }
    if (best !== null) this.credits[bestAt] = (this.credits[bestAt] ?? 0) - total;
    return best;
  }
}
