// Says of each cap on the whole process how near it was come to, and how often it refused. Pure, as advice.ts is.

import { DAY_MS, roundUp, type Unit } from './advised-values.ts';

/** One cap: its value now, the most there was at a time, and how often it refused. */
export interface CapInput {
  /** As in the config file: `limits.max_sessions`. */
  readonly key: string;
  readonly unit: Unit;
  /** Infinity is off. */
  readonly value: number;
  /** Null when nobody counts it: of rates, and while the cap is off. */
  readonly peak: number | null;
  readonly refused: number;
}

/** `tight`: it refused, or was come near to. `fits`: neither. `off`: not in use. */
export interface CapAdvice {
  readonly key: string;
  readonly unit: Unit;
  /** Null when it is off. */
  readonly value: number | null;
  readonly peak: number | null;
  readonly refused: number;
  readonly verdict: 'tight' | 'fits' | 'off';
  /** Twice the peak or more, where it is tight and that is above its value. */
  readonly suggested: number | null;
  /** The suggestion is made of less than a day. */
  readonly provisional: boolean;
}

const TIGHT_SHARE = 0.8;
const ROOM = 2;

export function adviseCap({ key, unit, value, peak, refused }: CapInput, watchedMs: number): CapAdvice {
  const isOff = value === Number.POSITIVE_INFINITY;
  const most = peak ?? 0;
  const isTight = !isOff && (refused > 0 || most >= value * TIGHT_SHARE);
  const better = roundUp(unit, most * ROOM);
  const suggested = isTight && better > value ? better : null;
  return {
    key,
    unit,
    value: isOff ? null : value,
    peak,
    refused,
    verdict: isOff ? 'off' : isTight ? 'tight' : 'fits',
    suggested,
    provisional: suggested !== null && watchedMs < DAY_MS,
  };
}
