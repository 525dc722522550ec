// Makes the address lists of a config ready to be asked: equal lists become one set, and one that the snapshot before
// has is taken from there. It judges no address.

import type { AddressList } from '../config/types.ts';
import { AddressSet } from '../protocol/addresses/address-set.ts';
import { unpackBlocks } from '../protocol/addresses/packed-blocks.ts';

export class AddressSets {
  /** By digest; as many as the config has different lists. */
  readonly all = new Map<string, AddressSet>();
  private readonly known: ReadonlyMap<string, AddressSet>;

  /** `known`: those of the snapshot in force. */
  constructor(known: ReadonlyMap<string, AddressSet>) {
    this.known = known;
  }

  /** In small steps. */
  *of({ digest, blocks }: AddressList): Generator<void, AddressSet> {
    const made = this.all.get(digest) ?? this.known.get(digest);
    const set = made ?? (yield* AddressSet.inSteps(unpackBlocks(blocks)));
    this.all.set(digest, set);
    return set;
  }
}
