// What workers ask of the desk of the primary, which counts for all of them, and what it answers. Types only.
// An id is a number that the worker gives: of a holder (a seat, or the hold of a request without upgrade), or of a
// question (`ask`), from one counter. `cid` is a client's connection, as the primary calls it.

import type { QuotaConfig, TargetConfig } from '../config/types.ts';
import type { SeenFailure } from '../edge/auth/failures.ts';
import type { NonceOf } from '../edge/auth/method.ts';
import type { Refusal } from '../protocol/refusals.ts';
import type { BalanceKey } from '../upstream/balance/balancer.ts';
import type { NotChosen } from '../upstream/choose-target.ts';
import type { NoRoom } from '../upstream/room.ts';
import type { TargetWatch } from '../upstream/target-watch.ts';

/** Who comes, and where to. `cid` 0: its connection counts nowhere. */
export type Entry = readonly [cid: number, client: string, route: string];

export type AskedIdentity = readonly [auth: string, identity: string, quota: QuotaConfig | null];

/** Methods of `TargetWatch` whose calls are told. */
export type WatchMethod = Exclude<keyof TargetWatch, 'failures' | 'sessionBegan' | 'left'>;

export type DeskAsk =
  /** Answered by `ok` or `barred`; then there is nothing under that id. */
  | readonly ['enter', ask: number, id: number, entry: Entry]
  /** Answered by `ok` or `barred`; the seat stays. */
  | readonly ['identity', ask: number, id: number, one: AskedIdentity]
  /**
   * What was not asked before comes with it. Answered by `parked`, any number of times, then by `go`, or by `barred`:
   * then there is nothing under that id any more. A seat has one turn: a later one takes the place of the one before.
   */
  | readonly ['turn', ask: number, id: number, turn: Turn, entry: Entry | null, one: AskedIdentity | null]
  /** It waits for that no more, or has what it waited for no more. */
  | readonly ['unturn', id: number]
  /** A request without upgrade. Answered by `ok` or `barred`. */
  | readonly ['rate', ask: number, client: string]
  /** Answered by `taken`. */
  | readonly ['once', ask: number, nonce: NonceOf]
  /** The next try of a seat, or a try of the request that comes to be known by `id`. Answered by `go` or `none`. */
  | readonly ['choose', ask: number, id: number, choice: Choice]
  | readonly ['session', id: number]
  | readonly ['request', id: number]
  /** There is a cause for the end of that session. */
  | readonly ['ending', id: number]
  /** All of it is given back, and what is asked for it is granted no more. */
  | readonly ['leave', id: number]
  /** A bad credential, or who is known: for all others. */
  | readonly ['seen', seen: SeenFailure]
  | readonly ['watch', upstream: string, target: string, method: WatchMethod, ...values: unknown[]];

/** `openMs`: `timeouts.open` of its route. Tuples: names of members would cost more than what they name. */
export type Turn = readonly [upstream: string, key: BalanceKey, openMs: number];

/** `tried`: names of targets. */
export type Choice = readonly [upstream: string, key: BalanceKey, tried: readonly string[], isRetry: boolean];

/** What comes of what was asked. */
export type Answer =
  | readonly ['ok', ask: number]
  /** `limit`: the config key that did it. */
  | readonly ['barred', ask: number, refusal: Refusal, limit: string | null]
  | readonly ['taken', ask: number, what: 'new' | 'seen' | 'full']
  | readonly ['parked', ask: number, room: NoRoom]
  /** `trial`: the number of the trial of its target that it is, 0 for none. */
  | readonly ['go', ask: number, target: string, trial: number]
  | readonly ['none', ask: number, answer: NotChosen, room: NoRoom];

export type DeskNews =
  /** What sources have found for an upstream, besides what its config lists. */
  | readonly ['found', upstream: string, targets: readonly FoundTarget[]]
  /** Of one target: another state than was told last. */
  | readonly ['state', upstream: string, target: string, state: ToldState]
  /** Checks took it down. */
  | readonly ['down', upstream: string, target: string]
  /** The session of that seat is to go where it is better off. */
  | readonly ['move', id: number]
  /** By another worker. */
  | readonly ['seen', seen: SeenFailure];

export type DeskAnswer = Answer | DeskNews;

/** It has no cap of its own: that is counted where targets are chosen. */
export type FoundTarget = Omit<TargetConfig, 'max_sessions'> & { readonly source: string };

/** As far as it matters to the sessions of a target, or to what is told of it. */
export interface ToldState {
  readonly draining: boolean;
  readonly down: boolean;
  /** The last dial has failed: one that succeeds is news. */
  readonly failing: boolean;
}

export const DESK_ASKS = [
  'enter',
  'identity',
  'turn',
  'unturn',
  'rate',
  'once',
  'choose',
  'session',
  'request',
  'ending',
  'leave',
  'seen',
  'watch',
] as const satisfies readonly DeskAsk[0][];

export const DESK_ANSWERS = [
  'ok',
  'barred',
  'taken',
  'parked',
  'go',
  'none',
  'found',
  'state',
  'down',
  'move',
  'seen',
] as const satisfies readonly DeskAnswer[0][];
