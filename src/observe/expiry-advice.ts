// Whether sessions of a route are cut short by their credentials: how many ended so, as facts and as text. Pure.

import { groupedText } from './quantities.ts';

/** A session that its credential ends this soon has a credential that was made for something shorter. */
export const EARLY_SECONDS = 15 * 60;
/** Below this many ends a share says little. */
const ENDED_MIN = 10;

export interface ExpiryAdvice {
  /** Sessions that ended, however. */
  readonly ended: number;
  /** Of these by credential_expired within 15 minutes of their begin. */
  readonly expired_early: number;
  /** `tight`: over half. */
  readonly verdict: 'tight' | 'fits' | 'too_few';
}

export function adviseExpiry(ended: number, early: number): ExpiryAdvice {
  const verdict = ended < ENDED_MIN ? 'too_few' : 2 * early > ended ? 'tight' : 'fits';
  return { ended, expired_early: early, verdict };
}

/** Nothing where there is nothing to change. */
export function expiryLines({ ended, expired_early: early, verdict }: ExpiryAdvice): string[] {
  if (verdict !== 'tight') return [];
  return [
    '',
    '  credentials',
    `    tight   ${groupedText(early)} of ${groupedText(ended)} sessions ended with their credential within ` +
      '15 minutes: bind: off or grace of the method, or a backend that extends them',
  ];
}
