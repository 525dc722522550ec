// The mutants of the rows about the admin listener, and what it may do to the rest.

import type { Mutant } from './mutants.ts';

export const OPERATIONS_MUTANTS: readonly Mutant[] = [
  {
    row: 'X40',
    at: 'AdminServer.judgeSender',
    search: 'if (!isCrossSite(request.headers)) return null;',
    replace: "if (request.method === 'GET' || !isCrossSite(request.headers)) return null;",
  },
  {
    row: 'X40',
    at: 'isNavigation',
    search: "&& headers['sec-fetch-dest'] === 'document'",
    replace: '',
    why: 'a frame is a navigation too',
  },
  {
    row: 'X41',
    at: 'Seats.enter',
    search: 'this.onceRead(() => this.trim());',
    replace: '',
    why: 'nobody makes room',
  },
  {
    row: 'X41',
    at: 'Seats.enter',
    search: 'if (this.size >= SEATS_MAX + ARRIVING_MAX) {',
    replace: 'if (this.size >= SEATS_MAX) {',
    why: 'the first stay, and whoever comes is turned away',
  },
  {
    row: 'X42',
    at: 'SharedAnswers.ask',
    search: 'if (known !== undefined) return known;',
    replace: '',
  },
  {
    row: 'X43',
    at: 'matchEndpoint',
    search: "namesParts: parameters.has('route'),",
    replace: 'namesParts: false,',
  },
  {
    row: 'X44',
    at: 'CONFIG_HERE_MAX',
    search: 'const CONFIG_HERE_MAX = 4 * 1024;',
    replace: 'const CONFIG_HERE_MAX = 4 * 1024 * 1024;',
  },
  {
    row: 'X45',
    at: 'areTooMany',
    search: 'return ended > ENDED_MIN && ended > open * share;',
    replace: 'return false;',
  },
];
