// One session as the admin listener shows it. A pure reading: nothing here changes what it looks at.

import type { FrameView, SessionDetail, SessionSideView, SessionState, SessionView } from '../admin/subject.ts';
import type { SessionRecord } from '../edge/session-record.ts';
import type { End } from '../session/end.ts';
import type { Recorder } from '../session/recorder.ts';
import type { Session } from '../session/session.ts';
import { isoTime } from './iso-time.ts';

/** What is told of a session. */
export type ToldSession = Pick<SessionRecord, 'session' | 'facts' | 'credential' | 'startedAt'>;

export function sessionView(record: ToldSession, now: number): SessionView {
  const { facts, session, credential, startedAt } = record;
  return {
    id: facts.session,
    state: sessionState(session),
    route: facts.route,
    upstream: facts.upstream,
    target: facts.target,
    listener: facts.listener,
    client: facts.client,
    peer: facts.peer ?? null,
    path: facts.path,
    request_id: facts.request_id,
    subprotocol: facts.subprotocol ?? null,
    auth: facts.auth ?? null,
    identity: facts.identity ?? null,
    expires_at: isoTime(credential?.endsAt ?? Number.POSITIVE_INFINITY),
    expires_in_ms: credential === null || credential.leftMs === Number.POSITIVE_INFINITY ? null : credential.leftMs,
    age_ms: Math.round(now - startedAt),
    ping_rtt_ms: session.client.liveness.rttMs,
    reason: session.cause,
    from_client: sideView(session.client, now),
    from_backend: sideView(session.backend, now),
  };
}

export function sessionDetail(record: SessionRecord, now: number): SessionDetail {
  return { ...sessionView(record, now), record: frameViews(record.session.recorder, record.startedAt) };
}

export function frameViews(recorder: Recorder | null, startedAt: number): readonly FrameView[] | null {
  if (recorder === null) return null;
  return recorder.read().map(({ at, from, opcode, fin, bytes, code }) => {
    return { at_ms: Math.max(0, Math.round(at - startedAt)), from, opcode, fin, bytes, code };
  });
}

export function sessionState({ cause, client, backend }: Session): SessionState {
  if (cause !== null) return 'closing';
  return client.transport.paused || backend.transport.paused ? 'paused' : 'open';
}

function sideView(end: End, now: number): SessionSideView {
  return {
    ...trafficView(end),
    paused: end.transport.paused,
    buffered: end.other.transport.held,
    silent_ms: Math.round(now - end.relay.lastByteAt),
  };
}

/** What only grows. */
export function trafficView({
  relay,
}: End): Pick<SessionSideView, 'messages' | 'bytes' | 'largest_message' | 'pauses'> {
  const { messages, dataBytes, largestMessage } = relay.scanner;
  return { messages, bytes: dataBytes, largest_message: largestMessage, pauses: relay.gate.pauses };
}
