// A config made ready for use: router, upstreams, trusted proxies and session policies. Built whole, replaced whole.

import type { Config, DirectionLimits, RouteConfig } from '../config/schema.ts';
import type { EndCause } from '../protocol/end-causes.ts';
import type { ScannerLimits } from '../protocol/frame-scanner.ts';
import type { SessionPolicy } from '../session/policy.ts';
import { Upstream } from '../upstream/upstream.ts';
import { TrustedProxies } from './client-address.ts';
import { Router } from './router.ts';

/** One route and all that its sessions share. */
export interface Route {
  readonly config: RouteConfig;
  readonly upstream: Upstream;
  readonly policy: SessionPolicy;
  /** Sessions and handshakes in flight on it: what its own `max_sessions` counts. */
  sessions: number;
}

export interface Snapshot {
  readonly config: Config;
  readonly router: Router;
  readonly routes: ReadonlyMap<string, Route>;
  readonly trusted: TrustedProxies;
}

export function buildSnapshot(config: Config): Snapshot {
  const upstreams = new Map<string, Upstream>();
  for (const upstream of Object.values(config.upstreams)) upstreams.set(upstream.name, new Upstream(upstream));
  const routes = new Map<string, Route>();
  for (const route of config.routes) {
    const upstream = upstreams.get(route.upstream);
    if (upstream === undefined) throw new Error(`route ${route.name} names no upstream`);
    routes.set(route.name, { config: route, upstream, policy: policyOf(route), sessions: 0 });
  }
  const listenerNames = config.listeners.map((listener) => listener.name);
  return {
    config,
    router: new Router(config.routes, listenerNames),
    routes,
    trusted: new TrustedProxies(config.trusted_proxies),
  };
}

function policyOf(route: RouteConfig): SessionPolicy {
  const { limits, timeouts } = route;
  return {
    fromClient: scannerLimits(limits.from_client),
    fromBackend: scannerLimits(limits.from_backend),
    bufferedBytesMax: limits.max_buffered,
    idleMs: timeouts.idle,
    messageStallMs: timeouts.message_stall,
    writeStallMs: timeouts.write_stall,
    closeMs: timeouts.close,
    closeCodes: route.close_codes as Partial<Record<EndCause, number>>, // its keys were checked against the causes
  };
}

function scannerLimits(limits: DirectionLimits): ScannerLimits {
  return {
    messageBytesMax: limits.max_message_size,
    frameBytesMax: limits.max_frame_size,
    fragmentsMax: limits.max_fragments,
  };
}
