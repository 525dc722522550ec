// One direction of a session: scans what one side sends, judges it, and forwards what passes with one write per read.
// It decides no end; it tells its source what it has seen.

import assert from 'node:assert/strict';
import { type DirectionRates, RateVerdict } from '../limits/rates.ts';
import { Opcode, Step } from '../protocol/frame-scanner.ts';
import { Direction, Flow } from './direction.ts';
import { rateOf } from './policy.ts';

export class Relay extends Direction {
  /** What is at hand went over a rate, and is paid for by a pause. */
  private mustPause = false;
  private progressMark = 0;

  /** Bytes `[start, end)` of the source. */
  read(bytes: Buffer, start: number, end: number, now: number): void {
    this.traffic.noteRead(now - this.lastByteAt, now - Math.max(this.lastByteAt, this.back.lastByteAt));
    if (this.isMidMessage) this.traffic.noteStall(now - this.messageAt);
    this.lastByteAt = now;
    if (this.flow === Flow.Discard) return;
    const wasInside = this.isInside;
    try {
      if (this.spill === null) this.relay(bytes, start, end, this.transport.stable, now);
      else this.relayBehindSpill(this.spill, bytes, start, end, now);
    } catch (error) {
      this.source.onFault(error, wasInside);
    }
    this.scanner.release();
  }

