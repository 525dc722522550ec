// Which target a key belongs to: weighted rendezvous hashing. Each target draws a number for the key, and the best by
// weight has it, so the order of the targets does not matter, and one that joins or leaves moves its own share only.

import type { Candidate } from './balancer.ts';
import { hashText } from './hash-text.ts';

const SEED_FIRST = 0x51ed_270b;
const SEED_SECOND = 0x2545_f491;
const RANGE = 2 ** 32;
const LOWEST = -0x8000_0000;

/** Among equal weights the highest draw is the best one: only the best of each weight costs a logarithm. */
interface WeightClass<T> {
  readonly weight: number;
  /** By name: of equal draws the first one counts. */
  readonly targets: readonly T[];
  /** Two for each target: names that agree in 32 bits would always draw the same. */
  readonly hashes: Int32Array;
}

export class Rendezvous<T extends Candidate> {
  private readonly classes: readonly WeightClass<T>[];

  /** By `weight`: a share that grows slowly would move the same keys over and over. */
  constructor(targets: readonly T[]) {
    const byWeight = new Map<number, T[]>();
    for (const target of targets) {
      const known = byWeight.get(target.weight);
      if (known === undefined) byWeight.set(target.weight, [target]);
      else known.push(target);
    }
    this.classes = [...byWeight].sort(([a], [b]) => b - a).map(([weight, members]) => classOf(weight, members));
  }

  /** Null when there are no targets. `key`: 32 bits. */
  ownerOf(key: number): T | null {
    let owner: T | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const { weight, targets, hashes } of this.classes) {
      let best = LOWEST;
      let bestAt = 0;
      for (let at = 0; at < targets.length; at += 1) {
        const draw = drawOf(key, hashes[2 * at] ?? 0, hashes[2 * at + 1] ?? 0);
        if (draw <= best) continue;
        best = draw;
        bestAt = at;
      }
      const target = targets[bestAt];
      // Exponential with its weight as the rate: the least of them is that of a target as often as its share says.
      const wait = -Math.log((best - LOWEST + 0.5) / RANGE) / weight;
      if (target === undefined || wait > least || (wait === least && owner !== null && owner.name < target.name))
        continue;
      owner = target;
      least = wait;
    }
    return owner;
  }
}

function classOf<T extends Candidate>(weight: number, members: readonly T[]): WeightClass<T> {
  const targets = members.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const hashes = new Int32Array(2 * targets.length);
  for (const [at, { name }] of targets.entries()) {
    hashes[2 * at] = hashText(name, SEED_FIRST);
    hashes[2 * at + 1] = hashText(name, SEED_SECOND);
  }
  return { weight, targets, hashes };
}

/** The last step of splitmix32, with the second hash in its middle. With a sign: V8 compares 32 bits as they are. */
function drawOf(key: number, first: number, second: number): number {
  let mixed = key ^ first;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ second, 0x735a_2d97);
  return mixed ^ (mixed >>> 15);
}
