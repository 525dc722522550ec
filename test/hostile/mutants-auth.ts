// For each row about credentials the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

/** What others see of them. */
const SEEN: readonly Mutant[] = [
  {
    row: 'A16',
    at: 'nameOf',
    search: 'formDecoded(equalsAt === -1 ? pair : pair.slice(0, equalsAt))',
    replace: 'equalsAt === -1 ? pair : pair.slice(0, equalsAt)',
    why: 'an escape hides a name',
  },
  {
    row: 'A16',
    at: 'Asked.takeGrant',
    search: 'this.chosen = { ...chosen, path:',
    replace: 'void { ...chosen, path:',
    why: 'the target goes on as it came',
  },
  {
    row: 'A40',
    at: 'answerProtocol',
    search: 'answer.protocol ?? marker',
    replace: 'answer.protocol',
    why: 'a browser fails the connection',
  },
  {
    row: 'A40',
    at: 'notice',
    search: 'harmlessName(request.protocols, placesOf(asked)) ?? marker',
    replace: 'request.protocols[0] ?? marker',
    why: 'a refusal names a token',
  },
  {
    row: 'A40',
    at: 'placesOf',
    search: '[...context.snapshot.auth.values()].flatMap(({ places }) => places)',
    replace: '[]',
    why: 'without a route any token is named',
  },
  {
    row: 'A40',
    at: 'subprotocolCheck',
    search: 'if (auth !== null && isUnnameable(offered, auth.hidden)) return UNNAMEABLE;',
    replace: '',
  },
  {
    row: 'A40',
    at: 'Asked.takeGrant',
    search: 'isUnnameable(request.protocols, stripped) ? UNNAMEABLE : null',
    replace: 'null',
    why: 'where a method keeps what it has checked nobody looks again',
  },
  {
    row: 'A40',
    at: 'askTarget',
    search: 'protocols: options.answerable,',
    replace: 'protocols: forward.protocols,',
    why: 'a backend names a token',
  },
  {
    row: 'A41',
    at: 'AuthChain.strippedBy',
    search: 'config.strip ? places : places.filter((place) => !kept.has(placeKey(place)))',
    replace: '[]',
    why: 'what nobody has checked goes on beside what is kept',
  },
  {
    row: 'A41',
    at: 'AuthChain.strippedBy',
    search: 'decided.method.config.strip) return this.places;',
    replace: 'decided.method.config.strip) return decided?.method.places ?? [];',
    why: 'only what the decider reads is taken out',
  },
  {
    row: 'A41',
    at: 'AuthChain.checkedIn',
    search: ' || isFoundAt(place)',
    replace: ' || place.kind.length > 0',
    why: "another method's stays at a place that both read",
  },
  {
    row: 'A41',
    at: 'isBlank',
    search: " || char === '\\x85' || char === '\\xa0'",
    replace: '',
    why: 'a blank hides a cookie',
  },
];

export const AUTH_MUTANTS: readonly Mutant[] = [...SEEN];
