// Handshakes without Origin that carry what browsers send along by themselves.

import { expect, test } from 'vitest';
import { isAmbient } from '../../src/edge/auth/ambient.ts';
import type { AuthMethod } from '../../src/edge/auth/method.ts';
import { accepted } from '../protocol/heads.ts';
import { acceptanceTests, type RefusedRow, refusalTests, requestOf, sharedGate } from './harness.ts';

const GOOD = 'fgk_a';
const SHA256 = '5131812734745deee441584f2941b34a93a0c4352610afe35093f1480d0f8161';
const at = (target: string, ...fields: string[]) => requestOf({ line: `GET ${target} HTTP/1.1`, fields });
const FORBIDDEN = '403 origin_not_allowed';

const gate = sharedGate((url) => ({
  defaults: { origins: ['https://good.example'] },
  auth: {
    keys: { api_key: { from: ['header:X-API-Key', 'cookie:sid'], keys: [{ name: 'a', sha256: SHA256 }] } },
    bearer: { api_key: { from: ['header:Authorization'], keys: [{ name: 'a', sha256: SHA256 }] } },
    // Nobody listens there: who gets as far is 503.
    ask: { forward: { url: 'http://127.0.0.1:1/', send: ['cookie'] } },
  },
  routes: [
    { match: { path: '/keys' }, upstream: url, auth: ['keys', 'anonymous'] },
    { match: { path: '/loose' }, upstream: url, auth: ['keys', 'anonymous'], missing_origin: 'allow' },
    { match: { path: '/bearer' }, upstream: url, auth: ['bearer'] },
    { match: { path: '/ask' }, upstream: url, auth: ['ask'] },
    { match: { path: '/open' }, upstream: url },
  ],
}));

const rows: RefusedRow[] = [
  [
    'O10: a cookie that a method reads',
    [at('/keys', `Cookie: a=b; sid=${GOOD}`), at('/keys', 'Cookie: sid=x')],
    FORBIDDEN,
  ],
  ['O10: Basic where a method reads Authorization', [at('/bearer', 'authorization: bAsIc eDp5')], FORBIDDEN],
  ['O10: any cookie that a service is shown', [at('/ask', 'Cookie: a=b')], FORBIDDEN],
  [
    'O10: with an Origin it is asked about',
    [at('/bearer', 'Origin: https://good.example', 'Authorization: Basic x')],
    '401 unauthorized',
  ],
  ['O10: another scheme needs none', [at('/bearer', 'Authorization: Bearer x')], '401 unauthorized'],
  ['O10: no cookie, nothing to be sent along', [at('/ask')], '503 auth_unavailable'],
];
refusalTests(gate, rows);
acceptanceTests(gate, [
  [
    'O10: a cookie that no method reads',
    at('/keys', 'Cookie: a=b', 'Cookie: Sid=x'),
    { target: '/keys', passed: ['Cookie: a=b', 'Cookie: Sid=x'] },
  ],
  ['O10: a key in a header of its own', at('/keys', `X-API-Key: ${GOOD}`), { target: '/keys' }],
  ['O10: a cookie, where none is let in without an Origin', at('/loose', `Cookie: sid=${GOOD}`), { target: '/loose' }],
  [
    'O10: a route without auth reads nothing',
    at('/open', 'Cookie: sid=x'),
    { target: '/open', passed: ['Cookie: sid=x'] },
  ],
]);

test('O10: a client certificate, where a method reads it', () => {
  const request = accepted(requestOf());
  const certificate = { subject: 'CN=a', san: null, sha256: 'ab' };
  const tls = { version: 'TLSv1.3', isResumed: false, certificate };
  const methods = (kind: string) => [{ config: { kind }, places: [] } as unknown as AuthMethod];
  for (const [kind, arrival, is] of [
    ['certificate', { tls }, true],
    ['certificate', { tls: { ...tls, certificate: null } }, false],
    ['certificate', { tls: null }, false],
    ['jwt', { tls }, false],
  ] as const)
    expect(isAmbient(methods(kind), { request, arrival } as never), kind).toBe(is);
});
