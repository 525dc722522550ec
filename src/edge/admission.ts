// The checks of a complete head, in the order that README promises: what was decided, or what the first of them that
// refuses says. It takes nothing of any limit, and answers nobody.

import { namesInstance } from '../protocol/backend-request.ts';
import { hintOfHead } from '../protocol/hints.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import type { Refusal } from '../protocol/refusals.ts';
import { allowedProtocols } from '../protocol/subprotocols.ts';
import { judgeUpgradeRequest, type UpgradeRequest } from '../protocol/upgrade-request.ts';
import type { Arrival } from './arrival.ts';
import { chooseRoute } from './choose-route.ts';
import type { Edge } from './edge.ts';
import type { HandshakeRecord } from './handshake-record.ts';
import { relaxedChecks } from './relaxed-checks.ts';
import type { Route } from './snapshot.ts';

/** A request that passed every check, and what was decided about it. */
export interface Admitted {
  readonly request: UpgradeRequest;
  readonly route: Route;
  /** Path after the rewrite, and query. */
  readonly path: string;
  readonly protocols: readonly string[];
}

export interface Asker {
  readonly edge: Edge;
  readonly arrival: Arrival;
  /** Told what is known as soon as it is. */
  readonly report: HandshakeRecord;
}

export function admit(head: RequestHead, { edge, arrival, report }: Asker): Admitted | Refusal {
  const { snapshot } = edge;
  const { peer, peerTrusted, requestId, listenerName } = arrival;
  arrival.takeClient(head, snapshot.trusted);
  const from = { snapshot, listener: arrival.listener.config.name, peerAddress: peer };
  const verdict = judgeUpgradeRequest(head, (place) => relaxedChecks({ ...from, place }));
  if (!verdict.ok) return { slug: verdict.slug, cause: hintOfHead(verdict.slug, head) };
  const { request } = verdict;
  report.noteRequest(request);
  edge.notices.note({ fields: head.fields, listener: listenerName, peer, peerTrusted, requestId });
  if (namesInstance(head, edge.instanceId)) return { slug: 'loop' };
  const { route, path, refusal } = chooseRoute(snapshot, from.listener, request);
  if (route !== null) report.noteRoute(route);
  if (route === null || refusal !== null) return refusal ?? { slug: 'no_route' };
  report.noteRelaxed(request.relaxed);
  const protocols = allowedProtocols(request.protocols, route.config.subprotocols);
  if (protocols.length === 0 && request.protocols.length > 0) return { slug: 'subprotocol', cause: 'none is listed' };
  report.noteProtocols(request.protocols, protocols);
  return { request, route, path, protocols };
}
