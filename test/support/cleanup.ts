// Runs clean-up when the test that asked for it is over, so that no socket, server or process outlives its test.

import { onTestFinished } from 'vitest';

/** Within a test: `undo` runs when it has finished. Outside of one (a hook): the caller cleans up. */
export function atTestEnd(undo: () => void | Promise<void>): void {
  try {
    onTestFinished(undo);
  } catch {
    // Not within a test: beforeAll and the like own what they open.
  }
}
