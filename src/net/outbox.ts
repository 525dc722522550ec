// What a lagging peer has not taken, and what that costs: one write is under way, and whatever is written meanwhile is
// joined behind it, since a write of three bytes would cost hundreds. It writes nothing itself.

/** A piece of memory that outgoing bytes are copied to. */
export interface Chunk {
  readonly bytes: Buffer;
}

/** Where chunks come from and go to. */
export interface ChunkSource {
  /** One for `size` bytes; less than that of it may be used, and at first only a little. */
  take(size: number): Chunk;
  giveBack(chunk: Chunk): void;
}

/** A write under way, its request and its callback, besides the bytes: measured, and rounded up. */
const WRITE_COST = 1_024;

export class Outbox {
  /** Bytes behind the write under way. */
  waiting = 0;
  /** Memory in bytes that all of this takes. */
  cost = WRITE_COST;
  private readonly source: ChunkSource;
  /** All but the last are full, the first is used from `from` on. Bounded by who stops writing when `cost` is high. */
  private readonly chunks: Chunk[] = [];
  private from = 0;
  /** Where the write under way ends in the first chunk, and the bytes end in the last one. */
  private to = 0;
  private fill = 0;
  /** Memory of a first write that stands in no chunk. */
  private foreign: number;

  /** A write is under way: of the first `size` bytes of `chunk`, or of bytes elsewhere that take `foreign` bytes. */
  constructor(
    source: ChunkSource,
    first: { readonly chunk: Chunk; readonly size: number } | { readonly foreign: number },
  ) {
    this.source = source;
    this.foreign = 'foreign' in first ? first.foreign : 0;
    this.cost += this.foreign;
    if (!('chunk' in first)) return;
    this.add(first.chunk);
    this.to = first.size;
    this.fill = first.size;
  }

  /** A copy of `[start, end)` goes behind all the rest. */
  append(bytes: Buffer, start: number, end: number): void {
    this.waiting += end - start;
    for (let at = start; at < end; ) {
      let last = this.chunks.at(-1);
      if (last === undefined || this.fill === last.bytes.length) {
        last = this.source.take(end - at);
        this.add(last);
      }
      const size = Math.min(end - at, last.bytes.length - this.fill);
      bytes.copy(last.bytes, this.fill, at, at + size);
      this.fill += size;
      at += size;
    }
  }

  /** The write under way is done. Gives what is to be written next; null: nothing, and the outbox is empty. */
  next(): Buffer | null {
    this.cost -= this.foreign;
    this.foreign = 0;
    this.from = this.to;
    let [first] = this.chunks;
    if (first !== undefined && this.from === first.bytes.length) {
      this.dropFirst();
      [first] = this.chunks;
    }
    if (first === undefined || this.waiting === 0) return null;
    this.to = this.chunks.length > 1 ? first.bytes.length : this.fill;
    this.waiting -= this.to - this.from;
    return first.bytes.subarray(this.from, this.to);
  }

  /** Nothing of it is under way any more, and nothing will be. */
  clear(): void {
    while (this.chunks.length > 0) this.dropFirst();
    this.waiting = 0;
  }

  private add(chunk: Chunk): void {
    this.chunks.push(chunk);
    this.cost += chunk.bytes.length;
    this.fill = 0;
  }

  private dropFirst(): void {
    const chunk = this.chunks.shift();
    this.from = 0;
    this.to = 0;
    if (chunk === undefined) return;
    this.cost -= chunk.bytes.length;
    this.source.giveBack(chunk);
  }
}
