// What the traffic of a route looks like, for advice on its limits: fixed log-linear buckets, filled by plain method
// calls with numbers. It holds nothing per session but the two counts of a RateWindow, which the session owns.

import { type AddAsk, addFields, type Counted, type DumpAsk, dumpFields } from './counted.ts';
import { LogLinearHistogram } from './histogram.ts';

const WINDOW_MS = 1000;

export class DirectionProfile {
  /** Payload bytes on the wire of one message, all fragments together. */
  readonly messageSize = new LogLinearHistogram();
  /** Frames of one message, where there are more than one. */
  private readonly fragmented = new LogLinearHistogram();
  /** Messages that one session began in a busy second: one in which it began any. */
  readonly messagesPerSecond = new LogLinearHistogram();
  /** Payload bytes that one session sent in a second in which it sent any. */
  readonly bytesPerSecond = new LogLinearHistogram();
  /** Milliseconds between two frames of this side in one session. */
  readonly silence = new LogLinearHistogram();
  /** Milliseconds without a byte inside a message, when more came after them. */
  readonly stall = new LogLinearHistogram();
  /** Milliseconds for which data from this side waited for the other, without a break. */
  readonly backlog = new LogLinearHistogram();
  /** Milliseconds within such a wait from one write that finished to the next. */
  readonly writeStall = new LogLinearHistogram();

  /** Frames of one message. */
  get fragments(): LogLinearHistogram {
    const all = this.fragmented.copy();
    all.record(1, this.messageSize.count - all.count);
    return all;
  }

  /** So many messages of that size. */
  recordMessages(bytes: number, times: number): void {
    this.messageSize.record(bytes, times);
  }

  /** One of these messages had more than one frame. */
  recordFragments(frames: number): void {
    this.fragmented.record(frames);
  }

  recordSecond(messages: number, bytes: number): void {
    if (messages > 0) this.messagesPerSecond.record(messages);
    this.bytesPerSecond.record(bytes);
  }

  recordSilence(ms: number): void {
    this.silence.record(ms);
  }

  recordStall(ms: number): void {
    this.stall.record(ms);
  }

  recordBacklog(ms: number): void {
    this.backlog.record(ms);
  }

  recordWriteStall(ms: number): void {
    this.writeStall.record(ms);
  }
}

export class TrafficProfile implements Counted {
  readonly fromClient = new DirectionProfile();
  readonly fromBackend = new DirectionProfile();
  /** Milliseconds from the 101 to the end. */
  readonly duration = new LogLinearHistogram();
  /** Milliseconds in which neither side sent a byte: what `timeouts.idle` measures. */
  readonly quiet = new LogLinearHistogram();
  /** Milliseconds of a dial that connected, of a wait for the backend's 101, and of the whole from head to 101. */
  readonly connect = new LogLinearHistogram();
  readonly upgrade = new LogLinearHistogram();
  readonly open = new LogLinearHistogram();

  dump(ask: DumpAsk): unknown {
    return ask.inFull ? dumpFields(this, ask) : undefined;
  }

  addDump(dump: unknown, ask: AddAsk): void {
    addFields(this, dump, ask);
  }

  recordHandshake(connectMs: number, upgradeMs: number, openMs: number): void {
    this.connect.record(connectMs);
    this.upgrade.record(upgradeMs);
    this.open.record(openMs);
  }

  recordQuiet(ms: number): void {
    this.quiet.record(ms);
  }

  recordSession(durationMs: number): void {
    this.duration.record(durationMs);
  }
}

/**
 * Counts what one direction of one session sends, second by second. A second begins with the first data after the
 * last one was over, so that an idle session costs nothing.
 */
export class RateWindow {
  private beganAt = Number.NEGATIVE_INFINITY;
  /** What the session had sent when it began, and what it has by now. */
  private messagesBefore = 0;
  private bytesBefore = 0;
  private messages = 0;
  private bytes = 0;

  /** The session has begun so many messages so far and sent so many bytes of payload. */
  note(profile: DirectionProfile, messages: number, bytes: number, now: number): void {
    if (now - this.beganAt >= WINDOW_MS) {
      this.flush(profile);
      this.beganAt = now;
    }
    this.messages = messages;
    this.bytes = bytes;
  }

  /** The session ends, or its second is over: what was counted is recorded. */
  flush(profile: DirectionProfile): void {
    const messages = this.messages - this.messagesBefore;
    const bytes = this.bytes - this.bytesBefore;
    if (messages > 0 || bytes > 0) profile.recordSecond(messages, bytes);
    this.messagesBefore = this.messages;
    this.bytesBefore = this.bytes;
  }
}
