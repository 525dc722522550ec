// Why a session can end, and what each side is told then: one row per cause. The names are the `reason` of the log
// and the keys of `close_codes`. It decides nothing; session/ does.

import { CloseCode } from './close-codes.ts';

export type Side = 'client' | 'backend';

/** A Close that framegate sends: code and reason text. */
export interface CloseNotice {
  readonly code: number;
  readonly text: string;
}

export interface EndCauseRow {
  /** Who caused it; null when it was framegate or its operator. */
  readonly by: Side | null;
  /** What that side is told: null when it is only cut off, or gone. */
  readonly client: CloseNotice | null;
  readonly backend: CloseNotice | null;
}

const notice = (code: number, text: string): CloseNotice => ({ code, text });

/** The backend's default word when the other side, or nobody, is to blame: we go away (RFC 6455 7.4.1). */
const leave = (text: string): CloseNotice => notice(CloseCode.GoingAway, text);

/** An end that the client's bytes caused; its own code comes first. */
const byClient = (code: number, text: string, textForBackend = text): EndCauseRow => ({
  by: 'client',
  client: notice(code, text),
  backend: leave(textForBackend),
});

/** An end that the backend's bytes caused: 1011 tells the client that it is not to blame. */
const byBackend = (code: number, text: string, textForClient = text): EndCauseRow => ({
  by: 'backend',
  client: notice(CloseCode.InternalError, textForClient),
  backend: notice(code, text),
});

const byNobody = (code: number, text: string): EndCauseRow => ({
  by: null,
  client: notice(code, text),
  backend: leave(text),
});

/** 1012 because clients reconnect on it; 1011 makes some give up, 1001 looks like an orderly end to others. */
const BACKEND_LOST = notice(CloseCode.ServiceRestart, 'backend lost');
const CLIENT_LOST = leave('client lost');

export const END_CAUSES = {
  // The peers' own Close is relayed as it is; the notices here serve when the other side never answers it.
  client_close: { by: 'client', client: BACKEND_LOST, backend: CLIENT_LOST },
  backend_close: { by: 'backend', client: BACKEND_LOST, backend: CLIENT_LOST },
  client_lost: { by: 'client', client: null, backend: CLIENT_LOST },
  backend_lost: { by: 'backend', client: BACKEND_LOST, backend: null },
  client_protocol_error: byClient(CloseCode.ProtocolError, 'protocol error', 'client protocol error'),
  backend_protocol_error: byBackend(CloseCode.ProtocolError, 'protocol error', 'upstream protocol error'),
  client_message_too_big: byClient(CloseCode.MessageTooBig, 'max_message_size'),
  backend_message_too_big: byBackend(CloseCode.MessageTooBig, 'max_message_size'),
  client_too_many_fragments: byClient(CloseCode.PolicyViolation, 'max_fragments'),
  backend_too_many_fragments: byBackend(CloseCode.PolicyViolation, 'max_fragments'),
  client_invalid_utf8: byClient(CloseCode.InvalidPayload, 'not UTF-8', 'client protocol error'),
  backend_invalid_utf8: byBackend(CloseCode.InvalidPayload, 'not UTF-8', 'upstream protocol error'),
  // Which of the rates it was stands in the text that the session gives instead.
  client_rate: byClient(CloseCode.PolicyViolation, 'rate limit'),
  backend_rate: byBackend(CloseCode.PolicyViolation, 'rate limit'),
  client_message_stall: byClient(CloseCode.PolicyViolation, 'message_stall'),
  backend_message_stall: byBackend(CloseCode.PolicyViolation, 'message_stall'),
  client_stalled: { by: 'client', client: null, backend: leave('write_stall') },
  backend_stalled: { by: 'backend', client: notice(CloseCode.ServiceRestart, 'write_stall'), backend: null },
  // Told at a frame boundary only: a slow peer in the middle of a frame is cut off.
  client_slow: { by: 'client', client: notice(CloseCode.TryAgainLater, 'slow_reader'), backend: leave('slow_reader') },
  backend_slow: {
    by: 'backend',
    client: notice(CloseCode.ServiceRestart, 'slow_reader'),
    backend: leave('slow_reader'),
  },
  client_pong_timeout: { by: 'client', client: null, backend: leave('pong') },
  backend_pong_timeout: { by: 'backend', client: notice(CloseCode.ServiceRestart, 'pong'), backend: null },
  overload: {
    by: null,
    client: notice(CloseCode.TryAgainLater, 'max_buffered_total'),
    backend: leave('max_buffered_total'),
  },
  idle: byNobody(CloseCode.GoingAway, 'idle timeout'),
  drain: byNobody(CloseCode.ServiceRestart, 'server restart'),
  lifetime: byNobody(CloseCode.ServiceRestart, 'session lifetime'),
  route_removed: byNobody(CloseCode.ServiceRestart, 'route removed'),
  target_removed: byNobody(CloseCode.ServiceRestart, 'target removed'),
  target_drain: byNobody(CloseCode.ServiceRestart, 'target drain'),
  rebalance: byNobody(CloseCode.ServiceRestart, 'rebalance'),
  credential_expired: byNobody(CloseCode.Unauthorized, 'credential expired'),
  credential_revoked: byNobody(CloseCode.Forbidden, 'credential revoked'),
  // Code and text are what the operator asks for, where they are given.
  admin: byNobody(CloseCode.PolicyViolation, 'closed by the operator'),
  internal_error: {
    by: null,
    client: notice(CloseCode.InternalError, 'internal error'),
    backend: notice(CloseCode.InternalError, 'internal error'),
  },
  forced: { by: null, client: null, backend: null },
} as const satisfies Record<string, EndCauseRow>;

export type EndCause = keyof typeof END_CAUSES;

/** The causes whose code towards the client a config may choose: those where framegate says a Close of its own. */
export const MAPPABLE_CAUSES: readonly EndCause[] = (Object.keys(END_CAUSES) as EndCause[]).filter(
  (cause) => END_CAUSES[cause].client !== null && cause !== 'client_close' && cause !== 'backend_close',
);
