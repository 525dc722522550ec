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
  {
    row: 'H83',
    at: 'placeOf',
    search: 'tls !== null && router.serves(hostname, name)',
    replace: 'tls !== null',
    why: 'any Host is repeated',
  },
  {
    row: 'H83',
    at: 'placeOf',
    search: 'tls !== null && router.serves(hostname, name)',
    replace: 'router.serves(hostname, name)',
    why: 'to a port without TLS',
  },
  {
    row: 'H83',
    at: 'placeOf',
    search: 'const { hostname, path, query } = request;',
    replace: "const { hostname, path } = request;\n  const query = '';",
    why: 'the query is lost',
  },
  {
    row: 'H83',
    at: 'redirectOf',
    search: "if (typeof request === 'string') return { refusal: { slug: request }, request: null };",
    replace: "if (typeof request === 'string') return null;",
    why: 'what breaks a rule is served after all',
  },
  {
    row: 'H83',
    at: 'redirectOf',
    search: 'if (isSaidSecure({ proto, request })) return null;',
    replace: '',
    why: 'who comes by TLS to a proxy in front is sent away for ever',
  },
  {
    row: 'H83',
    at: 'PlainConnection.onHead',
    search: 'if (moved !== null) {',
    replace: 'if (rest.length < 0 && moved !== null) {',
  },
  { row: 'H84', at: 'PLAIN_CHECKS', search: '  rateCheck,\n', replace: '' },
  {
    row: 'H84',
    at: 'Quotas.retune',
    search: 'this.requests.retune(requestLimits(limits, this.addressesMax), now);',
    replace: '',
  },
  {
    row: 'H84',
    at: 'Quotas.admitRequest',
    search: 'this.requests.admit(',
    replace: 'this.addresses.admit(',
    why: 'handshakes are charged for them',
  },
  { row: 'H85', at: 'PLAIN_CHECKS', search: '  addressCheck,\n', replace: '' },
  { row: 'H85', at: 'PLAIN_CHECKS', search: '  loopCheck,\n', replace: '' },
  {
    row: 'H86',
    at: 'unlessRevoked',
    search: "if (verdict.kind !== 'good') return verdict;",
    replace: 'return verdict;',
  },
];
