// For each row about targets that are looked up the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const DISCOVERY_MUTANTS: readonly Mutant[] = [
  {
    row: 'B21',
    at: 'AllowedAddresses.allows',
    search: 'return [address, ...v4Within(address)].every((one) => !this.set.has(one));',
    replace: 'return true;',
    why: 'whatever was looked up is dialed',
  },
  {
    row: 'B21',
    at: 'AllowedAddresses.allows',
    search: 'return [address, ...v4Within(address)].every((one) => !this.set.has(one));',
    replace: 'return !this.set.has(address);',
    why: 'what NAT64 makes of an address is not looked at',
  },
  {
    row: 'B21',
    at: 'LookUp.targetOf',
    search: "endpoint: { kind: 'tcp', host, address, port,",
    replace: "endpoint: { kind: 'tcp', host, port,",
    why: 'the name is looked up a second time',
  },
  {
    row: 'E24',
    at: 'Discovery.onAnswer',
    search: "if (targets.length === 0 && this.config.empty === 'keep') {",
    replace: "if (targets.length === 0 && this.config.empty === 'allow') {",
    why: 'a name that is denied once empties the pool',
  },
  {
    row: 'E24',
    at: 'Discovery.onFailure',
    search: 'if (!isNews) return;',
    replace: '',
    why: 'each failure is told',
  },
  {
    row: 'E24',
    at: 'LookUp.byAddresses',
    search: 'if (!isTold) return failure(faults);',
    replace: '',
    why: 'what is remembered counts as an answer: a name server that is gone is never told',
  },
];
