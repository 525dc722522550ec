// What the admin listener of a primary shows: the one place where its parts are put together.

import type { RunningProxy } from '../control/running-proxy.ts';
import type { AdminViews } from '../control/sight.ts';
import type { Slices } from '../limits/slices.ts';
import type { Fleet } from './fleet.ts';
import { FleetSeconds } from './fleet-seconds.ts';
import { FleetSight } from './fleet-sight.ts';
import { MergedSubject } from './merged-subject.ts';

/** The `views` of a primary's `ProxyOptions`. */
export function fleetViews(fleet: Fleet): (proxy: RunningProxy, slices: Slices) => AdminViews {
  return (proxy, slices) => {
    const sight = new FleetSight({ proxy, slices, fleet });
    const seconds = new FleetSeconds(fleet, proxy.edge.clock);
    const subject = new MergedSubject({ proxy, fleet, sight });
    return { subject, sight, others: (inFull) => seconds.read(inFull) };
  };
}
