// From a judged request to its route and the path that a backend gets: matched as sent, compared with what a backend
// makes of it that decodes first, rewritten, and judged again; and which checks are switched off there. It counts
// nothing and knows no connection.

import type { ListenerConfig } from '../config/types.ts';
import { judgePath, rewritePath } from '../protocol/path.ts';
import { decodePath, type EncodedSlashes, hasEncodedSlash } from '../protocol/path-decoding.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { RouteCheck } from '../protocol/relax.ts';
import type { RequestPlace } from '../protocol/request-place.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { RouteMatch } from './router.ts';
import type { Route, Snapshot } from './snapshot.ts';

interface RouteChoice {
  /** Null when none was found, or two of them. */
  readonly route: Route | null;
  /** For the backend: after the rewrite, with the query. */
  readonly path: string;
  readonly refusal: Refusal | null;
}

/** `listener`: the name by which routes know where the request came in. */
export function chooseRoute(
  snapshot: Snapshot,
  listener: string,
  request: RequestPlace,
  goesTo: GoesTo = toSockets,
): RouteChoice {
  const match = snapshot.router.match(request.hostname, request.path, listener);
  if (leadsElsewhere(snapshot, listener, request, match)) return { route: null, path: '', refusal: ELSEWHERE };
  const route = match === null ? undefined : snapshot.routes.get(match.route.name);
  if (match === null || route === undefined) return { route: null, path: '', refusal: NO_ROUTE };
  const { rewrite } = route.config;
  const path = rewrite === null ? request.path : rewritePath(rewrite, match.rest);
  const refusal = judgeForwarded(
    { route, path, query: request.query, to: goesTo(route) },
    snapshot.config.limits.max_target_size,
  );
  return { route, path: `${path}${request.query}`, refusal };
}

/** Which upstream of a route gets the request; null: none. */
type GoesTo = (route: Route) => Upstream | null;

const toSockets: GoesTo = ({ upstream }) => upstream;

const ELSEWHERE: Refusal = { slug: 'encoded_path' };
const NO_ROUTE: Refusal = { slug: 'no_route' };

/**
 * Whether a backend that decodes first would see a path that is another route's, or another rest than the one that the
 * rewrite uses: what stands behind us may decode it, and the limits of its route would be stepped around. Escaped
 * slashes are read both ways, unless they are a part of a segment to the route.
 */
function leadsElsewhere(
  snapshot: Snapshot,
  listener: string,
  request: RequestPlace,
  match: RouteMatch | null,
): boolean {
  const { hostname, path, decodedPath } = request;
  if (!path.includes('%')) return false;
  const isMoved = (slashes: EncodedSlashes, readAs: string): boolean => {
    const decoded = snapshot.router.matchDecoded(hostname, readAs, listener);
    if (match === null || decoded === null) return match !== decoded;
    if (!decoded.twins.includes(match.route)) return true;
    const usesRest = match.route.rewrite?.endsWith('/*') === true;
    return usesRest && decodePath(match.rest, slashes) !== decoded.rest;
  };
  const keeps = match?.route.match.encoded_slashes === 'keep';
  if (!keeps && isMoved('split', decodedPath)) return true;
  return (keeps || hasEncodedSlash(path)) && isMoved('keep', decodePath(path, 'keep') ?? '');
}

interface Forwarded {
  readonly route: Route;
  readonly path: string;
  readonly query: string;
  readonly to: Upstream | null;
}

/** No backend gets a target that a client would be refused for, whichever of the targets is chosen. */
function judgeForwarded({ route, path, query, to }: Forwarded, lengthMax: number): Refusal | null {
  const isRewritten = route.config.rewrite !== null;
  for (const base of to?.bases ?? []) {
    // As the client sent it, which has been judged.
    if (base === '' && !isRewritten) continue;
    const cause = isRewritten ? 'after the rewrite' : "with the path of the target's url";
    const target = base + path;
    const verdict = judgePath(target);
    if (!verdict.ok) return { slug: verdict.slug, cause };
    // RFC 9112 3: what is too long for us is too long for the next, who may cut it.
    if (target.length + query.length > lengthMax) return { slug: 'target_too_long', cause };
  }
  return null;
}

/**
 * RFC 9110 15.5.20: the host has routes, but where other client certificates are asked for. Whoever came in by another
 * name, or without a certificate, is to come again there, and gets nothing of it here.
 */
export function isMisdirected({ router, config }: Snapshot, listener: ListenerConfig, hostname: string): boolean {
  if (router.serves(hostname, listener.name)) return false;
  const asked = clientAuthOf(listener);
  return config.listeners.some((other) => clientAuthOf(other) !== asked && router.serves(hostname, other.name));
}

function clientAuthOf({ tls }: ListenerConfig): string {
  return tls?.client_auth ?? 'none';
}

interface PlaceAsked {
  readonly snapshot: Snapshot;
  /** The name by which routes know where the request came in. */
  readonly listener: string;
  readonly place: RequestPlace;
  /** Of the connection; '' on a unix socket. */
  readonly peerAddress: string;
  readonly peerTrusted: boolean;
}

/** Which checks of a request are switched off: those that its route names, less what the peer makes dangerous. */
export function relaxedChecks({ snapshot, listener, place, ...peer }: PlaceAsked): readonly RouteCheck[] {
  const relax = chooseRoute(snapshot, listener, place).route?.config.relax ?? [];
  // RFC 9110 7.8: a proxy that sees no upgrade goes on to read requests on this connection, its other users' among
  // them, and what its client sends as frames would be read as requests. Who comes by a unix socket is a proxy too.
  const isProxy = peer.peerAddress === '' || peer.peerTrusted;
  return isProxy ? relax.filter((check) => check !== 'connection_token') : relax;
}
