// Makes a config ready for use: router, upstreams, trusted proxies and session policies. Routes, upstreams and targets
// that the next config names too stay the same objects, with what they count.

import type { Config, Limits, UpstreamConfig } from '../config/types.ts';
import { TrustedProxies } from '../edge/client-address.ts';
import { Router } from '../edge/router.ts';
import { policyOf } from '../edge/session-policy.ts';
import type { Route, Snapshot } from '../edge/snapshot.ts';
import { atOnce } from '../limits/slices.ts';
import type { Target } from '../upstream/target.ts';
import { Upstream } from '../upstream/upstream.ts';

/** A snapshot that is not in force yet: nothing of the one in force has changed. */
export interface SnapshotPlan {
  /** Routes and targets that stay, of those in force. */
  readonly keptRoutes: ReadonlySet<Route>;
  readonly keptTargets: ReadonlySet<Target>;
  /** Put it in force, in one go. */
  commit(): Snapshot;
}

/** `previous`: the snapshot that this one replaces at once. Nothing of it has changed when this throws. */
export function buildSnapshot(config: Config, previous: Snapshot | null = null): Snapshot {
  return atOnce(planSnapshot(config, previous)).commit();
}

/** The same in small steps. `previous` has to be in force still when the plan is committed. */
export function* planSnapshot(config: Config, previous: Snapshot | null): Generator<void, SnapshotPlan> {
  const listenerNames = config.listeners.map((listener) => listener.name);
  const router = yield* Router.inSteps(config.routes, listenerNames);
  const trusted = new TrustedProxies(config.trusted_proxies);
  const missing = config.routes.find((route) => config.upstreams[route.upstream] === undefined);
  if (missing !== undefined) throw new Error(`route ${missing.name} names no upstream`);
  const changes: (() => void)[] = [];
  const upstreams = new Map<string, Upstream>();
  const keptTargets = new Set<Target>();
  const isAlone = Object.keys(config.upstreams).length === 1; // asked once: it walks all of them
  for (const upstream of Object.values(config.upstreams)) {
    const known = previous?.upstreams.get(upstream.name);
    const plan = known?.plan(upstream);
    const made = known ?? new Upstream(upstream);
    changes.push(() => {
      plan?.commit();
      made.handshakesMax = handshakesMaxOf(upstream, config.limits, isAlone);
    });
    for (const target of plan?.kept ?? []) keptTargets.add(target);
    upstreams.set(upstream.name, made);
    yield;
  }
  const routes = new Map<string, Route>();
  const keptRoutes = new Set<Route>();
  for (const route of config.routes) {
    const upstream = upstreams.get(route.upstream) as Upstream; // looked at above
    const settings = { config: route, upstream, policy: policyOf(route) };
    const known = previous?.routes.get(route.name);
    if (known !== undefined) {
      keptRoutes.add(known);
      changes.push(() => Object.assign(known, settings));
    }
    routes.set(route.name, known ?? { ...settings, sessions: 0, draining: false });
    yield;
  }
  const commit = (): Snapshot => {
    for (const change of changes) change();
    const targets = new Set([...upstreams.values()].flatMap((upstream) => upstream.targets));
    return { config, router, routes, upstreams, targets, trusted };
  };
  return { keptRoutes, keptTargets, commit };
}

/** At least one. A share leaves room for others; where there are none it is all. */
function handshakesMaxOf({ max_handshakes }: UpstreamConfig, limits: Limits, isAlone: boolean): number {
  if ('count' in max_handshakes) return max_handshakes.count;
  if (isAlone) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor((limits.max_handshakes * max_handshakes.percent) / 100));
}
