// Which checks of a request are switched off: those that its route names, less what the peer makes dangerous.
// It judges no request.

import type { RouteCheck } from '../protocol/relax.ts';
import type { RequestPlace } from '../protocol/upgrade-request.ts';
import { chooseRoute } from './choose-route.ts';
import type { Snapshot } from './snapshot.ts';

interface Asked {
  readonly snapshot: Snapshot;
  /** The name by which routes know where the request came in. */
  readonly listener: string;
  readonly place: RequestPlace;
  /** Of the connection; '' on a unix socket. */
  readonly peerAddress: string;
}

export function relaxedChecks({ snapshot, listener, place, peerAddress }: Asked): readonly RouteCheck[] {
  const relax = chooseRoute(snapshot, listener, place).route?.config.relax ?? [];
  // RFC 9110 7.8: a proxy that sees no upgrade goes on to read requests on this connection, its other users' among
  // them, and what its client sends as frames would be read as requests. Who comes by a unix socket is a proxy too.
  const isProxy = peerAddress === '' || snapshot.trusted.trusts(peerAddress);
  return isProxy ? relax.filter((check) => check !== 'connection_token') : relax;
}
