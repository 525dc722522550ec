// Which addresses are in any of many blocks: sorted tables, built in small steps and asked by bisection. A set never
// changes; whoever wants other blocks builds another one.

import { type Cidr, maskOf, prefixOf128 } from './cidr.ts';
import { IpAddress } from './ip-address.ts';

/** Each step stays far below a millisecond: so many blocks are read, or moved, in one. */
const READ_PER_STEP = 256;
const MOVED_PER_STEP = 1_024;

const MAPPED_PREFIX = 96;
/** Of an IPv6 address the first 53 bits, which a number holds exactly. */
const KEY_LOW_BITS = 21;

/** As `Cidr`, with a prefix that counts all 128 bits. */
interface Block {
  readonly address: IpAddress;
  readonly prefix: number;
}

const ANY_V4: Block = { address: new IpAddress(6, 0, 0, 0xffff, 0), prefix: MAPPED_PREFIX };

/**
 * An IPv4 address is in what its v4-mapped one is in, and the other way round, as in Node's BlockList. Each family has
 * a table of its own: 29 bytes for each block.
 */
export class AddressSet {
  private readonly v4: Table;
  private readonly v6: Table;

  private constructor(v4: Table, v6: Table) {
    this.v4 = v4;
    this.v6 = v6;
  }

  /** `blocks` may hold each other, and come twice. */
  static *inSteps(blocks: Iterable<Cidr>): Generator<void, AddressSet> {
    const v4: Block[] = [];
    const v6: Block[] = [];
    let read = 0;
    for (const cidr of blocks) {
      const block = { address: cidr.address, prefix: prefixOf128(cidr) };
      const isOfV4 = block.prefix >= MAPPED_PREFIX && block.address.isV4;
      (isOfV4 ? v4 : v6).push(block);
      if (!isOfV4 && holds(block, ANY_V4.address)) v4.push(ANY_V4);
      read += 1;
      if (read % READ_PER_STEP === 0) yield;
    }
    return new AddressSet(yield* Table.inSteps(v4), yield* Table.inSteps(v6));
  }

  get isEmpty(): boolean {
    return this.v4.size === 0 && this.v6.size === 0;
  }

  has(address: IpAddress): boolean {
    return address.isV4 ? this.v4.has(address) : this.v6.has(address);
  }
}

/** Blocks of one family that follow one another without meeting, with an index of where to begin to look. */
class Table {
  size = 0;
  /** Of the first address of each. */
  private readonly keys: Float64Array;
  private readonly words: Int32Array;
  private readonly prefixes: Uint8Array;
  /** Equal ranges of keys, as many as blocks: how many blocks stand before each range. */
  private readonly index: Uint32Array;
  private scale = 0;

  private constructor(sizeMax: number) {
    this.keys = new Float64Array(sizeMax);
    this.words = new Int32Array(4 * sizeMax);
    this.prefixes = new Uint8Array(sizeMax);
    this.index = new Uint32Array(sizeMax + 1);
  }

  static *inSteps(blocks: Block[]): Generator<void, Table> {
    const table = new Table(blocks.length);
    let last: Block | null = null;
    let moved = 0;
    for (const block of yield* sorted(blocks)) {
      moved += 1;
      if (moved % MOVED_PER_STEP === 0) yield;
      // Blocks never overlap in part: the larger one comes first, and holds the other whole.
      if (last !== null && holds(last, block.address)) continue;
      table.append(block);
      last = block;
    }
    yield* table.buildIndex();
    return table;
  }

