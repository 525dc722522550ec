// For each row about one plain request and its answer the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const HTTP_EXCHANGE_MUTANTS: readonly Mutant[] = [
  { row: 'H29', at: 'answerFault', search: 'status < 200 || status > 599', replace: 'false' },
  {
    row: 'H29',
    at: 'answerFault',
    search:
      "codings.length === 1 && codings[0]?.toLowerCase() === 'chunked' ? null : 'Transfer-Encoding is not chunked'",
    replace: 'null',
    why: 'the client gets another coding as content',
  },
  { row: 'H29', at: 'answerFault', search: 'bytes > headBytesMax', replace: 'false' },
  { row: 'H29', at: 'HttpSend', search: 'answer.httpVersionMajor === 1', replace: 'true' },
  {
    row: 'H29',
    at: 'HttpSend',
    search: 'this.request.maxHeadersCount = 0;',
    replace: '',
    why: 'fields are lost silently',
  },
  { row: 'H29', at: 'PlainExchange.sayInterim', search: 'this.interim > INTERIM_MAX', replace: 'false' },
  { row: 'H30', at: 'PlainExchange.cut', search: 'else peer.reset();', replace: 'else peer.close();' },
  {
    row: 'H30',
    at: 'PlainRelay.onBroken',
    search: 'this.answer?.complete !== true',
    replace: 'this.answer === null',
    why: 'what broke off is left to hang',
  },
  {
    row: 'H31',
    at: 'PlainRelay.onBroken',
    search: 'this.answer?.complete !== true',
    replace: 'true',
    why: 'bytes behind a whole answer cut it off',
  },
  {
    row: 'H32',
    at: 'PlainExchange.takeAnswer',
    search: 'peer.isLast || !message.complete ||',
    replace: 'peer.isLast ||',
    why: 'the rest of a body that nobody reads is waited for',
  },
];
