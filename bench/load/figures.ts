// Spreads as they stand in tables, beside what they should have come to.

import type { Spread } from '../support/statistics.ts';
import { figure } from '../support/table.ts';

export function rangeText(spread: Spread): string {
  if (!Number.isFinite(spread.median)) return '-';
  if (spread.min === spread.max) return figure(spread.median);
  return `${figure(spread.median)} (${figure(spread.min)}-${figure(spread.max)})`;
}

/** Bold where the goal is missed. */
export function atMostText(spread: Spread, atMost: number): string {
  const text = rangeText(spread);
  return spread.median <= atMost ? `${text} <= ${atMost}` : `**${text} > ${atMost}**`;
}

/** Bold where the goal is missed. */
export function atLeastText(spread: Spread, atLeast: number): string {
  const text = rangeText(spread);
  return spread.median >= atLeast ? `${text} >= ${atLeast}` : `**${text} < ${atLeast}**`;
}
