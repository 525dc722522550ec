// Tells that a service which decides about credentials cannot be asked: now and then, however many handshakes notice.

import type { Clock } from '../../limits/clock.ts';
import type { Log } from '../../observe/log.ts';

const BETWEEN_MS = 1_000;

interface NoticeMeans {
  readonly clock: Clock;
  readonly log: Log;
}

export class UnavailableNotice {
  private readonly means: NoticeMeans;
  private toldAt = Number.NEGATIVE_INFINITY;
  /** Since then, not told. */
  private count = 0;

  constructor(means: NoticeMeans) {
    this.means = means;
  }

  /** `cause`: without a byte of a peer. */
  tell(auth: string, cause: string): void {
    const { clock, log } = this.means;
    const now = clock.now();
    this.count += 1;
    if (now - this.toldAt < BETWEEN_MS) return;
    log.event('warn', 'auth.unavailable', { auth, cause, count: this.count });
    this.toldAt = now;
    this.count = 0;
  }
}
