// Which of the eligible targets gets the next session. One balancer per upstream holds the state of its policy; a
// further policy is one more entry of BALANCERS. It decides nothing about who is eligible.

import type { UpstreamConfig } from '../config/types.ts';

/** What a policy looks at. */
export interface Candidate {
  /** At least 1; shares are relative to the other targets. */
  readonly weight: number;
  readonly sessions: number;
}

export interface Balancer<T extends Candidate> {
  /** One of `targets` (always the same array) for which `eligible` holds, or null if there is none. */
  pick(targets: readonly T[], eligible: (target: T) => boolean): T | null;
}

export type BalancePolicy = UpstreamConfig['balance'];

type MakeBalancer = <T extends Candidate>() => Balancer<T>;

export const BALANCERS: Readonly<Record<BalancePolicy, MakeBalancer>> = {
  least_sessions: () => new LeastSessions(),
  round_robin: () => new RoundRobin(),
};

/** Smooth weighted round robin as in nginx: 5:1:1 gives a a b a c a a, never five in a row. */
class RoundRobin<T extends Candidate> implements Balancer<T> {
  /** By the target's place; what each is ahead of (positive) or behind of its share. */
  private readonly credits: number[] = [];

  pick(targets: readonly T[], eligible: (target: T) => boolean): T | null {
    let best: T | null = null;
    let bestAt = 0;
    let total = 0;
    for (const [at, target] of targets.entries()) {
      if (!eligible(target)) continue;
      const credit = (this.credits[at] ?? 0) + target.weight;
      this.credits[at] = credit;
      total += target.weight;
      if (best === null || credit > (this.credits[bestAt] ?? 0)) {
        best = target;
        bestAt = at;
      }
    }
    if (best !== null) this.credits[bestAt] = (this.credits[bestAt] ?? 0) - total;
    return best;
  }
}

/** The fewest sessions per weight; targets that are level take turns by weight, else the first would get every one. */
class LeastSessions<T extends Candidate> implements Balancer<T> {
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
  return a.sessions * b.weight - b.sessions * a.weight;
}
