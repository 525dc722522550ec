// Why a session ends: what is known of it as an answer for people. A pure reading.

import type { WhyView } from '../admin/subject.ts';
import type { Edge } from '../edge/edge.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import { frameViews, sessionView } from './session-view.ts';

export function whyView(record: SessionRecord, { clock, snapshot }: Edge): WhyView {
  const now = clock.now();
  const { session, startedAt, facts: own } = record;
  const { id, state, reason: cause, ...facts } = sessionView(record, now);
  return {
    session: id,
    state: cause === null ? 'open' : 'closing',
    sentence: state === 'closing' ? `It is ending: ${cause}.` : 'It is open.',
    cause,
    code: session.client.closeSent,
    code_backend: session.backend.closeSent,
    reason: null,
    by: null,
    limit: session.limit,
    clean: session.isClean,
    mid_frame: session.midFrame,
    facts,
    times: {
      opened_at: new Date(snapshot.wallNow() - (now - startedAt)).toISOString(),
      ending_at: null,
      ended_at: null,
      lived_ms: Math.round(now - startedAt),
      closing_ms: null,
      connect_ms: own.connect_ms,
      upgrade_ms: own.upgrade_ms,
    },
    near: [],
    record: frameViews(session.recorder, startedAt),
    change: [],
  };
}
