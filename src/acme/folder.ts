// One `dir`: its files, who may order, and what proves names meanwhile. In it one order is under way at a time, of this
// process and of all others.

import type { AcmeCertificate } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import { Challenges } from './challenges.ts';
import { FolderLock } from './folder-lock.ts';
import { orderFile } from './order.ts';
import { AcmeStore } from './store.ts';

interface FolderMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export class AcmeFolder {
  readonly store: AcmeStore;
  readonly challenges: Challenges;
  private readonly lock: FolderLock;
  private isBusy = false;

  constructor(folder: string, means: FolderMeans) {
    this.store = new AcmeStore(folder);
    this.challenges = new Challenges(this.store, means.clock);
    this.lock = new FolderLock(folder, means);
  }

  /** Whether nobody else orders until `leave`. `onLost`: somebody does. Rejects with AcmeError. */
  async enter(onLost: () => void): Promise<boolean> {
    if (this.isBusy) return false;
    this.isBusy = true;
    try {
      this.isBusy = await this.lock.take(onLost);
    } catch (error) {
      this.isBusy = false;
      throw error;
    }
    return this.isBusy;
  }

  async leave(): Promise<void> {
    await this.lock.release();
    this.isBusy = false;
  }

  /** What was begun has come to its end. Rejects with AcmeError. */
  forgetOrder(settings: AcmeCertificate): Promise<void> {
    return this.store.remove(orderFile(settings));
  }
}
