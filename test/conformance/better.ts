// Every verdict that framegate makes better, by the rule that makes it so. A difference that is not listed here fails
// the run, and so does a line here that makes no difference.

import type { Violation } from '../../src/protocol/violations.ts';
import { CASES } from './cases.ts';
import type { PeerKind } from './echo-peers.ts';
import type { Direction } from './subject.ts';

/** The rules of a frame by their keys, and one of the connection, RFC 6455 7.1.1: a client waits for the FIN. */
export type BetterRule = Violation | 'server_closes_first';

/** Case ids, apart by spaces. */
type Rules = Partial<Record<BetterRule, string>>;

/** What no peer that checks nothing gets right, whichever end it is. */
const LENIENT: Rules = {
  rsv: '3.1 3.2 3.3 3.4 3.5 3.6 3.7',
  opcode: '4.1.1 4.1.2 4.1.3 4.1.4 4.1.5 4.2.1 4.2.2 4.2.3 4.2.4 4.2.5',
  control_fragmented: '5.1 5.2',
  continuation_without_start: '5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17',
  message_inside_message: '5.18',
  control_length: '2.5 7.3.6 11.4.1',
  close_length: '7.3.2',
  close_code: '7.9.1 7.9.2 7.9.3 7.9.4 7.9.5 7.9.6 7.9.7 7.9.8 7.9.9 7.9.10',
  close_reason: '7.5.1 7.5.2',
  length_not_minimal: '11.2.1 11.2.2 11.2.3',
  length_msb: '11.3.1 11.3.2',
};

/** `ws` takes any form of a length, and says 1009 where the most significant bit of one is set. */
const STRICT: Rules = {
  length_not_minimal: '11.2.1 11.2.2 11.2.3',
  length_msb: '11.3.1 11.3.2',
};

const RULES: Record<Direction, Record<PeerKind, Rules>> = {
  'fuzzing client': {
    strict: STRICT,
    lenient: { ...LENIENT, mask_missing: '11.1.1 11.1.2' },
    'fail-fast': {},
  },
  'fuzzing server': {
    // As a client, `ws` sends its FIN right behind its answer to a Close.
    strict: { ...STRICT, server_closes_first: orderlyEnds() },
    lenient: { ...LENIENT, mask_present: '11.1.1 11.1.2' },
    'fail-fast': {},
  },
};

/** By case, for one row of the comparison. */
export function betterRules(direction: Direction, kind: PeerKind): ReadonlyMap<string, BetterRule> {
  const rules = new Map<string, BetterRule>();
  for (const [rule, ids] of Object.entries(RULES[direction][kind])) {
    for (const id of ids.split(' ')) rules.set(id, rule as BetterRule); // the keys of Rules are no other
  }
  return rules;
}

/** The cases that end with a Close of the fuzzer and its answer. */
function orderlyEnds(): string {
  const orderly = CASES.filter((one) => one.close.by === 'fuzzer' && one.informational !== true);
  return orderly.map((one) => one.id).join(' ');
}
