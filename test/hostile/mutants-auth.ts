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
  {
    row: 'A15',
    at: 'findCredential',
    search: 'if (found !== null || values.length > 1) return SEVERAL;',
    replace: '',
    why: 'the last one counts',
  },
  {
    row: 'X4',
    at: 'claimTexts',
    search: 'items.every(isPlain) ? items.map(String) : []',
    replace: 'items.map(String)',
    why: 'an object is a value',
  },
  {
    row: 'X5',
    at: 'encodeClaim',
    search: "texts.length === 1 ? encodeText(texts[0] ?? '') : encodeList(texts)",
    replace: "texts.join(',')",
    why: 'claims go on as they are',
  },
  {
    row: 'X5',
    at: 'NAMED_VALUES',
    search: "encodeText(holder?.forwarded?.get(lower) ?? '')",
    replace: "holder?.forwarded?.get(lower) ?? ''",
    why: 'so does what a service says',
  },
];

/** Services that decide about them. */
const ASKED: readonly Mutant[] = [
  {
    row: 'A17',
    at: 'IntrospectionMethod.verdictOf',
    search: "if (active !== true) return { problem: 'active' };",
    replace: "if (!active) return { problem: 'active' };",
    why: 'what is no boolean lets in',
  },
  {
    row: 'A17',
    at: 'claimsOf',
    search: 'if (status !== 200)',
    replace: 'if (status === 0)',
    why: 'any status counts',
  },
  {
    row: 'A17',
    at: 'ServiceClient.askWithin',
    search: "if (isCut) throw new ServiceError('the answer was not whole');",
    replace: '',
    why: 'the first 64 KiB of an answer count for all of it',
  },
  {
    row: 'A17',
    at: 'ForwardMethod.verdictOf',
    search: 'if (status >= 200 && status < 300) return this.goodBy(headers);',
    replace: 'if (status >= 200 && status < 600) return this.goodBy(headers);',
  },
  {
    row: 'A18',
    at: 'Flights.ask',
    search: 'this.byKey.get(key) ?? this.start(key, begin)',
    replace: 'this.start(key, begin)',
    why: 'each asks by itself',
  },
  {
    row: 'A18',
    at: 'AuthService.hasRoom',
    search: 'if (this.inFlight >= most) return false;',
    replace: '',
  },
  {
    row: 'A18',
    at: 'AuthService.hasRoom',
    search: 'Math.max(1, Math.floor(most / SHARE))',
    replace: 'most',
    why: 'one address takes all',
  },
  {
    row: 'A18',
    at: 'IntrospectionMethod.remember',
    search: "else if (verdict.kind !== 'unavailable') this.bad.set(digest, verdict, now + negative);",
    replace: '',
    why: 'a bad token is asked about each time',
  },
  {
    row: 'E27',
    at: 'Circuit.begin',
    search: 'if (this.isTried || now < this.closedUntil) return Turn.No;',
    replace: '',
    why: 'it is asked for every handshake',
  },
  {
    row: 'E27',
    at: 'Circuit.begin',
    search: 'return Turn.Trial;',
    replace: 'return Turn.No;',
    why: 'it is never asked again',
  },
  {
    row: 'E27',
    at: 'IntrospectionMethod.remember',
    search: "if (verdict.kind === 'good')",
    replace: 'if (false)',
    why: 'nothing is remembered',
  },
  {
    row: 'E27',
    at: 'UnavailableNotice.tell',
    search: 'if (now - this.toldAt < BETWEEN_MS) return;',
    replace: '',
  },
];

export const AUTH_MUTANTS: readonly Mutant[] = [...ASKED, ...SEEN];
