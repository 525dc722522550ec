// Two drawn by weight, and of them the one with fewer sessions per weight: the policy `random_two`. Many proxies that
// know nothing of each other do not all rush to the same empty target.

import type { Balancer, Candidate, Eligible } from './balancer.ts';
import { WeightLine } from './weight-line.ts';

/** So many draws may come to nothing before all targets are asked who is eligible. */
const DRAWS_MAX = 8;

export class RandomTwo<T extends Candidate> implements Balancer<T> {
  private readonly random: () => number;
  /** By the weights of the config. */
  private all: WeightLine | null = null;
  /** Of those that are eligible, by what counts now. */
  private open: WeightLine | null = null;

  /** `random`: from 0 to below 1. */
  constructor(random: () => number) {
    this.random = random;
  }

  pick(targets: readonly T[], eligible: Eligible<T>): T | null {
    const first = this.draw(targets, eligible, null);
    const second = first === null ? null : this.draw(targets, eligible, first);
    if (first === null || second === null) return this.pickOpen(targets, eligible);
    return emptier(first, second);
  }

  /** Without a look at all of them: another one than `first`, or null when no draw fell on one that is eligible. */
  private draw(targets: readonly T[], eligible: Eligible<T>, first: T | null): T | null {
    this.all ??= lineOf(targets);
    const { all } = this;
    for (let draws = 0; draws < DRAWS_MAX; draws += 1) {
      const target = targets[all.placeOf(this.random() * all.total)];
      if (target === undefined || target === first || !eligible.has(target)) continue;
      const { weight, weightNow } = target;
      if (weightNow === weight || this.random() * weight < weightNow) return target;
    }
    return null;
  }

  private pickOpen(targets: readonly T[], eligible: Eligible<T>): T | null {
    this.open ??= new WeightLine(targets.length);
    const { open } = this;
    open.clear();
    for (let at = 0; at < targets.length; at += 1) {
      const target = targets[at];
      if (target !== undefined) open.put(at, eligible.has(target) ? target.weightNow : 0);
    }
    const firstAt = open.placeOf(this.random() * open.total);
    const first = targets[firstAt];
    if (first === undefined) return null;
    // The first one is cut out of the line. One that is alone is the second, too.
    const value = this.random() * (open.total - first.weightNow);
    const second = targets[open.placeOf(value < open.startOf(firstAt) ? value : value + first.weightNow)];
    return second === undefined ? first : emptier(first, second);
  }
}

function lineOf(targets: readonly Candidate[]): WeightLine {
  const line = new WeightLine(targets.length);
  for (const [at, { weight }] of targets.entries()) line.put(at, weight);
  return line;
}

/** By weight; of two that are level the first. */
function emptier<T extends Candidate>(first: T, second: T): T {
  return second.sessions * first.weightNow < first.sessions * second.weightNow ? second : first;
}
