// Says what each limit and timeout of a route would have refused of the traffic that was seen, at its present value and
// at others. Pure: distributions and settings in, facts out. It changes nothing and hides no uncertainty.

import type { Unit } from './advised-values.ts';
import type { CapAdvice } from './cap-advice.ts';
import type { ExpiryAdvice } from './expiry-advice.ts';
import type { LogLinearHistogram, Summary } from './histogram.ts';
import { adviseHttp, type HttpAdvice, type HttpSeen } from './http-advice.ts';
import { adviseLimit, type LimitAdvice } from './limit-advice.ts';
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
  /** Null: it takes no requests without upgrade. */
  readonly http: HttpSeen | null;
}

export type Direction = 'from_client' | 'from_backend';

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
  /** Of requests without upgrade; null where it takes none. */
  readonly http: HttpAdvice | null;
}

export interface Advice {
  /** How long it has been watched. */
  readonly watched_ms: number;
  /** The caps on the whole process. */
  readonly caps: readonly CapAdvice[];
  readonly routes: readonly RouteAdvice[];
}

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
    http: input.http === null ? null : adviseHttp(input.http, watchedMs),
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
