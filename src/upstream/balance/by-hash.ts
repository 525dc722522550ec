// Equal keys go to the same target: the policies `hash` and `source_ip`. Where there is no key, or its target takes no
// session, another policy picks.

import type { BalanceKey, Balancer, Candidate, Eligible, SessionRequest } from './balancer.ts';
import type { TextOf } from './hash-keys.ts';
import { hashText } from './hash-text.ts';
import { Rendezvous } from './rendezvous.ts';

const SEED = 0x9e37_79b9;

export class ByHash<T extends Candidate> implements Balancer<T> {
  private readonly textOf: TextOf;
  private readonly fallback: Balancer<T>;
  /** Made for the first key. */
  private owners: Rendezvous<T> | null = null;

  constructor(textOf: TextOf, fallback: Balancer<T>) {
    this.textOf = textOf;
    this.fallback = fallback;
  }

  keyOf(asked: SessionRequest): BalanceKey {
    const text = this.textOf(asked);
    return text === null ? null : hashText(text, SEED);
  }

  pick(targets: readonly T[], eligible: Eligible<T>, key: BalanceKey): T | null {
    if (typeof key === 'number') {
      this.owners ??= new Rendezvous(targets);
      const owner = this.owners.ownerOf(key);
      if (owner !== null && eligible.has(owner)) return owner;
    }
    return this.fallback.pick(targets, eligible, null);
  }
}
