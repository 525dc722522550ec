// Whether one more handshake may go on: rates and caps, of all clients together and of each address, global and per
// route. It counts what it lets in and answers nobody.

import type { Limits, RouteConfig } from '../config/types.ts';
import { AddressLimits } from '../limits/address-limits.ts';
import { type KeyedLimitsOptions, KeyedVerdict, keyedLimits, NO_KEY, worseOf } from '../limits/keyed-limits.ts';
import { TokenBucket } from '../limits/token-bucket.ts';
import { clientKeyOf, networkKeyOf } from '../protocol/addresses/client-key.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { SlotDesk } from './handshake-slots.ts';
import { OwnLimits } from './own-limits.ts';
import { PeerClaim, Seat } from './seat.ts';
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
  requestsPerIp: { slug: 'too_many_requests_per_ip', cause: 'requests_per_second_per_ip' },
  /** More addresses than can be told apart: nobody new is let in until some may be forgotten. */
  addresses: { slug: 'too_many_handshakes', cause: 'handshakes_per_second_per_ip' },
  sessions: { slug: 'too_many_sessions', cause: 'max_sessions' },
  /** Its turn did not come within `timeouts.open`. */
  turnTooLate: { slug: 'too_many_handshakes', cause: 'max_handshakes' },
  pushedOut: { slug: 'too_many_handshakes', cause: 'max_waiting_handshakes' },
  overload: { slug: 'overload', cause: 'max_buffered_total' },
  memory: { slug: 'overload', cause: 'max_memory' },
  rate: { slug: 'too_many_handshakes', cause: 'handshakes_per_second' },
} as const satisfies Record<string, Barred>;

/** What lets handshakes in: at once, or later where others have to be asked. */
export interface HandshakeQuotas {
  /** One more handshake of `client` on `route`: its seat, or what stands against it. */
  enter(client: string, route: Route, now: number, claim: PeerClaim): Seat | Barred | Promise<Seat | Barred>;
  /** The seat is given back. */
  leave(seat: Seat, now: number): void;
  /** One more request of `client` that is no handshake; what stands against it, or null. */
  admitRequest(client: string, now: number): Barred | null | Promise<Barred | null>;
  /** The connection is gone, or its client is another one than its peer. */
  depart(claim: PeerClaim, now: number): void;
}

/** All that an edge asks of them. */
export interface QuotaDesk extends HandshakeQuotas {
  /**
   * One more connection of `peer`; '' for one that counts under no address. `before`: how it has counted until now,
   * under none.
   */
  arrive(peer: string, now: number, before: PeerClaim | null): PeerClaim | Barred;
  /** The limits of another config from now on. `seats` are all that are taken; none of them is lost. */
  retune(options: Omit<QuotasOptions, 'slots'>, seats: Iterable<Seat>): void;
}

export interface QuotasOptions {
  readonly limits: Limits;
  readonly sessionsMax: number;
  readonly routes: Iterable<RouteConfig>;
  /** Where the handshakes that are let in get their turn. */
  readonly slots: SlotDesk;
  readonly now: number;
}

export class Quotas implements QuotaDesk {
  private readonly slots: SlotDesk;
  private readonly addresses: AddressLimits;
  private readonly rate: TokenBucket;
  /** Of requests that are no handshakes. */
  private readonly requests: AddressLimits;
  private addressesMax: number;
  /** By route, for those with limits of their own per address. */
  private readonly own = new OwnLimits<AddressLimits>({
    make: (options) => new AddressLimits(options, networkKeyOf),
    optionsOf: (route) => this.ownOptions(route),
  });

  constructor(options: QuotasOptions) {
    const { limits, now } = options;
    this.slots = options.slots;
    this.addressesMax = Math.max(ADDRESSES_MIN, options.sessionsMax);
    this.addresses = new AddressLimits(globalLimits(limits, this.addressesMax), networkKeyOf);
    this.requests = new AddressLimits(requestLimits(limits, this.addressesMax), networkKeyOf);
    this.rate = new TokenBucket(limits.handshakes_per_second, limits.handshake_burst, now);
    this.own.retune(options.routes, [], now);
  }

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
    const own = this.own.of(route);
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

  admitRequest(client: string, now: number): Barred | null {
    const verdict = this.requests.admit(clientKeyOf(client) ?? NO_KEY, now);
    return verdict === KeyedVerdict.Ok ? null : BARRED.requestsPerIp;
  }

  leave(seat: Seat, now: number): void {
    seat.route.sessions -= 1;
    if (seat.isCounted) this.addresses.release(seat.key, now);
    seat.own?.release(seat.key, now);
  }

  retune(options: Omit<QuotasOptions, 'slots'>, seats: Iterable<Seat>): void {
    const { limits, now } = options;
    this.addressesMax = Math.max(ADDRESSES_MIN, options.sessionsMax);
    this.addresses.retune(globalLimits(limits, this.addressesMax), now);
    this.requests.retune(requestLimits(limits, this.addressesMax), now);
    this.rate.retune(limits.handshakes_per_second, limits.handshake_burst, now);
    this.own.retune(options.routes, seats, now);
  }

  /** `key`: NO_KEY where it counts already. */
  private acquire(key: string, ownKey: string, own: AddressLimits | null, now: number): KeyedVerdict {
    const verdict = this.addresses.acquire(key, now);
    if (verdict !== KeyedVerdict.Ok || own === null) return verdict;
    const ownVerdict = own.acquire(ownKey, now);
    if (ownVerdict !== KeyedVerdict.Ok) this.addresses.release(key, now);
    return ownVerdict;
  }

  private ownOptions(route: RouteConfig): KeyedLimitsOptions | null {
    const { own_max_sessions_per_ip: sessionsMax, own_handshakes_per_second_per_ip: rate } = route;
    if (sessionsMax === Infinity && rate === Infinity) return null;
    return keyedLimits(sessionsMax, rate, this.addressesMax);
  }
}

function globalLimits(limits: Limits, entriesMax: number): KeyedLimitsOptions {
  return keyedLimits(limits.max_sessions_per_ip, limits.handshakes_per_second_per_ip, entriesMax);
}

function requestLimits({ requests_per_second_per_ip: rate }: Limits, entriesMax: number): KeyedLimitsOptions {
  return keyedLimits(Number.POSITIVE_INFINITY, rate, entriesMax);
}
