// Owns the order of `top`: who is busiest now, which only somebody can tell who has looked before. Pure.

import type { SessionPage, SessionSort, SessionView } from '../admin/subject.ts';
import { groupedText } from '../observe/quantities.ts';
import type { Rates } from './rates.ts';

type RateSort = 'messages' | 'bytes';

export function isRateSort(sort: SessionSort): sort is RateSort {
  return sort === 'messages' || sort === 'bytes';
}

/** Those with most in the last second first; of one that was not seen before it is what it had on average. */
export function busiestFirst(sessions: readonly SessionView[], rates: Rates, sort: RateSort): readonly SessionView[] {
  const paces = new Map(
    sessions.map((session) => [session.id, rates.get(session.id)?.[sort] ?? average(session, sort)]),
  );
  return [...sessions].sort((one, other) => (paces.get(other.id) ?? 0) - (paces.get(one.id) ?? 0));
}

function average({ age_ms, from_client, from_backend }: SessionView, sort: RateSort): number {
  return ((from_client[sort] + from_backend[sort]) / Math.max(1, age_ms)) * 1000;
}

/** One sentence on what is first. */
export function orderText(sort: SessionSort, { sessions, more }: SessionPage): string {
  const among = more === 0 ? '' : `, among the ${groupedText(sessions.length)} with most in all`;
  const texts: Readonly<Record<SessionSort, string>> = {
    messages: `most messages in the last second first${among}`,
    bytes: `most bytes in the last second first${among}`,
    buffered: 'most bytes that wait to be taken first',
    rtt: 'slowest ping first',
    silent: 'longest silent first',
    age: 'oldest first',
  };
  return texts[sort];
}
