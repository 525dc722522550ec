// Whole sessions on real sockets, a crowd of them at once through one proxy: what both sides received, the log and the
// counters are held against the reference of sessions in memory, as far as the order of events shows from outside.

import type { FuzzTarget } from '../fuzz-target.ts';
import { runCrowd } from '../model/socket-crowd.ts';

/** Four descriptors each. */
const SESSIONS = 100;

/** A seed says what is sent, and not when it arrives: a case that failed may need to be run more than once again. */
export const sockets: FuzzTarget = {
  name: 'sockets',
  run: async (random) => {
    await runCrowd(random, SESSIONS);
  },
};
