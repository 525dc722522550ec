// A slot of a target and the connection to it, as one client holds them: of one target at a time, given back once, as
// what it was.

import type { Transport } from '../net/transport.ts';
import { chooseTarget, type NotChosen, type TargetAsk, type TargetChooser } from '../upstream/choose-target.ts';
import { type SlotUse, Target } from '../upstream/target.ts';

export class TargetHold implements TargetChooser {
  private slot: Target | null = null;
  protected use: SlotUse = 'handshake';
  private trialOfSlot = 0;
  private backend: Transport | null = null;

  get target(): Target | null {
    return this.slot;
  }

  /** The slot is a trial of its target: its number, 0 for none. */
  get trial(): number {
    return this.trialOfSlot;
  }

  choose(ask: TargetAsk): Target | NotChosen | Promise<Target | NotChosen> {
    const chosen = chooseTarget(ask);
    if (chosen instanceof Target) this.take(chosen);
    return chosen;
  }

  /** What was held for the try before it goes back. */
  protected take(target: Target): void {
    this.giveBack();
    this.trialOfSlot = this.acquire(target);
    this.slot = target;
  }

  /** The number of the trial that the slot is, 0 for none. */
  protected acquire(target: Target): number {
    return target.acquire();
  }

  keepBackend(transport: Transport): void {
    this.backend = transport;
  }

  /** The handshake is over. */
  become(use: 'session' | 'request'): void {
    this.slot?.promote(use);
    this.use = use;
  }

  /** The session has a cause to end. Idempotent. */
  beginEnd(): void {
    if (this.use !== 'session') return;
    this.slot?.beginEnd();
    this.use = 'ending';
  }

  /** The target did not do its part for this client. */
  blameTarget(client: string): void {
    this.slot?.watch?.answeredBadly(client, this.trialOfSlot);
  }

  leave(): void {
    this.giveBack();
  }

  private giveBack(): void {
    const { slot, use, trialOfSlot: trial, backend } = this;
    this.slot = null;
    this.use = 'handshake';
    this.trialOfSlot = 0;
    this.backend = null;
    try {
      backend?.destroy();
    } finally {
      slot?.release(use);
      if (trial !== 0) slot?.watch?.left(trial);
    }
  }
}
