// What is known of a request that passed its checks, as its backend is told: in fields, and in a PROXY header.

import type { Transport } from '../net/transport.ts';
import type { TemplateFacts } from '../protocol/header-template.ts';
import type { ProxiedConnection } from '../protocol/proxy-header/writer.ts';
import type { JudgedRequest } from '../protocol/request-place.ts';
import type { Arrival } from './arrival.ts';
import type { Grant } from './auth/method.ts';
import type { Route } from './snapshot.ts';

interface RequestFacts {
  readonly arrival: Arrival;
  readonly request: JudgedRequest;
  readonly route: Route;
  /** Null: nothing was asked of it, or it is anonymous. */
  readonly grant: Grant | null;
}

/** Who it is about, for backends that are told by a PROXY header. */
export function proxiedOf({ client, peer, peerPort, destination }: Arrival, transport: Transport): ProxiedConnection {
  // Whoever is named in a field has a port that nobody has heard of.
  const source = client === '' ? null : { address: client, port: client === peer ? peerPort : 0 };
  return { source, destination: destination ?? transport.localEndpoint() };
}

export function templateFacts({ arrival, request, route, grant }: RequestFacts): TemplateFacts {
  const { tls, serverName } = arrival;
  return {
    request,
    clientAddress: arrival.client,
    peerAddress: arrival.peer,
    peerTrusted: arrival.peerTrusted,
    requestId: arrival.requestId,
    route: route.config.name,
    listener: arrival.listenerName,
    tls: tls === null ? null : { sni: serverName, version: tls.version, certificate: tls.certificate },
    holder: grant,
  };
}
