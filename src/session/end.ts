// One end of a session: reads what its peer sends and relays it to the other end (the relay), and owns the close
// handshake towards its peer. The only reader, pauser and closer of its transport. It decides no end; session.ts does.

import { RateVerdict } from '../limits/rates.ts';
import type { Transport, TransportReader } from '../net/transport.ts';
import type { Side } from '../protocol/end-causes.ts';
import { FrameScanner, Opcode, Step } from '../protocol/frame-scanner.ts';
import { closeFrame } from '../protocol/frame-writer.ts';
import { Backlog } from './backlog.ts';
import { Charges } from './charges.ts';
import { Flow } from './flow.ts';
import { Liveness } from './liveness.ts';
import type { SidePolicy } from './policy.ts';
import { ReadGate } from './read-gate.ts';
import type { Session } from './session.ts';
import { Traffic } from './traffic.ts';
import { Utf8Watcher } from './watchers/utf8.ts';
import type { Watcher } from './watchers/watcher.ts';

interface EndOptions {
  readonly session: Session;
  readonly transport: Transport;
  readonly isClient: boolean;
  readonly deflate: boolean;
}

export class End implements TransportReader {
  readonly transport: Transport;
  readonly isClient: boolean;
  readonly scanner: FrameScanner;
  /** Set once, right after construction: an end needs its counterpart and the counterpart needs it. */
  other!: End;
  flow: Flow = Flow.Relay;
  /** When the last byte came, and the last byte of a data frame that belongs to an unfinished message. */
  lastByteAt: number;
  messageAt: number;
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

  /** Pings of our own, and what is owed to us for a relayed one. */
  readonly liveness: Liveness;
  /** Whether this peer is read. */
  readonly gate: ReadGate;
  /** What waits to be taken by this peer. */
  readonly backlog: Backlog;
  /** True when the frame half relayed from this peer will never be completed, though the peer is still there. */
  isTorn = false;

  readonly session: Session;
  private readonly charges: Charges;
  private watcher: Watcher | null;
  private readonly traffic: Traffic;
  /** True while the payload of a dropped frame passes by. */
  private skipping = false;
  private mustPause = false;
  /** The incomplete header or control frame at the end of the last read, at most SPILL_BYTES_MAX. */
  private spill: Buffer | null = null;
  private progressMark = 0;

  constructor(options: EndOptions) {
    this.session = options.session;
    this.transport = options.transport;
    this.isClient = options.isClient;
    const { policy, metrics } = options.session;
    const { isClient, deflate } = options;
    const { rates, validateUtf8 } = this.policy;
    const limits = isClient ? policy.fromClient : policy.fromBackend;
    this.scanner = new FrameScanner({ masked: isClient, deflate, limits });
    const now = this.session.clock.now();
    this.lastByteAt = now;
    this.messageAt = now;
    this.backlog = new Backlog(this.transport, now);
    this.charges = new Charges(rates, now);
    this.watcher = validateUtf8 ? new Utf8Watcher(isClient) : null;
    this.traffic = new Traffic(metrics, isClient);
    this.liveness = new Liveness();
    this.gate = new ReadGate(this, this.traffic);
  }

  get side(): Side {
    return this.isClient ? 'client' : 'backend';
  }

  /** What this side may send, and how it is kept honest. */
  get policy(): SidePolicy {
    return this.isClient ? this.session.policy.client : this.session.policy.backend;
  }

  /** True while the other peer has only a part of a frame from this one. */
  get relaysFrame(): boolean {
    return this.flow <= Flow.Tail && this.scanner.remaining > 0 && !this.skipping;
  }

