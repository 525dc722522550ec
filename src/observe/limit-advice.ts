// Says what one limit would have refused of what was seen, at its present value and at round ones around it. Pure, as
// advice.ts is, which knows what there is to ask about.

import { DAY_MS, nextBelow, roundUp, type Unit } from './advised-values.ts';
import type { LogLinearHistogram } from './histogram.ts';

/** A value that the limit could have, and how much of what was seen or refused it would have refused, at most. */
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
   * too little was seen, or when it would refuse what was refused: whether that ought to pass is for a person to say.
   */
  readonly suggested: number | null;
  /** The suggestion is made of less than a day. */
  readonly provisional: boolean;
}

/** Below this many observations a largest value says little. */
const SEEN_MIN = 100;
/** A limit this many times the largest value seen protects less than it could. */
const LOOSE_FACTOR = 8;
/** Timeouts are for what is rare and perhaps was not seen: up to here none is too long, none is advised below 10 s. */
const PATIENT_MS = 30_000;
/** What was seen so far cannot show that nobody needs this much. */
const FLOORS = { bytes: 1024, ms: 10_000, count: 1, idle: 60_000, fragments: 16 } as const;
/** Uploads and reports are rarer than what is mostly asked for. */
const HTTP_FLOORS: Readonly<Record<string, number>> = {
  'limits.max_body_size': 1024 ** 2,
  'timeouts.response': 30_000,
};
/** The largest value seen is this share of the limit, or more: growth will hit it soon. */
const TIGHT_SHARE = 0.8;
/** Room that a suggestion leaves above the largest value seen. */
const ROOM = 2;
const CANDIDATES_BELOW = 2;
const CANDIDATES_MAX = 5;

/** What is asked of one limit. */
export interface Question {
  readonly key: string;
  readonly unit: Unit;
  readonly of: string;
  readonly value: number;
  readonly histogram: LogLinearHistogram;
  readonly hits: number;
  readonly largestRefused: number;
  readonly watchedMs: number;
}

export function adviseLimit(question: Question): LimitAdvice {
  const { key, unit, of, value, histogram, hits, largestRefused } = question;
  const { count, max } = histogram;
  const refused = histogram.countAbove(value);
  const values = candidateValues(unit, histogram, value, largestRefused);
  const suggested = count < SEEN_MIN || max === 0 ? null : suggestionFor(key, unit, max);
  const isEnough = suggested !== null && suggested >= largestRefused;
  /** What was refused is not among what was seen; which sizes it had below the largest is not known. */
  const again = (candidate: number) => (candidate < largestRefused ? hits : 0);
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
    candidates: values.map((candidate) => ({
      value: candidate,
      refused: histogram.countAbove(candidate) + again(candidate),
    })),
    verdict: verdictOf({ ...question, hits: hits + refused }),
    suggested: isEnough ? suggested : null,
    provisional: isEnough && suggested !== null && question.watchedMs < DAY_MS,
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
  const own = HTTP_FLOORS[key];
  if (own !== undefined) return own;
  return key.endsWith('.max_fragments') ? FLOORS.fragments : FLOORS[unit];
}

/**
 * Round values around what was seen: some that would refuse, the first that would not, and one with room; and the first
 * that lets through the largest that was refused.
 */
function candidateValues(
  unit: Unit,
  { count, max }: LogLinearHistogram,
  present: number,
  largestRefused: number,
): number[] {
  if (count === 0 || max === 0) return [];
  const enough = roundUp(unit, max);
  const values = [enough];
  let below = enough;
  for (let step = 0; step < CANDIDATES_BELOW; step += 1) {
    below = nextBelow(unit, below);
    if (below >= 1) values.unshift(below);
  }
  values.push(roundUp(unit, max * ROOM));
  if (largestRefused > max) values.push(roundUp(unit, largestRefused));
  const distinct = [...new Set(values)].filter((value) => value !== present).sort((a, b) => a - b);
  return distinct.slice(0, CANDIDATES_MAX);
}
