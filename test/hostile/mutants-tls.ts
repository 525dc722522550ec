// For each row about TLS with clients the smallest source edit that removes its rule.

import type { Mutant } from './mutants.ts';

export const TLS_MUTANTS: readonly Mutant[] = [
  {
    row: 'D2',
    at: 'Entrance.begin',
    search: 'this.awaitDeadline();',
    replace: '',
  },
  {
    row: 'D2',
    at: 'Entrance.leave',
    search: 'context.tlsTurns.leave(state.claim);',
    replace: '',
    why: 'those that fail keep their turns',
  },
  {
    row: 'D2',
    at: 'makeContext',
    search: 'constants.SSL_OP_NO_RENEGOTIATION | ',
    replace: '',
  },
  {
    row: 'D3',
    at: 'Entrance.takeFirst',
    search: 'isLetter(bytes[start] ?? 0)',
    replace: 'false',
  },
  {
    row: 'D3',
    at: 'isLetter',
    search: 'byte | 0x20',
    replace: 'byte',
    why: 'requests begin with capitals',
  },
  {
    row: 'D4',
    at: 'parseServerName',
    search: '.toLowerCase()',
    replace: '',
  },
  {
    row: 'D4',
    at: 'ServerTls.certificateFor',
    search: 'if (isNameUnfit) return null;',
    replace: '',
    why: 'what is no name gets the first certificate',
  },
  {
    row: 'D40',
    at: 'certificateOf',
    search: 'if (fault !== null) return fault;',
    replace: '',
    why: 'a bad certificate is as good as a good one',
  },
  {
    row: 'D40',
    at: 'secureAccept',
    search: "rejectUnauthorized: terms.clientAuth === 'require'",
    replace: "rejectUnauthorized: terms.clientAuth === 'none'",
    why: 'who has none is not told why',
  },
  {
    row: 'D41',
    at: 'judgedBy',
    search: 'Buffer.from(client_auth), ',
    replace: '',
    why: 'Node resumes a session of nobody as authorized',
  },
  {
    row: 'D42',
    at: 'judgedBy',
    search: 'client_ca, ...(client_crl ?? [])]',
    replace: '...(client_crl ?? [])]',
  },
  {
    row: 'D42',
    at: 'judgedBy',
    search: ', ...(client_crl ?? [])]',
    replace: ']',
  },
  {
    row: 'D43',
    at: 'certificateOf',
    search: "if (now >= Date.parse(certificate.validTo)) return 'CERT_HAS_EXPIRED';",
    replace: '',
  },
  {
    row: 'D43',
    at: 'boundariesOf',
    search: 'times.push(Date.parse(validFrom), Date.parse(validTo));',
    replace: 'times.push(Date.parse(validFrom));',
    why: 'nobody sees that an authority has ended',
  },
  {
    row: 'D43',
    at: 'boundariesOf',
    search: 'if (time !== null) times.push(time);',
    replace: '',
    why: 'nobody sees that a list is too old',
  },
  {
    row: 'D43',
    at: 'JUDGED_FOR_MS',
    search: '3_600_000',
    replace: 'Number.MAX_SAFE_INTEGER',
    why: 'each use of a ticket brings a new one, for ever',
  },
  {
    row: 'D44',
    at: 'judgedBy',
    search: "Buffer.from(ciphers ?? ''), ",
    replace: '',
    why: 'what was taken once is taken for as long as clients come back',
  },
  {
    row: 'D44',
    at: 'makeContext',
    search: "tickets === 'off' ? constants.SSL_OP_NO_TICKET : 0",
    replace: '0',
  },
];
