// Bytes that come in pieces, put together in one buffer that grows with what has arrived, by doubling, so that many
// small pieces cost linear time. Who appends keeps to the cap.

interface GrowingOptions {
  /** What the first piece gets at least. */
  readonly bytesMin: number;
  /** It does not double beyond that; a piece that goes over it is kept whole all the same, in as much as it takes. */
  readonly bytesMax: number;
  /** Cut out of a slab of Node's, which is cheap to get, and is held whole for as long as these bytes are. */
  readonly isPooled: boolean;
}

export class GrowingBytes {
  size = 0;
  bytesMax: number;
  /** The first `size` of it count, until the next `append`. */
  buffer: Buffer = NOTHING;
  private readonly bytesMin: number;
  private readonly isPooled: boolean;

  constructor({ bytesMin, bytesMax, isPooled }: GrowingOptions) {
    this.bytesMin = bytesMin;
    this.bytesMax = bytesMax;
    this.isPooled = isPooled;
  }

  /** Keep `[start, end)`. */
  append(bytes: Buffer, start: number, end: number): void {
    const size = this.size + end - start;
    if (size > this.buffer.length) this.grow(size);
    bytes.copy(this.buffer, this.size, start, end); // copied: outlives the read buffer
    this.size = size;
  }

  /** All of them so far. */
  view(): Buffer {
    return this.buffer.subarray(0, this.size);
  }

  /** All of them, or null; they are not held any more. */
  take(): Buffer | null {
    const bytes = this.size === 0 ? null : this.view();
    this.size = 0;
    this.buffer = NOTHING;
    return bytes;
  }

  private grow(size: number): void {
    const wanted = Math.min(Math.max(this.bytesMin, 2 * this.buffer.length), this.bytesMax);
    const room = Math.max(size, wanted);
    const grown = this.isPooled ? Buffer.allocUnsafe(room) : Buffer.allocUnsafeSlow(room);
    this.buffer.copy(grown, 0, 0, this.size);
    this.buffer = grown;
  }
}

const NOTHING = Buffer.alloc(0);
