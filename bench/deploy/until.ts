// Waits for what other processes do, by looking again and again.

import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 20;

/** Throws with `why` when it takes longer than `ms`. */
export async function until(ms: number, isSo: () => Promise<boolean>, why: string): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(why);
    await delay(LOOK_MS);
  }
}
