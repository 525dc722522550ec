// What the handshakes of a worker take of the limits that the primary counts: per address, per identity, in all.
// Nothing is counted here.

import type { NonceOf, OnceDesk } from '../edge/auth/method.ts';
import { type BarredIdentity, type IdentityDesk, IdentitySeat } from '../edge/identity-limits.ts';
import type { Barred, QuotaDesk, QuotasOptions } from '../edge/quotas.ts';
import { PeerClaim, Seat } from '../edge/seat.ts';
import type { Route } from '../edge/snapshot.ts';
import { NO_KEY } from '../limits/keyed-limits.ts';
import { clientKeyOf } from '../protocol/addresses/client-key.ts';
import type { DeskLine } from './desk-line.ts';
import type { Answer, AskedIdentity, Entry } from './desk-messages.ts';

/** A connection that the primary counts. */
export class CountedClaim extends PeerClaim {
  /** As the primary calls it, from 1; 0: it is gone. */
  cid: number;

  constructor(cid: number) {
    super();
    this.cid = cid;
  }
}

/** Of one handshake. It need not be asked for by itself: what is not asked yet goes with its turn. */
export class RemoteSeat extends Seat {
  readonly id: number;
  readonly entry: Entry;
  /** Under way to the primary, or known to it. */
  isAsked = false;
  /** What is left to ask. */
  identity: AskedIdentity | null = null;

  constructor(id: number, route: Route, entry: Entry) {
    super(clientKeyOf(entry[1]) ?? NO_KEY, false, route, null);
    this.id = id;
    this.entry = entry;
  }
}

export class RemoteQuotas implements QuotaDesk {
  private readonly line: DeskLine;
  private readonly seats: Map<number, RemoteSeat>;
  private hasRate = false;

  constructor(line: DeskLine, seats: Map<number, RemoteSeat>) {
    this.line = line;
    this.seats = seats;
  }

  /** The primary has counted it when it was accepted; what a PROXY header names it counts from the head on. */
  arrive(_peer: string, _now: number, before: PeerClaim | null): PeerClaim {
    return before ?? new PeerClaim();
  }

  depart(claim: PeerClaim): void {
    if (!(claim instanceof CountedClaim) || claim.cid === 0) return;
    this.line.gone(claim.cid);
    claim.cid = 0;
  }

  enter(client: string, route: Route, _now: number, claim: PeerClaim): Seat | Promise<Seat | Barred> {
    const { line } = this;
    const cid = claim instanceof CountedClaim ? claim.cid : 0;
    const seat = new RemoteSeat(line.newId(), route, [cid, client, route.config.name]);
    // Nothing comes between this and its turn: one question does for both.
    if (route.auth === null) return seat;
    const ask = line.newId();
    seat.isAsked = true;
    this.seats.set(seat.id, seat);
    line.post(['enter', ask, seat.id, seat.entry]);
    return new Promise((resolve) => {
      line.expect(ask, (answer) => {
        const barred = barredOf(answer);
        if (barred !== null) this.forget(seat);
        resolve(barred ?? seat);
      });
    });
  }

  leave(seat: Seat): void {
    if (!(seat instanceof RemoteSeat) || !seat.isAsked) return;
    this.forget(seat);
    this.line.post(['leave', seat.id]);
  }

  private forget(seat: RemoteSeat): void {
    seat.isAsked = false;
    this.seats.delete(seat.id);
  }

  admitRequest(client: string): Barred | null | Promise<Barred | null> {
    if (!this.hasRate) return null;
    const { line } = this;
    const ask = line.newId();
    line.post(['rate', ask, client]);
    return new Promise((resolve) => {
      line.expect(ask, (answer) => resolve(barredOf(answer)));
    });
  }

  retune({ limits }: Pick<QuotasOptions, 'limits'>): void {
    this.hasRate = limits.requests_per_second_per_ip < Number.POSITIVE_INFINITY;
  }
}

export class RemoteIdentities implements IdentityDesk {
  private readonly line: DeskLine;

  constructor(line: DeskLine) {
    this.line = line;
  }

  /** Those of all workers are counted by the primary. */
  sessionsOf(): number {
    return 0;
  }

  enter(
    { auth, identity, quota, seat, isLast }: Parameters<IdentityDesk['enter']>[0],
    route: Route,
  ): IdentitySeat | Promise<IdentitySeat | BarredIdentity> {
    const { line } = this;
    const taken = new IdentitySeat(identity, route, null);
    if (!(seat instanceof RemoteSeat)) return taken;
    const one: AskedIdentity = [auth, identity, quota];
    if (isLast) {
      seat.identity = one;
      return taken;
    }
    const ask = line.newId();
    line.post(['identity', ask, seat.id, one]);
    return new Promise((resolve) => {
      line.expect(ask, (answer) => resolve(barredOf(answer) ?? taken));
    });
  }

  /** It goes back with its seat. */
  leave(): void {}

  retune(): void {}
}

/** What counts once, at whichever worker it comes. */
export class RemoteOnce implements OnceDesk {
  private readonly line: DeskLine;

  constructor(line: DeskLine) {
    this.line = line;
  }

  take(nonce: NonceOf): ReturnType<OnceDesk['take']> {
    const { line } = this;
    const ask = line.newId();
    line.post(['once', ask, nonce]);
    return new Promise((resolve) => {
      line.expect(ask, (answer) => resolve(answer[0] === 'taken' ? answer[2] : 'full'));
    });
  }
}

function barredOf(answer: Answer): Barred | null {
  if (answer[0] !== 'barred') return null;
  const [, , refusal, limit] = answer;
  return { ...refusal, cause: refusal.cause ?? limit ?? '' };
}
