// Replays one input in every cut that a stream could make of it: whole, byte by byte, and in every two parts, without
// and with bytes of something else behind it. It judges nothing itself.

export interface SplitOptions {
  /** Bytes that follow the input and must be left untouched. Default: a few bytes that no protocol here begins with. */
  readonly tail?: Buffer;
  /** Cut only at every n-th offset, for inputs so long that every cut would take minutes. Default 1. */
  readonly stride?: number;
}

/** `tail` is what the subject must not have taken: empty in the runs without one. */
export type SplitRun = (pieces: readonly Buffer[], tail: Buffer) => void;

const DEFAULT_TAIL = Buffer.from('ff00deadbeef', 'hex');

/** Calls `run` once per cut. What it throws is thrown on, with the cut in front of the message. */
export function everySplit(bytes: Buffer, run: SplitRun, options: SplitOptions = {}): void {
  const { tail = DEFAULT_TAIL, stride = 1 } = options;
  const none = Buffer.alloc(0);
  attempt('whole', [bytes], none, run);
  attempt('byte by byte', singles(bytes), none, run);
  for (let cut = 1; cut < bytes.length; cut += stride) {
    attempt(`cut at ${cut}`, [bytes.subarray(0, cut), bytes.subarray(cut)], none, run);
  }
  if (tail.length === 0) return;
  const all = Buffer.concat([bytes, tail]);
  attempt('whole with a tail', [all], tail, run);
  attempt('byte by byte with a tail', singles(all), tail, run);
  for (let cut = 1; cut < all.length; cut += stride) {
    attempt(`cut at ${cut} with a tail`, [all.subarray(0, cut), all.subarray(cut)], tail, run);
  }
}

/** A piece at an offset inside a larger buffer: feed `[start, end)` of `bytes`. */
export interface Placed {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Put a piece into a buffer of its own with junk around it, so that whoever ignores `start` and `end` is found out.
 * Overwrite it after the call to find kept views.
 */
export function placed(piece: Buffer): Placed {
  const bytes = Buffer.alloc(piece.length + 16, 0xa5);
  piece.copy(bytes, 7);
  return { bytes, start: 7, end: 7 + piece.length };
}

function singles(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

function attempt(cut: string, pieces: readonly Buffer[], tail: Buffer, run: SplitRun): void {
  try {
    run(pieces, tail);
  } catch (cause) {
    throw new Error(`${cut}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
