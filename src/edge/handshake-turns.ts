// How many handshakes or requests take one step in one turn of the event loop: a few, so that a thousand that come at
// once do not make others wait until all are done. Those above wait in one queue that is fair by address. It answers
// nobody.

import type { Clock } from '../limits/clock.ts';
import { FairQueue, type Waiter } from '../limits/fair-queue.ts';

/** The queue is late when its oldest has waited for this share of its time. */
const LATE_SHARE = 1 / 3;

/** Who waits for its step. */
export interface StepOwner {
  /** Its turn has come; called once. */
  onStep(): void;
}

export type StepWaiter = Waiter<StepOwner>;

export class HandshakeTurns {
  private readonly clock: Clock;
  private readonly turnMax: number;
  /** Below it the end of the turn is not awaited, which costs something: those of turns before count with it then. */
  private readonly few: number;
  /** At most the handshakes there are. */
  private readonly waiting = new FairQueue<StepOwner>();
  /** In this turn, and at most `few` in those before. */
  private taken = 0;
  private isInTurn = false;

  /** `turnMax`: of steps in one turn. */
  constructor(clock: Clock, turnMax: number) {
    this.clock = clock;
    this.turnMax = turnMax;
    this.few = turnMax / 2;
  }

  /** True when the step may be taken now; else it has to wait. Nobody who waits is passed by. */
  takeOne(): boolean {
    if (this.waiting.size > 0 || this.taken >= this.turnMax) return false;
    this.taken += 1;
    if (this.taken >= this.few) this.awaitTurn();
    return true;
  }

  /** `takeOne` was false just before. `key`: of its address. */
  wait(owner: StepOwner, key: string, deadline: number): StepWaiter {
    const now = this.clock.now();
    this.awaitTurn();
    return this.waiting.add(key, owner, now + (deadline - now) * LATE_SHARE);
  }

  /** It waits no more. Idempotent. */
  leave(waiter: StepWaiter): void {
    this.waiting.remove(waiter);
  }

  private awaitTurn(): void {
    if (this.isInTurn) return;
    this.isInTurn = true;
    setImmediate(() => {
      this.isInTurn = false;
      this.taken = 0;
      this.pump();
    });
  }

  private pump(): void {
    while (this.taken < this.turnMax) {
      const owner = this.waiting.take(this.clock.now());
      if (owner === null) return;
      this.taken += 1;
      this.awaitTurn();
      owner.onStep();
    }
  }
}
