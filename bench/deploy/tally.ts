// The arithmetic of a deploy: what was lost of numbered messages, how many came back in one second, what each connect
// came to. Pure.

import { NO_CLOSE } from './server-frames.ts';

/** One session of one client, as the client saw it. */
export interface SessionRecord {
  readonly client: number;
  /** The how manyth of this client, from 0. */
  readonly session: number;
  readonly sent: number;
  readonly echoed: number;
  /** As a browser would tell it; null for one that the bench itself ended. */
  readonly code: number | null;
}

/** How many messages of a session its backend has got. */
export interface ReceivedRecord {
  readonly client: number;
  readonly session: number;
  readonly received: number;
}

export interface Losses {
  readonly sent: number;
  /** Sent by a client, and never at the backend. */
  readonly toBackend: number;
  /** Sent back by the backend, and never at the client. */
  readonly toClient: number;
}

/** Throws where a client has got more than was sent to it, or a backend more than there was. */
export function lossesOf(sessions: readonly SessionRecord[], received: readonly ReceivedRecord[]): Losses {
  const keyOf = (one: { client: number; session: number }) => `${one.client}/${one.session}`;
  const arrived = new Map(received.map((one) => [keyOf(one), one.received]));
  let [sent, toBackend, toClient] = [0, 0, 0];
  for (const one of sessions) {
    const count = arrived.get(keyOf(one)) ?? 0;
    if (count > one.sent || one.echoed > count) {
      throw new Error(`session ${keyOf(one)}: ${one.sent} sent, ${count} at the backend, ${one.echoed} back`);
    }
    sent += one.sent;
    toBackend += one.sent - count;
    toClient += count - one.echoed;
  }
  return { sent, toBackend, toClient };
}

/** The most of `times` that lie within one second of any. They need no order. */
export function peakPerSecond(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  let [from, most] = [0, 0];
  for (const [to, time] of sorted.entries()) {
    while (time - (sorted[from] ?? time) >= 1_000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

export interface Endings {
  readonly ended: number;
  /** Without a Close. */
  readonly abnormal: number;
  /** How many with each code, the most frequent first. */
  readonly codes: readonly (readonly [code: number, count: number])[];
}

export function endingsOf(sessions: readonly SessionRecord[]): Endings {
  const counts = new Map<number, number>();
  for (const { code } of sessions) if (code !== null) counts.set(code, (counts.get(code) ?? 0) + 1);
  const codes = [...counts].sort((a, b) => b[1] - a[1]);
  return { ended: codes.reduce((sum, [, count]) => sum + count, 0), abnormal: counts.get(NO_CLOSE) ?? 0, codes };
}

/** What a try to open a session came to. */
export const CONNECT_OUTCOMES = ['opened', 'refused', 'reset', 'answered', 'late'] as const;
export type ConnectOutcome = (typeof CONNECT_OUTCOMES)[number];
export type Connects = Record<ConnectOutcome, number>;

export function noConnects(): Connects {
  return { opened: 0, refused: 0, reset: 0, answered: 0, late: 0 };
}

/** Of a connection that was not made: refused, ended by the other side, or not there in time. */
export function connectFault(error: unknown): ConnectOutcome {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ECONNREFUSED') return 'refused';
  return code === null ? 'late' : 'reset';
}
