// A client's connection as the stream that Node's HTTP server reads and writes while it serves plain requests. What
// Node does not tell, its owner hears from here. Its owner alone closes the transport.

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
  /** Node wants nothing more to do with it. */
  onStreamGone(): void;
}

export class ClientStream extends TransportStream implements FrontStream {
  readonly owner: StreamOwner;
  private readonly source: Transport;
  private isDeaf = false;
  private isHeld = false;
  private isReleased = false;

  constructor(transport: Transport, owner: StreamOwner) {
    super(transport);
    this.source = transport;
    this.owner = owner;
    // Node takes its own listener away at an upgrade, and an error without one ends the process.
    this.on('error', () => {});
  }

  /** What comes from now on is dropped as it comes: so that the client's leaving is seen. */
  deafen(): void {
    this.isDeaf = true;
  }

  /** What comes from now on is for another one: the client is not read. */
  holdBack(): void {
    this.isHeld = true;
    this.source.pause();
  }

  /** The transport is another one's from here on, and so are these bytes that were read and that nobody took. */
  release(): Buffer {
    this.isReleased = true;
    this.takeBack();
    const rest: unknown = this.readableFlowing === true ? null : this.read();
    this.destroy();
    return Buffer.isBuffer(rest) ? rest : NOTHING;
  }

  override onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.isDeaf) return;
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

  override _read(): void {
    if (!this.isHeld) super._read();
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

const NOTHING = Buffer.alloc(0);
