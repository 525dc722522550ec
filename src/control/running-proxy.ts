// What a proxy in this process is made of, for those who look at all of it. Only types.

import type { GenerationView, RestartResult } from '../admin/generations.ts';
import type { Edge } from '../edge/edge.ts';
import type { ProcessView, RuntimeMetrics } from '../observe/runtime-metrics.ts';
import type { Credentials } from './credentials.ts';
import type { KeptEnds } from './kept-ends.ts';
import type { Life } from './life.ts';
import type { Listeners } from './listeners.ts';
import type { Operations } from './operations.ts';
import type { Reloads } from './reload.ts';

export interface RunningProxy {
  readonly about: About;
  readonly life: Life;
  readonly edge: Edge;
  readonly listeners: Listeners;
  readonly reloads: Reloads;
  readonly operations: Operations;
  readonly credentials: Credentials;
  readonly ends: KeptEnds;
  /** Null without a process to look at. */
  readonly processView: ProcessView | null;
  readonly runtime: RuntimeMetrics | null;
  /** Begins the drain that ends in the end of the process. */
  drain(): void;
  /** To the next generation. */
  restart(): Promise<RestartResult>;
  /** Those before this one that are still there. */
  before(): readonly GenerationView[];
}

interface About {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly configName: string;
}
