// Every timeout of a session as a row: when it is due, and what follows. What fires and what the timer is set to next
// both grow from these rows. It has no clock; `now` is passed in.

import type { EndCause } from '../protocol/end-causes.ts';
import type { End } from './end.ts';
import type { SessionPolicy } from './policy.ts';
import type { SessionTerm } from './term.ts';

/** How long a ping that is due waits for a frame boundary before it is tried again. */
const PING_RETRY_MS = 100;
const NEVER = Number.POSITIVE_INFINITY;

/** The session, as far as its deadlines know it. */
export interface TimedSession {
  readonly policy: SessionPolicy;
  readonly client: End;
  readonly backend: End;
  /** Why it ends; null while it lives. */
  readonly cause: EndCause | null;
  readonly lifetimeAt: number;
  /** When the side at fault gets its Close, though the other has not answered. */
  readonly graceAt: number;
  /** Of its credential; null: it has none. */
  readonly term: SessionTerm | null;
  /** Nobody is at fault: the client is told first. */
  end(cause: EndCause, options?: { readonly limit: string }): void;
  /** `culprit` is at fault, and can be told so behind the last answers of the other side. */
  blame(culprit: End, cause: EndCause, limit: string, now: number): void;
  /** `end` is not to be waited for any more: it is cut off. */
  drop(end: End, cause: EndCause, limit: string, now: number): void;
  /** Both are told at once; `end` is cut off within a frame. */
  dismiss(end: End, cause: EndCause, limit: string, now: number): void;
  /** What the close handshake with `end` awaits has not come. */
  giveUp(end: End, now: number): void;
  /** Last answers have had their time. */
  endGrace(now: number): void;
}

interface DeadlineRow<Subject extends readonly unknown[]> {
  /** Also while the session ends. */
  readonly whileEnding: boolean;
  /** Infinity: there is nothing to wait for. */
  at(session: TimedSession, ...subject: Subject): number;
  act(session: TimedSession, now: number, ...subject: Subject): void;
  /** When to look again, if that is not `at`. */
  next?(session: TimedSession, now: number, ...subject: Subject): number;
  /**
   * It is not armed when it begins, which would cost every read. It is enough to look once in this time: what begins
   * after a look cannot be due before the next.
   */
  everyMs?(policy: SessionPolicy): number;
}

type EndRow = DeadlineRow<readonly [End]>;
type SessionRow = DeadlineRow<readonly []>;

const CLOSE: EndRow = {
  whileEnding: true,
  at: (_, end) => end.closeDueAt,
  act: (session, now, end) => session.giveUp(end, now),
};

const WRITE_STALL: EndRow = {
  whileEnding: true,
  at: ({ policy }, { backlog }) => backlog.stallAt(policy.writeStallMs),
  act: (session, now, end) => session.drop(end, `${end.side}_stalled`, 'write_stall', now),
  everyMs: ({ writeStallMs }) => writeStallMs,
};

const SLOW_READER: EndRow = {
  whileEnding: false,
  at: ({ policy }, { backlog }) => backlog.slowAt(policy.slowReaderMs),
  act: (session, now, end) => session.dismiss(end, `${end.side}_slow`, 'slow_reader', now),
  everyMs: ({ slowReaderMs }) => slowReaderMs,
};

const MESSAGE_STALL: EndRow = {
  whileEnding: false,
  at: ({ policy }, { relay, transport }) =>
    !relay.isMidMessage || transport.paused ? NEVER : relay.messageAt + policy.messageStallMs,
  act: (session, now, end) => session.blame(end, `${end.side}_message_stall`, 'message_stall', now),
  everyMs: ({ messageStallMs }) => messageStallMs,
};

/** What was sent too fast is paid for. */
const DEBT: EndRow = {
  whileEnding: true,
  at: (_, { relay }) => (relay.gate.heldUntil > 0 ? relay.gate.heldUntil : NEVER),
  act: (_, now, { relay }) => relay.gate.open(now),
};

/** Whenever the timer fires: what is reckoned now and then, and before a ping. */
const LOOK: EndRow = {
  whileEnding: false,
  at: () => 0,
  act: (_, now, { liveness, relay, other }) => liveness.look(relay.lastByteAt, other.relay.scanner.dataBytes, now),
  next: () => NEVER,
};

