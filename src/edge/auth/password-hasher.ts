// Has scrypt run beside the main thread: few at a time, since it shares libuv's pool with look-ups of names and files;
// the others wait, the addresses in turn, a bounded number of them. Whoever waits may give up.

import { type ScryptOptions, scrypt } from 'node:crypto';
import type { Clock } from '../../limits/clock.ts';
import { FairQueue, type Waiter } from '../../limits/fair-queue.ts';

const WAITING_MAX = 64;
const WAITING_PER_ADDRESS_MAX = 4;
/** On two cores or fewer two of them would leave nothing for the sessions. */
const CORES_FOR_TWO = 3;

/** How a password was hashed. */
export interface HashCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface HashAsk extends HashCost {
  readonly password: string;
  readonly salt: Buffer;
  readonly size: number;
  /** Of who asks, '' for one without an address: those are not told apart, and not limited. */
  readonly clientKey: string;
  /** By the clock: from then on nobody wants it. */
  readonly deadline: number;
}

type Hash = (ask: HashAsk) => Promise<Buffer>;

/** A hash that was asked for. */
export interface HashJob {
  /** The hash; `full`: too many wait; `over`: given up, or not wanted any more when its turn came. */
  readonly result: Promise<Buffer | 'full' | 'over'>;
  /** Nobody waits for it any more. False when it has begun: then it goes on. */
  readonly giveUp: () => boolean;
}

interface Waiting {
  readonly ask: HashAsk;
  readonly isWanted: () => boolean;
  readonly resolve: (result: Buffer | 'over' | Promise<Buffer>) => void;
}

export class PasswordHasher {
  private readonly clock: Clock;
  private readonly atOnce: number;
  private readonly hash: Hash;
  private readonly queue = new FairQueue<Waiting>();
  private running = 0;

  constructor(clock: Clock, cores: number, hash: Hash = scryptOf) {
    this.clock = clock;
    this.atOnce = cores < CORES_FOR_TWO ? 1 : 2;
    this.hash = hash;
  }

  /** `isWanted`: asked when its turn comes. Rejects for what scrypt itself says. */
  ask(ask: HashAsk, isWanted: () => boolean): HashJob {
    if (this.running < this.atOnce) return { result: this.run(ask), giveUp: tooLate };
    const { queue } = this;
    const ofAddress = ask.clientKey === '' ? 0 : queue.sizeOf(ask.clientKey);
    if (queue.size >= WAITING_MAX || ofAddress >= WAITING_PER_ADDRESS_MAX)
      return { result: Promise.resolve('full'), giveUp: tooLate };
    let giveUp = tooLate;
    const result = new Promise<Buffer | 'over'>((resolve) => {
      const waiter = this.wait({ ask, isWanted, resolve });
      giveUp = () => {
        const isWaiting = queue.remove(waiter);
        if (isWaiting) resolve('over');
        return isWaiting;
      };
    });
    return { result, giveUp };
  }

  private wait(waiting: Waiting): Waiter<Waiting> {
    const { clientKey, deadline } = waiting.ask;
    const now = this.clock.now();
    // With half of its time over, it is better to serve those who have theirs.
    return this.queue.add(clientKey, waiting, now + (deadline - now) / 2);
  }

  private async run(ask: HashAsk): Promise<Buffer> {
    this.running += 1;
    try {
      return await this.hash(ask);
    } finally {
      this.running -= 1;
      this.runNext();
    }
  }

  private runNext(): void {
    while (this.running < this.atOnce) {
      const next = this.queue.take(this.clock.now());
      if (next === null) return;
      next.resolve(next.isWanted() ? this.run(next.ask) : 'over');
    }
  }
}

function tooLate(): boolean {
  return false;
}

function scryptOf({ password, salt, size, ln, r, p }: HashAsk): Promise<Buffer> {
  const N = 2 ** ln;
  // What OpenSSL counts: blocks of 128 * r bytes, N of them and a few more.
  const options: ScryptOptions = { N, r, p, maxmem: 128 * r * (N + p + 8) };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, size, options, (error, hash) => (error === null ? resolve(hash) : reject(error)));
  });
}
