// What a client still sends behind our last answer is read and dropped, so that a reset does not take the answer away.
// It is the reader of the transport from then on, and says when it may be closed.

import type { Transport, TransportReader } from '../net/transport.ts';

/** At most so long, by a timer of its owner, and so much. */
export const LINGER_MS = 2_000;
const LINGER_BYTES = 262_144;

export class Linger implements TransportReader {
  private readonly transport: Transport;
  private readonly onOver: () => void;
  private discarded = 0;

  constructor(transport: Transport, onOver: () => void) {
    this.transport = transport;
    this.onOver = onOver;
  }

  /** The last bytes that this client gets, then FIN. */
  answer(bytes: Buffer): void {
    const { transport } = this;
    transport.reader = this;
    if (bytes.length > 0) transport.write(bytes, 0, bytes.length, true);
    transport.end();
    transport.resume();
  }

  onBytes(_bytes: Buffer, start: number, end: number): void {
    this.discarded += end - start;
    if (this.discarded > LINGER_BYTES) this.onOver();
  }

  onEnd(): void {
    // Its own FIN ends no answer that is still on its way: ours, which stands behind it, closes the connection.
    if (this.transport.pending === 0) this.onOver();
  }

  onLost(): void {
    this.onOver();
  }

  onTaken(): void {}
}
