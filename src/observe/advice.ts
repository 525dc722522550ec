// Says what each limit and timeout of a route would have refused of the traffic that was seen, at its present value and
// at others. Pure: distributions and settings in, facts out. It changes nothing and hides no uncertainty.

import { DAY_MS, nextBelow, roundUp, type Unit } from './advised-values.ts';
import type { CapAdvice } from './cap-advice.ts';
import type { ExpiryAdvice } from './expiry-advice.ts';
import type { LogLinearHistogram, Summary } from './histogram.ts';
import type { DirectionProfile, TrafficProfile } from './profile.ts';
import type { RelaxedUse } from './relax-advice.ts';

/** The limits of one direction that advice is about; the config's own type is a superset. Infinity is off. */
interface AdvisedDirection {
  readonly max_message_size: number;
  readonly max_fragments: number;
  readonly messages_per_second: number;
  readonly bytes_per_second: number;
}

/** Milliseconds; Infinity is off. */
interface AdvisedTimeouts {
  readonly connect: number;
  readonly upgrade: number;
  readonly open: number;
  readonly idle: number;
  readonly message_stall: number;
  readonly write_stall: number;
  readonly slow_reader: number;
  readonly client_ping_interval: number;
  readonly backend_ping_interval: number;
  readonly lifetime: number;
}

/** One route: what was seen, and what it may do now. */
export interface AdviceInput {
  readonly route: string;
  readonly sessionsOpen: number;
  readonly sessionsTotal: number;
  /** Addresses they came from: CLIENTS_MAX stands for that many or more. */
  readonly clients: number;
  readonly profile: TrafficProfile;
  readonly limits: { readonly from_client: AdvisedDirection; readonly from_backend: AdvisedDirection };
  readonly timeouts: AdvisedTimeouts;
  /** Times that limit has refused something since the start, by its config key: `limit_hits_total`. */
  hits(direction: Direction, key: string): number;
  /** The largest that this limit of a size or count refused; 0 when it refused nothing. */
  largestRefused(direction: Direction, key: string): number;
  /** Handshakes and sessions that this limit or timeout has ended since the start. */
  ends(key: string): number;
  readonly relaxed: readonly RelaxedUse[];
  readonly expiry: ExpiryAdvice;
}

export type Direction = 'from_client' | 'from_backend';

/** A value that the limit could have, and how much of what was seen it would have refused. */
export interface Candidate {
  readonly value: number;
  readonly refused: number;
}

/**
 * `too_few`: not enough was seen to say anything. `tight`: it refuses now, or what is normal comes close to it.
 * `loose`: far above everything seen. `fits`: neither. `off`: not in use.
 */
export type Verdict = 'too_few' | 'tight' | 'loose' | 'fits' | 'off';

export interface LimitAdvice {
  /** As in the config file: `limits.from_client.max_message_size`, `timeouts.idle`. */
  readonly key: string;
  readonly unit: Unit;
  /** What was counted: messages, busy seconds, silences, ... */
  readonly of: string;
  /** Null when it is off. */
  readonly value: number | null;
  readonly seen: number;
  /** Of what passed. */
  readonly largest: number;
  /** The largest that it refused; null when it refused nothing, and for limits that have no sizes. */
  readonly largest_refused: number | null;
  /** Times it refused since the start. */
  readonly hits: number;
  /** How much of what was seen is above the present value. */
  readonly refused: number;
  readonly candidates: readonly Candidate[];
  readonly verdict: Verdict;
  /**
   * A round value: twice the largest that passed or more, and never below what anybody may need (see FLOORS); null when
   * too little was seen. Whether what was refused ought to pass is for a person to say.
   */
  readonly suggested: number | null;
  /** The suggestion is made of less than a day. */
  readonly provisional: boolean;
}

export interface DirectionAdvice {
  readonly message_size: Summary;
  readonly messages_per_second: Summary;
  readonly bytes_per_second: Summary;
  readonly fragments: Summary;
  readonly silence_ms: Summary;
  readonly limits: readonly LimitAdvice[];
}

