// Which signed requests have come already: each nonce of a key until its date is too old to be taken anyway. What finds
// no room is refused: to forget one would let it in twice.

import { createHash } from 'node:crypto';

const ENTRIES_MAX = 10_000;
/** To look for those that are over costs a fraction of a millisecond, once in this time at most. */
const BETWEEN_SWEEPS_MS = 1_000;

export class Nonces {
  /** At most ENTRIES_MAX, each with its date: milliseconds since 1970. */
  private readonly entries = new Map<string, number>();
  private sweptAt = Number.NEGATIVE_INFINITY;

  /** What taking it would say. `oldest`: older dates are not taken anyway; it may be another one after a reload. */
  look(key: string, nonce: string, oldest: number): 'new' | 'seen' | 'full' {
    return this.find(digestOf(key, nonce), oldest);
  }

  /** `full`: nobody can say. */
  take(key: string, nonce: string, date: number, oldest: number): 'new' | 'seen' | 'full' {
    const digest = digestOf(key, nonce);
    const found = this.find(digest, oldest);
    if (found === 'new') this.entries.set(digest, date);
    return found;
  }

  private find(digest: string, oldest: number): 'new' | 'seen' | 'full' {
    const known = this.entries.get(digest);
    if (known !== undefined) return known >= oldest ? 'seen' : 'new';
    return this.hasRoom(oldest) ? 'new' : 'full';
  }

  private hasRoom(oldest: number): boolean {
    if (this.entries.size < ENTRIES_MAX) return true;
    if (Math.abs(oldest - this.sweptAt) < BETWEEN_SWEEPS_MS) return false;
    this.sweptAt = oldest;
    for (const [digest, date] of this.entries) if (date < oldest) this.entries.delete(digest);
    return this.entries.size < ENTRIES_MAX;
  }
}

function digestOf(key: string, nonce: string): string {
  return createHash('sha256')
    .update(JSON.stringify([key, nonce]))
    .digest('base64');
}
