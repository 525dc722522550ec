// Where the targets of an upstream come from: a list that may change while framegate runs. A source knows nothing of
// who is open or down, nor of the targets that are made of its list.

import type { TargetConfig } from '../../config/types.ts';

export interface TargetListener {
  /**
   * All that the source has, from now on, in an order that is the same while they are. A source that cannot tell says
   * nothing: what it said last stands.
   */
  onTargets(targets: readonly TargetConfig[]): void;
}

export interface TargetSource {
  readonly kind: string;
  /** What of a config it is made of, as plain data: a source goes on across a reload while this stays equal. */
  readonly settings: unknown;
  /** What it has before it is started: all that a config lists, nothing of a name that has to be looked up. */
  readonly initial: readonly TargetConfig[];
  /** Once; from now on `listener` is told of each change, at any time until `stop`. */
  start(listener: TargetListener): void;
  /** Nothing of it runs on. */
  stop(): void;
}
