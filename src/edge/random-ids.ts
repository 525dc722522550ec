// Identifiers that tell nothing: random bytes, drawn many at a time, since each draw costs more than what is drawn.

import { randomFillSync } from 'node:crypto';

const ID_BYTES = 16;
const BATCH_BYTES = 256 * ID_BYTES;

export class RandomIds {
  private readonly batch = Buffer.alloc(BATCH_BYTES);
  private used = BATCH_BYTES;

  /** 32 hex digits. */
  next(): string {
    if (this.used === BATCH_BYTES) {
      randomFillSync(this.batch);
      this.used = 0;
    }
    const start = this.used;
    this.used += ID_BYTES;
    return this.batch.toString('hex', start, this.used);
  }
}
