// How many client addresses there were, as far as that matters to say how thin some traffic was: exact up to a bound.
// Addresses are kept as hashes, which hold nothing of what they came in.

import type { Counted, DumpAsk } from './counted.ts';

/** From here on there are "100 or more". */
export const CLIENTS_MAX = 100;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class ClientCount implements Counted {
  /** At most CLIENTS_MAX entries. */
  private readonly hashes = new Set<number>();

  add(address: string): void {
    if (this.hashes.size < CLIENTS_MAX) this.hashes.add(hashOf(address));
  }

  get count(): number {
    return this.hashes.size;
  }

  dump({ inFull }: DumpAsk): unknown {
    return inFull && this.hashes.size > 0 ? [...this.hashes] : undefined;
  }

  /** Who came to both is one. */
  addDump(dump: unknown): void {
    if (!Array.isArray(dump)) return;
    for (const hash of dump) if (this.hashes.size < CLIENTS_MAX) this.hashes.add(Number(hash));
  }
}

/** FNV-1a in 32 bits: two of a hundred addresses are taken for one once in a million. */
function hashOf(text: string): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return hash;
}
