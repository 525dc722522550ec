// What one client has taken of what all share: its seat, its turn as a handshake, a slot of a target, the connection to
// it. One owner from the admitted head to the end of the session, which gives it back on every way out.

import assert from 'node:assert/strict';
import type { Clock } from '../limits/clock.ts';
import type { Transport } from '../net/transport.ts';
import type { NotChosen, TargetAsk, TargetChooser } from '../upstream/choose-target.ts';
import type { Place, RoomWaiter } from '../upstream/room-queue.ts';
import type { Target } from '../upstream/target.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { SlotClaim, SlotDesk, SlotRequest } from './handshake-slots.ts';
import type { IdentityDesk, IdentitySeat } from './identity-limits.ts';
import type { HandshakeQuotas } from './quotas.ts';
import type { PeerClaim, Seat } from './seat.ts';
import type { TargetHold } from './target-hold.ts';

/** Where all of it is taken from, and goes back to. */
interface HoldingsSource {
  readonly quotas: HandshakeQuotas;
  readonly identities: IdentityDesk;
  readonly slots: SlotDesk;
  readonly clock: Clock;
  newTargetHold(): TargetHold;
}

export class Holdings implements TargetChooser {
  readonly seat: Seat;
  private readonly quotas: HandshakeQuotas;
  private readonly identities: IdentityDesk;
  private readonly slots: SlotDesk;
  private readonly clock: Clock;
  private claim: SlotClaim | null = null;
  private peerClaim: PeerClaim | null = null;
  private identity: IdentitySeat | null = null;
  /** Among those who wait for room, until it has a slot. */
  private place: Place | null = null;
  /** It counts as one that waits, because of that place. */
  private isParked = false;
  private readonly hold: TargetHold;
  private isReleased = false;

  constructor(from: HoldingsSource, seat: Seat) {
    this.quotas = from.quotas;
    this.identities = from.identities;
    this.slots = from.slots;
    this.clock = from.clock;
    this.hold = from.newTargetHold();
    this.seat = seat;
  }

  /** The target whose slot is held. */
  get target(): Target | null {
    return this.hold.target;
  }

  /** That slot is a trial of its target: its number, 0 for none. */
  get trial(): number {
    return this.hold.trial;
  }

  /** Be one of the handshakes under way, now or when its turn comes. True when it is now. */
  takeTurn(request: Omit<SlotRequest, 'seat' | 'hold'>): boolean {
    assert(!this.isReleased && this.claim === null, 'a handshake asks once');
    this.unpark();
    if (this.place !== null && this.place.queue !== request.upstream.queue) this.leavePlace();
    this.claim = this.slots.ask({ ...request, seat: this.seat, hold: this.hold });
    return this.claim.state === 'open';
  }

  /** It waits for a turn or for room, and for that of `upstream`. */
  waitsFor(upstream: Upstream): boolean {
    if (this.isParked) return this.place?.queue === upstream.queue;
    return this.isWaiting && this.claim?.upstream === upstream;
  }

  get isWaiting(): boolean {
    return this.claim?.state === 'waiting';
  }

  /**
   * Wait until a target of `upstream` has room: its turn goes back, and what the last try took. The config key of what
   * stands against it; null when it waits.
   */
  park(upstream: Upstream, waiter: RoomWaiter): 'queue.size' | 'max_waiting_handshakes' | null {
    this.hold.leave();
    this.leaveTurn();
    if (this.place !== null && this.place.queue !== upstream.queue) this.leavePlace();
    if (this.place === null && upstream.isQueueFull) return 'queue.size';
    if (!this.slots.park()) return 'max_waiting_handshakes';
    this.isParked = true;
    if (this.place === null) this.place = upstream.queue.join(waiter);
    else this.place.queue.rejoin(this.place);
    return null;
  }

  /** Others wait for room there, and this one was not called. */
  mustPark({ queue }: Upstream): boolean {
    const isCalled = this.place?.queue === queue && this.place.state === 'called';
    return queue.isBusy && !isCalled;
  }

  /** Since when it waits for room; null when it does not, or its turn has come. */
  get parkedSince(): number | null {
    if (this.isParked) return this.place?.since ?? null;
    return this.isWaiting ? (this.claim?.parkedSince ?? null) : null;
  }

  private unpark(): void {
    if (!this.isParked) return;
    this.isParked = false;
    this.slots.unpark();
  }

  private leavePlace(): void {
    const { place } = this;
    this.place = null;
    this.unpark();
    place?.queue.leave(place);
  }

  /** It is no handshake any more. */
  leaveTurn(): void {
    const { claim } = this;
    this.claim = null;
    if (claim !== null) this.slots.leave(claim);
  }

  /** The try that was made is given up. */
  leaveTarget(): void {
    this.hold.leave();
  }

  /** It has become a session. */
  becomeSession(): void {
    this.leaveTurn();
    const { target, trial } = this.hold;
    this.hold.become('session');
    if (trial !== 0) target?.watch?.sessionBegan(trial);
  }

  /** The session has its cause to end, and goes on holding all of this until it has. */
  beginEnd(): void {
    this.hold.beginEnd();
  }

  /** The session goes on counting as its connection did. */
  keepPeerClaim(claim: PeerClaim): void {
    this.peerClaim = claim;
  }

  /** It counts under its identity, too. */
  takeIdentity(seat: IdentitySeat): void {
    assert(!this.isReleased && this.identity === null, 'a handshake is of one identity');
    this.identity = seat;
  }

  get identitySeat(): IdentitySeat | null {
    return this.identity;
  }

  choose(ask: TargetAsk): Target | NotChosen | Promise<Target | NotChosen> {
    assert(!this.isReleased, 'nothing is taken by one who has left');
    const answer = this.hold.choose(ask);
    if (this.hold.target !== null) this.leavePlace();
    return answer;
  }

  /** Keep the connection to that target. False when nobody waits for it any more: then it is closed. */
  keepBackend(transport: Transport): boolean {
    if (this.isReleased) transport.destroy();
    else this.hold.keepBackend(transport);
    return !this.isReleased;
  }

  /** Give everything back. Idempotent, and what throws keeps nothing of the rest. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    try {
      this.hold.leave();
    } finally {
      try {
        this.leaveTurn();
        this.leavePlace();
      } finally {
        const now = this.clock.now();
        if (this.identity !== null) this.identities.leave(this.identity, now);
        if (this.peerClaim !== null) this.quotas.depart(this.peerClaim, now);
        this.quotas.leave(this.seat, now);
      }
    }
  }
}
