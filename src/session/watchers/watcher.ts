// What may follow the frames of one side as they pass, read by read, and stop them. It holds no byte back, so what it
// judges is what has come so far.

import type { FrameScanner, Step } from '../../protocol/frame-scanner.ts';
import type { SidePolicy } from '../policy.ts';

export interface Watcher {
  /** The next read begins at `start`. */
  begin(start: number): void;
  /** What `scanner.next()`, which gave `step`, went past since the last call. False: it must not go on. */
  passes(bytes: Buffer, scanner: FrameScanner, step: Step): boolean;
  /** The rest of a frame that was half relayed, as far as it is here: `[start, end)`. False: it must not go on. */
  tailPasses(bytes: Buffer, start: number, end: number): boolean;
  /** Another policy, for the messages that begin from now on. Gives who is needed for that: null when nobody is. */
  retune(policy: SidePolicy): Watcher | null;
}
