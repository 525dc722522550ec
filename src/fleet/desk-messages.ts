// What workers ask of the desk of the primary, which counts for all of them, and what it answers. Types only.
// A seat is what a handshake takes of limits, a hold its slot and its target: numbers that a worker gives, from one
// counter. `cid` is a client's connection, as the primary calls it.

import type { Barred } from '../edge/quotas.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { NoRoom } from '../upstream/room.ts';
import type { TargetWatch } from '../upstream/target-watch.ts';

type RefusalWithCause = Refusal & { readonly cause: string };

export interface TurnAsk {
  readonly upstream: string;
  readonly route: string;
  /** Whose queue it stands in. */
  readonly clientKey: string;
  /** What the target is hashed by. */
  readonly balanceKey: string;
  /** Of `timeouts.open`. */
  readonly openMs: number;
}

export interface ChooseAsk {
  readonly upstream: string;
  readonly balanceKey: string;
  /** Names of targets. */
  readonly tried: readonly string[];
  readonly isRetry: boolean;
}

/** A call of a method of `TargetWatch`. */
export type WatchCall = {
  [Method in keyof TargetWatch]-?: Required<TargetWatch>[Method] extends (...values: infer Values) => void
    ? readonly [hold: number, method: Method, ...values: Values]
    : never;
}[keyof TargetWatch];

export type DeskAsk =
  /** `cid`: 0 when its connection counts under no address. Answered by `seat` or `barred`. */
  | readonly ['enter', seat: number, cid: number, client: string, route: string]
  /** Answered by `identified` or `barred`. `quota`: as the grant has it. */
  | readonly ['identity', seat: number, auth: string, identity: string, quota: unknown]
  /** Answered by `parked`, any number of times, then by `go` or `barred`. */
  | readonly ['turn', seat: number, hold: number, ask: TurnAsk]
  /** A request without upgrade. Answered by `admitted` or `barred`. */
  | readonly ['request', id: number, client: string]
  /** Answered by `chosen` or `none`. */
  | readonly ['choose', hold: number, ask: ChooseAsk]
  /** The handshake has become a session. */
  | readonly ['session', seat: number, hold: number]
  /** There is a cause for its end. */
  | readonly ['ending', seat: number, hold: number]
  /** All of it is given back, also what is granted only after this. 0: there is none. */
  | readonly ['leave', seat: number, hold: number]
  /** A request without upgrade goes on, and has its answer. */
  | readonly ['request_begun', hold: number]
  | readonly ['left', hold: number]
  | readonly ['dial', hold: number, upstream: string, target: string, ok: boolean]
  | readonly ['watch', ...call: WatchCall];

interface ToldTarget {
  readonly name: string;
  readonly url: string;
  /** Where it is dialed, as the target has it. */
  readonly endpoint: unknown;
  readonly weight: number;
  readonly backup: boolean;
  readonly source: string;
  readonly draining: boolean;
  readonly gone: boolean;
  readonly keepsSessions: boolean;
}

export type DeskAnswer =
  | readonly ['seat', seat: number]
  | readonly ['barred', id: number, barred: Barred | RefusalWithCause]
  | readonly ['identified', seat: number]
  | readonly ['admitted', id: number]
  | readonly ['parked', seat: number]
  | readonly ['go', seat: number, hold: number, target: string, trial: number]
  | readonly ['chosen', hold: number, target: string, trial: number]
  | readonly ['none', hold: number, why: 'full' | 'over_budget' | 'none', room: NoRoom | null]
  /** All targets that an upstream has. */
  | readonly ['targets', upstream: string, targets: readonly ToldTarget[]]
  /** Sessions on it end, by `drain` of its upstream. */
  | readonly ['close_on', upstream: string, target: string, cause: string]
  /** The youngest sessions on it may go elsewhere: up to `count`. */
  | readonly ['youngest', upstream: string, target: string, count: number];
