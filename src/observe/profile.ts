// What the traffic of a route looks like, for advice on its limits: fixed log-linear buckets, filled by plain method
// calls with numbers. It holds nothing per session but the two counts of a RateWindow, which the session owns.

import { LogLinearHistogram } from './histogram.ts';

const WINDOW_MS = 1000;

export class DirectionProfile {
  /** Payload bytes on the wire of one message, all fragments together. */
  readonly messageSize = new LogLinearHistogram();
  /** Frames of one message. */
  readonly fragments = new LogLinearHistogram();
  /** Messages that one session began in a busy second: one in which it began any. */
  readonly messagesPerSecond = new LogLinearHistogram();
  /** Payload bytes of those messages. */
  readonly bytesPerSecond = new LogLinearHistogram();
  /** Milliseconds between two frames of this side in one session. */
  readonly silence = new LogLinearHistogram();
  /** Milliseconds without a byte inside a message, when more came after them. */
  readonly stall = new LogLinearHistogram();
  /** Milliseconds for which data from this side waited for the other, without a break. */
  readonly backlog = new LogLinearHistogram();
  /** Milliseconds within such a wait from one write that finished to the next. */
  readonly writeStall = new LogLinearHistogram();

  recordMessage(bytes: number, fragments: number): void {
    this.messageSize.record(bytes);
    this.fragments.record(fragments);
  }

  recordSecond(messages: number, bytes: number): void {
    this.messagesPerSecond.record(messages);
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

export class TrafficProfile {
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
 * Counts what one direction of one session sends, second by second. A second begins with the first message after the
 * last one was over, so that an idle session costs nothing.
 */
export class RateWindow {
  private beganAt = Number.NEGATIVE_INFINITY;
  private messages = 0;
  private bytes = 0;

  /** A complete message. */
  count(profile: DirectionProfile, bytes: number, now: number): void {
    if (now - this.beganAt >= WINDOW_MS) {
      this.flush(profile);
      this.beganAt = now;
    }
    this.messages += 1;
    this.bytes += bytes;
  }

  /** The session ends, or its second is over: what was counted is recorded. */
  flush(profile: DirectionProfile): void {
    if (this.messages > 0) profile.recordSecond(this.messages, this.bytes);
    this.messages = 0;
    this.bytes = 0;
  }
}
