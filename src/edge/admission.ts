// One complete request while it is checked: the facts it came with, what the checks have decided so far, and how they
// are run: one after the other, without a promise as long as each answers at once. The first refusal is the answer.

import assert from 'node:assert/strict';
import type { AbortLike } from '../net/abort.ts';
import { type CredentialPlace, markerOf, nameableProtocols, withoutPlaces } from '../protocol/credential-places.ts';
import type { RequestHead } from '../protocol/http-head.ts';
import type { PlainRequest } from '../protocol/plain-request.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { UpgradeRequest } from '../protocol/upgrade-request.ts';
import type { Admitted } from './admitted.ts';
import type { Arrival } from './arrival.ts';
import type { AskedRecord } from './asked-record.ts';
import type { Grant } from './auth/method.ts';
import { isUnnameable, UNNAMEABLE } from './auth/offer.ts';
import type { EdgeContext } from './context.ts';
import { Holdings } from './holdings.ts';
import type { PeerClaim, Seat } from './seat.ts';
import type { Route } from './snapshot.ts';

/**
 * One reason to refuse a handshake, or null. It answers at once, or later: then what the client sends is held, and
 * `signal` says when nobody waits for the answer any more.
 */
export type Check = (asked: Asked) => Refusal | null | Promise<Refusal | null>;

interface AskedOptions {
  readonly context: EdgeContext;
  readonly arrival: Arrival;
  readonly claim: PeerClaim;
  readonly head: RequestHead;
  readonly record: AskedRecord;
  readonly signal: AbortLike;
}

/** Each check reads what those before it have decided; to read what nobody has decided is a fault of ours. */
export class Asked {
  readonly context: EdgeContext;
  readonly arrival: Arrival;
  /** How its connection counts until the handshake has a seat. */
  readonly claim: PeerClaim;
  readonly head: RequestHead;
  /** Told what is known as soon as it is. */
  readonly record: AskedRecord;
  readonly signal: AbortLike;
  /** Null until a check has decided it. */
  judged: UpgradeRequest | PlainRequest | null = null;
  chosen: { readonly route: Route; readonly path: string } | null = null;
  protocols: readonly string[] | null = null;
  /** Where credentials may stand by the methods of its route. A reload may give that route others meanwhile. */
  places: readonly CredentialPlace[] = [];
  holdings: Holdings | null = null;
  /** What its session will stand on; null: nothing was asked of it, or it is anonymous. */
  grant: Grant | null = null;
  /** When that was first asked, by the clock. */
  judgedAt = 0;
  /** Announced a credential that was taken out of the offer; null: none did. */
  marker: string | null = null;

  constructor(options: AskedOptions) {
    this.context = options.context;
    this.arrival = options.arrival;
    this.claim = options.claim;
    this.head = options.head;
    this.record = options.record;
    this.signal = options.signal;
  }

  get request(): UpgradeRequest | PlainRequest {
    assert(this.judged !== null, 'the request was judged by a check before');
    return this.judged;
  }

  /** Null where it asks for no WebSocket, or is not judged yet. */
  get upgrade(): UpgradeRequest | null {
    return this.judged !== null && 'key' in this.judged ? this.judged : null;
  }

  get route(): Route {
    assert(this.chosen !== null, 'the route was chosen by a check before');
    return this.chosen.route;
  }

  get plain(): PlainRequest {
    const { request } = this;
    assert('body' in request, 'it asks for no WebSocket');
    return request;
  }

  /** It has a seat. One that comes when nobody waits for it any more goes back at once. */
  takeSeat(seat: Seat): void {
    const { context } = this;
    assert(this.holdings === null, 'a handshake takes one seat');
    if (this.signal.aborted) context.quotas.leave(seat, context.clock.now());
    else this.holdings = new Holdings(context, seat);
  }

  /** It may come in, unless no answer could be made to it. What stands at `stripped` is gone for all that follows. */
  takeGrant(grant: Grant | null, stripped: readonly CredentialPlace[]): Refusal | null {
    const { request, chosen, protocols } = this;
    assert(chosen !== null, "a method is a route's");
    this.grant = grant;
    const left = withoutPlaces(request, stripped);
    if (left === request) return null;
    this.judged = left;
    const kept = new Set(left.protocols);
    this.protocols = protocols?.filter((protocol) => kept.has(protocol)) ?? null;
    const path = chosen.path.slice(0, chosen.path.length - request.query.length);
    this.chosen = { ...chosen, path: `${path}${left.query}` };
    this.marker = left.protocols === request.protocols ? null : markerOf(request.protocols, stripped);
    return isUnnameable(request.protocols, stripped) ? UNNAMEABLE : null;
  }

  /** Every check has passed. */
  admitted(): Admitted {
    const { arrival, chosen, upgrade: request, protocols, holdings, grant, marker, places } = this;
    assert(chosen !== null && protocols !== null && holdings !== null, 'the checks decide everything');
    assert(request !== null, 'a session begins with an upgrade');
    const { route, path } = chosen;
    const answerable = nameableProtocols(protocols, places);
    const session = this.context.nextSessionId();
    return { session, arrival, request, route, path, protocols, answerable, marker, holdings, grant };
  }
}

/** Null when `asked` may go on. */
export function admit(asked: Asked, checks: readonly Check[], from = 0): Refusal | null | Promise<Refusal | null> {
  for (let at = from; at < checks.length; at += 1) {
    const answer = checks[at]?.(asked) ?? null;
    if (answer instanceof Promise) return answer.then((refusal) => goOn(asked, checks, at + 1, refusal));
    if (answer !== null) return answer;
  }
  return null;
}

/** A check has answered late. Nobody may wait for it any more: then the others are not asked. */
function goOn(
  asked: Asked,
  checks: readonly Check[],
  from: number,
  refusal: Refusal | null,
): Refusal | null | Promise<Refusal | null> {
  return refusal !== null || asked.signal.aborted ? refusal : admit(asked, checks, from);
}
