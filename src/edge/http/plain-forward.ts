// What a plain request that passed its checks asks of a target: how one is reached for it, and what that one is sent.

import assert from 'node:assert/strict';
import type { AbortLike } from '../../net/abort.ts';
import type { Transport } from '../../net/transport.ts';
import { type ForwardedFields, plainRequestHead } from '../../protocol/backend-request.ts';
import type { Reached, ReachingOptions, ReachingProgress } from '../../upstream/open-backend.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { Asked } from '../admission.ts';
import type { EdgeContext } from '../context.ts';
import { changesFor } from '../field-edits.ts';
import { proxiedOf, templateFacts } from '../request-facts.ts';

interface ReachFor {
  readonly client: Transport;
  readonly holdings: ReachingOptions['holdings'];
  readonly progress: ReachingProgress;
  readonly signal: AbortLike;
  readonly mayRetry: boolean;
}

/** A class: an object of its own shape with a getter for each request costs as much as a check. */
class PlainWay {
  private readonly route: Asked['route'];
  private readonly first: Upstream;

  constructor(route: Asked['route'], first: Upstream) {
    this.route = route;
    this.first = first;
  }

  /** A reload may have taken it away: then it goes where it was to go. */
  get upstream(): Upstream {
    return this.route.http ?? this.first;
  }
}

export function reachingFor(asked: Asked, context: EdgeContext, reach: ReachFor): ReachingOptions {
  const { arrival, request, route, grant } = asked;
  const { client, holdings, progress, signal, mayRetry } = reach;
  const { http: first } = route;
  assert(first !== null, 'a request that passed its checks has where to go');
  return {
    holdings,
    progress,
    signal,
    mayRetry,
    clock: context.clock,
    dialer: context.dialer,
    log: context.log,
    metrics: context.metrics,
    route: new PlainWay(route, first),
    forward: { request, clientAddress: arrival.client, requestId: arrival.requestId },
    holder: grant,
    connectMs: route.config.timeouts.connect,
    proxied: () => proxiedOf(arrival, client),
  };
}

/** The whole head that the target gets, as text of latin1. */
export function sentHead(asked: Asked, context: EdgeContext, { target, upstream }: Reached): string {
  const { arrival, plain: request, route, chosen, grant } = asked;
  assert(chosen !== null, 'a request that passed its checks has a route');
  const edits = route.edits.request;
  const options: ForwardedFields = {
    request,
    target: target.reach.base + chosen.path,
    hostField: target.hostField(request.host),
    clientAddress: arrival.client,
    peerAddress: arrival.peer,
    peerTrusted: arrival.peerTrusted,
    proto: arrival.proto,
    source: arrival.source,
    sendForwarded: context.snapshot.config.send_forwarded,
    listenerPort: arrival.listener.port,
    requestId: arrival.requestId,
    sessionId: null,
    instanceId: context.instanceId,
    changes: edits === null ? null : changesFor(edits, templateFacts({ arrival, request, route, grant })),
    hiddenCookie: upstream.stickyCookie,
  };
  return plainRequestHead(options, request.body);
}
