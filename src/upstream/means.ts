// What upstreams work with besides their config. Types only.

import type { TargetConfig } from '../config/types.ts';
import type { Clock } from '../limits/clock.ts';
import type { TimerWheel } from '../limits/timer-wheel.ts';
import type { Dialer } from '../net/dial.ts';
import type { DnsRounds } from '../net/dns.ts';
import type { Log } from '../observe/log.ts';
import type { MetricsRegistry } from '../observe/metrics.ts';
import type { CheckTurns } from './health/check-turns.ts';
import type { FolderWatches } from './sources/folder-watches.ts';

export interface UpstreamMeans {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly dialer: Dialer;
  /** Look-ups of discovery. */
  readonly dns: Pick<DnsRounds, 'begin'>;
  /** Of files that are watched. */
  readonly folders: FolderWatches;
  /** A file of targets at `path`. Never rejects. */
  readTargets(bytes: Uint8Array, path: string): Promise<TargetList>;
  /** Of the checks of all upstreams. */
  readonly checkTurns: CheckTurns;
  /** From 0 to below 1. */
  random(): number;
}

export type TargetList =
  | { readonly targets: readonly TargetConfig[] }
  | { readonly problems: readonly TargetListProblem[] };

/** Line and column count from 1. */
interface TargetListProblem {
  readonly line: number | null;
  readonly column: number | null;
  readonly path: string;
  readonly message: string;
}
