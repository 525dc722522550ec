// Whether an identity, that is a name within a method of `auth`, may have one more handshake: rates and caps, global
// and per route, and the quota of its key, user or token. It counts what it lets in and answers nobody.

import type { Limits, QuotaConfig, RouteConfig } from '../config/types.ts';
import { KeyedLimits, type KeyedLimitsOptions, KeyedVerdict, keyedLimits, worseOf } from '../limits/keyed-limits.ts';
import { QuotaUses } from '../limits/quota-uses.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { Grant } from './auth/method.ts';
import { OwnLimits } from './own-limits.ts';
import type { Seat } from './seat.ts';
import type { Route } from './snapshot.ts';

/** Identities remembered at least, so that a small `max_sessions` does not make a small table. */
const IDENTITIES_MIN = 65_536;

export interface BarredIdentity extends Refusal {
  /** The config key, for the log and the metrics. */
  readonly cause: string;
}

/** What a handshake, and later its session, takes of its identity's limits. Given back once, with `leave`. */
export class IdentitySeat {
  readonly key: string;
  readonly route: Route;
  /** The limits of the route that it is counted in, if the route has any of its own. */
  own: KeyedLimits | null;

  constructor(key: string, route: Route, own: KeyedLimits | null) {
    this.key = key;
    this.route = route;
    this.own = own;
  }
}

interface IdentityLimitsOptions {
  readonly limits: Limits;
  readonly sessionsMax: number;
  readonly routes: Iterable<RouteConfig>;
  readonly now: number;
}

/** `seat`: what its handshake has taken before. `isLast`: nothing that is used up once comes behind it. */
type Bounded = Pick<Grant, 'auth' | 'quota'> & {
  readonly identity: string;
  readonly seat: Seat;
  readonly isLast: boolean;
};

/** What lets identities in: at once, or later where others have to be asked. */
export interface IdentityDesk {
  sessionsOf(auth: string, identity: string): number;
  /** One more handshake of an identity on `route`: its seat, or what stands against it. */
  enter(
    one: Bounded,
    route: Route,
    now: number,
  ): IdentitySeat | BarredIdentity | Promise<IdentitySeat | BarredIdentity>;
  /** The seat is given back. */
  leave(seat: IdentitySeat, now: number): void;
  /** The limits of another config from now on. `seats` are all that are taken; none of them is lost. */
  retune(options: IdentityLimitsOptions, seats: Iterable<IdentitySeat>): void;
}

export class IdentityLimits implements IdentityDesk {
  private readonly all: KeyedLimits;
  private readonly uses: QuotaUses;
  private entriesMax: number;
  /** By route, for those with limits of their own per identity. */
  private readonly own = new OwnLimits<KeyedLimits>({
    make: (options) => new KeyedLimits(options),
    optionsOf: (route) => this.ownOptions(route),
  });

  constructor({ limits, sessionsMax, routes, now }: IdentityLimitsOptions) {
    this.entriesMax = Math.max(IDENTITIES_MIN, sessionsMax);
    this.all = new KeyedLimits(globalOptions(limits, this.entriesMax));
    this.uses = new QuotaUses(this.entriesMax);
    this.own.retune(routes, [], now);
  }

  /** Sessions and handshakes of that identity now. */
  sessionsOf(auth: string, identity: string): number {
    return this.all.sessionsOf(keyOf(auth, identity));
  }