  has(address: IpAddress): boolean {
    const { keys, index } = this;
    const key = keyOf(address);
    if (this.size === 0 || key < keys[0]!) return false; // not empty
    const range = this.rangeOf(key);
    let low = index[range]!; // at most the last range
    let high = index[range + 1]!; // the index has one more
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = keys[middle]!; // below `high`
      if (other < key || (other === key && !this.isBehind(middle, address))) low = middle + 1;
      else high = middle;
    }
    return low > 0 && this.isIn(low - 1, address);
  }

  private append({ address, prefix }: Block): void {
    const { word0, word1, word2, word3 } = address;
    this.keys[this.size] = keyOf(address);
    this.words.set([word0, word1, word2, word3], 4 * this.size);
    this.prefixes[this.size] = prefix;
    this.size += 1;
  }

  private *buildIndex(): Generator<void, void> {
    const { keys, index, size } = this;
    if (size === 0) return;
    const spread = keys[size - 1]! - keys[0]!; // not empty
    this.scale = spread === 0 ? 0 : (size - 1) / spread;
    let range = 0;
    for (let at = 0; at < size; at += 1) {
      const own = this.rangeOf(keys[at]!); // below `size`
      for (; range < own; range += 1) index[range + 1] = at;
      if (at % MOVED_PER_STEP === 0) yield;
    }
    index.fill(size, range + 1);
  }

  private rangeOf(key: number): number {
    return Math.min(Math.floor((key - this.keys[0]!) * this.scale), this.size - 1); // not empty
  }

  /** Whether the block begins behind the address. */
  private isBehind(block: number, address: IpAddress): boolean {
    const { words } = this;
    const at = 4 * block;
    return isAbove(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, address); // four words for each block
  }

  private isIn(block: number, { word0, word1, word2, word3 }: IpAddress): boolean {
    const { words } = this;
    const at = 4 * block;
    const prefix = this.prefixes[block]!; // below `size`
    return (
      ((words[at + 3]! ^ word3) & maskOf(prefix, 3)) === 0 &&
      ((words[at + 2]! ^ word2) & maskOf(prefix, 2)) === 0 &&
      ((words[at + 1]! ^ word1) & maskOf(prefix, 1)) === 0 &&
      ((words[at]! ^ word0) & maskOf(prefix, 0)) === 0
    );
  }
}

/** Grows with the address, within a family. */
function keyOf(address: IpAddress): number {
  if (address.isV4) return address.word3 >>> 0;
  return (address.word0 >>> 0) * 2 ** KEY_LOW_BITS + (address.word1 >>> (32 - KEY_LOW_BITS));
}

function holds({ address, prefix }: Block, other: IpAddress): boolean {
  return (
    ((address.word0 ^ other.word0) & maskOf(prefix, 0)) === 0 &&
    ((address.word1 ^ other.word1) & maskOf(prefix, 1)) === 0 &&
    ((address.word2 ^ other.word2) & maskOf(prefix, 2)) === 0 &&
    ((address.word3 ^ other.word3) & maskOf(prefix, 3)) === 0
  );
}

function isAbove(word0: number, word1: number, word2: number, word3: number, other: IpAddress): boolean {
  if (word0 !== other.word0) return word0 >>> 0 > other.word0 >>> 0;
  if (word1 !== other.word1) return word1 >>> 0 > other.word1 >>> 0;
  if (word2 !== other.word2) return word2 >>> 0 > other.word2 >>> 0;
  return word3 >>> 0 > other.word3 >>> 0;
}

/** By their first address, and the larger one first. */
function isAfter(a: Block, b: Block): boolean {
  if (comesAfter(a.address, b.address)) return true;
  return a.prefix > b.prefix && !comesAfter(b.address, a.address);
}

function comesAfter({ word0, word1, word2, word3 }: IpAddress, other: IpAddress): boolean {
  return isAbove(word0, word1, word2, word3, other);
}

/** A merge sort from below, whose merges are cut into steps. `blocks` are left in some order. */
function* sorted(blocks: Block[]): Generator<void, readonly Block[]> {
  let from = blocks;
  let to: Block[] = [...blocks];
  for (let run = 1; run < from.length; run *= 2) {
    for (let start = 0; start < from.length; start += 2 * run) {
      let left = start;
      let right = Math.min(start + run, from.length);
      const middle = right;
      const end = Math.min(start + 2 * run, from.length);
      for (let at = start; at < end; at += 1) {
        if (at % MOVED_PER_STEP === 0) yield;
        const isLeft = left < middle && (right === end || !isAfter(from[left]!, from[right]!)); // below their ends
        to[at] = isLeft ? from[left++]! : from[right++]!; // as above
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
