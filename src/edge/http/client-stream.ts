// A client's connection as the stream that Node's HTTP server reads and writes while it serves plain requests. Its
// owner gets the client's bytes and gives Node what that one is to read; and it alone closes the transport.

import type { FrontOwner, FrontStream } from '../../net/http-front.ts';
import type { Transport } from '../../net/transport.ts';
import { TransportStream } from '../../net/transport-stream.ts';

export interface StreamOwner extends FrontOwner {
  onClientBytes(bytes: Buffer, start: number, end: number): void;
  /** Who holds bytes of the client says when more are read. */
  readonly holdsBytes: boolean;
  /** It sent FIN, or is gone. */
  onClientGone(): void;
  /** The last answer is written: nothing more goes out. */
  onLastAnswer(): void;
  /** It has taken something that waited. */
  onClientTook(): void;
  /** Node wants nothing more to do with it. */
  onStreamGone(): void;
}

export class ClientStream extends TransportStream implements FrontStream {
  readonly owner: StreamOwner;
  private isReleased = false;

  constructor(transport: Transport, owner: StreamOwner) {
    super(transport);
    this.owner = owner;
    // An error without a listener ends the process, and Node takes its own away.
    this.on('error', () => {});
  }

  /** The transport is another one's from here on. */
  release(): void {
    this.isReleased = true;
    this.takeBack();
    this.destroy();
  }

  override onBytes(bytes: Buffer, start: number, end: number): void {
    this.owner.onClientBytes(bytes, start, end);
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

  override _read(): void {
    if (!this.owner.holdsBytes) super._read();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.owner.onLastAnswer();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.isReleased) this.owner.onStreamGone();
    done(error);
  }
}
