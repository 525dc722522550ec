// Bytes a peer sent before the session could take them, held up to a cap and counted with those of all handshakes.
// Nothing reaches the other side from here.

import { GrowingBytes } from '../protocol/growing-bytes.ts';

/** Where the bytes of all handshakes are summed up. */
export interface EarlyLedger {
  early: number;
}

export class EarlyBytes extends GrowingBytes {
  private readonly ledger: EarlyLedger;

  constructor(bytesMax: number, ledger: EarlyLedger) {
    super({ bytesMin: 0, bytesMax, isPooled: false });
    this.ledger = ledger;
  }

  /** True when the peer should not be read any more. One that has sent nothing always is: so its leaving is seen. */
  get isFull(): boolean {
    return this.size > 0 && this.size >= this.bytesMax;
  }

  /** Keep `[start, end)`. What arrived is kept whole, so the cap may be passed by the rest of one read. */
  override append(bytes: Buffer, start: number, end: number): void {
    super.append(bytes, start, end);
    this.ledger.early += end - start;
  }

  override take(): Buffer | null {
    this.ledger.early -= this.size;
    return super.take();
  }
}
