// Whether one more handshake may go on: rates and caps, of all clients together and of each address, global and per
// route. It counts what it lets in and answers nobody.

import type { Limits, RouteConfig } from '../config/types.ts';
import { AddressLimits } from '../limits/address-limits.ts';
import { type KeyedLimitsOptions, KeyedVerdict, NO_KEY } from '../limits/keyed-limits.ts';
import { TokenBucket } from '../limits/token-bucket.ts';
import { clientKeyOf, networkKeyOf } from '../protocol/addresses/client-key.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { HandshakeSlots } from './handshake-slots.ts';
import type { Route } from './snapshot.ts';

/** Addresses remembered at least, so that a small `max_sessions` does not make a small table. */
const ADDRESSES_MIN = 65_536;

/** Why a handshake may not go on: the cause is the config key, for the log and the metrics. */
export interface Barred extends Refusal {
  readonly cause: string;
}

export const BARRED = {
  sessionsPerIp: { slug: 'too_many_sessions_per_ip', cause: 'max_sessions_per_ip' },
  handshakesPerIp: { slug: 'too_many_handshakes_per_ip', cause: 'handshakes_per_second_per_ip' },
  /** More addresses than can be told apart: nobody new is let in until some may be forgotten. */
  addresses: { slug: 'too_many_handshakes', cause: 'handshakes_per_second_per_ip' },
  sessions: { slug: 'too_many_sessions', cause: 'max_sessions' },
  /** Its turn did not come within `timeouts.open`. */
  turnTooLate: { slug: 'too_many_handshakes', cause: 'max_handshakes' },
  pushedOut: { slug: 'too_many_handshakes', cause: 'max_waiting_handshakes' },
  overload: { slug: 'overload', cause: 'max_buffered_total' },
  rate: { slug: 'too_many_handshakes', cause: 'handshakes_per_second' },
} as const satisfies Record<string, Barred>;

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

/** What lets handshakes in: at once, or later where others have to be asked. */
export interface HandshakeQuotas {
  /** One more handshake of `client` on `route`: its seat, or what stands against it. */
  enter(client: string, route: Route, now: number, claim: PeerClaim): Seat | Barred | Promise<Seat | Barred>;
  /** The seat is given back. */
  leave(seat: Seat, now: number): void;
  /** The connection is gone, or its client is another one than its peer. */
  depart(claim: PeerClaim, now: number): void;
}

export interface QuotasOptions {
  readonly limits: Limits;
  readonly sessionsMax: number;
  readonly routes: Iterable<RouteConfig>;
  /** Where the handshakes that are let in get their turn. */
  readonly slots: HandshakeSlots;
  readonly now: number;
}

export class Quotas implements HandshakeQuotas {
  private readonly slots: HandshakeSlots;
  private readonly addresses: AddressLimits;
  private readonly rate: TokenBucket;
  private addressesMax: number;
  /** By route, for those with limits of their own per address. */
  private readonly ownAddresses = new Map<string, AddressLimits>();

  constructor(options: QuotasOptions) {
    const { limits, now } = options;
    this.slots = options.slots;
    this.addressesMax = Math.max(ADDRESSES_MIN, options.sessionsMax);
    this.addresses = new AddressLimits(globalLimits(limits, this.addressesMax), networkKeyOf);
    this.rate = new TokenBucket(limits.handshakes_per_second, limits.handshake_burst, now);
    for (const route of options.routes) {
      if (hasOwnLimits(route))
        this.ownAddresses.set(route.name, new AddressLimits(this.ownLimits(route), networkKeyOf));
    }
  }

  /** One more connection of `peer`; '' for one that counts under no address. */
  arrive(peer: string, now: number): PeerClaim | Barred {
    const key = clientKeyOf(peer) ?? NO_KEY;
    const verdict = this.addresses.acquire(key, now);
    if (verdict === KeyedVerdict.Ok) return new PeerClaim(key);
    return verdict === KeyedVerdict.Over ? BARRED.sessionsPerIp : BARRED.addresses;
  }

  /** The connection is gone, or its client is another one than its peer. */
  depart(claim: PeerClaim, now: number): void {
    this.addresses.release(claim.key, now);
    claim.key = NO_KEY;
  }

