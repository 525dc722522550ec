// The checks of a complete head in the order that README promises.

import type { Check } from '../admission.ts';
import { addressCheck } from './address.ts';
import { authCheck } from './auth.ts';
import { identityCheck } from './identity.ts';
import { onceCheck } from './once.ts';
import { originCheck } from './origin.ts';
import { drainingCheck, overloadCheck, quotasCheck } from './quotas.ts';
import { loopCheck, routeCheck, socketsCheck, subprotocolCheck, upgradeCheck } from './request.ts';

/**
 * Rates and caps come behind what only looks at the request: what is refused there takes nothing of them. What costs
 * more than a look, such as to ask others about a credential, belongs behind them.
 */
export const CHECKS: readonly Check[] = [
  upgradeCheck,
  loopCheck,
  routeCheck,
  socketsCheck,
  addressCheck,
  originCheck,
  subprotocolCheck,
  drainingCheck,
  overloadCheck,
  quotasCheck,
  authCheck,
  identityCheck,
  onceCheck,
];
