// Which signed requests have come already: each nonce of a key until its date is too old to be taken anyway. What finds
// no room is refused: to forget one would let it in twice.

import { createHash } from 'node:crypto';

const ENTRIES_MAX = 10_000;
/** To look for those that are over costs a fraction of a millisecond, once in this time at most. */
const BETWEEN_SWEEPS_MS = 1_000;

export class Nonces {
  /** At most ENTRIES_MAX, each with when it is over: milliseconds since 1970. */
  private readonly entries = new Map<string, number>();
  private sweptAt = Number.NEGATIVE_INFINITY;

  /** `full`: nobody can say. */
  take(key: string, nonce: string, until: number, now: number): 'new' | 'seen' | 'full' {
    const digest = createHash('sha256')
      .update(JSON.stringify([key, nonce]))
      .digest('base64');
    const known = this.entries.get(digest);
    if (known !== undefined && known >= now) return 'seen';
    if (known === undefined && !this.hasRoom(now)) return 'full';
    this.entries.set(digest, until);
    return 'new';
  }

  private hasRoom(now: number): boolean {
    if (this.entries.size < ENTRIES_MAX) return true;
    if (Math.abs(now - this.sweptAt) < BETWEEN_SWEEPS_MS) return false;
    this.sweptAt = now;
    for (const [digest, until] of this.entries) if (until < now) this.entries.delete(digest);
    return this.entries.size < ENTRIES_MAX;
  }
}
