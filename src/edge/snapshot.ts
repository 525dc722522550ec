// What a handshake is judged by: the config in force, made ready for use. Built whole by `control/`, replaced whole.
// And whether what a handshake or a session stands on, its route, its target and its credential, is still
// there under it.

import type { Config, RouteConfig } from '../config/types.ts';
import type { LiveCertificates } from '../net/live-certificates.ts';
import type { ServerTls } from '../net/server-tls.ts';
import type { TicketSecrets } from '../net/ticket-secrets.ts';
import type { AddressSet } from '../protocol/addresses/address-set.ts';
import type { EndCause } from '../protocol/end-causes.ts';
import type { OriginSet } from '../protocol/origin.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { SessionPolicy } from '../session/policy.ts';
import type { UpstreamRegistry } from '../upstream/registry.ts';
import type { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { AuthChain } from './auth/chain.ts';
import type { Standing } from './auth/method.ts';
import type { AuthMethods } from './auth/methods.ts';
import type { ClientRules } from './client-rules.ts';
import type { FieldEdits } from './field-edits.ts';
import type { Router } from './router.ts';
import type { SessionCredential } from './session-credential.ts';

/** One route and all that its sessions share. A reload changes what is configured, and leaves what is counted. */
export interface Route {
  config: RouteConfig;
  upstream: Upstream;
  /** Where requests go that ask for no upgrade; null: nowhere. */
  http: Upstream | null;
  policy: SessionPolicy;
  /** Clients that may connect; null: any. */
  allowed: AddressSet | null;
  /** Those of them that may not; null: none. */
  denied: AddressSet | null;
  /** Null: any. */
  origins: OriginSet | null;
  edits: FieldEdits;
  /** Null: everybody may come in. */
  auth: AuthChain | null;
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
  /** The same in each snapshot. */
  readonly auth: AuthMethods;
  /** Some route takes requests that ask for no upgrade. */
  readonly servesHttp: boolean;
  /** Of the lists in the config, by their digests. */
  readonly addressSets: ReadonlyMap<string, AddressSet>;
  /** By the names of listeners. */
  readonly clientRules: ReadonlyMap<string, ClientRules>;
  /** By listener, for those that speak TLS. */
  readonly tls: ReadonlyMap<string, ServerTls>;
  /** The same in each snapshot. */
  readonly live: LiveCertificates;
  /** The same in each snapshot. */
  readonly ticketSecrets: TicketSecrets;
  /** Milliseconds since 1970; the same in each snapshot. */
  readonly wallNow: () => number;
  /** Those that any route lets in; null: all. */
  readonly origins: OriginSet | null;
}

interface Footing {
  readonly route: Route;
  /** Null before one is chosen. */
  readonly target: Target | null;
  /** Of a session; null: nothing was asked of it. */
  readonly credential: SessionCredential | null;
}

/** A handshake's. */
interface NewFooting extends Omit<Footing, 'credential'> {
  /** Null before it was let in, or: nothing was asked of it. */
  readonly grant: Standing | null;
  /** When that was first asked, by the monotonic clock. */
  readonly judgedAt: number;
}

/** What the config of `snapshot` has no longer, or, under the same name, has as another one; null when nothing is. */
export function removedFrom(snapshot: Snapshot, footing: Footing): EndCause | null {
  const place = placeRemovedFrom(snapshot, footing);
  if (place !== null) return place;
  return footing.credential?.isRemovedFrom(snapshot.auth) === true ? 'credential_revoked' : null;
}

function placeRemovedFrom(snapshot: Snapshot, { route, target }: Pick<Footing, 'route' | 'target'>): EndCause | null {
  // The route object keeps its name when its config is replaced.
  if (snapshot.routes.get(route.config.name) !== route) return 'route_removed';
  // A session keeps its target when its route goes to another upstream.
  return target?.gone === true && !target.keepsSessions ? 'target_removed' : null;
}

/** Why nothing new may begin there, or null. */
export function closedToNew(snapshot: Snapshot, footing: NewFooting): Refusal | null {
  const cause = drainedOf(snapshot, footing);
  if (cause !== null) return { slug: 'draining', cause };
  const { grant, judgedAt, route } = footing;
  const fault = grant === null ? null : snapshot.auth.faultOf(grant, judgedAt);
  if (fault === null) return null;
  return route.auth?.unauthorized(fault) ?? { slug: 'unauthorized', cause: fault };
}

function drainedOf(snapshot: Snapshot, { route, target }: Pick<Footing, 'route' | 'target'>): string | null {
  const removed = placeRemovedFrom(snapshot, { route, target });
  if (removed !== null) return removed;
  if (target?.gone === true) return 'target_removed';
  if (route.draining) return 'route_drain';
  return target !== null && sendsAway(route, target) ? 'target_drain' : null;
}

/** It drains, or its sessions were sent away when checks took it down: none may come behind them. */
function sendsAway(route: Route, target: Target): boolean {
  return target.draining || (target.has('down') && route.upstream.config.health.on_down !== 'keep');
}
