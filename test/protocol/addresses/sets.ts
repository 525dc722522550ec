// Blocks, and sets of them, from what people write.

import { atOnce } from '../../../src/limits/slices.ts';
import { AddressSet } from '../../../src/protocol/addresses/address-set.ts';
import { type Cidr, parseCidr } from '../../../src/protocol/addresses/cidr.ts';

export function cidrOf(text: string): Cidr {
  const cidr = parseCidr(text);
  if ('fault' in cidr) throw new Error(`${text}: ${cidr.fault}`);
  return cidr;
}

export function setOf(...texts: readonly string[]): AddressSet {
  return atOnce(AddressSet.inSteps(texts.map(cidrOf)));
}