  /** The hot path: judge the frames in `[start, end)` and forward the longest range that passed, with one write. */
  private relay(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    const scanner = this.scanner;
    const { recorder } = this.session;
    scanner.feed(bytes, start, end);
    recorder?.begin(this.source.isClient, now);
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
      if (this.watcher !== null && this.flow <= Flow.Answer && !this.watcher.passes(bytes, scanner, step)) {
        if (frameAt >= start) this.forward(bytes, start, frameAt, stable, now);
        this.endText(frameAt < 0 && !isSkipped, now);
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
          // What is dropped because the session ends would push out what came before that.
          if (recorder !== null && this.flow <= Flow.Answer)
            recorder.note(scanner.opcode, !scanner.inMessage, scanner.remaining);
          if (this.rates !== null) this.charge(this.rates, bytes, start, stable, now);
          break;
        case Step.Control:
          start = this.takeControl(bytes, start, stable, now);
          break;
        case Step.Close:
          this.takeClose(bytes, start, stable, now);
          return;
        default:
          this.forward(bytes, start, scanner.frameStart, stable, now);
          if (this.flow <= Flow.Answer) recorder?.noteBroken(bytes, scanner.frameStart, end);
          this.endBroken(now);
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

  /** The rest of the frame that is half relayed; at its end the sink's Close may go. */
  private relayTail(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    const tail = this.scanner.remaining;
    const tailEnd = Math.min(end, start + tail);
    if (this.watcher?.tailPasses(bytes, start, tailEnd) === false) this.endText(true, now);
    else this.write(bytes, start, tailEnd, stable, now);
    if (this.isTorn || tailEnd - start < tail) return;
    this.flow = Flow.Watch;
    this.sink.onTailEnd(now);
  }

  /** Past the payload of a dropped frame: where what may go on begins again. */
  private skip(step: Step): number {
    const { position, frameStart, remaining } = this.scanner;
    this.skipping = step === Step.NeedData && remaining > 0;
    return step === Step.NeedData ? position : frameStart;
  }

  /** The header of a data frame meets the rates. What is not let through ends the range before it. */
  private charge(rates: DirectionRates, bytes: Buffer, start: number, stable: boolean, now: number): void {
    const { scanner } = this;
    if (this.flow > Flow.Answer) return;
    const begins = scanner.opcode !== Opcode.Continuation;
    const verdict = rates.dataFrame(begins, scanner.remaining, now);
    if (verdict === RateVerdict.Pass) return;
    // The rest of a dropped message is no hit of its own.
    if (begins || verdict !== RateVerdict.Drop) this.tellExceeded(rates);
    if (verdict === RateVerdict.Pause) {
      this.mustPause = true;
      return;
    }
    this.forward(bytes, start, scanner.frameStart, stable, now);
    this.skipping = true;
    if (verdict === RateVerdict.Close) this.source.onRateBroken(rates.exceeded);
  }

  /** A ping or pong: charged, relayed, or swallowed when it answers our own ping. Gives where the range goes on. */
  private takeControl(bytes: Buffer, start: number, stable: boolean, now: number): number {
    const { scanner } = this;
    if (this.flow > Flow.Answer) return start;
    const { liveness } = this.source;
    const isPing = scanner.opcode === Opcode.Ping;
    const key = this.source.isClient ? bytes.readUInt32BE(scanner.payloadStart - 4) : 0;
    if (!isPing && liveness.isAnswer(bytes, scanner.payloadStart, scanner.position, key)) {
      this.forward(bytes, start, scanner.frameStart, stable, now);
      this.session.metrics.pingRtt.observe(liveness.noteAnswer(now) / 1000);
      return scanner.position;
    }
    const length = scanner.position - scanner.payloadStart;
    this.session.recorder?.note(scanner.opcode, true, length);
    if (!isPing) liveness.owesPong = false;
    const rates = this.obtainRates(now);
    const verdict = isPing ? rates.ping(now) : rates.pong(now);
    if (verdict === RateVerdict.Pass) {
      if (isPing) {
        this.sink.liveness.owesPong = true;
        this.back.owePong(now);
      }
      return start;
    }
    this.tellExceeded(rates);
    this.forward(bytes, start, scanner.frameStart, stable, now);
    this.source.onRateBroken(rates.exceeded);
    return scanner.position;
  }

  private tellExceeded({ exceeded }: DirectionRates): void {
    this.source.onLimitHit(exceeded, rateOf(this.policy, exceeded));
  }

  /** Its Close: relayed, or swallowed when it answers ours. What follows it is discarded (RFC 6455 5.5.1). */
  private takeClose(bytes: Buffer, start: number, stable: boolean, now: number): void {
    const { scanner } = this;
    const isRelayed = this.flow === Flow.Relay;
    const length = scanner.position - scanner.payloadStart;
    this.session.recorder?.noteClose(scanner.closeCode, length);
    this.source.onClose(now);
    this.forward(bytes, start, isRelayed ? scanner.position : scanner.frameStart, stable, now);
    if (isRelayed) this.sink.onCloseRelayed(scanner.closeCode, now);
    this.flow = Flow.Discard;
    this.source.onFinished();
  }

  private endBroken(now: number): void {
    const { violation, violationValue } = this.scanner;
    assert(violation !== null, 'the scanner says what was broken');
    this.flow = Flow.Discard;
    this.source.onViolation(violation, violationValue, now);
  }

  /** Its text is no UTF-8. `isTorn`: a part of the frame was relayed, and the rest of it must not follow. */
  private endText(isTorn: boolean, now: number): void {
    this.isTorn = isTorn;
    this.flow = Flow.Discard;
    this.source.onInvalidText(now);
  }

  /** Pay for what was sent too fast by not being read, unless it ends; a debt over write_stall is never paid. */
  private pauseForRate(now: number): void {
    const { rates } = this;
    this.mustPause = false;
    const pauseMs = rates === null ? 0 : rates.pauseMs(now);
    if (rates === null || this.session.cause !== null || this.flow > Flow.Answer || pauseMs === 0) return;
    if (pauseMs > this.session.policy.writeStallMs) {
      this.source.onRateBroken(rates.exceeded);
      return;
    }
    this.gate.holdUntil(now + pauseMs, now);
    this.source.onHeld(now + pauseMs);
  }

  private forward(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    if (this.flow <= Flow.Answer && end > start) this.write(bytes, start, end, stable, now);
  }

  private write(bytes: Buffer, start: number, end: number, stable: boolean, now: number): void {
    const to = this.sink.transport;
    const before = to.pending;
    to.write(bytes, start, end, stable);
    if (to.pending === 0) return;
    const { backlog } = this.sink;
    if (before === 0) backlog.begin(now);
    this.traffic.noteBuffered(to.held);
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
}
