// What a fuzz target is. It lists the outcomes it accepts and throws on any other; who runs it gives it the seeds.

import type { Random } from '../support/random.ts';

export interface FuzzTarget {
  /** What `npm run fuzz -- --only NAME` calls it. */
  readonly name: string;
  /** One case, all of it decided by `random`. Throws with a message that says what was fed and what was wrong. */
  run(random: Random): void | Promise<void>;
}

/** A target whose case is a run of bytes and nothing else: a failing one can be made smaller, and kept as a test. */
export interface BytesTarget extends FuzzTarget {
  make(random: Random): Buffer;
  /** Throws as `run` does. The same bytes always give the same outcome. */
  check(input: Buffer): void;
}

export function bytesTarget(parts: Pick<BytesTarget, 'name' | 'make' | 'check'>): BytesTarget {
  return { ...parts, run: (random) => parts.check(parts.make(random)) };
}

export function isBytesTarget(target: FuzzTarget): target is BytesTarget {
  return 'make' in target && 'check' in target;
}
