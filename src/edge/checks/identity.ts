// Whether there is room for one more of its identity. Who has none is bounded by its address alone.

import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked } from '../admission.ts';
import { type BarredIdentity, IdentitySeat } from '../identity-limits.ts';

export function identityCheck(asked: Asked): Refusal | null | Promise<Refusal | null> {
  const { grant, holdings, route, context } = asked;
  if (grant === null || grant.identity === null || holdings === null) return null;
  const { auth, identity, quota } = grant;
  const { seat } = holdings;
  const one = { auth, identity, quota, seat, isLast: grant.use === undefined };
  const entered = context.identities.enter(one, route, context.clock.now());
  return entered instanceof Promise ? entered.then((late) => seated(asked, late)) : seated(asked, entered);
}

function seated({ holdings, record, context, signal }: Asked, entered: IdentitySeat | BarredIdentity): Refusal | null {
  if (!(entered instanceof IdentitySeat)) {
    if (!signal.aborted) record.noteLimit(entered.cause);
    return entered;
  }
  // One that comes when nobody waits for it any more goes back at once.
  if (signal.aborted) context.identities.leave(entered, context.clock.now());
  else holdings?.takeIdentity(entered);
  return null;
}
