// Notices when the wall clock was set: it then moves otherwise than the monotonic one. Nothing here follows it but the
// times in the log, so it is only told.

/** What is told; a clock that is merely corrected moves by less in the time between two looks. */
const JUMP_MS = 1_000;

export class WallWatch {
  private offset: number;

  /** Milliseconds of the monotonic clock, and of the wall clock since 1970. */
  constructor(now: number, wall: number) {
    this.offset = wall - now;
  }

  /** By how many milliseconds the wall clock was set since the last look, back if negative; 0 if it was not. */
  look(now: number, wall: number): number {
    const before = this.offset;
    this.offset = wall - now;
    const ms = Math.round(this.offset - before);
    return Math.abs(ms) > JUMP_MS ? ms : 0;
  }
}
