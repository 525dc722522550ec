// Makes a config ready for use: router, upstreams, trusted proxies and session policies. Routes, upstreams and targets
// that the next config names too stay the same objects, with what they count.

import { UNIX } from '../config/address-lists.ts';
import type { Config, RouteConfig } from '../config/types.ts';
import { TrustedProxies } from '../edge/client-address.ts';
import { ClientRules } from '../edge/client-rules.ts';
import { fieldEditsOf, fieldsSetByAny } from '../edge/field-edits.ts';
import { Router } from '../edge/router.ts';
import type { MethodsByName } from '../edge/session-credential.ts';
import { policyOf } from '../edge/session-policy.ts';
import type { Route, Snapshot } from '../edge/snapshot.ts';
import { atOnce } from '../limits/slices.ts';
import { NO_LIVE_CERTIFICATES } from '../net/live-certificates.ts';
import { ServerTls } from '../net/server-tls.ts';
import { TicketSecrets } from '../net/ticket-secrets.ts';
import { OriginSet } from '../protocol/origin.ts';
import type { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { AddressSets } from './address-sets.ts';

/** A snapshot that is not in force yet: nothing of the one in force has changed. */
export interface SnapshotPlan {
  /** Routes and targets that stay, of those in force. */
  readonly keptRoutes: ReadonlySet<Route>;
  readonly keptTargets: ReadonlySet<Target>;
  /** By the next config. */
  readonly methods: MethodsByName;
  /** Put it in force, in one go. */
  commit(): Snapshot;
}

/** What a snapshot takes over of the one before; of the first one it is given the upstreams. */
type Previous = Pick<Snapshot, 'upstreams' | 'auth'> &
  Partial<Pick<Snapshot, 'routes' | 'addressSets' | 'ticketSecrets' | 'wallNow' | 'live'>>;

/** `previous`: what this one replaces at once. Nothing of it has changed when this throws. */
export function buildSnapshot(config: Config, previous: Previous): Snapshot {
  return atOnce(planSnapshot(config, previous)).commit();
}

/** The same in small steps. `previous` has to be in force still when the plan is committed. */
export function* planSnapshot(config: Config, previous: Previous): Generator<void, SnapshotPlan> {
  const registry = previous.upstreams;
  const listenerNames = config.listeners.map((listener) => listener.name);
  const router = yield* Router.inSteps(config.routes, listenerNames);
  const sets = new AddressSets(previous.addressSets ?? new Map());
  const clientRules = yield* rulesOf(config, sets);
  const ticketSecrets = previous.ticketSecrets ?? new TicketSecrets();
  const wallNow = previous.wallNow ?? Date.now;
  const live = previous.live ?? NO_LIVE_CERTIFICATES;
  const tls = yield* serverTls(config, { secrets: ticketSecrets, wallNow, live });
  const isMissing = (name: string | null): boolean => name !== null && config.upstreams[name] === undefined;
  const missing = config.routes.find(({ upstream, http }) => isMissing(upstream) || isMissing(http));
  if (missing !== undefined) throw new Error(`route ${missing.name} names no upstream`);
  const setByAny = yield* fieldsSetByAny(config);
  const plan = yield* registry.plan(config);
  const auth = yield* previous.auth.plan(config);
  const changes: (() => void)[] = [];
  const origins = new OriginSets();
  const routes = new Map<string, Route>();
  const keptRoutes = new Set<Route>();
  for (const route of config.routes) {
    const upstream = plan.upstreams.get(route.upstream) as Upstream; // looked at above
    const settings = {
      config: route,
      upstream,
      http: route.http === null ? null : (plan.upstreams.get(route.http) as Upstream),
      policy: policyOf(route),
      allowed: route.allow === 'any' ? null : yield* sets.of(route.allow),
      denied: route.deny.blocks.length === 0 ? null : yield* sets.of(route.deny),
      origins: origins.of(route.origins),
      edits: fieldEditsOf(route, setByAny),
      auth: auth.chainOf(route),
    };
    const known = previous.routes?.get(route.name);
    if (known !== undefined) {
      keptRoutes.add(known);
      changes.push(() => Object.assign(known, settings));
    }
    routes.set(route.name, known ?? { ...settings, sessions: 0, draining: false });
    yield;
  }
  const allOrigins = origins.all();
  const commit = (): Snapshot => {
    plan.commit();
    auth.commit();
    for (const change of changes) change();
    const servesHttp = config.routes.some(({ http }) => http !== null);
    const fixed = { config, router, routes, servesHttp, clientRules, origins: allOrigins };
    const ofTls = { tls, live, ticketSecrets, wallNow };
    return { ...fixed, ...ofTls, auth: previous.auth, upstreams: registry, addressSets: sets.all };
  };
  return { keptRoutes, keptTargets: plan.keptTargets, methods: auth.methods, commit };
}

/** Made once for each list: thousands of routes share that of `defaults`. */
class OriginSets {
  private readonly made = new Map<readonly string[], OriginSet>();
  private hasAny = false;

  /** Those of all lists together; null: all that there are. */
  all(): OriginSet | null {
    return this.hasAny ? null : new OriginSet([...this.made.keys()].flat());
  }

  of(list: RouteConfig['origins']): OriginSet | null {
    if (list === 'any') {
      this.hasAny = true;
      return null;
    }
    const known = this.made.get(list);
    if (known !== undefined) return known;
    const set = new OriginSet(list);
    this.made.set(list, set);
    return set;
  }
}

type TlsMeans = Omit<ConstructorParameters<typeof ServerTls>[0], 'config'>;

function* serverTls(config: Config, means: TlsMeans): Generator<void, Snapshot['tls']> {
  const found = new Map<string, ServerTls>();
  for (const { name, tls } of config.listeners) {
    if (tls !== null) found.set(name, new ServerTls({ config: tls, ...means }));
    yield;
  }
  return found;
}

/** Equal lists are one object. */
function* rulesOf({ listeners }: Config, sets: AddressSets): Generator<void, Map<string, ClientRules>> {
  const trusted = new Map<string, TrustedProxies>();
  const rules = new Map<string, ClientRules>();
  for (const listener of listeners) {
    const { digest, words } = listener.trusted_proxies;
    const known = trusted.get(digest);
    const own = known ?? new TrustedProxies(yield* sets.of(listener.trusted_proxies), words.includes(UNIX));
    trusted.set(digest, own);
    rules.set(listener.name, new ClientRules(own, listener));
  }
  return rules;
}
