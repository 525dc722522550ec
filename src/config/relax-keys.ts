// Owns the lists of checks that a route or an upstream switches off, and says where a misplaced one belongs.
// It must not apply them.

import { ROUTE_CHECKS, UPSTREAM_CHECKS } from '../protocol/relax.ts';
import { documented } from './scalars.ts';
import { didYouMean } from './suggest.ts';
import { z } from './zod.ts';

const ROUTE_KEY = 'routes[].relax';
const UPSTREAM_KEY = 'upstreams.*.relax';

export const routeRelax = documented(
  z.array(z.enum(ROUTE_CHECKS, { error: (issue) => problemOf(issue.input, ROUTE_CHECKS, UPSTREAM_CHECKS) })),
  'Checks of requests that are switched off, for devices that cannot be mended: key (the length of ' +
    'Sec-WebSocket-Key), connection_token (Connection without "upgrade", but not from trusted proxies). ' +
    'Each use is counted.',
  { type: 'list of key, connection_token' },
);

export const upstreamRelax = documented(
  z.array(z.enum(UPSTREAM_CHECKS, { error: (issue) => problemOf(issue.input, UPSTREAM_CHECKS, ROUTE_CHECKS) })),
  "Checks of a backend's 101 that are switched off, for devices that cannot be mended: accept (the value of " +
    'Sec-WebSocket-Accept), bare_lf (lines that end in LF alone). Each use is counted.',
  { type: 'list of accept, bare_lf' },
);

function problemOf(input: unknown, here: readonly string[], elsewhere: readonly string[]): string {
  if (typeof input === 'string' && elsewhere.includes(input)) {
    return here === UPSTREAM_CHECKS
      ? `${input} is a check of requests: it belongs in ${ROUTE_KEY}`
      : `${input} is a check of the backend's 101: it belongs in ${UPSTREAM_KEY}`;
  }
  const guess = typeof input === 'string' ? didYouMean(input, here) : '';
  return `expected one of ${here.join(', ')}${guess}`;
}
