// What a handshake is judged by: the config in force, made ready for use. Built whole by `control/`, replaced whole.

import type { Config, RouteConfig } from '../config/types.ts';
import type { SessionPolicy } from '../session/policy.ts';
import type { UpstreamRegistry } from '../upstream/registry.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { TrustedProxies } from './client-address.ts';
import type { Router } from './router.ts';

/** One route and all that its sessions share. A reload changes what is configured, and leaves what is counted. */
export interface Route {
  config: RouteConfig;
  upstream: Upstream;
  policy: SessionPolicy;
  /** Sessions and handshakes in flight on it: what its own `max_sessions` counts. */
  sessions: number;
  /** It takes no new sessions until it is undrained. */
  draining: boolean;
}

export interface Snapshot {
  readonly config: Config;
  readonly router: Router;
  readonly routes: ReadonlyMap<string, Route>;
  /** The same in each snapshot: it lives as long as the process. */
  readonly upstreams: UpstreamRegistry;
  readonly trusted: TrustedProxies;
}
