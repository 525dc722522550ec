// How long a client waits before it connects again: what socket.io-client does unless it is told otherwise, which most
// libraries resemble: a second at first, twice as much after each failure, five at most, half of it up or down.

const FIRST_MS = 1_000;
const MAX_MS = 5_000;
const FACTOR = 2;
const JITTER = 0.5;

/** Milliseconds before the try behind `failures` in a row; `random` is from 0 to 1. */
export function backoffMs(failures: number, random: number): number {
  const whole = FIRST_MS * FACTOR ** failures;
  return Math.min(MAX_MS, whole * (1 - JITTER + 2 * JITTER * random));
}
