// What a status tells of the processes that hold the sessions, where one framegate has several.

/** One of several processes that hold the sessions. */
export interface WorkerStatusView {
  /** From 1. */
  readonly worker: number;
  readonly pid: number;
  /** `silent`: it did not answer within two seconds, and what is told of it is what it told last. */
  readonly state: 'starting' | 'ready' | 'draining' | 'silent';
  readonly sessions: number;
  readonly memory_bytes: number;
}
