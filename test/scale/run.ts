// Runs one demand and cleans up behind it, whatever came of it.

import type { Demand, Findings, Task } from './demand.ts';

export interface RunOptions {
  readonly seed: number;
  /** 1 is the full size. */
  readonly share: number;
  readonly findings: Findings;
}

export async function runDemand(demand: Demand, { seed, share, findings }: RunOptions): Promise<void> {
  const undoes: (() => void | Promise<void>)[] = [];
  const task: Task = {
    seed,
    findings,
    isFull: share === 1,
    size: (full, least) => Math.max(least, Math.round(full * share)),
    atEnd: (undo) => undoes.push(undo),
  };
  try {
    await demand.run(task);
  } catch (error) {
    findings.check('it ran to its end', false, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  for (const undo of undoes.reverse()) {
    try {
      await undo();
    } catch (error) {
      findings.check('it cleaned up', false, String(error));
    }
  }
}
