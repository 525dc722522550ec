// What a client still sends behind our last answer is read and dropped, so that a reset does not take the answer away.
// It is the reader of the transport from then on, and says when it may be closed.

import type { Transport, TransportReader } from '../net/transport.ts';
import { FrameScanner, Step } from '../protocol/frame-scanner.ts';

/** At most so long, by a timer of its owner, and so much. */
export const LINGER_MS = 2_000;
const LINGER_BYTES = 262_144;

export class Linger implements TransportReader {
  private readonly transport: Transport;
  private readonly onOver: () => void;
  private discarded = 0;
  /** What it sends until its Close, which our FIN waits for; null where nothing is waited for. */
  private frames: LastFrames | null = null;

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

  /** The last of these bytes are a Close: FIN follows that of the client (RFC 6455 7.1.1). `early` came before them. */
  sayClose(bytes: Buffer, early: Buffer | null): void {
    const { transport } = this;
    transport.reader = this;
    this.frames = new LastFrames();
    transport.write(bytes, 0, bytes.length, true);
    if (early !== null) this.onBytes(early, 0, early.length);
    transport.resume();
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.discarded += end - start;
    if (this.discarded > LINGER_BYTES) this.onOver();
    else if (this.frames?.endIn(bytes, start, end) === true) this.endToo();
  }

  onEnd(): void {
    if (this.frames !== null) this.endToo();
    // Its own FIN ends no answer that is still on its way: ours, which stands behind it, closes the connection.
    if (this.transport.pending === 0) this.onOver();
  }

  onLost(): void {
    this.onOver();
  }

  onTaken(): void {}

  private endToo(): void {
    this.frames = null;
    this.transport.end();
  }
}

const NO_LIMITS = { messageBytesMax: Infinity, frameBytesMax: Infinity, fragmentsMax: Infinity };

/** Frames of a client that nobody gets any more. */
class LastFrames {
  private readonly scanner = new FrameScanner({ masked: true, deflate: false, limits: NO_LIMITS });
  /** A header or a control frame that is not complete: at most SPILL_BYTES_MAX. */
  private spill: Buffer = NOTHING;

  /** Whether its Close came, or what is no frame: nothing behind it means anything. */
  endIn(bytes: Buffer, start: number, end: number): boolean {
    const { scanner, spill } = this;
    const chunk = bytes.subarray(start, end);
    const all = spill.length === 0 ? chunk : Buffer.concat([spill, chunk]);
    scanner.feed(all, 0, all.length);
    let step = scanner.next();
    while (step === Step.Header || step === Step.Control) step = scanner.next();
    this.spill = Buffer.from(all.subarray(scanner.position)); // copied: outlives the read buffer
    scanner.release();
    return step !== Step.NeedData;
  }
}

const NOTHING = Buffer.alloc(0);
