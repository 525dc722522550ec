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

/** What was found in its place until now, by a source with other settings. */
export interface Before {
  readonly targets: readonly TargetConfig[];
  /** On the clock; null: there was no good answer. */
  readonly answeredAt: number | null;
}

/** How it goes with targets that are found while framegate runs. */
export interface DiscoveryStatus {
  /** dns, file and so on. */
  readonly kind: string;
  readonly targets: number;
  /** The last good answer, on the clock; null before the first. */
  readonly answeredAt: number | null;
  /** Since when none is good, and why; null while they are. */
  readonly failing: { readonly since: number; readonly error: string } | null;
}

export interface TargetSource {
  /** config, or how they are found. */
  readonly kind: string;
  /** What of a config it is made of, as plain data: a source goes on across a reload while this stays equal. */
  readonly settings: unknown;
  /** What it has before it is started: all that a config lists. Null: it does not know, and what was found stands. */
  readonly initial: readonly TargetConfig[] | null;
  /** Null for what a config lists. */
  readonly status: DiscoveryStatus | null;
  /** Once; from now on `listener` is told of each change, at any time until `stop`. */
  start(listener: TargetListener, before: Before): void;
  /** Nothing of it runs on. */
  stop(): void;
}
