// The metrics of the workers of one framegate, where there are several processes.

import type { Exposition } from './exposition-families.ts';
import type { Tally } from './tally.ts';

export interface WorkersReading {
  /** How many. */
  readonly answering: number;
  /** Of each by its number; of one that does not answer what it told last. */
  readonly sessions: ReadonlyMap<number, number>;
  readonly exits: Tally;
}

export function writeWorkers(out: Exposition, { answering, sessions, exits }: WorkersReading): void {
  out.single('workers', 'gauge', 'Workers that answer; none of these where one process does all.', answering);
  out.family('worker_sessions', 'gauge', 'Open sessions of a worker.');
  for (const [worker, count] of sessions) out.sample({ worker: String(worker) }, count);
  out.family('worker_exits_total', 'counter', 'Workers that ended while they were needed, by the reason.');
  for (const [reason, count] of exits.entries()) out.sample({ reason }, count);
}
