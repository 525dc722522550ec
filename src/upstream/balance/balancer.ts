// Which of the eligible targets gets the next session: what a policy is given and gives. One balancer per upstream
// holds the state of its policy; it decides nothing about who is eligible.

import type { Holder } from '../../protocol/claims.ts';
import type { JudgedRequest } from '../../protocol/request-place.ts';

/** What a policy looks at. */
export interface Candidate {
  /** Unique among the targets; the same wherever framegate runs, in whatever order they were found. */
  readonly name: string;
  /** At least 1; shares are relative to the other targets. */
  readonly weight: number;
  /** Of that what counts now: less while it starts slowly. Above 0. */
  readonly weightNow: number;
  readonly sessions: number;
}

/** The targets that may be picked. Asked for as few as a policy needs: it is no set that somebody has made. */
export interface Eligible<T> {
  has(target: T): boolean;
}

/** The request that a session is asked for with. */
export interface SessionRequest {
  readonly request: JudgedRequest;
  /** '' when nobody knows. */
  readonly clientAddress: string;
  /** Who it is by the route's auth; null: nobody was asked for, or is known. */
  readonly holder: Holder | null;
}

/** Requests with the same key go to the same target; null has no place of its own. */
export type BalanceKey = string | number | null;

export interface Balancer<T extends Candidate> {
  /** For policies that go by the request; others look at targets alone, and their key is null. */
  keyOf?(asked: SessionRequest): BalanceKey;
  /** One of `targets` (always the same array, of the same weights) that is eligible, or null if there is none. */
  pick(targets: readonly T[], eligible: Eligible<T>, key: BalanceKey): T | null;
  /** What Set-Cookie says to a client that came with `key` and got `target`; null when there is nothing to say. */
  cookieFor?(target: T, key: BalanceKey, isSecure: boolean): string | null;
}
