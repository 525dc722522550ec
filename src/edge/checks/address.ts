// Which clients may connect, by their addresses. Who comes by a unix socket and is no proxy's client has none: that is
// in no list.

import { parseZonedIp } from '../../protocol/addresses/ip-address.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import type { Asked } from '../admission.ts';

export function addressCheck({ route, arrival }: Asked): Refusal | null {
  const { allowed, denied } = route;
  if (allowed === null && denied === null) return null;
  const address = parseZonedIp(arrival.client);
  if (address === null) return allowed === null ? null : NOT_ALLOWED;
  const isAllowed = allowed === null || allowed.has(address);
  return isAllowed && denied?.has(address) !== true ? null : NOT_ALLOWED;
}

const NOT_ALLOWED: Refusal = { slug: 'address_not_allowed' };