/** The silence after a ping is too long. */
const PONG: EndRow = {
  whileEnding: false,
  at: ({ policy }, { liveness, transport }) => (transport.paused ? NEVER : liveness.deadline(policy.pongMs)),
  act: (session, now, end) => session.drop(end, `${end.side}_pong_timeout`, 'pong', now),
};

/** It has been silent for so long that it is pinged. */
const PING: EndRow = {
  whileEnding: false,
  at: (_, { liveness, relay, transport }) =>
    transport.paused || liveness.silentSince < NEVER ? NEVER : relay.lastByteAt + relay.policy.pingIntervalMs,
  act: (_, now, end) => end.ping(now),
  next(session, now, end) {
    // An answer wakes nobody; one that comes after this look makes no ping due before the next.
    if (end.liveness.silentSince < NEVER) return now + end.relay.policy.pingIntervalMs;
    // A ping that could not go out yet is tried again soon.
    return Math.max(PING.at(session, end), now + PING_RETRY_MS);
  },
};

const IDLE: SessionRow = {
  whileEnding: false,
  at({ client, backend, policy }) {
    // What is not read for its rate cannot show that it is there; unless nothing else bounds how long it is not read.
    const isHeld = client.relay.gate.heldUntil > 0 || backend.relay.gate.heldUntil > 0;
    if (isHeld && policy.writeStallMs < NEVER) return NEVER;
    return Math.max(client.relay.lastByteAt, backend.relay.lastByteAt) + policy.idleMs;
  },
  act: (session) => session.end('idle', { limit: 'idle' }),
};

const LIFETIME: SessionRow = {
  whileEnding: false,
  at: ({ lifetimeAt }) => lifetimeAt,
  act: (session) => session.end('lifetime', { limit: 'lifetime' }),
};

const CREDENTIAL: SessionRow = {
  whileEnding: false,
  at: ({ term }) => term?.lookAt ?? NEVER,
  act(session, now) {
    if (session.term?.hasEnded(now) === true) session.end('credential_expired');
  },
};

const GRACE: SessionRow = {
  whileEnding: true,
  at: ({ graceAt }) => graceAt,
  act: (session, now) => session.endGrace(now),
};

/** In this order: all rows of a group for the client, then for the backend. None is for an end that is gone. */
const END_GROUPS: readonly (readonly EndRow[])[] = [
  [CLOSE],
  [WRITE_STALL, SLOW_READER, MESSAGE_STALL],
  [DEBT, LOOK, PONG, PING],
];
const END_ROWS = END_GROUPS.flat();
const SESSION_ROWS: readonly SessionRow[] = [CREDENTIAL, IDLE, LIFETIME, GRACE];

/** Do what is due. */
export function fireDue(session: TimedSession, now: number): void {
  for (const rows of END_GROUPS) {
    for (const row of rows) fireFor(session, session.client, row, now);
    for (const row of rows) fireFor(session, session.backend, row, now);
  }
  for (const row of SESSION_ROWS) {
    if (isInForce(session, row) && now >= row.at(session)) row.act(session, now);
  }
}

function fireFor(session: TimedSession, end: End, row: EndRow, now: number): void {
  if (!end.isGone && isInForce(session, row) && now >= row.at(session, end)) row.act(session, now, end);
}

/** When to look next. */
export function nextLook(session: TimedSession, now: number): number {
  const { client, backend, policy } = session;
  let at = NEVER;
  for (const row of END_ROWS) {
    if (row.everyMs !== undefined) at = Math.min(at, now + row.everyMs(policy));
    at = Math.min(at, nextFor(session, client, row, now), nextFor(session, backend, row, now));
  }
  for (const row of SESSION_ROWS) {
    if (isInForce(session, row)) at = Math.min(at, row.at(session));
  }
  return at;
}

function nextFor(session: TimedSession, end: End, row: EndRow, now: number): number {
  if (end.isGone || !isInForce(session, row)) return NEVER;
  return row.next === undefined ? row.at(session, end) : row.next(session, now, end);
}

function isInForce({ cause }: TimedSession, { whileEnding }: { readonly whileEnding: boolean }): boolean {
  return whileEnding || cause === null;
}

/** When the silence of `end` asks for something, as of now: to be armed whenever it begins to count. */
export function silenceAt(session: TimedSession, end: End): number {
  return Math.min(PONG.at(session, end), PING.at(session, end));
}
