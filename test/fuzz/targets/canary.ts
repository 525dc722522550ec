// Fails whatever it is fed: who runs it and reports no failure does not look.

import { bytesTarget } from '../fuzz-target.ts';

export const canary = bytesTarget({
  name: 'canary',
  make: (random) => random.bytes(random.between(1, 64)),
  check: (input) => {
    throw new Error(`the canary was fed ${input.length} bytes`);
  },
});
