// What the page is told as JSON: figures of each second, those of the last hour, and what the stream of events says.
// Types only, for the listener, which writes them, and for the page, which reads them.

export type { Advice } from '../observe/advice.ts';
export type { LimitAdvice } from '../observe/limit-advice.ts';

import type { ProxyState, StatusView, UpstreamView } from './subject.ts';

/**
 * Figures that are told for each step of time. `_per_s`: events in the step, a second. The others are what they were at
 * the end of the step; `loop_lag_ms` is the longest in it, and `ping_rtt_ms` the mean of the pongs in it.
 */
export type Figure =
  | 'sessions'
  | 'opened_per_s'
  | 'ended_per_s'
  | 'refused_per_s'
  | 'http_requests_per_s'
  | 'messages_from_client_per_s'
  | 'messages_from_backend_per_s'
  | 'bytes_from_client_per_s'
  | 'bytes_from_backend_per_s'
  | 'limit_hits_per_s'
  | 'paused'
  | 'buffered_bytes'
  | 'ping_rtt_ms'
  | 'memory_bytes'
  | 'loop_lag_ms'
  | 'cpu_share';

/** Null: nothing to tell, such as a time of pings where there were none. */
export type Figures = Readonly<Record<Figure, number | null>>;

/** A span of time in steps of one length, the oldest first. */
export interface HistorySpan {
  readonly step_ms: number;
  /** End of the last step, in milliseconds since 1970; the ends of those before it are `step_ms` apart. */
  readonly until: number;
  /** All of one length: as many steps as have passed since the start, 600 of a second or 360 of ten at most. */
  readonly figures: Readonly<Record<Figure, readonly (number | null)[]>>;
}

/** `GET /api/v1/history`. */
export interface HistoryView {
  /** The last ten minutes, each second. */
  readonly seconds: HistorySpan;
  /** The last hour, each ten seconds. */
  readonly tens: HistorySpan;
}

/** Sessions that ended alike, since the start. */
export interface EndCountView {
  readonly by: 'client' | 'backend' | 'proxy';
  /** The cause: a name of README's table. */
  readonly reason: string;
  /** What the client's Close said: 1000 to 1014, `3xxx`, `4xxx`, or `none`. */
  readonly code: string;
  readonly count: number;
}

/** Since the start. */
export interface LimitHitView {
  /** Its config key, such as `max_message_size`. */
  readonly limit: string;
  /** Of the messages of which side; null: of handshakes, sessions and plain requests, which it ended. */
  readonly from: 'client' | 'backend' | null;
  readonly hits: number;
}

export interface WorkerView {
  /** From 1; absent: there is one process, which does all. */
  readonly worker?: number;
  readonly pid: number;
  /** `silent`: it does not answer, and this is what it told last. */
  readonly state: ProxyState | 'silent';
  readonly sessions: number;
  readonly memory_bytes: number;
  readonly loop_lag_ms: number | null;
  readonly cpu_share: number | null;
}

export interface CountsView {
  /** The most frequent first. */
  readonly ends: readonly EndCountView[];
  /** The most frequent first. */
  readonly limits: readonly LimitHitView[];
}

/** Event `second`: each second, as long as the stream lasts. */
export interface SecondView extends CountsView {
  /** End of that second, in milliseconds since 1970: the `until` of a history that holds it. */
  readonly at: number;
  readonly figures: Figures;
  readonly workers: readonly WorkerView[];
}

/**
 * Event `parts`: every other second. Cut to the first 100 routes and, of all upstreams together, the first 200
 * targets; the rest is in `/api/v1/status` and `/api/v1/upstreams`.
 */
export interface PartsView {
  readonly status: StatusView;
  readonly upstreams: readonly UpstreamView[];
  /** How many there are, told or not. */
  readonly routes_total: number;
  readonly targets_total: number;
}

/** Event `end`, the last one. `token`: it was changed, show the new one; `page`: the page was switched off. */
export interface EndView {
  readonly why: 'token' | 'page';
}

/** `GET /api/v1/events`: `event: NAME`, `data: JSON` on one line, an empty line. */
export interface PageEvents {
  readonly second: SecondView;
  readonly parts: PartsView;
  readonly end: EndView;
}
