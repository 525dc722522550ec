// What goes on beside the sessions of an upstream: checks, ejection, moves. Each is a file of its own, made in `parts`.
// Types only.

import type { UpstreamConfig } from '../config/types.ts';
import type { UpstreamMeans } from './means.ts';
import type { Target } from './target.ts';

/** Which sessions of a target are asked for. */
export interface YoungestAsk {
  /** At least 1. */
  readonly count: number;
  /** They began before. */
  readonly startedBefore: number;
}

/** A session that may be ended so that its client comes back and gets another target. */
export interface MovableSession {
  /** False: it is ending already, or has to stay. */
  move(): boolean;
}

/** The upstream, as its parts know it. */
export interface PartHost {
  readonly name: string;
  readonly means: UpstreamMeans;
  /** In force. */
  readonly config: UpstreamConfig;
  readonly targets: readonly Target[];
  /** The youngest that fit and are not ending, the very youngest first; found in small steps. */
  youngestOn(target: Target, asked: YoungestAsk): Promise<readonly MovableSession[]>;
  /** The source address of the next dial, each in turn; null leaves the choice to the system. */
  nextLocalAddress(): string | null;
  /** Checks took `target` down, whatever else keeps sessions from it. */
  onDown(target: Target): void;
}

export interface UpstreamPart {
  /** At the start, after each reload, and whenever targets have come or gone: go by what the host is now. */
  update(): void;
  /** One of its targets has come up, or is up no longer. */
  changed?(target: Target, isUp: boolean): void;
  /** Nothing of it runs on. */
  stop(): void;
}
