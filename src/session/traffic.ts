// What one peer's traffic adds to the counters and the profile of its route. Cheap enough for every message and read;
// it decides nothing.

import type { DirectionMetrics, RouteMetrics } from '../observe/metrics.ts';
import { type DirectionProfile, RateWindow, type TrafficProfile } from '../observe/profile.ts';
import { type FrameScanner, Opcode } from '../protocol/frame-scanner.ts';

export class Traffic {
  private readonly metrics: DirectionMetrics;
  private readonly profile: DirectionProfile;
  private readonly route: TrafficProfile;
  /** What came in the current second; made with the first data. */
  private window: RateWindow | null = null;
  /** What this session has in `bytes` and `buffered`, to which others add as well. */
  private countedBytes = 0;
  private countedBuffered = 0;
  private isPaused = false;
  /** Of the message under way. */
  private opcode = 0;
  /** Messages in a row of one opcode and size, as small ones often come: counted together, once per read. */
  private alike = 0;
  private alikeBytes = 0;
  private alikeOpcode = 0;

  constructor(route: RouteMetrics, isClient: boolean) {
    const { profile } = route;
    this.metrics = isClient ? route.fromClient : route.fromBackend;
    this.profile = isClient ? profile.fromClient : profile.fromBackend;
    this.route = profile;
  }

  /** The header of a data frame passed; a message counts with its last one. */
  noteFrame(scanner: FrameScanner): void {
    const { opcode, messageBytes } = scanner;
    if (opcode !== Opcode.Continuation) this.opcode = opcode;
    if (scanner.inMessage) return;
    if (opcode === Opcode.Continuation) this.profile.recordFragments(scanner.fragments);
    if (messageBytes !== this.alikeBytes || this.opcode !== this.alikeOpcode) {
      this.recordAlike();
      this.alikeBytes = messageBytes;
      this.alikeOpcode = this.opcode;
    }
    this.alike += 1;
  }

  private recordAlike(): void {
    if (this.alike === 0) return;
    if (this.alikeOpcode === Opcode.Text) this.metrics.textMessages += this.alike;
    else this.metrics.binaryMessages += this.alike;
    this.profile.recordMessages(this.alikeBytes, this.alike);
    this.alike = 0;
  }

  /** A read with something of data frames in it was scanned. */
  noteData(scanner: FrameScanner, now: number): void {
    const { dataBytes } = scanner;
    this.recordAlike();
    this.metrics.bytes += dataBytes - this.countedBytes;
    this.countedBytes = dataBytes;
    this.window ??= new RateWindow();
    this.window.note(this.profile, scanner.messages, dataBytes, now);
  }

  /** A read came `ms` after the one before it, and `quietMs` after the last one from either side. */
  noteRead(ms: number, quietMs: number): void {
    this.profile.recordSilence(ms);
    this.route.recordQuiet(quietMs);
  }

  /** A message that had begun went on after `ms`. */
  noteStall(ms: number): void {
    this.profile.recordStall(ms);
  }

  /** A write of this side's bytes finished `ms` after the one before it; `held` bytes wait on, since `backlogMs`. */
  noteTaken(held: number, ms: number, backlogMs: number): void {
    this.profile.recordWriteStall(ms);
    if (held === 0) this.profile.recordBacklog(backlogMs);
    this.noteBuffered(held);
  }

  /** What waits of this peer for the other one costs `bytes` now. */
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
  noteGone(scanner: FrameScanner, now: number): void {
    if (scanner.dataFrames > 0) this.noteData(scanner, now); // in front of a Close or a broken rule, not counted yet
    this.noteResume(now);
    this.noteBuffered(0);
    this.window?.flush(this.profile);
  }
}
