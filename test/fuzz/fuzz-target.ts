// What a fuzz target is. It lists the outcomes it accepts and throws on any other; who runs it gives it the seeds.

import type { Random } from '../support/random.ts';

export interface FuzzTarget {
  /** What `npm run fuzz -- --only NAME` calls it. */
  readonly name: string;
  /** One case, all of it decided by `random`. Throws with a message that says what was fed and what was wrong. */
  run(random: Random): void | Promise<void>;
}
