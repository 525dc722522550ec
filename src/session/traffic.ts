// What one peer's traffic adds to the counters and the profile of its route. Cheap enough for every message and read;
// it decides nothing.

import type { DirectionMetrics } from '../observe/metrics.ts';
import { type DirectionProfile, RateWindow } from '../observe/profile.ts';
import { type FrameScanner, Opcode } from '../protocol/frame-scanner.ts';

export class Traffic {
  private readonly metrics: DirectionMetrics;
  private readonly profile: DirectionProfile;
  /** Messages of the current second; made with the first message. */
  private window: RateWindow | null = null;
  /** What this session has in `bytes` and `buffered`, to which others add as well. */
  private countedBytes = 0;
  private countedBuffered = 0;
  private isPaused = false;
  private isText = false;

  constructor(metrics: DirectionMetrics, profile: DirectionProfile) {
    this.metrics = metrics;
    this.profile = profile;
  }

  /** The header of a data frame passed; a message counts with its last one. */
  noteFrame(scanner: FrameScanner, now: number): void {
    if (scanner.opcode !== Opcode.Continuation) this.isText = scanner.opcode === Opcode.Text;
    if (scanner.inMessage) return;
    const { messageBytes } = scanner;
    this.metrics.message(this.isText, messageBytes);
    this.profile.recordMessage(messageBytes, scanner.fragments);
    this.window ??= new RateWindow();
    this.window.count(this.profile, messageBytes, now);
  }

  /** `dataBytes` of payload came so far. */
  noteBytes(dataBytes: number): void {
    this.metrics.bytes += dataBytes - this.countedBytes;
    this.countedBytes = dataBytes;
  }

  /** A read came `ms` after the one before it. */
  noteSilence(ms: number): void {
    this.profile.recordSilence(ms);
  }

  /** `bytes` of this peer wait for the other one now. */
  noteBuffered(bytes: number): void {
    this.metrics.buffered += bytes - this.countedBuffered;
    this.countedBuffered = bytes;
  }

  notePause(now: number): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.metrics.pause(now);
  }

  noteResume(now: number): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.metrics.resume(now);
  }

  /** Its connection is gone: nothing of it is open in the counters any more. */
  noteGone(dataBytes: number, now: number): void {
    this.noteBytes(dataBytes); // what came in front of a Close or a broken rule is not counted yet
    this.noteResume(now);
    this.noteBuffered(0);
    this.window?.flush(this.profile);
  }
}