export interface RouteAdvice {
  readonly route: string;
  /** Checks that are switched off for it. */
  readonly relaxed: readonly RelaxedUse[];
  readonly credentials: ExpiryAdvice;
  readonly sessions_open: number;
  readonly sessions_total: number;
  /** Addresses that they came from; 100 stands for 100 or more. */
  readonly clients: number;
  readonly session_duration_ms: Summary;
  readonly from_client: DirectionAdvice;
  readonly from_backend: DirectionAdvice;
  readonly timeouts: readonly LimitAdvice[];
}

export interface Advice {
  /** How long it has been watched. */
  readonly watched_ms: number;
  /** The caps on the whole process. */
  readonly caps: readonly CapAdvice[];
  readonly routes: readonly RouteAdvice[];
}

/** Below this many observations a largest value says little. */
const SEEN_MIN = 100;
/** A limit this many times the largest value seen protects less than it could. */
const LOOSE_FACTOR = 8;
/** Timeouts are for what is rare and perhaps was not seen: up to here none is too long, none is advised below 10 s. */
const PATIENT_MS = 30_000;
/** What was seen so far cannot show that nobody needs this much. */
const FLOORS = { bytes: 1024, ms: 10_000, count: 1, idle: 60_000, fragments: 16 } as const;
/** The largest value seen is this share of the limit, or more: growth will hit it soon. */
const TIGHT_SHARE = 0.8;
/** Room that a suggestion leaves above the largest value seen. */
const ROOM = 2;
const CANDIDATES_BELOW = 2;
const CANDIDATES_MAX = 5;

export function advise(inputs: Iterable<AdviceInput>, watchedMs: number, caps: readonly CapAdvice[] = []): Advice {
  const routes = Array.from(inputs, (input) => adviseRoute(input, watchedMs));
  return { watched_ms: Math.round(watchedMs), caps, routes };
}

export function adviseRoute(input: AdviceInput, watchedMs: number): RouteAdvice {
  const { profile } = input;
  return {
    route: input.route,
    relaxed: input.relaxed,
    credentials: input.expiry,
    sessions_open: input.sessionsOpen,
    sessions_total: input.sessionsTotal,
    clients: input.clients,
    session_duration_ms: profile.duration.summary(),
    from_client: adviseDirection(input, 'from_client', profile.fromClient, watchedMs),
    from_backend: adviseDirection(input, 'from_backend', profile.fromBackend, watchedMs),
    timeouts: adviseTimeouts(input, watchedMs),
  };
}

function adviseDirection(
  input: AdviceInput,
  direction: Direction,
  profile: DirectionProfile,
  watchedMs: number,
): DirectionAdvice {
  const own = input.limits[direction];
  const limit = (key: keyof AdvisedDirection, unit: Unit, of: string, seen: LogLinearHistogram): LimitAdvice =>
    adviseLimit({
      key: `limits.${direction}.${key}`,
      unit,
      of,
      value: own[key],
      histogram: seen,
      hits: input.hits(direction, key),
      // What a rate refused has no size.
      largestRefused: key.endsWith('_per_second') ? 0 : input.largestRefused(direction, key),
      watchedMs,
    });
  return {
    message_size: profile.messageSize.summary(),
    messages_per_second: profile.messagesPerSecond.summary(),
    bytes_per_second: profile.bytesPerSecond.summary(),
    fragments: profile.fragments.summary(),
    silence_ms: profile.silence.summary(),
    limits: [
      limit('max_message_size', 'bytes', 'messages', profile.messageSize),
      limit('max_fragments', 'count', 'messages', profile.fragments),
      // A bucket of twice the rate lets a session exceed the rate for a moment: seconds above the rate are the most
      // that could have been refused, and no second at or below it ever is.
      limit('messages_per_second', 'count', 'busy seconds', profile.messagesPerSecond),
      limit('bytes_per_second', 'bytes', 'busy seconds', profile.bytesPerSecond),
    ],
  };
}

