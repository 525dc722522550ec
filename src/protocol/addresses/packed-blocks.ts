// Many address blocks as bytes: 17 for each, on memory that threads share. It asks nothing of them.

import { type Cidr, prefixOf128 } from './cidr.ts';
import { IpAddress, printIp } from './ip-address.ts';

/** Four words of the address, most significant byte first, and a prefix that counts all 128 bits. */
const BLOCK_BYTES = 17;
const MAPPED_PREFIX = 96;
const BLOCKS_AT_FIRST = 16;

export class BlockPacker {
  /** Grows with the blocks that came, by doubling. */
  private view = new DataView(new ArrayBuffer(BLOCKS_AT_FIRST * BLOCK_BYTES));
  private size = 0;

  add(cidr: Cidr): void {
    if (this.size === this.view.byteLength) this.grow();
    const { view, size } = this;
    const { word0, word1, word2, word3 } = cidr.address;
    view.setInt32(size, word0);
    view.setInt32(size + 4, word1);
    view.setInt32(size + 8, word2);
    view.setInt32(size + 12, word3);
    view.setUint8(size + 16, prefixOf128(cidr));
    this.size += BLOCK_BYTES;
  }

  /** In the order in which they were added. */
  finish(): Uint8Array {
    // Shared: a thread that reads a long list hands it over without a copy.
    const packed = new Uint8Array(new SharedArrayBuffer(this.size));
    packed.set(new Uint8Array(this.view.buffer, 0, this.size));
    return packed;
  }

  private grow(): void {
    const bytes = new Uint8Array(2 * this.view.byteLength);
    bytes.set(new Uint8Array(this.view.buffer));
    this.view = new DataView(bytes.buffer);
  }
}

export function* unpackBlocks(packed: Uint8Array): Generator<Cidr> {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  for (let at = 0; at < packed.length; at += BLOCK_BYTES) {
    const prefix = view.getUint8(at + 16);
    const word0 = view.getInt32(at);
    const word1 = view.getInt32(at + 4);
    const word2 = view.getInt32(at + 8);
    const word3 = view.getInt32(at + 12);
    const address = new IpAddress(6, word0, word1, word2, word3);
    // A block within the v4-mapped addresses is always written as IPv4.
    if (prefix < MAPPED_PREFIX || !address.isV4) yield { address, prefix };
    else yield { address: new IpAddress(4, word0, word1, word2, word3), prefix: prefix - MAPPED_PREFIX };
  }
}

export function printCidr({ address, prefix }: Cidr): string {
  return `${printIp(address)}/${prefix}`;
}
