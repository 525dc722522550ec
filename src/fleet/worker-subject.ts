// What the primary asks one worker for its admin listener, as plain data both ways (structured clones). Types only.
//
// Wiring. In a worker: `answerQuestions(asks, new WorkerAnswers({ parts, slices, origin }))`. In the primary, one
// `new RemoteSubject({ worker, pid, asks })` for each process, kept for as long as the primary shows it, and
//   fleet = new Fleet({ log, workers: () => remotes }), ProxyOptions.views = fleetViews(fleet)
// and `fleet.leave(remote)` when that process is gone, so that what it had counted stays counted; its end is counted
// in `metrics.workerExits`. `asks` are those of a channel; `SubjectQuestions` belong to what a worker is asked.
// Each thing is counted in one process: what the primary counts for all (accepted connections, handshake slots, health
// checks), no worker counts, too. A new worker has to be told of revocations and drained routes before it begins.

import type {
  ApplicationWebsocket,
  AskedClose,
  Extended,
  ProxyState,
  RevokeAsk,
  SessionDetail,
  SessionFilter,
  SessionQuery,
  SessionView,
  WhyView,
} from '../admin/subject.ts';
import type { Place } from '../control/session-order.ts';
import type { Depth } from '../control/sight.ts';
import type { ToldTotals } from '../control/totals.ts';
import type { MetricsPart } from '../observe/metrics.ts';
import type { RuntimeFigures } from '../observe/runtime-figures.ts';

/** What a worker is, at the moment of a reading of its counters. */
export interface WorkerFacts {
  readonly state: ProxyState;
  readonly sessions: number;
  /** 0 without a process to look at. */
  readonly memoryBytes: number;
  readonly logLinesDropped: number;
  /** Null without a process to look at, and where it was not asked for. */
  readonly runtime: RuntimeFigures | null;
}

/** A list that comes in pages: the worker holds the rest for 10 s after each of them. */
export interface Paged<T> {
  /** What the next page is asked for by; 0: this was the last one. */
  readonly next: number;
  readonly items: readonly T[];
}

export interface CountsPage extends Paged<MetricsPart> {
  /** With the first page. */
  readonly facts: WorkerFacts | null;
}

/** What the page shows of one process in one second. NaN where there is no process to look at. */
export interface WorkerReading {
  readonly state: ProxyState;
  readonly sessions: number;
  readonly totals: ToldTotals;
  readonly memory: number;
  /** The longest since the last reading. */
  readonly lag: number;
  readonly cpuMicros: number;
}

/** The first sessions of a worker in an order, each with where it stands, by a clock that all processes share. */
export interface SessionsPage {
  readonly sessions: readonly { readonly view: SessionView; readonly place: Place }[];
  readonly more: number;
}

/** What is known by all processes as the same. Ids are the worker's own: it knows no others. */
export interface WorkerSubject {
  /** Its counters, from the first page (`next` 0) to the last. */
  counts(depth: Depth, next: number): Promise<CountsPage>;
  /** `inFull`: ends and limits by their kinds, too. */
  reading(inFull: boolean): Promise<WorkerReading>;
  /** Always in an order. */
  sessions(query: SessionQuery & Required<Pick<SessionQuery, 'sort'>>): Promise<SessionsPage>;
  session(id: string): Promise<SessionDetail | null>;
  why(id: string): Promise<WhyView | null>;
  websockets(next: number): Promise<Paged<ApplicationWebsocket>>;
  closeSession(id: string, close: AskedClose): Promise<boolean>;
  closeSessions(filter: SessionFilter, close: AskedClose): Promise<number>;
  extendSession(id: string, until: number): Promise<Extended>;
  /** Until when what is meant would be good, by its sessions, in milliseconds since 1970; 0: unknown. */
  expiry(ask: RevokeAsk): Promise<number>;
  /** Refuses them until then, and ends their sessions; how many. */
  revoke(ask: RevokeAsk, until: number): Promise<number>;
  drainRoute(route: string, draining: boolean): Promise<boolean>;
  drainTarget(upstream: string, target: string, draining: boolean): Promise<boolean>;
}

/** The same as questions by name, with what is given and what comes back. */
export type SubjectQuestions = {
  readonly [Name in keyof WorkerSubject]: readonly [
    ask: Parameters<WorkerSubject[Name]>,
    answer: Awaited<ReturnType<WorkerSubject[Name]>>,
  ];
};