  /**
   * One more handshake of an identity on `route`: its seat, or what stands against it. It pays for every try by its
   * rates; the long quota is charged last, so that tries which fail on anything else use up nothing of it.
   */
  enter(one: Omit<Bounded, 'seat' | 'isLast'>, route: Route, now: number): IdentitySeat | BarredIdentity {
    const { auth, identity, quota } = one;
    const key = keyOf(auth, identity);
    const own = this.own.of(route);
    const use = hasUse(quota) ? this.uses.of(key, now) : null;
    if (use === null && hasUse(quota)) return BARRED.identities;
    const tried = worseOf(this.all.admit(key, now), own?.admit(key, now) ?? KeyedVerdict.Ok);
    if (tried !== KeyedVerdict.Ok) return tried === KeyedVerdict.Over ? BARRED.rate : BARRED.identities;
    const waitMs = use?.takeOne(quota?.handshakes_per_second ?? Infinity, now) ?? 0;
    if (waitMs > 0) return { ...BARRED.quotaRate, retryAfter: secondsOf(waitMs) };
    if (quota !== null && this.all.sessionsOf(key) >= quota.max_sessions) return BARRED.quotaSessions;
    const seated = this.acquire(key, own, now);
    if (seated !== KeyedVerdict.Ok) return seated === KeyedVerdict.Over ? BARRED.sessions : BARRED.identities;
    const seat = new IdentitySeat(key, route, own);
    const usedMs = quota?.handshakes === undefined ? 0 : (use?.countOne(quota.handshakes, now) ?? 0);
    if (usedMs === 0) return seat;
    this.leave(seat, now);
    return { ...BARRED.quotaUsed, retryAfter: secondsOf(usedMs) };
  }

  leave({ key, own }: IdentitySeat, now: number): void {
    this.all.release(key, now);
    own?.release(key, now);
  }

  /** The limits of another config from now on. `seats` are all that are taken; none of them is lost. */
  retune({ limits, sessionsMax, routes, now }: IdentityLimitsOptions, seats: Iterable<IdentitySeat>): void {
    this.entriesMax = Math.max(IDENTITIES_MIN, sessionsMax);
    this.all.retune(globalOptions(limits, this.entriesMax), now);
    this.uses.retune(this.entriesMax);
    this.own.retune(routes, seats, now);
  }

  private acquire(key: string, own: KeyedLimits | null, now: number): KeyedVerdict {
    const verdict = this.all.acquire(key, now);
    if (verdict !== KeyedVerdict.Ok || own === null) return verdict;
    const ownVerdict = own.acquire(key, now);
    if (ownVerdict !== KeyedVerdict.Ok) this.all.release(key, now);
    return ownVerdict;
  }

  private ownOptions(route: RouteConfig): KeyedLimitsOptions | null {
    const { own_max_sessions_per_identity: sessionsMax, own_handshakes_per_second_per_identity: rate } = route;
    if (sessionsMax === Infinity && rate === Infinity) return null;
    return keyedLimits(sessionsMax, rate, this.entriesMax);
  }
}

const BARRED = {
  sessions: { slug: 'too_many_sessions_per_identity', cause: 'max_sessions_per_identity' },
  rate: { slug: 'too_many_handshakes_per_identity', cause: 'handshakes_per_second_per_identity' },
  quotaSessions: { slug: 'too_many_sessions_per_identity', cause: 'quota.max_sessions' },
  quotaRate: { slug: 'too_many_handshakes_per_identity', cause: 'quota.handshakes_per_second' },
  quotaUsed: { slug: 'quota_used', cause: 'quota.handshakes' },
  /** More identities than can be told apart: nobody new is let in until some may be forgotten. */
  identities: { slug: 'too_many_handshakes', cause: 'handshakes_per_second_per_identity' },
} as const satisfies Record<string, BarredIdentity>;

function keyOf(auth: string, identity: string): string {
  return `${auth}/${identity}`;
}

function hasUse(quota: QuotaConfig | null): boolean {
  return quota !== null && (quota.handshakes_per_second < Infinity || quota.handshakes !== undefined);
}

function globalOptions(limits: Limits, entriesMax: number): KeyedLimitsOptions {
  return keyedLimits(limits.max_sessions_per_identity, limits.handshakes_per_second_per_identity, entriesMax);
}

function secondsOf(ms: number): number {
  return Math.ceil(ms / 1000);
}
