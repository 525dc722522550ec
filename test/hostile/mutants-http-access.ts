// For each row about who may ask without upgrade the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const HTTP_ACCESS_MUTANTS: readonly Mutant[] = [
  { row: 'H80', at: 'PLAIN_CHECKS', search: '  authCheck,\n', replace: '' },
  {
    row: 'H80',
    at: 'withoutOffer',
    search: "!lower.startsWith('sec-websocket-')",
    replace: 'lower !== ""',
    why: 'what stands in an offer that nobody judges is copied by a placeholder',
  },
  {
    row: 'H81',
    at: 'signingString',
    search: 'head.method.toLowerCase()',
    replace: '"get"',
    why: 'a signature of a GET deletes',
  },
  { row: 'H81', at: 'ForwardMethod.judge', search: '[request.head.method]', replace: "['GET']" },
  { row: 'H82', at: 'PLAIN_CHECKS', search: '  onceCheck,\n', replace: '' },
];
