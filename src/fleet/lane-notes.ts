// What goes with a client on its way from the primary to a worker: a note of numbers, since it is written for each.

import { BARRED } from '../edge/quotas.ts';
import type { BarredName } from './worker-messages.ts';

/** Of the lane, in a worker: behind the streams and the channel. */
export const LANE_FD = 4;

const NAMES = Object.keys(BARRED) as readonly BarredName[];

export interface LaneNote {
  readonly cid: number;
  readonly listener: number;
  readonly barred: BarredName | null;
}

export function noteText({ cid, listener, barred }: LaneNote): string {
  return `${cid} ${listener} ${barred === null ? '' : NAMES.indexOf(barred)}`;
}

export function readNote(text: string): LaneNote {
  const [cid, listener, barred = ''] = text.split(' ');
  return {
    cid: Number(cid),
    listener: Number(listener),
    barred: barred === '' ? null : (NAMES[Number(barred)] ?? null),
  };
}
