// One end of a session: reads what its peer sends and relays it to the other end (the relay), and owns the close
// handshake towards its peer. The only reader, pauser and closer of its transport. It decides no end; session.ts does.

import type { Transport, TransportReader } from '../net/transport.ts';
import { FrameScanner, Opcode, type ScannerLimits, Step } from '../protocol/frame-scanner.ts';
import { closeFrame } from '../protocol/frame-writer.ts';
import type { Session } from './session.ts';

/** What happens with the bytes a peer sends. */
export const Flow = {
  /** Frames that pass go on to the other end. */
  Relay: 0,
  /** Only the rest of the frame that is half relayed goes on: the other end gets our Close behind it. */
  Tail: 1,
  /** Nothing goes on; frames are still followed, to see the peer's Close. */
  Watch: 2,
  /** Nothing goes on and nothing is looked at: after the peer's Close (RFC 6455 5.5.1), its violation, or our fault. */
  Discard: 3,
} as const;
export type Flow = (typeof Flow)[keyof typeof Flow];

export interface PeerOptions {
  readonly session: Session;
  readonly transport: Transport;
  readonly isClient: boolean;
  readonly deflate: boolean;
  readonly limits: ScannerLimits;
}

export class Peer implements TransportReader {
  readonly transport: Transport;
  readonly isClient: boolean;
  readonly scanner: FrameScanner;
  /** Set once, right after construction: an end needs its counterpart and the counterpart needs it. */
  other!: Peer;
  flow: Flow = Flow.Relay;
  /** When the last byte came, and the last byte of a data frame that belongs to an unfinished message. */
  lastByteAt: number;
  messageAt: number;
  /** While something waits to be taken by this peer: since when no write has finished. */
  progressAt: number;
  /** Code of the Close written to this peer (1005: it had none); null before. `closeIsOurs`: not one we relayed. */
  closeSent: number | null = null;
  closeIsOurs = false;
  closeReceived: number | null = null;
  /** True while our Close waits for the end of a frame that is half relayed to this peer. */
  closeWaits = false;
  closeFlushed = false;
  finReceived = false;
  /** True from when only FINs are awaited. */
  closeDone = false;
  gone = false;
  /** When this peer's close handshake is over, whatever it did. */
  dueAt = Number.POSITIVE_INFINITY;
  /** How often this peer was not read because the other one was too slow. */
  pauses = 0;

  private readonly session: Session;
  /** The incomplete header or control frame at the end of the last read, at most SPILL_BYTES_MAX. */
  private spill: Buffer | null = null;
  private progressMark = 0;

  constructor(options: PeerOptions) {
    this.session = options.session;
    this.transport = options.transport;
    this.isClient = options.isClient;
    this.scanner = new FrameScanner({
      masked: options.isClient,
      deflate: options.deflate,
      limits: options.limits,
    });
    const now = this.session.clock.now();
    this.lastByteAt = now;
    this.messageAt = now;
    this.progressAt = now;
  }

  /** True while a message, or the header of one, has begun and is not complete. */
  get isMidMessage(): boolean {
    return this.scanner.inMessage || this.scanner.remaining > 0 || this.spill !== null;
  }

  /** True when nothing that this peer may still send counts: after its Close, its violation or a fault of ours too. */
  get isFinished(): boolean {
    return this.flow === Flow.Discard || this.finReceived || this.gone;
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    const now = this.session.clock.now();
    this.lastByteAt = now;
    if (this.flow === Flow.Discard) return;
    const wasMidFrame = this.scanner.remaining > 0;
    try {
      if (this.spill === null) this.relay(bytes, start, end, this.transport.stable, now);
      else this.relayBehindSpill(this.spill, bytes, start, end, now);
    } catch (error) {
      this.session.fail(error, wasMidFrame ? this.other : null);
    }
    this.scanner.release();
  }

  onEnd(): void {
    this.finReceived = true;
    try {
      this.session.onPeerFinished(this);
    } catch (error) {
      this.session.fail(error);
    }
  }

  onLost(): void {
    this.cutOff();
    this.onEnd();
  }

  onTaken(): void {
    try {
      this.noteTaken(this.session.clock.now());
    } catch (error) {
      this.session.fail(error);
    }
  }

  private noteTaken(now: number): void {
    const pending = this.transport.pending;
    this.progressAt = now;
    const source = this.other;
    if (source.transport.paused && pending <= this.session.policy.bufferedBytesMax / 2) {
      source.messageAt = now; // a message cannot stall while it is not read
      source.transport.resume();
    }
    if (pending > 0 || this.closeSent === null || this.closeFlushed) return;
    this.onCloseFlushed(now);
    this.session.settle(now);
  }

  /** The hot path: judge the frames in `[start, end)` and forward the longest range that passed, with one write. */
  private relay(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    const scanner = this.scanner;
    scanner.feed(bytes, start, end);
    if (this.flow === Flow.Tail) this.relayTail(bytes, start, end, stable, now);
    for (;;) {
      switch (scanner.next()) {
        case Step.NeedData:
          this.forward(bytes, start, scanner.position, stable, now);
          if (scanner.position < end) this.keepSpill(bytes, scanner.position, end, now);
          this.noteProgress(now);
          return;
        case Step.Header:
        case Step.Control:
          break;
        case Step.Close:
          this.onClose(bytes, start, stable, now);
          return;
        default:
          this.forward(bytes, start, scanner.frameStart, stable, now);
          this.flow = Flow.Discard;
          this.session.onPeerFinished(this);
          return;
      }
    }
  }

