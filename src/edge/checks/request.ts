// What is asked for: a WebSocket handshake that has not been here, on a route, with what that route takes.

import { namesInstance } from '../../protocol/backend-request.ts';
import { plainProtocols } from '../../protocol/credential-places.ts';
import { hintOfHead } from '../../protocol/hints.ts';
import type { Refusal } from '../../protocol/refusals.ts';
import { allowedProtocols } from '../../protocol/subprotocols.ts';
import { judgeUpgradeRequest } from '../../protocol/upgrade-request.ts';
import type { Asked } from '../admission.ts';
import { isUnnameable, UNNAMEABLE } from '../auth/offer.ts';
import { chooseRoute, isMisdirected, relaxedChecks } from '../choose-route.ts';

export function upgradeCheck(asked: Asked): Refusal | null {
  const { arrival, head, record, context } = asked;
  const { peer, peerTrusted } = arrival;
  const from = { snapshot: context.snapshot, listener: arrival.listener.config.name, peerAddress: peer, peerTrusted };
  const verdict = judgeUpgradeRequest(head, (place) => relaxedChecks({ ...from, place }));
  if (!verdict.ok) return { slug: verdict.slug, cause: hintOfHead(verdict.slug, head) };
  asked.judged = verdict.request;
  record.noteRequest(verdict.request);
  notePeer(asked);
  return null;
}

/** What a proxy in front says that is not believed, or says in two ways. */
export function notePeer({ arrival, head, context }: Asked): void {
  const { peer, peerTrusted, requestId, source } = arrival;
  const noticed = { fields: head.fields, listener: arrival.listenerName, peer, peerTrusted, requestId, source };
  context.notices.note(noticed);
  const unclear = peerTrusted ? arrival.listener.rulesIn(context.snapshot).unclear(head.fields) : null;
  if (unclear !== null) context.notices.noteUnclear(noticed, unclear, context.clock.now());
}

export function loopCheck({ head, context }: Asked): Refusal | null {
  return namesInstance(head, context.instanceId) ? LOOP : null;
}

export function routeCheck(asked: Asked): Refusal | null {
  const { request, arrival, record, context } = asked;
  const { snapshot } = context;
  const listener = arrival.listener.config;
  const { route, path, refusal } = chooseRoute(snapshot, listener.name, request, (route) =>
    asked.upgrade === null ? route.http : route.upstream,
  );
  if (route === null) {
    if (refusal !== null && refusal.slug !== 'no_route') return refusal;
    // A reload took the listener away before this head came: what it asks for may be there, by another one.
    if (arrival.listener.isGone) return LISTENER_GONE;
    return isMisdirected(snapshot, listener, request.hostname) ? MISDIRECTED : NO_ROUTE;
  }
  record.noteRoute(route);
  asked.chosen = { route, path };
  asked.places = route.auth?.places ?? [];
  return refusal;
}

/** A route for other requests alone is none for an upgrade. */
export function socketsCheck({ route, upgrade, record }: Asked): Refusal | null {
  if (!route.config.sockets) return NO_SOCKETS;
  record.noteRelaxed(upgrade?.relaxed ?? []);
  return null;
}

/** Credentials that stand in the offer are no subprotocols: no list is asked about them, and they count for none. */
export function subprotocolCheck(asked: Asked): Refusal | null {
  const { request, route, record } = asked;
  const { protocols: offered } = request;
  const { auth } = route;
  const plain = plainProtocols(offered, asked.places);
  const allowed = allowedProtocols(plain, route.config.subprotocols);
  if (allowed.length === 0 && plain.length > 0) return NONE_LISTED;
  if (auth !== null && isUnnameable(offered, auth.hidden)) return UNNAMEABLE;
  asked.protocols =
    plain === offered ? allowed : offered.filter((name) => !plain.includes(name) || allowed.includes(name));
  record.noteProtocols(plain, allowed);
  return null;
}

const LISTENER_GONE: Refusal = { slug: 'draining', cause: 'its listener is gone' };
const LOOP: Refusal = { slug: 'loop' };
const MISDIRECTED: Refusal = { slug: 'misdirected' };
const NO_ROUTE: Refusal = { slug: 'no_route' };
const NO_SOCKETS: Refusal = { slug: 'no_route', cause: 'the route has no upstream' };
const NONE_LISTED: Refusal = { slug: 'subprotocol', cause: 'none is listed' };
