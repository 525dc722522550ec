// Which of the eligible targets gets the next session: what a policy is given and gives. One balancer per upstream
// holds the state of its policy; it decides nothing about who is eligible.

import type { UpgradeRequest } from '../../protocol/upgrade-request.ts';

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

/** The request that a session is asked for with. */
export interface SessionRequest {
  readonly request: UpgradeRequest;
  /** '' when nobody knows. */
  readonly clientAddress: string;
}

/** Requests with the same key go to the same target; null has no place of its own. */
export type BalanceKey = string | number | null;

export interface Balancer<T extends Candidate> {
  /** For policies that go by the request; others look at targets alone, and their key is null. */
  keyOf?(asked: SessionRequest): BalanceKey;
  /** One of `targets` (always the same array) for which `eligible` holds, or null if there is none. */
  pick(targets: readonly T[], eligible: (target: T) => boolean, key: BalanceKey): T | null;
}
