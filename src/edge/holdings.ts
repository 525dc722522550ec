// What one client has taken of what all share: its seat, a slot of a target, the connection to it. One owner from the
// admitted head to the end of the session, which gives all of it back on every way out. It decides nothing.

import assert from 'node:assert/strict';
import type { Clock } from '../limits/clock.ts';
import type { Transport } from '../net/transport.ts';
import type { Target } from '../upstream/target.ts';
import type { Gates, Seat } from './gates.ts';

export class Holdings {
  readonly seat: Seat;
  private readonly gates: Gates;
  private readonly clock: Clock;
  private slot: Target | null = null;
  private backend: Transport | null = null;
  private isReleased = false;

  constructor(owner: { readonly gates: Gates; readonly clock: Clock }, seat: Seat) {
    this.gates = owner.gates;
    this.clock = owner.clock;
    this.seat = seat;
  }

  /** The target whose slot is held. */
  get target(): Target | null {
    return this.slot;
  }

  /** Take a slot of `target`; what was held for the try before it goes back. */
  takeSlot(target: Target): void {
    assert(!this.isReleased, 'nothing is taken by one who has left');
    this.leaveTarget();
    target.acquire();
    this.slot = target;
  }

  /** Keep the connection to that target. False when nobody waits for it any more: then it is closed. */
  keepBackend(transport: Transport): boolean {
    if (this.isReleased) transport.destroy();
    else this.backend = transport;
    return !this.isReleased;
  }

  /** Give everything back. Idempotent, and what throws keeps nothing of the rest. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    try {
      this.leaveTarget();
    } finally {
      this.gates.leave(this.seat, this.clock.now());
    }
  }

  private leaveTarget(): void {
    const { slot, backend } = this;
    this.slot = null;
    this.backend = null;
    try {
      backend?.destroy();
    } finally {
      slot?.release();
    }
  }
}
