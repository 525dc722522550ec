// What goes on beside the sessions of an upstream: checks, ejection, moves. Each is a file of its own, made in `parts`.
// Types only.

import type { UpstreamConfig } from '../config/types.ts';
import type { UpstreamMeans } from './means.ts';
import type { Target } from './target.ts';

/** The upstream, as its parts know it. */
export interface PartHost {
  readonly name: string;
  readonly means: UpstreamMeans;
  /** In force. */
  readonly config: UpstreamConfig;
  readonly targets: readonly Target[];
}

export interface UpstreamPart {
  /** At the start, after each reload, and whenever targets have come or gone: go by what the host is now. */
  update(): void;
  /** Nothing of it runs on. */
  stop(): void;
}
