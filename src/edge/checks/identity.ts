// Whether there is room for one more of its identity. Who has none is bounded by its address alone.

import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked } from '../admission.ts';
import { IdentitySeat } from '../identity-limits.ts';

export function identityCheck({ grant, holdings, route, context, record }: Asked): Refusal | null {
  if (grant === null || grant.identity === null || holdings === null) return null;
  const { auth, identity, quota } = grant;
  const entered = context.identities.enter({ auth, identity, quota }, route, context.clock.now());
  if (entered instanceof IdentitySeat) {
    holdings.takeIdentity(entered);
    return null;
  }
  record.noteLimit(entered.cause);
  return entered;
}
