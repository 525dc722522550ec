// Sends whoever comes to a listener with `redirect_http` to the one with TLS that serves the same Host. Of a request it
// repeats what has been judged, byte for byte, and never an authority but a Host that has a route there.

import type { ListenerConfig } from '../config/types.ts';
import { isSaidSecure } from '../protocol/backend-request.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import { judgePlainRequest, type PlainRequest } from '../protocol/plain-request.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { Arrival } from './arrival.ts';
import type { EdgeContext } from './context.ts';

type RedirectMeans = Pick<EdgeContext, 'snapshot' | 'ports'>;

export interface Redirect {
  readonly refusal: Refusal;
  /** For the log; null: its head is not right. */
  readonly request: PlainRequest | null;
}

/** What `head` gets, whatever it asks for; null where the listener serves it itself. */
export function redirectOf(head: RequestHead, arrival: Arrival, means: RedirectMeans): Redirect | null {
  const { listener } = arrival;
  if (!listener.config.redirect_http) return null;
  const request = judgePlainRequest(head);
  if (typeof request === 'string') return { refusal: { slug: request }, request: null };
  // Who ends TLS in front of us would bring the same client here again, for ever.
  const proto = arrival.protoOf(head, listener.rulesIn(means.snapshot));
  if (isSaidSecure({ proto, request })) return null;
  return { refusal: placeOf(request, means), request };
}

function placeOf(request: PlainRequest, means: RedirectMeans): Refusal {
  const { hostname, path, query } = request;
  const { config: whole, router } = means.snapshot;
  const to = whole.listeners.find(({ name, tls }) => tls !== null && router.serves(hostname, name));
  if (to === undefined) return NO_ROUTE;
  const port = portOf(to, means);
  const authority = port === 0 || port === HTTPS ? hostname : `${hostname}:${port}`;
  return { slug: 'https_only', fields: [['Location', `https://${authority}${path}${query}`]] };
}

/** 0: it has none, and who stands in front of it has the usual one. */
function portOf({ name, address }: ListenerConfig, { ports }: RedirectMeans): number {
  return ports.get(name) ?? (address.kind === 'tcp' ? address.port : 0);
}

const HTTPS = 443;
const NO_ROUTE: Refusal = { slug: 'no_route', cause: 'no listener with tls has a route for this Host' };
