// What waits for one peer: whether it is too much, since when it waits, and since when nothing of it was taken. It
// writes nothing and decides no end.

import type { Transport } from '../net/transport.ts';

export class Backlog {
  /** While something waits: since when no write has finished, and since when it has waited without a break. */
  progressAt: number;
  since = 0;
  private readonly transport: Transport;

  constructor(transport: Transport, now: number) {
    this.transport = transport;
    this.progressAt = now;
  }

  /** Something is about to wait, where nothing did. */
  begin(now: number): void {
    this.progressAt = now;
    this.since = now;
  }

  /** A source is not read any more from here on. */
  isFull(bytesMax: number): boolean {
    return this.transport.held >= bytesMax;
  }

  /** A source may be read again. */
  isLow(bytesMax: number): boolean {
    return this.transport.held <= bytesMax / 2;
  }

  /** When the peer has taken nothing for too long. */
  stallAt(writeStallMs: number): number {
    return this.transport.pending > 0 ? this.progressAt + writeStallMs : Number.POSITIVE_INFINITY;
  }

  /** When something has waited for too long, though it takes some. */
  slowAt(slowReaderMs: number): number {
    return this.transport.pending > 0 ? this.since + slowReaderMs : Number.POSITIVE_INFINITY;
  }
}