  /** The policy of the session is another one: sizes and UTF-8 count from the next message on, rates from now. */
  retune(now: number): void {
    const { policy } = this.session;
    const { rates, validateUtf8 } = this.policy;
    this.scanner.retune(this.isClient ? policy.fromClient : policy.fromBackend);
    this.charges.retune(rates, now);
    if (this.watcher !== null) this.watcher = this.watcher.retune(this.policy);
    else if (validateUtf8) this.watcher = new Utf8Watcher(this.isClient);
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
    this.traffic.noteRead(now - this.lastByteAt, now - Math.max(this.lastByteAt, this.other.lastByteAt));
    if (this.isMidMessage) this.traffic.noteStall(now - this.messageAt);
    this.lastByteAt = now;
    if (this.flow === Flow.Discard) return;
    const wasMidFrame = this.relaysFrame;
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
    const { pending, held } = this.transport;
    const source = this.other;
    source.traffic.noteTaken(held, now - this.backlog.progressAt, now - this.backlog.since);
    this.backlog.progressAt = now;
    this.liveness.takenAt = now;
    if (this.backlog.isLow(this.session.policy.bufferedBytesMax)) source.gate.open(now);
    if (pending > 0) return;
    this.liveness.noteFlushed(now);
    this.session.watch(this);
    if (this.closeSent === null || this.closeFlushed) return;
    this.onCloseFlushed(now);
    this.session.settle(now);
  }

