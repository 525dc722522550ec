// Connections of plain requests, in order and broken, pipelined and cut anywhere, a crowd of them at once through one
// proxy: what backends saw is held against the strict reading of what was sent.

import type { FuzzTarget } from '../fuzz-target.ts';
import { runPlainCrowd } from '../model/plain-crowd.ts';

/** Each has an address of its own in 127.0.1.0/24. */
const CLIENTS = 100;

export const plain: FuzzTarget = {
  name: 'plain',
  run: (random) => runPlainCrowd(random, CLIENTS),
};
