// For each row about signed tokens, and the keys that they are checked with, the smallest source edit that removes its
// rule.

import type { Mutant } from './mutants.ts';

export const TOKEN_MUTANTS: readonly Mutant[] = [
  {
    row: 'A1',
    at: 'JwtMethod.judge',
    search: "if (!this.algorithms.has(jws.alg)) return bad('alg');",
    replace: "if (jws.alg === 'none') return this.judgePayload(Buffer.from(token.split('.')[1] ?? '', 'base64url'));",
    why: 'who signs nothing is believed',
  },
  {
    row: 'A2',
    at: 'PemKeys.check',
    search: 'return key !== null && fits(key, alg) ? checkWith(token, alg, key) : BAD_KEY;',
    replace:
      "const pem = Buffer.from(key?.export({ type: 'spki', format: 'pem' }) ?? '');\n" +
      "    return checkWith(token, alg, alg === 'HS256' ? pem : (key as KeyObject));",
    why: 'the header says what its key is',
  },
  {
    row: 'A3',
    at: 'JwtMethod.judge',
    search: "if (!this.algorithms.has(jws.alg)) return bad('alg');",
    replace: '',
  },
  {
    row: 'A4',
    at: 'KeySet.check',
    search: 'compactVerify(token, this.keyFor, options)',
    replace: 'compactVerify(token, () => this.keyFor({ alg }), options)',
    why: 'any key will do',
  },
  {
    row: 'A5',
    at: 'RemoteJwks.renew',
    search: 'this.means.clock.now() - this.triedAt >= this.config.cooldown',
    replace: 'true',
  },
  {
    row: 'A5',
    at: 'RemoteJwks.fetch',
    search: 'this.triedAt = clock.now();',
    replace: 'if (fault === null) this.triedAt = clock.now();',
    why: 'one that fails begins no cooldown',
  },
  {
    row: 'A6',
    at: 'RemoteJwks.failed',
    search: 'this.fault = fault;',
    replace: 'this.fault = fault;\n    this.set = null;',
    why: 'a fault takes the good set away',
  },
  {
    row: 'A6',
    at: 'KeySet.parse',
    search: "if (usable.length === 0 && keys.length > 0) return 'no key for signatures';",
    replace: '',
  },
  {
    row: 'A7',
    at: 'timesOf',
    search: "typeof value !== 'number' || !(value >= 0 && value <= TIME_MAX)",
    replace: "typeof value !== 'number'",
  },
  {
    row: 'A7',
    at: 'judgeClaims',
    search: 'if (expiresAt <= now)',
    replace: 'if (expiresAt < 0)',
  },
  {
    row: 'A8',
    at: 'parseCompactJws',
    search: 'token.length > LENGTH_MAX || ',
    replace: '',
  },
  {
    row: 'A8',
    at: 'ASKS_FOR_MORE',
    search: "['crit', 'b64', 'zip', 'enc']",
    replace: "['']",
  },
  {
    row: 'A9',
    at: 'parseCompactJws',
    search: 'if (!parts.every(isCanonical)) return null;',
    replace: '',
  },
  {
    row: 'A10',
    at: 'isUnambiguous',
    search: 'names === undefined || names.has(name)',
    replace: 'names === undefined',
  },
  {
    row: 'A10',
    at: 'isUnambiguous',
    search: 'if (open.length === DEPTH_MAX) return false;',
    replace: '',
  },
  {
    row: 'A11',
    at: 'judgeClaims',
    search: "if (rules.audience !== undefined && !isFor(aud, rules.audience)) return 'aud';",
    replace: '',
  },
  {
    row: 'A11',
    at: 'JwtMethod.judge',
    search: 'this.config.typ !== undefined && !isSameType(jws.typ, this.config.typ)',
    replace: 'jws.typ === null',
  },
  {
    row: 'A12',
    at: 'checkWith',
    search: 'return BAD_SIGNATURE;',
    replace: "return { kind: 'good', payload: Buffer.from(token.split('.')[1] ?? '', 'base64url') };",
  },
  {
    row: 'E27',
    at: 'RemoteJwks.keys',
    search: 'this.means.clock.now() - this.fetchedAt < AGE_MAX_MS ? this.set : null',
    replace: 'this.set',
    why: 'the last good set counts for ever',
  },
];
