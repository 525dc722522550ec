// The turns of a worker's handshakes: the primary says when, and to which target, in one answer. Nobody waits here by
// an order of ours.

import assert from 'node:assert/strict';
import { SlotClaim, type SlotDesk, type SlotRequest } from '../edge/handshake-slots.ts';
import { RemoteHold } from './desk-client-hold.ts';
import { RemoteSeat } from './desk-client-seats.ts';
import type { DeskLine } from './desk-line.ts';
import type { Answer } from './desk-messages.ts';

class RemoteClaim extends SlotClaim {
  readonly ask: number;
  readonly seat: RemoteSeat;
  readonly hold: RemoteHold;

  constructor(ask: number, { owner, upstream }: SlotRequest, seat: RemoteSeat, hold: RemoteHold) {
    super(owner, upstream);
    this.ask = ask;
    this.seat = seat;
    this.hold = hold;
  }
}

export class RemoteSlots implements SlotDesk {
  private readonly line: DeskLine;
  private readonly seats: Map<number, RemoteSeat>;

  constructor(line: DeskLine, seats: Map<number, RemoteSeat>) {
    this.line = line;
    this.seats = seats;
  }

  /** The primary says so when it is asked. */
  obstacleTo(): null {
    return null;
  }

  ask(request: SlotRequest): SlotClaim {
    const { line } = this;
    const { seat, hold, upstream, openMs } = request;
    assert(seat instanceof RemoteSeat && hold instanceof RemoteHold, 'whoever asks here took its seat here');
    const claim = new RemoteClaim(line.newId(), request, seat, hold);
    hold.bind(seat);
    const entry = seat.isAsked ? null : seat.entry;
    const one = seat.identity;
    seat.isAsked = true;
    seat.identity = null;
    this.seats.set(seat.id, seat);
    line.expect(claim.ask, (answer) => this.onAnswer(claim, answer));
    line.post(['turn', claim.ask, seat.id, [upstream.name, request.balanceKey(), openMs], entry, one]);
    return claim;
  }

  private onAnswer(claim: RemoteClaim, answer: Answer): void {
    const { owner, upstream, seat } = claim;
    switch (answer[0]) {
      case 'parked':
        claim.parkedSince ??= this.line.clock.now();
        upstream.toldRoom = answer[2];
        owner.onParked();
        return;
      case 'go':
        this.open(claim, answer[2], answer[3]);
        return;
      case 'barred':
        claim.state = 'over';
        // It holds nothing there any more.
        seat.isAsked = false;
        this.seats.delete(seat.id);
        owner.onRefused(answer[2], answer[3]);
        return;
      default:
        throw new Error(`a turn is not answered by ${answer[0]}`);
    }
  }

  private open(claim: RemoteClaim, name: string, trial: number): void {
    const { owner, upstream, hold } = claim;
    const target = upstream.target(name);
    claim.state = 'open';
    if (target === undefined) {
      // A reload has come by between the two.
      owner.onRefused({ slug: 'no_target', cause: 'none is known' }, null);
      return;
    }
    hold.grant(upstream, target, trial);
    owner.onTurn();
  }

  /** Whoever is a session has no turn, and whoever leaves gives back all in one. */
  leave(claim: SlotClaim): void {
    const { state } = claim;
    claim.state = 'over';
    if (!(claim instanceof RemoteClaim) || state !== 'waiting') return;
    this.line.forget(claim.ask);
    if (claim.seat.isAsked) this.line.post(['unturn', claim.seat.id]);
  }

  /** The primary has who waits for room: nobody does here. */
  park(): boolean {
    return true;
  }

  unpark(): void {}

  retune(): void {}
}
