// The fewest sessions per weight: the policy `least_sessions`.

import type { Balancer, Candidate } from './balancer.ts';
import { RoundRobin } from './round-robin.ts';

/** Targets that are level take turns by weight, else the first would get every session. */
export class LeastSessions<T extends Candidate> implements Balancer<T> {
  private readonly turns = new RoundRobin<T>();

  pick(targets: readonly T[], eligible: (target: T) => boolean): T | null {
    let least: T | null = null;
    for (const target of targets) {
      if (eligible(target) && (least === null || compareLoad(target, least) < 0)) least = target;
    }
    const level = least;
    if (level === null) return null;
    return this.turns.pick(targets, (target) => eligible(target) && compareLoad(target, level) === 0);
  }
}

/** Sessions per weight, compared without division, so that equal shares are equal. */
function compareLoad(a: Candidate, b: Candidate): number {
  return a.sessions * b.weightNow - b.sessions * a.weightNow;
}