  /** The hot path: judge the frames in `[start, end)` and forward the longest range that passed, with one write. */
  private relay(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    const scanner = this.scanner;
    scanner.feed(bytes, start, end);
    this.watcher?.begin(start);
    if (this.flow === Flow.Tail) this.relayTail(bytes, start, end, stable, now);
    if (this.isTorn) return;
    // Where the data frame at hand begins; before these bytes, as long as none has begun in them.
    let frameAt = -1;
    // At least one: behind a tail that has been relayed already.
    for (let left = Math.max(1, this.transport.stepsLeft); ; left--) {
      const step = left > 0 ? scanner.next() : Step.NeedData;
      const isSkipped = this.skipping;
      if (isSkipped) start = this.skip(step);
      if (this.watcher !== null && this.flow === Flow.Relay && !this.watcher.passes(bytes, scanner, step)) {
        if (frameAt >= start) this.forward(bytes, start, frameAt, stable, now);
        this.endText(frameAt < 0 && !isSkipped);
        return;
      }
      switch (step) {
        case Step.NeedData:
          this.forward(bytes, start, scanner.position, stable, now);
          this.transport.stepsLeft = left;
          if (scanner.position < end) this.keepRest(bytes, scanner.position, end, now);
          this.noteProgress(now);
          if (this.mustPause) this.pauseForRate(now);
          return;
        case Step.Header:
          frameAt = scanner.frameStart;
          this.traffic.noteFrame(scanner);
          if (this.charges.active) this.charge(bytes, start, stable, now);
          break;
        case Step.Control:
          start = this.takeControl(bytes, start, stable, now);
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
    if (this.watcher?.tailPasses(bytes, start, tailEnd) === false) this.endText(true);
    else this.write(bytes, start, tailEnd, stable, now);
    if (this.isTorn || tailEnd - start < tail) return;
    this.flow = Flow.Watch;
    this.other.writeClose(now);
    this.session.settle(now); // the other peer may have nothing to answer any more
  }

  /** Past the payload of a dropped frame: where what may go on begins again. */
  private skip(step: Step): number {
    const { position, frameStart, remaining } = this.scanner;
    this.skipping = step === Step.NeedData && remaining > 0;
    return step === Step.NeedData ? position : frameStart;
  }

  /** The header of a data frame meets the rates. What is not let through ends the range before it. */
  private charge(bytes: Buffer, start: number, stable: boolean, now: number): void {
    const { scanner, charges } = this;
    if (this.flow !== Flow.Relay) return;
    const verdict = charges.dataFrame(scanner, now);
    if (verdict === RateVerdict.Pass) return;
    this.session.onRateExceeded(this, charges.exceeded, verdict === RateVerdict.Drop && scanner.opcode === 0);
    if (verdict === RateVerdict.Pause) {
      this.mustPause = true;
      return;
    }
    this.forward(bytes, start, scanner.frameStart, stable, now);
    this.skipping = true;
    if (verdict === RateVerdict.Close) this.session.blameRate(this, charges.exceeded);
  }

  /** A ping or pong: charged, relayed, or swallowed when it answers our own ping. Gives where the range goes on. */
  private takeControl(bytes: Buffer, start: number, stable: boolean, now: number): number {
    const { scanner } = this;
    if (this.flow !== Flow.Relay) return start;
    const isPing = scanner.opcode === Opcode.Ping;
    const key = this.isClient ? bytes.readUInt32BE(scanner.payloadStart - 4) : 0;
    if (!isPing && this.liveness.isAnswer(bytes, scanner.payloadStart, scanner.position, key)) {
      this.forward(bytes, start, scanner.frameStart, stable, now);
      this.session.onPong(this, this.liveness.noteAnswer(now));
      return scanner.position;
    }
    if (!isPing) this.liveness.owesPong = false;
    if (this.charges.control(isPing, this.policy.rates, now) === RateVerdict.Pass) {
      if (isPing) {
        this.other.liveness.owesPong = true;
        this.other.charges.owePong(this.other.policy.rates, now);
      }
      return start;
    }
    this.session.onRateExceeded(this, this.charges.exceeded, false);
    this.forward(bytes, start, scanner.frameStart, stable, now);
    this.session.blameRate(this, this.charges.exceeded);
    return scanner.position;
  }

  /** Its text is no UTF-8. `isTorn`: a part of the frame was relayed, and the rest of it must not follow. */
  private endText(isTorn: boolean): void {
    this.isTorn = isTorn;
    this.flow = Flow.Discard;
    this.session.onInvalidText(this);
  }

  /** Pay for what was sent too fast by not being read, unless it ends; a debt over write_stall is never paid. */
  private pauseForRate(now: number): void {
    this.mustPause = false;
    const pauseMs = this.charges.pauseMs(now);
    if (this.session.cause !== null || this.flow !== Flow.Relay || pauseMs === 0) return;
    if (pauseMs > this.session.policy.writeStallMs) this.session.blameRate(this, this.charges.exceeded);
    else this.gate.holdUntil(now + pauseMs, now);
  }

  private forward(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    if (this.flow === Flow.Relay && end > start) this.write(bytes, start, end, stable, now);
  }

  private write(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    const sink = this.other.transport;
    const before = sink.pending;
    sink.write(bytes, start, end, stable);
    if (sink.pending === 0) return;
    const { backlog } = this.other;
    if (before === 0) backlog.begin(now);
    this.traffic.noteBuffered(sink.held);
    if (backlog.isFull(this.session.policy.bufferedBytesMax)) this.gate.close(now);
  }

  /** Of bytes whose frames were too many for one turn all the rest; else what is no whole frame. */
  private keepRest(bytes: Buffer, start: number, end: number, now: number): void {
    if (this.transport.stepsLeft > 0) this.keepSpill(bytes, start, end, now);
    else this.transport.unread(bytes, start, end);
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
    this.traffic.noteData(this.scanner, now);
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
    const isMidFrame = source.relaysFrame;
    if (source.isTorn || (isMidFrame && source.isFinished)) {
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
    if (this.transport.pending === 0) this.backlog.begin(now);
    this.transport.write(frame, 0, frame.length, true);
    this.closeSent = notice.code;
    this.closeIsOurs = true;
    // Nothing is sent behind a Close, so what its source still says is only read, whatever the pressure was.
    this.other.gate.readOn();
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
    if (this.other.isTorn || this.other.relaysFrame) this.session.midFrame = true;
    this.traffic.noteGone(this.scanner, this.session.clock.now());
    this.transport.destroy();
    if (this.other.flow <= Flow.Tail) this.other.flow = Flow.Watch;
    this.other.traffic.noteBuffered(0);
    this.other.gate.readOn();
  }
}
