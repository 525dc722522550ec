// A client's connection as the stream that Node's HTTP server reads and writes while it serves plain requests. What
// Node does not tell, its owner hears from here.

import type { FrontOwner, FrontStream } from '../../net/http-front.ts';
import type { Transport } from '../../net/transport.ts';
import { TransportStream } from '../../net/transport-stream.ts';

export interface StreamOwner extends FrontOwner {
  /** Some came: before they are read. */
  onClientBytes(): void;
  /** It sent FIN, or is gone. */
  onClientGone(): void;
  /** The last answer is written: nothing more goes out. */
  onLastAnswer(): void;
  /** It has taken something that waited. */
  onClientTook(): void;
}

export class ClientStream extends TransportStream implements FrontStream {
  readonly owner: StreamOwner;

  constructor(transport: Transport, owner: StreamOwner) {
    super(transport);
    this.owner = owner;
  }

  override onBytes(bytes: Buffer, start: number, end: number): void {
    this.owner.onClientBytes();
    super.onBytes(bytes, start, end);
  }

  override onEnd(): void {
    this.owner.onClientGone();
  }

  override onLost(): void {
    this.owner.onClientGone();
  }

  override onTaken(): void {
    this.owner.onClientTook();
    super.onTaken();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.owner.onLastAnswer();
    done();
  }
}
