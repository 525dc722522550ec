// Bytes a peer sent before the session could take them, held up to a cap and counted with those of all handshakes.
// Nothing reaches the other side from here.

/** Where the bytes of all handshakes are summed up. */
export interface EarlyLedger {
  early: number;
}

export class EarlyBytes {
  /** Bytes held. */
  size = 0;
  bytesMax: number;
  private readonly ledger: EarlyLedger;
  private held: Buffer = NOTHING;

  constructor(bytesMax: number, ledger: EarlyLedger) {
    this.bytesMax = bytesMax;
    this.ledger = ledger;
  }

  /** True when the peer should not be read any more. One that has sent nothing always is: so its leaving is seen. */
  get isFull(): boolean {
    return this.size > 0 && this.size >= this.bytesMax;
  }

  /** Keep `[start, end)`. What arrived is kept whole, so the cap may be passed by the rest of one read. */
  append(bytes: Buffer, start: number, end: number): void {
    const size = this.size + end - start;
    if (size > this.held.length) {
      // Grows with what has arrived, by doubling, so that many small reads cost linear time.
      const grown = Buffer.allocUnsafeSlow(Math.max(size, Math.min(2 * this.held.length, this.bytesMax)));
      this.held.copy(grown, 0, 0, this.size);
      this.held = grown;
    }
    bytes.copy(this.held, this.size, start, end); // copied: outlives the read buffer
    this.ledger.early += size - this.size;
    this.size = size;
  }

  /** All bytes held, or null; they are not held any more. */
  take(): Buffer | null {
    const bytes = this.size === 0 ? null : this.held.subarray(0, this.size);
    this.ledger.early -= this.size;
    this.size = 0;
    this.held = NOTHING;
    return bytes;
  }
}

const NOTHING = Buffer.alloc(0);
