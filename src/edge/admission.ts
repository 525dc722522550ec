// The checks of a complete head, in the order that README promises: what was decided, or what the first of them that
// refuses says. It takes nothing of any limit, and answers nobody.

import type { Transport } from '../net/transport.ts';
import { namesInstance } from '../protocol/backend-request.ts';
import { hintOfHead } from '../protocol/hints.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import { valuesOf } from '../protocol/lists.ts';
import { allowedProtocols } from '../protocol/subprotocols.ts';
import { judgeUpgradeRequest, type UpgradeRequest } from '../protocol/upgrade-request.ts';
import { chooseRoute, type RouteRefusal } from './choose-route.ts';
import type { Edge } from './edge.ts';
import type { HandshakeRecord } from './handshake-record.ts';
import type { EdgeListener } from './live-listener.ts';
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
  readonly listener: EdgeListener;
  readonly transport: Transport;
  /** Told what is known as soon as it is. */
  readonly report: HandshakeRecord;
}

export function admit(head: RequestHead, { edge, listener, transport, report }: Asker): Admitted | RouteRefusal {
  const { snapshot } = edge;
  const { remoteAddress } = transport;
  report.noteHead(head, snapshot.trusted.trusts(remoteAddress));
  report.client = snapshot.trusted.clientOf(remoteAddress, valuesOf(head.fields, 'x-forwarded-for'));
  const from = { snapshot, listener: listener.live.config.name, peerAddress: remoteAddress };
  const verdict = judgeUpgradeRequest(head, (place) => relaxedChecks({ ...from, place }));
  if (!verdict.ok) return { slug: verdict.slug, cause: hintOfHead(verdict.slug, head) };
  const { request } = verdict;
  report.noteRequest(request);
  report.notePeer(head.fields);
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