function adviseTimeouts(input: AdviceInput, watchedMs: number): LimitAdvice[] {
  const { profile, timeouts } = input;
  const { fromClient, fromBackend } = profile;
  const timeout = (key: keyof AdvisedTimeouts, of: string, histogram: LogLinearHistogram, hits = input.ends(key)) =>
    adviseLimit({
      key: `timeouts.${key}`,
      unit: 'ms',
      of,
      value: timeouts[key],
      histogram,
      hits,
      largestRefused: 0,
      watchedMs,
    });
  return [
    timeout('connect', 'dials', profile.connect),
    timeout('upgrade', 'upgrades', profile.upgrade),
    timeout('open', 'handshakes', profile.open),
    timeout('idle', 'silences of both sides', profile.quiet),
    timeout('message_stall', 'pauses inside messages', larger(fromClient.stall, fromBackend.stall)),
    timeout('write_stall', 'waits for a write', larger(fromClient.writeStall, fromBackend.writeStall)),
    timeout('slow_reader', 'waits of data', larger(fromClient.backlog, fromBackend.backlog)),
    // A ping that is sent harms nobody: these two tell how many there would be.
    timeout('client_ping_interval', 'silences of the client', fromClient.silence, 0),
    timeout('backend_ping_interval', 'silences of the backend', fromBackend.silence, 0),
    timeout('lifetime', 'sessions', profile.duration),
  ];
}

/** One setting holds for both directions: it is judged by the one that comes closer to it. */
function larger(a: LogLinearHistogram, b: LogLinearHistogram): LogLinearHistogram {
  return b.max > a.max ? b : a;
}

interface Question {
  readonly key: string;
  readonly unit: Unit;
  readonly of: string;
  readonly value: number;
  readonly histogram: LogLinearHistogram;
  readonly hits: number;
  readonly largestRefused: number;
  readonly watchedMs: number;
}

function adviseLimit(question: Question): LimitAdvice {
  const { key, unit, of, value, histogram, hits, largestRefused } = question;
  const { count, max } = histogram;
  const refused = histogram.countAbove(value);
  const values = candidateValues(unit, histogram, value);
  const suggested = count < SEEN_MIN || max === 0 ? null : suggestionFor(key, unit, max);
  return {
    key,
    unit,
    of,
    value: value === Number.POSITIVE_INFINITY ? null : value,
    seen: count,
    largest: max,
    largest_refused: largestRefused === 0 ? null : largestRefused,
    hits,
    refused,
    candidates: values.map((candidate) => ({ value: candidate, refused: histogram.countAbove(candidate) })),
    verdict: verdictOf({ ...question, hits: hits + refused }),
    suggested,
    provisional: suggested !== null && question.watchedMs < DAY_MS,
  };
}

/** `hits` are refusals of any kind, those of the present value among what was seen included. */
function verdictOf({ key, unit, value, histogram: { count, max }, hits }: Question): Verdict {
  if (value === Number.POSITIVE_INFINITY) return 'off';
  // An interval of pings is no limit: silences above it are what it is for.
  if (key.endsWith('_ping_interval')) return count < SEEN_MIN ? 'too_few' : 'fits';
  if (hits > 0) return 'tight';
  if (count < SEEN_MIN) return 'too_few';
  if (max >= value * TIGHT_SHARE) return 'tight';
  const isPatient = unit === 'ms' && value <= PATIENT_MS;
  return max * LOOSE_FACTOR <= value && !isPatient ? 'loose' : 'fits';
}

function suggestionFor(key: string, unit: Unit, max: number): number {
  return Math.max(floorOf(key, unit), roundUp(unit, max * ROOM));
}

function floorOf(key: string, unit: Unit): number {
  if (key === 'timeouts.idle') return FLOORS.idle;
  return key.endsWith('.max_fragments') ? FLOORS.fragments : FLOORS[unit];
}

/** Round values around what was seen: some that would refuse, the first that would not, and one with room. */
function candidateValues(unit: Unit, { count, max }: LogLinearHistogram, present: number): number[] {
  if (count === 0 || max === 0) return [];
  const enough = roundUp(unit, max);
  const values = [enough];
  let below = enough;
  for (let step = 0; step < CANDIDATES_BELOW; step += 1) {
    below = nextBelow(unit, below);
    if (below >= 1) values.unshift(below);
  }
  values.push(roundUp(unit, max * ROOM));
  const distinct = [...new Set(values)].filter((value) => value !== present);
  return distinct.slice(0, CANDIDATES_MAX);
}
