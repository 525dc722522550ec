// The checks of a complete head in the order that README promises.

import type { Check } from '../admission.ts';
import { addressCheck } from './address.ts';
import { originCheck } from './origin.ts';
import { drainingCheck, overloadCheck, quotasCheck } from './quotas.ts';
import { loopCheck, routeCheck, subprotocolCheck, upgradeCheck } from './request.ts';

/** Rates and caps come last: what is refused for anything else takes nothing of them. */
export const CHECKS: readonly Check[] = [
  upgradeCheck,
  loopCheck,
  routeCheck,
  addressCheck,
  originCheck,
  subprotocolCheck,
  drainingCheck,
  overloadCheck,
  quotasCheck,
];
