// Which target is tried next: the choice of an upstream in this process, and what stands against one. Whoever asks
// takes the slot in the same step.

import type { BalanceKey } from './balance/balancer.ts';
import type { NoRoom } from './room.ts';
import type { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

export interface TargetAsk {
  readonly upstream: Upstream;
  readonly tried: ReadonlySet<Target>;
  readonly key: BalanceKey;
  /** A dial has failed: one more needs the budget of the upstream. */
  readonly isRetry: boolean;
}

/** None was tried, since those that are up are full, and there is a queue for that. */
export interface MustWait {
  readonly kind: 'full';
}

export type NotChosen =
  | MustWait
  | { readonly kind: 'none'; readonly cause: string; readonly targets: NoRoom }
  | { readonly kind: 'over_budget' };

export interface TargetChooser {
  /**
   * The next target, whose slot is held from then on; what was held for the try before goes back. Later, where others
   * have to be asked; nothing is held by then if nobody waits for it any more.
   */
  choose(ask: TargetAsk): Target | NotChosen | Promise<Target | NotChosen>;
}

/** It takes no slot. */
export function chooseTarget({ upstream, tried, key, isRetry }: TargetAsk): Target | NotChosen {
  if (isRetry && !upstream.canPick(tried)) return noTarget(upstream);
  if (isRetry && !upstream.takeRetry()) return OVER_BUDGET;
  const target = upstream.pick(tried, key);
  if (target === null) return !isRetry && upstream.isWorthWaiting ? FULL : noTarget(upstream);
  if (!isRetry) upstream.noteHandshake();
  return target;
}

const FULL: NotChosen = { kind: 'full' };
const OVER_BUDGET: NotChosen = { kind: 'over_budget' };

function noTarget({ noRoom, targets }: Upstream): NotChosen {
  const cause = targets.length === 0 ? 'none is known' : noRoom.full > 0 ? 'none has room' : 'none is up';
  return { kind: 'none', cause, targets: noRoom };
}
