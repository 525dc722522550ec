// What answers hold while slow clients take them: a bound in bytes, kept by cutting off whoever has been at it longest.
// An answer that many take is held once.

import type { Answer } from './answer.ts';

/** One answer may be larger; it is the only one then. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;

export class HeldBytes {
  /** At most one for each connection; the oldest first. */
  private readonly takers = new Map<{ destroy(): void }, Answer>();

  /** `taker` begins to take `answer`, of which others have to make room. */
  begin(taker: { destroy(): void }, answer: Answer): void {
    this.takers.set(taker, answer);
    for (const [other, theirs] of this.takers) {
      if (this.total() <= HELD_BYTES_MAX) return;
      if (theirs === answer) continue;
      this.takers.delete(other);
      other.destroy();
    }
  }

  end(taker: { destroy(): void }): void {
    this.takers.delete(taker);
  }

  private total(): number {
    let bytes = 0;
    for (const answer of new Set(this.takers.values())) bytes += bytesOf(answer);
    return bytes;
  }
}

export function bytesOf({ chunks }: Answer): number {
  return chunks.reduce((bytes, chunk) => bytes + chunk.length, 0);
}
