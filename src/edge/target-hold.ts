// A slot of a target and the connection to it, as one client holds them: of one target at a time, given back once.

import type { Transport } from '../net/transport.ts';
import type { Target } from '../upstream/target.ts';

export class TargetHold {
  private slot: Target | null = null;
  private trialOfSlot = 0;
  private backend: Transport | null = null;

  get target(): Target | null {
    return this.slot;
  }

  /** The slot is a trial of its target: its number, 0 for none. */
  get trial(): number {
    return this.trialOfSlot;
  }

  /** What was held for the try before it goes back. */
  take(target: Target): void {
    this.leave(false, false);
    this.trialOfSlot = target.acquire();
    this.slot = target;
  }

  keepBackend(transport: Transport): void {
    this.backend = transport;
  }

  /** `isSession`, `isEnding`: what the slot was told that it is. */
  leave(isSession: boolean, isEnding: boolean): void {
    const { slot, trialOfSlot: trial, backend } = this;
    this.slot = null;
    this.trialOfSlot = 0;
    this.backend = null;
    try {
      backend?.destroy();
    } finally {
      slot?.release(isSession, isEnding);
      if (trial !== 0) slot?.watch?.left(trial);
    }
  }
}
