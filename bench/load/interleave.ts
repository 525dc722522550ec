// Runs one measurement for every peer in every round, the order turned round each time, so that a drift of the machine
// hits all alike. A peer that fails is told of and left out from then on.

import type { Progress } from '../support/progress.ts';
import { type RunningPeer, withComplaints } from './peers.ts';

export interface Turn<Result> {
  readonly peer: Pick<RunningPeer, 'name' | 'complaints'>;
  /** What is told of it, with the result. */
  measure(): Promise<{ readonly result: Result; readonly text: string }>;
}

export interface Turns<Result> {
  readonly peer: string;
  readonly rounds: readonly Result[];
  readonly fault: string | null;
}

export async function interleave<Result>(
  title: string,
  turns: readonly Turn<Result>[],
  rounds: number,
  progress: Progress,
): Promise<Turns<Result>[]> {
  const results = turns.map((turn) => ({ turn, rounds: [] as Result[], fault: null as string | null }));
  for (let round = 1; round <= rounds; round++) {
    const order = round % 2 === 1 ? results : [...results].reverse();
    for (const entry of order) {
      const label = `${title} ${entry.turn.peer.name} ${round}/${rounds}`;
      if (entry.fault !== null) {
        progress.step(`${label}: left out`);
        continue;
      }
      progress.status(label);
      try {
        const { result, text } = await entry.turn.measure();
        entry.rounds.push(result);
        progress.step(`${label}: ${text}`);
      } catch (error) {
        entry.fault = withComplaints(error, entry.turn.peer).message;
        progress.say(`${label}: FAILED: ${entry.fault}`);
        progress.step(label);
      }
    }
  }
  return results.map(({ turn, rounds: found, fault }) => ({ peer: turn.peer.name, rounds: found, fault }));
}
