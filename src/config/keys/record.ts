// Owns the keys of `record`: what is remembered of the frames of a session.

import type { Keys } from './row.ts';

export const record = {
  frames: {
    kind: 'count',
    min: 1,
    max: 256,
    default: 32,
    says: 'Headers of the last frames of each session, both ways together: 8 bytes each, from its first frame on.',
    without: 'nothing tells what was sent last',
  },
} as const satisfies Keys;
