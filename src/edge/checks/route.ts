// Where a request goes, and what is asked of it there.

import type { Refusal } from '../../protocol/refusals.ts';
import { allowedProtocols } from '../../protocol/subprotocols.ts';
import type { Asked } from '../asked.ts';
import { chooseRoute } from '../choose-route.ts';

export function routeCheck(asked: Asked): Refusal | null {
  const { request, arrival, record, context } = asked;
  const { route, path, refusal } = chooseRoute(context.snapshot, arrival.listener.config.name, request);
  if (route !== null) record.noteRoute(route);
  if (route === null || refusal !== null) return refusal ?? NO_ROUTE;
  asked.chosen = { route, path };
  record.noteRelaxed(request.relaxed);
  return null;
}

export function subprotocolCheck(asked: Asked): Refusal | null {
  const { request, route, record } = asked;
  const protocols = allowedProtocols(request.protocols, route.config.subprotocols);
  if (protocols.length === 0 && request.protocols.length > 0) return NONE_LISTED;
  asked.protocols = protocols;
  record.noteProtocols(request.protocols, protocols);
  return null;
}

const NO_ROUTE: Refusal = { slug: 'no_route' };
const NONE_LISTED: Refusal = { slug: 'subprotocol', cause: 'none is listed' };
