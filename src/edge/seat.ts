// What a client has taken of the limits per address: before its head is judged, and from then on.

import type { AddressLimits } from '../limits/address-limits.ts';
import { NO_KEY } from '../limits/keyed-limits.ts';
import type { Route } from './snapshot.ts';

/** A connection whose head is not judged yet, counted under the address of its peer. Given back once, with `depart`. */
export class PeerClaim {
  /** NO_KEY when it counts under no address. */
  key: string;

  constructor(key: string = NO_KEY) {
    this.key = key;
  }
}

/** What a handshake, and later its session, takes of the limits. Given back once, with `Quotas.leave`. */
export class Seat {
  readonly key: string;
  readonly route: Route;
  /** False when its connection counts under the same address already. */
  readonly isCounted: boolean;
  /** The limits of the route that it is counted in, if the route has any of its own. */
  own: AddressLimits | null;

  constructor(key: string, isCounted: boolean, route: Route, own: AddressLimits | null) {
    this.key = key;
    this.isCounted = isCounted;
    this.route = route;
    this.own = own;
  }
}
