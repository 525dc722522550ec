// The checks of a complete head in the order that README promises, and how they are run: one after the other, without a
// promise as long as each answers at once. The first refusal is the answer.

import type { Refusal } from '../protocol/refusals.ts';
import type { Asked, Check } from './asked.ts';
import { drainingCheck, overloadCheck, quotasCheck } from './checks/quotas.ts';
import { routeCheck, subprotocolCheck } from './checks/route.ts';
import { loopCheck, upgradeCheck } from './checks/upgrade.ts';

/** Rates and caps come last: what is refused for anything else takes nothing of them. */
export const CHECKS: readonly Check[] = [
  upgradeCheck,
  loopCheck,
  routeCheck,
  subprotocolCheck,
  drainingCheck,
  overloadCheck,
  quotasCheck,
];

/** Null when `asked` may go on. */
export function admit(asked: Asked, checks: readonly Check[], from = 0): Refusal | null | Promise<Refusal | null> {
  for (let at = from; at < checks.length; at += 1) {
    const answer = checks[at]?.(asked) ?? null;
    if (answer instanceof Promise) return answer.then((refusal) => goOn(asked, checks, at + 1, refusal));
    if (answer !== null) return answer;
  }
  return null;
}

/** A check has answered late. Nobody may wait for it any more: then the others are not asked. */
function goOn(
  asked: Asked,
  checks: readonly Check[],
  from: number,
  refusal: Refusal | null,
): Refusal | null | Promise<Refusal | null> {
  return refusal !== null || asked.signal.aborted ? refusal : admit(asked, checks, from);
}