  /**
   * One more handshake of `client` on `route`: its seat, or what stands against it. An address pays for every try; the
   * rate of all is charged last, so that tries which fail on anything else use up nothing of it.
   */
  enter(client: string, route: Route, now: number, claim: PeerClaim): Seat | Barred {
    const key = clientKeyOf(client) ?? NO_KEY;
    const own = this.ownAddresses.get(route.config.name) ?? null;
    const tried = worseOf(this.addresses.admit(key, now), own?.admit(key, now) ?? KeyedVerdict.Ok);
    if (tried !== KeyedVerdict.Ok) return tried === KeyedVerdict.Over ? BARRED.handshakesPerIp : BARRED.addresses;
    if (route.sessions >= route.config.own_max_sessions) return BARRED.sessions;
    const obstacle = this.slots.obstacleTo(route.upstream, key);
    if (obstacle !== null) return { slug: 'too_many_handshakes', cause: obstacle };
    const isCounted = claim.key !== key;
    const seated = this.acquire(isCounted ? key : NO_KEY, key, own, now);
    if (seated !== KeyedVerdict.Ok) return seated === KeyedVerdict.Over ? BARRED.sessionsPerIp : BARRED.addresses;
    if (!this.rate.takeOne(now)) {
      if (isCounted) this.addresses.release(key, now);
      own?.release(key, now);
      return BARRED.rate;
    }
    if (isCounted) this.depart(claim, now);
    route.sessions += 1;
    return new Seat(key, isCounted, route, own);
  }

  leave(seat: Seat, now: number): void {
    seat.route.sessions -= 1;
    if (seat.isCounted) this.addresses.release(seat.key, now);
    seat.own?.release(seat.key, now);
  }

  /** The limits of another config from now on. `seats` are all that are taken; none of them is lost. */
  retune(options: Omit<QuotasOptions, 'slots'>, seats: Iterable<Seat>): void {
    const { limits, now } = options;
    this.addressesMax = Math.max(ADDRESSES_MIN, options.sessionsMax);
    this.addresses.retune(globalLimits(limits, this.addressesMax), now);
    this.rate.retune(limits.handshakes_per_second, limits.handshake_burst, now);
    this.retuneOwn(options.routes, seats, now);
  }

  private retuneOwn(routes: Iterable<RouteConfig>, seats: Iterable<Seat>, now: number): void {
    const limited = new Map<string, RouteConfig>();
    for (const route of routes) if (hasOwnLimits(route)) limited.set(route.name, route);
    for (const name of this.ownAddresses.keys()) if (!limited.has(name)) this.ownAddresses.delete(name);
    const fresh = new Map<string, AddressLimits>();
    for (const [name, route] of limited) {
      const known = this.ownAddresses.get(name);
      // Without a cap at first: sessions that are over it stay, and are counted.
      if (known === undefined)
        fresh.set(name, new AddressLimits({ ...this.ownLimits(route), sessionsMax: Infinity }, networkKeyOf));
      else known.retune(this.ownLimits(route), now);
    }
    if (fresh.size === 0) return;
    for (const seat of seats) {
      const own = fresh.get(seat.route.config.name);
      if (own?.acquire(seat.key, now) === KeyedVerdict.Ok) seat.own = own;
    }
    for (const [name, own] of fresh) {
      const route = limited.get(name);
      if (route !== undefined) own.retune(this.ownLimits(route), now);
      this.ownAddresses.set(name, own);
    }
  }

  /** `key`: NO_KEY where it counts already. */
  private acquire(key: string, ownKey: string, own: AddressLimits | null, now: number): KeyedVerdict {
    const verdict = this.addresses.acquire(key, now);
    if (verdict !== KeyedVerdict.Ok || own === null) return verdict;
    const ownVerdict = own.acquire(ownKey, now);
    if (ownVerdict !== KeyedVerdict.Ok) this.addresses.release(key, now);
    return ownVerdict;
  }

  private ownLimits(route: RouteConfig): KeyedLimitsOptions {
    const rate = route.own_handshakes_per_second_per_ip;
    return keyedLimits(route.own_max_sessions_per_ip, rate, this.addressesMax);
  }
}

function globalLimits(limits: Limits, entriesMax: number): KeyedLimitsOptions {
  return keyedLimits(limits.max_sessions_per_ip, limits.handshakes_per_second_per_ip, entriesMax);
}

/** Twice the rate may come at once, and one always. */
function keyedLimits(sessionsMax: number, rate: number, entriesMax: number): KeyedLimitsOptions {
  return { entriesMax, sessionsMax, handshakesPerSecond: rate, handshakeBurst: Math.max(1, 2 * rate) };
}

function hasOwnLimits(route: RouteConfig): boolean {
  return route.own_max_sessions_per_ip < Infinity || route.own_handshakes_per_second_per_ip < Infinity;
}

function worseOf(a: KeyedVerdict, b: KeyedVerdict): KeyedVerdict {
  return a === KeyedVerdict.Ok ? b : a;
}