  private relayBehindSpill(spill: Buffer, bytes: Buffer, start: number, end: number, now: number): void {
    const from = start - spill.length;
    this.spill = null;
    if (spill.length <= this.transport.headroom) {
      spill.copy(bytes, from);
      this.relay(bytes, from, end, this.transport.stable, now);
      return;
    }
    const joined = Buffer.concat([spill, bytes.subarray(start, end)]);
    this.relay(joined, 0, joined.length, true, now);
  }

  /** The rest of the frame that is half relayed; at its end the other peer's Close may go. */
  private relayTail(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    const tail = this.scanner.remaining;
    const tailEnd = Math.min(end, start + tail);
    this.write(bytes, start, tailEnd, stable, now);
    if (tailEnd - start < tail) return;
    this.flow = Flow.Watch;
    this.other.writeClose(now);
    this.session.settle(now); // the other peer may have nothing to answer any more
  }

  private forward(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    if (this.flow === Flow.Relay && end > start) this.write(bytes, start, end, stable, now);
  }

  private write(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    const sink = this.other.transport;
    const before = sink.pending;
    sink.write(bytes, start, end, stable);
    const pending = sink.pending;
    if (pending === 0) return;
    if (before === 0) this.other.progressAt = now;
    if (pending >= this.session.policy.bufferedBytesMax && !this.transport.paused) {
      this.transport.pause();
      this.pauses += 1;
    }
  }

  private keepSpill(bytes: Buffer, start: number, end: number, now: number): void {
    // Copied, and into memory of its own: neither the read buffer nor a pool's slab may live as long as a silent peer.
    const spill = Buffer.allocUnsafeSlow(end - start);
    bytes.copy(spill, 0, start, end);
    this.spill = spill;
    // Within a message only its own next header counts, not the start of a ping between its fragments.
    if (!this.scanner.inMessage || (bytes[start]! & 0x0f) === Opcode.Continuation) this.messageAt = now; // start < end
  }

  private noteProgress(now: number): void {
    const mark = this.scanner.dataBytes + this.scanner.dataFrames;
    if (mark === this.progressMark) return;
    this.progressMark = mark;
    this.messageAt = now;
  }

  /** The peer's Close: relayed, or swallowed when it answers ours. What follows it is discarded (RFC 6455 5.5.1). */
  private onClose(bytes: Buffer, start: number, stable: boolean, now: number): void {
    const scanner = this.scanner;
    this.closeReceived = scanner.closeCode;
    if (this.closeIsOurs) {
      this.forward(bytes, start, scanner.frameStart, stable, now);
    } else if (this.flow === Flow.Relay) {
      this.forward(bytes, start, scanner.position, stable, now);
      this.other.closeSent = scanner.closeCode;
      this.other.onCloseWritten(now);
    }
    this.flow = Flow.Discard;
    this.session.onPeerFinished(this);
  }

  /**
   * Send our Close to this peer: now if the last frame relayed to it is complete, else behind that frame. When the
   * rest of that frame can never come, or does not come in time, the peer is cut off: nothing else is true any more.
   */
  askClose(now: number): void {
    if (this.closeSent !== null || this.gone) return;
    const source = this.other;
    const isMidFrame = source.flow <= Flow.Tail && source.scanner.remaining > 0;
    if (isMidFrame && source.isFinished) {
      this.cutOff();
      return;
    }
    if (this.closeWaits) return;
    if (isMidFrame) {
      source.flow = Flow.Tail;
      this.closeWaits = true;
      this.dueAt = now + this.session.policy.closeMs;
      this.session.arm(this.dueAt);
      return;
    }
    if (source.flow === Flow.Relay) source.flow = Flow.Watch;
    this.writeClose(now);
  }

  private writeClose(now: number): void {
    const notice = this.session.noticeFor(this);
    this.closeWaits = false;
    if (notice === null) {
      this.cutOff();
      return;
    }
    const frame = closeFrame({ code: notice.code, reason: notice.text, masked: !this.isClient });
    if (this.transport.pending === 0) this.progressAt = now;
    this.transport.write(frame, 0, frame.length, true);
    this.closeSent = notice.code;
    this.closeIsOurs = true;
    // Nothing is sent behind a Close, so what its source still says is only read, whatever the pressure was.
    this.other.transport.resume();
    this.onCloseWritten(now);
  }

  private onCloseWritten(now: number): void {
    this.dueAt = Number.POSITIVE_INFINITY; // write_stall bounds the time until the Close is flushed
    if (this.transport.pending === 0) this.onCloseFlushed(now);
  }

  private onCloseFlushed(now: number): void {
    this.closeFlushed = true;
    this.dueAt = now + this.session.policy.closeMs;
    this.session.arm(this.dueAt);
  }

  /**
   * Go on with the end of the TCP connection once a Close went both ways, or no answer can come any more. RFC 6455
   * 7.1.1: the server closes first, so we do towards a client, and wait for the FIN of a backend.
   */
  proceed(now: number): void {
    if (this.gone || !this.closeFlushed || !this.isFinished) return;
    if (!this.closeDone) {
      this.closeDone = true;
      this.dueAt = now + this.session.policy.closeMs;
      this.session.arm(this.dueAt);
      // After a violation no answer can be seen, so there is nothing to wait for (RFC 6455 7.1.7).
      if (this.isClient || this.closeReceived === null) this.transport.end();
    }
    if (this.finReceived) this.cutOff();
  }

  /** Close the connection to this peer at once. */
  cutOff(): void {
    if (this.gone) return;
    this.gone = true;
    this.closeWaits = false;
    this.dueAt = Number.POSITIVE_INFINITY;
    if (this.other.scanner.remaining > 0 && this.other.flow <= Flow.Tail) this.session.midFrame = true;
    this.transport.destroy();
    if (this.other.flow <= Flow.Tail) this.other.flow = Flow.Watch;
    this.other.transport.resume();
  }
}
