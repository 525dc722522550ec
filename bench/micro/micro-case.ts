// The form of a micro bench: some work on bytes that are made beforehand, and what it must come to. Cases come from
// modules of their own, so that one that a revision cannot run does not take the others with it.

export interface MicroCase {
  readonly name: string;
  /** What one operation is: a frame, a head. */
  readonly unit: string;
  /** Operations and bytes of one `run`; 0 bytes where bytes are not what counts. */
  readonly operations: number;
  readonly bytes: number;
  /**
   * Does the work and gives a figure about it: every single result is compared with `expected`. A promise, where the
   * work itself is not done at once; the first run may be otherwise than all others.
   */
  run(): number | Promise<number>;
  readonly expected: number;
}

/** What each module of cases exports. */
export interface MicroModule {
  readonly cases: () => readonly MicroCase[];
}

export interface MicroResult {
  readonly name: string;
  readonly unit: string;
  /** Nanoseconds per operation: the median of all runs, and the range that holds the middle 98 % of them. */
  readonly ns: number;
  readonly low: number;
  readonly high: number;
  /** 0 where bytes are not what counts. */
  readonly bytesPerSecond: number;
  readonly samples: number;
}

export interface MicroReport {
  readonly results: readonly MicroResult[];
  /** Modules that did not load, with why. */
  readonly missing: readonly string[];
}
